"""What one viewer may see of alerts: by zone, queue, and how much of a person's name (reference section 20).

Two viewers with equal scopes and the same language share one channel of the live stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from hub.centre.access import Actor, Right

Redaction: TypeAlias = Literal["full", "initials", "technical"]
REDACTIONS: tuple[Redaction, ...] = ("full", "initials", "technical")


@dataclass(frozen=True, slots=True)
class Scope:
    """zones, homes: whose alerts. queues: care, technical. everywhere: all zones."""

    zones: frozenset[str]
    homes: frozenset[str]
    queues: frozenset[str]
    redaction: Redaction
    everywhere: bool = False

    def reaches(self, *, zone: str, home: str) -> bool:
        """Whether a zone or home is this viewer's business at all; nobody's without a queue to see."""
        inside = self.everywhere or not zone or zone in self.zones or home in self.homes
        return bool(self.queues) and inside

    def admits(self, *, zone: str, home: str, queue: str) -> bool:
        """Whether an alert of this zone, home and queue may be shown."""
        return queue in self.queues and self.reaches(zone=zone, home=home)


def scope_of(actor: Actor) -> Scope:
    """The scope of a person, as access has it: whoever has no right has an empty one."""
    return Scope(
        zones=actor.zones,
        homes=actor.homes,
        queues=frozenset(actor.queues),
        redaction=redaction_of(actor),
        everywhere=actor.everywhere,
    )


def redaction_of(actor: Actor) -> Redaction:
    """Names for those who may see names, initials for a wall screen, none for a technician."""
    if actor.has(Right.SEE_NAMES):
        return "full"
    return "initials" if actor.has(Right.SEE_ALERTS) else "technical"
