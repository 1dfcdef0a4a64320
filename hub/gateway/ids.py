"""Ids of events whose wire has none: unique in the whole system, and in order of hearing within a device."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from drivers.events import Millis


@dataclass(slots=True)
class Ids:
    """Makes ids like `019bc3f1a2c-0001-5f3a9c`: time, place within the millisecond, a random word of this run.

    The random word keeps two runs apart that believe in the same millisecond, as after a clock set back.
    """

    run: str = field(default_factory=lambda: secrets.token_hex(3))
    _heard: Millis = 0
    _place: int = 0

    def new(self, device: str, heard: Millis) -> str:
        """The id of the next event heard from a device."""
        self._place = self._place + 1 if heard <= self._heard else 0
        self._heard = max(self._heard, heard)
        return f"{device}:{self._heard:011x}-{self._place:04x}-{self.run}"
