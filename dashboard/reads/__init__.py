"""What pages and the stream read from the centre's database. Nothing here writes."""
