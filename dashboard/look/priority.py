"""Priorities as screens show them: P1, P2, P3 and technical (reference section 5), and the order of the list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from dashboard.look.words import mark
from drivers.events import Millis

Tier: TypeAlias = Literal["p1", "p2", "p3", "tech"]
TIERS: tuple[Tier, ...] = ("p1", "p2", "p3", "tech")

WORDS: Mapping[Tier, tuple[str, str]] = {
    "p1": ("P1 ", mark("Critical")),
    "p2": ("P2 ", mark("Warning")),
    "p3": ("P3 ", mark("Notice")),
    "tech": ("", mark("Technical")),
}
ICONS: Mapping[Tier, str] = {"p1": "octagon-alert", "p2": "triangle-alert", "p3": "info", "tech": "wrench"}

_CARE: Mapping[str, Tier] = {"critical": "p1", "high": "p2", "moderate": "p3", "low": "p3"}
_URGENCY = ("critical", "high", "moderate", "low")
_HANDLING = {"new": 0, "seen": 0, "taken": 1, "snoozed": 2, "resolved": 3}

LISTED = ("critical", "high", "moderate")
"""Urgencies that get an alarm row; low goes to the work list (DESIGN.md section 6)."""


def tier_of(urgency: str, queue: str) -> Tier:
    """Which of the four an alert is. A critical technical one (a silent gateway) is as loud as any P1."""
    if queue == "technical" and urgency != "critical":
        return "tech"
    return _CARE.get(urgency, "p1")


def list_key(
    urgency: str, queue: str, handling: str, at: Millis, number: int, *, grouped: bool = False
) -> str:
    """A fixed-width text whose order is the order of the list: priority, untaken first, oldest first.

    grouped: it belongs to an area's alarm. Forty silent gateways stand behind the alarm that speaks for them, and
    behind everything else of their priority that nobody has taken: a fall must not be looked for among them.
    """
    tier = TIERS.index(tier_of(urgency, queue))
    rank = _URGENCY.index(urgency) if urgency in _URGENCY else 0
    return f"{tier}{rank}{_HANDLING.get(handling, 0)}{int(grouped)}{at:015d}{number:012d}"
