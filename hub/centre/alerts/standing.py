"""How an alert stands: the frozen model that the life cycle turns into the next one (DESIGN.md section 6).

Two facts, never merged: the *condition* is what the world says, the *handling* is what people do. A standing
is the part of an alert's row that they change; `standing_of` and `columns_of` translate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from drivers.events import Millis


class Condition(StrEnum):
    """What the world says: it is so, it is over, or nobody can know just now."""

    ACTIVE = "active"
    CLEARED = "cleared"
    UNKNOWN = "unknown"


class Handling(StrEnum):
    """What people have done about it."""

    NEW = "new"
    SEEN = "seen"
    TAKEN = "taken"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


OPEN = frozenset(Handling) - {Handling.RESOLVED}


class Step(StrEnum):
    """What the person who took it is doing."""

    CALLING = "calling"
    ON_THE_WAY = "on_the_way"
    AT_THE_DOOR = "at_the_door"


URGENCIES: tuple[str, ...] = ("low", "moderate", "high", "critical")
"""VKP severity 10, 20, 30 and 40, in that order."""


def one_higher(urgency: str) -> str:
    """The next urgency; critical stays critical."""
    return URGENCIES[min(URGENCIES.index(urgency) + 1, len(URGENCIES) - 1)]


def higher(one: str, other: str) -> str:
    """The more urgent of two."""
    return max(one, other, key=URGENCIES.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The changing part of an alert. Field names are the columns of `Alert`, where their meanings stand.

    version grows with every change; handled and grown name the versions in which a person or a lapse last
    changed the handling, and in which evidence last came.
    """

    urgency: str
    condition: Condition = Condition.ACTIVE
    handling: Handling = Handling.NEW
    life_safety: bool = False
    version: int = 1
    handled: int = 1
    grown: int = 1
    count: int = 1
    evidence: tuple[str, ...] = ()
    repeats: tuple[Millis, ...] = ()
    last_at: Millis = 0
    cleared_at: Millis | None = None
    clear_reason: str = ""
    owner: str | None = None
    owner_since: Millis | None = None
    step: str = ""
    step_at: Millis | None = None
    seen_by: tuple[Mapping[str, Any], ...] = ()
    snoozed_until: Millis | None = None
    snooze_reason: str = ""
    cause: str = ""
    measure: str = ""
    note: str = ""
    resolved_at: Millis | None = None
    resolved_by: str | None = None
    escalated: int = 0
    undo: Mapping[str, Any] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Still waiting for an end."""
        return self.handling is not Handling.RESOLVED

    @property
    def held_quiet(self) -> bool:
        """Whether this alert may never be snoozed: somebody's life may hang on it."""
        return self.life_safety or self.urgency == "critical"

    @property
    def ends_by_itself(self) -> bool:
        """Whether clearing may close it: only a notice or a work-list item that nobody has taken in hand.

        For all others "back to normal" is not "over" until a person has looked (failure modes AL-6, pattern 5).
        """
        minor = not self.life_safety and self.urgency in {"moderate", "low"}
        return minor and self.handling is not Handling.TAKEN


COLUMNS: tuple[str, ...] = tuple(part.name for part in fields(Standing))
LISTS = frozenset({"evidence", "repeats", "seen_by"})
HANDLING_COLUMNS: tuple[str, ...] = (
    "handling",
    "owner",
    "owner_since",
    "step",
    "step_at",
    "seen_by",
    "snoozed_until",
    "snooze_reason",
    "cause",
    "measure",
    "note",
    "resolved_at",
    "resolved_by",
)
"""What an undo puts back; evidence and escalation that came meanwhile stay."""


def standing_of(row: Any) -> Standing:
    """Read a standing from anything that has the columns of `Alert`."""
    columns = {name: getattr(row, name) for name in COLUMNS}
    columns |= {name: tuple(columns[name]) for name in LISTS}
    columns["condition"], columns["handling"] = Condition(row.condition), Handling(row.handling)
    return Standing(**columns)


def columns_of(standing: Standing) -> dict[str, Any]:
    """Write a standing as column values."""
    columns = {name: getattr(standing, name) for name in COLUMNS}
    columns |= {name: list(columns[name]) for name in LISTS}
    columns["undo"] = dict(standing.undo)
    columns["condition"], columns["handling"] = standing.condition.value, standing.handling.value
    return columns
