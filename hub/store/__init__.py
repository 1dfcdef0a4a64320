"""Tables, engines, sessions and migrations of the gateway's and the centre's databases."""
