"""When something happened, as far as it can be known: what a device says, within what we can believe (TR-11)."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.events import Fact, Millis

OLDEST: Millis = 7 * 86_400_000
"""A device that reports an event older than this has a wrong clock rather than a long memory."""


@dataclass(frozen=True, slots=True)
class Moment:
    """at: when it happened, ms UTC. given: the device said so and was believed. doubt: why it was not."""

    at: Millis
    given: bool
    doubt: str = ""


def moment(fact: Fact, heard: Millis, *, own_clock: bool) -> Moment:
    """Take the device's time where its clock may be trusted; never later than we heard it, never absurdly old.

    A time ahead of ours would silence the rules that wait for a sign of life, so it becomes `heard`. A sign of life is
    one now, whatever the device believes the time to be: a clock hours behind must not make it pass for silent.
    """
    if fact.at is None or not own_clock or fact.kind.endswith(".heartbeat"):
        return Moment(heard, given=False)
    if fact.at > heard:
        return Moment(heard, given=False, doubt=f"the device's clock is {fact.at - heard} ms ahead of ours")
    if fact.at < heard - OLDEST:
        return Moment(heard, given=False, doubt=f"the device says {heard - fact.at} ms ago, more than a week")
    return Moment(fact.at, given=True)
