"""Settings of the tests of alarm receivers."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")  # busy machines have no deadline, and every run draws the same
