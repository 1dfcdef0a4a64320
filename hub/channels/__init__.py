"""Ways to reach a person or a place, one file each."""
