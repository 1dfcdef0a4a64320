"""A message a device publishes, and what may go wrong with it on the way."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Said:
    """One message. retain: the broker keeps it."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(slots=True)
class Faults:
    """What goes wrong, by chance of 0 to 1 a message, seeded so that a run can be repeated.

    dropped, doubled: as said. wrong: some bytes are not what was said. late: held back behind the next message.
    silent: nothing leaves at all.
    """

    seed: int = 0
    dropped: float = 0.0
    doubled: float = 0.0
    wrong: float = 0.0
    late: float = 0.0
    silent: bool = False
    _chance: random.Random = field(init=False)
    _held: list[Said] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def through(self, messages: Iterable[Said]) -> Iterator[Said]:
        """What of these messages arrives, and how."""
        for message in messages:
            if self.silent or self._happens(self.dropped):
                continue
            said = self._garbled(message) if self._happens(self.wrong) else message
            if self._happens(self.late):
                self._held.append(said)
                continue
            yield said
            if self._happens(self.doubled):
                yield said
            yield from self._held
            self._held.clear()

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._chance.random() < chance

    def _garbled(self, message: Said) -> Said:
        wrong = bytearray(message.payload or b"\0")
        for _ in range(self._chance.randint(1, 4)):
            wrong[self._chance.randrange(len(wrong))] = self._chance.randrange(256)
        if self._chance.random() < 0.3:
            del wrong[self._chance.randrange(len(wrong)) :]
        return replace(message, payload=bytes(wrong))
