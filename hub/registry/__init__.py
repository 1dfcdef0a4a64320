"""Everything that must be known before an event means something, as one YAML file format."""
