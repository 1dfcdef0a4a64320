"""A few megabytes of disk kept back for the day it is full, so that an alarm can still be written down (ST-3)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SIZE = 8 * 1024 * 1024
"""Bytes kept back: some ten thousand journal lines, write-ahead log included."""

NEEDED = 4 * SIZE
"""Free bytes the disk must have before the reserve is made or made again."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """A file that holds nothing but its place."""

    path: Path

    def make(self) -> bool:
        """Set the space aside if it is not, and if the disk has plenty. Whether it is set aside now."""
        if self.path.exists():
            return True
        try:
            free = os.statvfs(self.path.parent)
            if free.f_bavail * free.f_frsize < NEEDED:
                return False
            with self.path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE)
                os.fsync(file.fileno())
        except OSError:
            self.path.unlink(missing_ok=True)
            return False
        return True

    def release(self) -> bool:
        """Give the space back to the disk. Whether there was any."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True
