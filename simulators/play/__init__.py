"""Play a scenario's beats at their times, each over the wire of its device."""
