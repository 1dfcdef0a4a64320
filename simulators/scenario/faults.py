"""What may be wrong with a simulated device's wire, as words behind `do:`; drawn from seeds, so runs can be repeated.

What a device itself can report as wrong (`jammed`, `empty`, `tamper`, `battery_low`) is a
fact of its kind, see words.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulators.scenario.text import number, share

Read = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. lasts: it needs `for`; else it happens at once. data: what it may be told, with readers."""

    says: str
    lasts: bool = True
    data: Mapping[str, Read] = field(default_factory=dict)


FAULTS: Mapping[str, Fault] = {
    "wrong_bytes": Fault("what it sends is damaged on the way", data={"chance": share}),
    "dropped": Fault("what it sends is lost", data={"chance": share}),
    "doubled": Fault("what it sends arrives twice", data={"chance": share}),
    "disorder": Fault("every other thing it sends overtakes the one before", data={"chance": share}),
    "slow": Fault("what it says and answers comes late, in seconds of the world", data={"seconds": number}),
    "clock_wrong": Fault("its own clock is wrong by so many hours", data={"hours": number}),
    "stuck": Fault("no compartment opens on command"),
    "link_lost": Fault("the connection breaks in the middle of what it says next", lasts=False),
    "reboot": Fault("it starts anew", lasts=False),
}
"""Word → fault. Chances are 1 unless said."""

USUAL: Mapping[str, float] = {"chance": 1.0, "seconds": 20.0, "hours": 3.0}
"""What a fault's data are where a scenario does not say."""


def amount(data: Mapping[str, Any], name: str) -> float:
    """A fault's `chance`, `seconds` or `hours`."""
    return float(data.get(name, USUAL[name]))
