"""Wire formats without input or output: bytes in, values out, one error class. One file each."""
