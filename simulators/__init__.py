"""PRETEND: stand-in hardware and scenarios over real wires; imports nothing of ours, as hardware does not."""
