"""What an alert waits for: its deadlines as a function of how it stands. Pure; the desk writes them as rows.

Each deadline is data (DESIGN.md section 5): a restart forgets none, and an alert that is open always waits
for something, so none can lie still for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from drivers.events import Millis
from hub.centre.alerts.chains import Chain
from hub.centre.alerts.standing import Handling, Standing, Step
from hub.registry.timers import Timers

STEP, LAPSE, ARRIVE, WAKE = "step", "lapse", "arrive", "wake"
"""Purposes of a deadline: the chain's next step, an answer gone stale, an arrival missing, a snooze over."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deadline to be. due: ms UTC of the homes' time. data: for a step, its index and whom to tell.

    end_of_shift: due when the shift ends instead, where the rota says when that is.
    """

    purpose: str
    due: Millis
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    end_of_shift: bool = False


def waits_for(standing: Standing, chain: Chain, timers: Timers, now: Millis) -> tuple[Wanted, ...]:
    """Everything that an alert, standing so from `now` on, waits for."""
    if standing.handling is Handling.RESOLVED:
        return ()
    if standing.handling is Handling.TAKEN:
        return (_next_sign(standing, timers, now),)
    if standing.handling is Handling.SNOOZED:
        return (Wanted(WAKE, standing.snoozed_until or now),)
    return steps(chain, now)


def steps(chain: Chain, now: Millis) -> tuple[Wanted, ...]:
    """A chain begun now."""
    return tuple(
        Wanted(STEP, now + step.after * 1000, {"index": index, "tell": step.tell}, step.end_of_shift)
        for index, step in enumerate(chain)
    )


def _next_sign(standing: Standing, timers: Timers, now: Millis) -> Wanted:
    """By when the person who took it must have done the next step."""
    purpose = ARRIVE if standing.step == Step.ON_THE_WAY else LAPSE
    seconds = {
        "": timers.lapse(standing.urgency),
        Step.CALLING: timers.calling,
        Step.ON_THE_WAY: timers.arrive,
        Step.AT_THE_DOOR: timers.at_the_door,
    }[standing.step]
    work_list = standing.urgency == "low" and not standing.step
    return Wanted(purpose, now + seconds * 1000, {"step": standing.step}, end_of_shift=work_list)
