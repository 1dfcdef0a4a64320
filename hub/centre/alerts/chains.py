"""Whom to tell, and when: the chains a centre has before its registry says otherwise (DESIGN.md section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from hub.registry.models import ALWAYS_ANSWERS

MINUTE, HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class ChainStep:
    """after: seconds from the raise. tell: words that `hub.centre.duty` resolves to people.

    end_of_shift: when the shift ends instead, where the rota says when that is.
    """

    after: int
    tell: str
    end_of_shift: bool = False


Chain: TypeAlias = tuple[ChainStep, ...]


def _chain(*steps: tuple[int, str]) -> Chain:
    return tuple(ChainStep(after, tell) for after, tell in steps)


def _work_list(first: str, last_after: int) -> Chain:
    """A work list is looked through when the shift ends, or after eight hours where nobody knows when that is."""
    return (ChainStep(8 * HOUR, first, end_of_shift=True), ChainStep(last_after, ALWAYS_ANSWERS))


DEFAULTS: Mapping[str, Chain] = MappingProxyType(
    {
        "critical": _chain(
            (0, "nurse on duty"), (60, "whole team"), (120, "shift leader"), (300, ALWAYS_ANSWERS)
        ),
        "high": _chain(
            (0, "nurse on duty"),
            (5 * MINUTE, "whole team"),
            (10 * MINUTE, "shift leader"),
            (30 * MINUTE, ALWAYS_ANSWERS),
        ),
        "moderate": _chain(
            (0, "nurse on duty"),
            (30 * MINUTE, "whole team"),
            (HOUR, "shift leader"),
            (4 * HOUR, ALWAYS_ANSWERS),
        ),
        "low": _work_list("shift leader", 24 * HOUR),
        "technical-critical": _chain(
            (0, "technician"), (0, "nurse on duty"), (120, "shift leader"), (300, ALWAYS_ANSWERS)
        ),
        "technical-high": _chain((0, "technician"), (15 * MINUTE, "shift leader"), (HOUR, ALWAYS_ANSWERS)),
        "technical-moderate": _chain(
            (0, "technician"), (4 * HOUR, "shift leader"), (24 * HOUR, ALWAYS_ANSWERS)
        ),
        "technical-low": _work_list("technician", 72 * HOUR),
    }
)
"""By urgency, and by `technical-` and urgency for the technical queue."""


def chain_from(steps: Iterable[Mapping[str, Any]]) -> Chain:
    """Read the steps of a stored chain, in order of time."""
    read = (ChainStep(int(step["after"]), str(step["tell"])) for step in steps)
    return tuple(sorted(read, key=lambda step: step.after))


def chosen(name: str, queue: str, urgency: str) -> tuple[str, ...]:
    """Names of chains to look for, best first: the rule's own, the queue's, the urgency's."""
    own = (f"technical-{urgency}",) if queue == "technical" else ()
    named = (name,) if name and name != urgency else ()
    return (*named, *own, urgency)


def chain_of(name: str, queue: str, urgency: str, registered: Mapping[str, Chain]) -> Chain:
    """The chain of an alert. Registered ones come before the defaults; there is always one."""
    for candidate in chosen(name, queue, urgency):
        found = registered.get(candidate) or DEFAULTS.get(candidate)
        if found:
            return _ending_well(found)
    return DEFAULTS["critical"]


def _ending_well(chain: Chain) -> Chain:
    if chain[-1].tell == ALWAYS_ANSWERS:
        return chain
    return (*chain, ChainStep(chain[-1].after + 5 * MINUTE, ALWAYS_ANSWERS))
