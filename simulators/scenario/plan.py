"""A scenario's day as a list of beats: ordinary habits, then the incidents laid over them. Pure and seeded."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from simulators.scenario.faults import FAULTS
from simulators.scenario.habits import Day, beat, habits, reading
from simulators.scenario.measuring import told
from simulators.scenario.model import Beat, Device, Expected, Home, Incident, Instant, Millis, Scenario
from simulators.scenario.story import Hours, story
from simulators.scenario.words import DOSE_HABITS

READING_EVERY = 60.0
"""Seconds between measurements while an incident's `reading` lasts."""
DRAIN_EVERY = 15 * 60.0
"""Seconds between two words on a battery that runs down."""


@dataclass(frozen=True, slots=True)
class Window:
    """An expected alert with its instants."""

    rule: str
    home: str
    since: Millis
    until: Millis


def day_plan(scenario: Scenario, first: date, number: int = 1) -> list[Beat]:
    """What every device says on the scenario's `number`-th day, in order. first: the local date of day 1."""
    beats: list[Beat] = []
    for home in scenario.homes.values():
        incidents = [one for one in scenario.incidents if one.home == home.id]
        beats += home_day(scenario, home, incidents, first, number)
    return sorted(beats)


def home_day(
    scenario: Scenario, home: Home, incidents: Sequence[Incident], first: date, number: int
) -> Iterator[Beat]:
    """What the devices of one home say on that day, in no particular order. incidents: those of this home."""
    on = first + timedelta(days=number - 1)
    today = [one for one in incidents if one.day in (None, number)]
    return _home_plan(home, scenario.start, on, today, f"{scenario.seed}/{number}/{home.id}")


def heard(beat: Beat, scenario: Scenario, lasting: Sequence[Trouble]) -> Millis | None:
    """When a beat reaches its judge; None if it never does. lasting: the day's `cut_off` and `silent` incidents.

    A gateway that is cut off is heard afterwards. One that is silent is down and hears nothing: what native devices
    say meanwhile they repeat until it is back, what others say is lost.
    """
    device = scenario.devices[beat.device]
    if device.type == "gateway":
        return max([beat.at, *_until(beat, lasting, "cut_off", {beat.device})])
    gateways = {one.id for one in scenario.homes[beat.home].devices.values() if one.type == "gateway"}
    down = _until(beat, lasting, "silent", gateways)
    if down and device.family != "native":
        return None
    return max([beat.at, *down])


def _until(beat: Beat, lasting: Sequence[Trouble], do: str, devices: set[str]) -> list[Millis]:
    return [
        one.until
        for one in lasting
        if one.do == do and one.device in devices and one.since <= beat.at < one.until
    ]


def expected(scenario: Scenario, first: date) -> list[Window]:
    """The alerts the scenario's author expects, with their instants."""
    return [_window(one, scenario, first) for one in scenario.expect]


def day_begin(scenario: Scenario, first: date, number: int = 1) -> Millis:
    """When the `number`-th day begins, in the scenario's own zone."""
    return instant(first + timedelta(days=number - 1), scenario.start, scenario.zone)


def instant(on: date, minutes: int, zone: ZoneInfo) -> Millis:
    """Local clock → ms UTC. A time that comes twice: the first; one that does not exist: the offset before."""
    local = datetime(on.year, on.month, on.day, minutes // 60, minutes % 60, tzinfo=zone)
    return round(local.astimezone(UTC).timestamp() * 1000)


def _clock_of(on: date, start: int, zone: ZoneInfo) -> Callable[[int], Millis]:
    """Clock times of a day that begins at `start`: what is earlier belongs to the morning after."""

    def resolve(minutes: int) -> Millis:
        return instant(on + timedelta(days=minutes < start), minutes, zone)

    return resolve


def _window(one: Expected, scenario: Scenario, first: date) -> Window:
    home = scenario.homes.get(one.home)
    zone = home.zone if home else scenario.zone
    resolve = _clock_of(first + timedelta(days=one.day - 1), scenario.start, zone)
    since, until = (
        moment.at if isinstance(moment, Instant) else resolve(moment) for moment in (one.since, one.until)
    )
    return Window(one.rule, one.home, since, until)


def _home_plan(home: Home, start: int, on: date, incidents: list[Incident], seed: str) -> Iterator[Beat]:
    resolve = _clock_of(on, start, home.zone)
    hours = Hours(
        begin=instant(on, start, home.zone),
        end=instant(on + timedelta(days=1), start, home.zone),
        wakes=resolve(home.wakes),
        sleeps=resolve(home.sleeps),
        goes_out=tuple(map(resolve, home.goes_out)),
        carers=tuple(map(resolve, home.carers)),
    )
    scenes = tuple(story(hours, random.Random(seed)))
    for device in home.devices.values():
        own = [one for one in incidents if one.device == device.id]
        missed, left = (frozenset(resolve(one.at) for one in own if one.do == do) for do in ("miss", "leave"))
        day = Day(hours.begin, hours.end, scenes, resolve, missed, left)
        usual = habits(device, day, random.Random(f"{seed}/{device.id}"))
        yield from _lay_over(device, usual, own, resolve)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An incident that lasts: while it does, the device behaves so. A fault that happens at once ends as it begins."""

    device: str
    do: str
    since: Millis
    until: Millis
    data: Mapping[str, Any] = field(default_factory=dict)


def troubles(scenario: Scenario, first: date, number: int = 1) -> list[Trouble]:
    """The lasting incidents of one day and its faults, for whoever plays the devices."""
    lasting = [
        one
        for one in scenario.incidents
        if one.day in (None, number) and (one.lasting is not None or one.do in FAULTS)
    ]
    return [trouble_of(one, scenario, first, number) for one in lasting]


def trouble_of(one: Incident, scenario: Scenario, first: date, number: int) -> Trouble:
    """When an incident begins and ends on a day."""
    on = first + timedelta(days=number - 1)
    since = _clock_of(on, scenario.start, scenario.homes[one.home].zone)(one.at)
    return Trouble(one.device, one.do, since, since + round((one.lasting or 0) * 1000), one.data)


# ---------------------------------------------------------------- incidents


def _lay_over(
    device: Device, usual: list[Beat], incidents: list[Incident], resolve: Callable[[int], Millis]
) -> list[Beat]:
    """Take out what an incident makes impossible, then add what it says."""
    beats = usual
    for incident in incidents:
        since = resolve(incident.at)
        until = since + round((incident.lasting or 0) * 1000)
        if incident.do == "silent":
            beats = [one for one in beats if not since <= one.at < until]
            continue
        contradicting = _contradicting(device, incident.do)
        beats = [one for one in beats if not (since <= one.at <= until and one.word in contradicting)]
        beats += _said(device, incident, since, until)
    return beats


def _contradicting(device: Device, do: str) -> frozenset[str]:
    """The facts a device cannot report while this incident lasts."""
    together = {do, device.kind.ends[do]} if do in device.kind.ends else set()
    if device.type == "lock" and together:
        together |= {"locked", "unlocked"}
    if device.type == "dispenser" and do == "jammed":
        together |= {"dispensed", "taken"}
    return frozenset(together)


def _said(device: Device, incident: Incident, since: Millis, until: Millis) -> Iterator[Beat]:
    if incident.do in DOSE_HABITS or incident.do == "cut_off" or incident.do in FAULTS:
        return
    if incident.do in _COURSES:
        yield from _COURSES[incident.do](device, incident, since, until)
        return
    for number in range(incident.times):
        yield beat(device, since + round(number * incident.every * 1000), incident.do, **incident.data)
    if incident.lasting is not None:
        yield beat(device, until, device.kind.ends[incident.do], **_shared(device, incident))


def _readings(device: Device, incident: Incident, since: Millis, until: Millis) -> Iterator[Beat]:
    values = told(device.type, device.settings, incident.data)
    for at in range(since, until + 1, round(READING_EVERY * 1000)):
        yield from reading(device, at, values)


def _draining(device: Device, incident: Incident, since: Millis, until: Millis) -> Iterator[Beat]:
    """The battery level, falling evenly."""
    full, empty = float(incident.data.get("from", 100)), float(incident.data.get("to", 0))
    for at in range(since, until + 1, round(DRAIN_EVERY * 1000)):
        share = (at - since) / max(1, until - since)
        yield beat(device, at, "battery", value=round(full + (empty - full) * share))


_COURSES: Mapping[str, Callable[[Device, Incident, Millis, Millis], Iterator[Beat]]] = {
    "reading": _readings,
    "drain": _draining,
}
"""Incidents that say something again and again while they last."""


def _shared(device: Device, incident: Incident) -> dict[str, Any]:
    """What the end of an incident repeats of its beginning: the place of a call, the code of a fault."""
    both = {"nurse_call": ("place",)}.get(device.type, ()) or (("code",) if incident.do == "fault" else ())
    return {key: incident.data[key] for key in both if key in incident.data}
