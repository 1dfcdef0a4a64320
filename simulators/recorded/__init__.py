"""Recorded journals played again: what devices once said, said once more over the wires of native devices."""
