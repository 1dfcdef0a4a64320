"""The live stream: changes of the database, rendered once for each channel, sent to everybody who listens."""
