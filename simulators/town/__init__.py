"""A town: any number of homes from a seeded mix of real device families, each with a believable life of its own."""
