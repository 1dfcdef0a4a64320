"""Stand-in alarm units and receivers on IP: each speaks its protocol from the description, with nothing of ours."""
