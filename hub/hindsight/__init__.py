"""Looking back: what the rules make of the centre's journal. For the command line and the API.

Homes and residents come from the registry's tables, events from the journal; nothing here writes.
"""
