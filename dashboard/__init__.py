"""SHOW AND ASK: server-rendered pages for care staff, one live stream, one small script."""
