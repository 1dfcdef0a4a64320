"""The rule language: text → checked book. Nothing here knows of time passing or of homes."""
