"""Which lane of the uplink a journal line travels in: what may cost a life goes first."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.catalogue import CATALOGUE
from hub.uplink.messages import LaneName

DECISION_LANES: Mapping[tuple[str, str], LaneName] = {
    ("care", "critical"): "alarm",
    ("care", "high"): "alarm",
    ("technical", "critical"): "alarm",
}
"""By queue and urgency; what is not named is care or technical, as its queue says."""


def of_event(kind: str) -> LaneName:
    """The lane the catalogue gives to a kind."""
    return CATALOGUE.spec(kind).lane


def of_decision(queue: str, urgency: str) -> LaneName:
    """The lane of a decision: of its alert's queue and urgency."""
    return DECISION_LANES.get((queue, urgency), "technical" if queue == "technical" else "care")
