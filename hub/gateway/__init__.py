"""The box in the home: hears devices, writes down, judges, acts, and sends everything up."""
