"""Looking a machine over, for the technician who installs or mends it: each finding a sentence, with what to do."""
