"""Copies of a data folder in one file, and the way back: made while everything runs, checked before anybody says so."""
