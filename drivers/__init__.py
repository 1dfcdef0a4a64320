"""HEAR: bytes from devices become events, commands become bytes.

This package imports nothing of ours. Only `drivers.links` touches the outside world, and nothing here
imports it by itself: a decoder can run wherever Python runs.
"""
