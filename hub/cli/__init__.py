"""The `trygghub` command: one module a subcommand, loaded only when asked for."""
