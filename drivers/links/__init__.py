"""The only input and output of this package: one module a transport, imported by name where it is needed."""
