"""Stand-in hardware on serial lines: pty ports, a cable with faults, and units that speak from their specifications."""
