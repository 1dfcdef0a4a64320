"""Checking a registry file: its shape, its references, and what it would mean for people. All faults at once.

checked = check(text)
checked.problems     faults, each a sentence with its line; a file with any is not imported
checked.advice       what is allowed but probably not meant
checked.registry     the file, where it has no problems
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from drivers import settings
from drivers.device_settings import settings_of
from drivers.device_type import DeviceType
from drivers.registry import UnknownDeviceType, device_type
from hub.registry import silence
from hub.registry.models import ALWAYS_ANSWERS, FORMAT, DevicePart, RegistryFile, StepPart
from hub.registry.part import part_in, too_large
from hub.registry.rota import uncovered
from hub.registry.timers import TimerError, timers_from
from hub.registry.words import Problem, UnreadableError, Words, read
from rules.problems import Wrong
from rules.spans import parse_span

__all__ = ["Checked", "Problem", "check"]

Found = Iterator[tuple[tuple[str | int, ...], str]]
"""Where, and the sentence."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of a check."""

    registry: RegistryFile | None
    problems: tuple[Problem, ...] = ()
    advice: tuple[Problem, ...] = field(default=())


def check(text: str | bytes) -> Checked:
    """Check a whole file; never raises for what is in it."""
    try:
        words = read(text)
    except UnreadableError as wrong:
        return Checked(None, (wrong.problem,))
    if not isinstance(words.data, dict):
        return Checked(None, (Problem(1, f"a registry file begins with 'format: {FORMAT}'"),))
    try:
        registry = RegistryFile.model_validate(words.data)
    except ValidationError as wrong:
        return Checked(None, tuple(sorted({*words.doubled, *_shape(wrong, words)})))
    problems = {*words.doubled, *_placed(_references(registry), words), *_placed(_meaning(registry), words)}
    if problems := problems or set(_placed(_sizes(registry), words)):
        return Checked(None, tuple(sorted(problems)))
    return Checked(registry, (), tuple(sorted(_placed(_advice(registry), words))))


def _placed(found: Found, words: Words) -> Iterator[Problem]:
    for path, sentence in found:
        yield Problem(words.line(path), sentence)


# ---------------------------------------------------------------- shape: pydantic's findings as sentences


def _shape(wrong: ValidationError, words: Words) -> Iterator[Problem]:
    for error in wrong.errors():
        path = tuple(part for part in error["loc"] if part != "[key]")
        yield Problem(words.line(path), _sentence(path, error))


def _sentence(path: tuple[str | int, ...], error: Mapping[str, Any]) -> str:
    place, name = ".".join(map(str, path)), str(path[-1]) if path else ""
    kind = error["type"]
    if kind == "extra_forbidden":
        return f"there is no {name!r:.80} here ({place})"
    if kind == "missing":
        return f"{name!r} is missing ({place})"
    if kind == "string_pattern_mismatch" and "[key]" in error["loc"]:
        return f"an id is 1 to 64 of a-z, 0-9, _ and -, not {name!r:.80}"
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {said}, not {error['input']!r:.80}" if kind != "value_error" else f"{place}: {said}"


# ---------------------------------------------------------------- references


def _references(registry: RegistryFile) -> Found:
    """Every name of another part that the file does not have."""
    for path, name, known in _named(registry):
        if name not in known:
            yield path, f"there is no {_singular(path)} {name!r}; {_names(known)}"


def _named(registry: RegistryFile) -> Iterator[tuple[tuple[str | int, ...], str, Iterable[str]]]:
    for index, name in enumerate(registry.municipality.remote_unlock.teams):
        yield ("municipality", "remote_unlock", "teams", index), name, registry.teams
    for id_, zone in registry.zones.items():
        yield ("zones", id_, "district"), zone.district, registry.districts
    for id_, team in registry.teams.items():
        for index, name in enumerate(team.zones):
            yield ("teams", id_, "zones", index), name, registry.zones
    for id_, person in registry.staff.items():
        for index, name in enumerate(person.teams):
            yield ("staff", id_, "teams", index), name, registry.teams
    for index, shift in enumerate(registry.shifts):
        yield ("shifts", index, "team"), shift.team, registry.teams
        yield ("shifts", index, "staff"), shift.staff, registry.staff
    for id_, home in registry.homes.items():
        yield ("homes", id_, "zone"), home.zone, registry.zones
        if home.gateway is not None:
            yield ("homes", id_, "gateway"), home.gateway, registry.gateways
    for id_, resident in registry.residents.items():
        yield ("residents", id_, "home"), resident.home, registry.homes
    for id_, device in registry.devices.items():
        yield ("devices", id_, "home"), device.home, registry.homes


SINGULAR = {"zones": "zone", "teams": "team"}


def _singular(path: tuple[str | int, ...]) -> str:
    last = path[-2] if isinstance(path[-1], int) else path[-1]
    return SINGULAR.get(str(last), str(last))


def _names(known: Iterable[str]) -> str:
    names = sorted(known)
    if not names:
        return "the file has none"
    return "the file has " + ", ".join(names[:10]) + (" …" if len(names) > 10 else "")


# ---------------------------------------------------------------- meaning


def _meaning(registry: RegistryFile) -> Found:
    if not registry.municipality.duty_phone.strip():
        yield ("municipality", "duty_phone"), "the phone that is always answered is missing"
    try:
        timers_from(registry.municipality.timers)
    except TimerError as wrong:
        yield ("municipality", "timers"), str(wrong)
    if not registry.municipality.remote_unlock.roles:
        said = "with no roles nobody could open a door; write 'allowed: no' instead"
        yield ("municipality", "remote_unlock", "roles"), said
    yield from _shifts(registry)
    for id_, steps in registry.chains.items():
        yield from _chain(id_, steps)
    for id_, device in registry.devices.items():
        yield from _device(id_, device)
    yield from _addresses(registry)


def _shifts(registry: RegistryFile) -> Found:
    for index, shift in enumerate(registry.shifts):
        person = registry.staff.get(shift.staff)
        if person is not None and shift.team not in person.teams:
            yield ("shifts", index, "staff"), f"{shift.staff} is not in the team {shift.team}"
    for team in registry.teams:
        nurses = [shift for shift in registry.shifts if shift.team == team and shift.duty == "nurse"]
        gap = uncovered((one.from_clock, one.to_clock) for one in nurses) if nurses else []
        if gap:
            place = next(i for i, shift in enumerate(registry.shifts) if shift.team == team)
            yield ("shifts", place), f"nobody is nurse on duty in the team {team} {_spans(gap)}"


def _spans(gap: list[int]) -> str:
    """Minutes of the day as `from 07:00 to 08:00`."""
    starts = [minute for minute in gap if minute - 1 not in set(gap)]
    ends = [minute + 1 for minute in gap if minute + 1 not in set(gap)]
    return " and ".join(f"from {_clock(a)} to {_clock(b)}" for a, b in zip(starts, ends, strict=True))


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def _chain(id_: str, steps: tuple[StepPart, ...]) -> Found:
    if not steps:
        yield ("chains", id_), "a chain has at least one step"
        return
    spans = []
    for index, step in enumerate(steps):
        try:
            spans.append(parse_span(step.after))
        except Wrong as wrong:
            yield ("chains", id_, index, "after"), str(wrong)
    if spans != sorted(spans):
        yield ("chains", id_), "steps stand in order of time; a later one has a shorter 'after'"
    if steps[-1].tell != ALWAYS_ANSWERS:
        yield (
            ("chains", id_, len(steps) - 1, "tell"),
            f"the last step of a chain tells the {ALWAYS_ANSWERS!r}, which always answers",
        )


def _device(id_: str, device: DevicePart) -> Found:
    try:
        known = device_type(device.type)
    except UnknownDeviceType as wrong:
        yield ("devices", id_, "type"), str(wrong)
        return
    if device.link != known.link:
        yield ("devices", id_, "link"), f"a {device.type} speaks over {known.link}, not {device.link}"
    classes = sorted({kind.partition(".")[0] for kind in known.emits} | {known.device_class})
    if device.device_class not in classes:
        said = f"a {device.type} is a {' or '.join(classes)}, not a {device.device_class!r:.80}"
        yield ("devices", id_, "class"), said
    yield from _settings(id_, known, device.settings)
    if device.until is not None and device.until <= device.since:
        yield ("devices", id_, "until"), "a device is taken away after it came; 'until' lies before 'since'"


OPEN_SECRETS = {
    "pin": "a PIN is a secret: write it to a file of the gateway's secrets folder and name that as 'pin_secret'",
    "password": "a password is a secret: write it to a file of the gateway's secrets folder and name that as"
    " 'password_secret'",
}


def _settings(id_: str, known: DeviceType, given: Mapping[str, Any]) -> Found:
    """Each setting strictly: what nobody knows, what is of the wrong kind, what cannot hold for such a device."""
    found = dict(settings.problems(settings_of(known), given, known.id))
    if unwatched := silence.problem(known, given):
        found["silent_after"] = unwatched
    for name, sentence in found.items():
        yield ("devices", id_, "settings", name), OPEN_SECRETS.get(name, sentence)


def _addresses(registry: RegistryFile) -> Found:
    """Two devices of one gateway at one address: nobody could say which of them spoke."""
    seen: dict[tuple[str | None, str, str], str] = {}
    for id_, device in registry.devices.items():
        home = registry.homes.get(device.home)
        if home is None or device.until is not None:
            continue
        key = (home.gateway, device.link, device.address.lower())
        if key in seen:
            yield ("devices", id_, "address"), f"{seen[key]} has the address {device.address!r} already"
        seen.setdefault(key, id_)


def _sizes(registry: RegistryFile) -> Found:
    for gateway in registry.gateways:
        if said := too_large(gateway, part_in(registry, gateway)):
            yield ("gateways", gateway), said


# ---------------------------------------------------------------- advice


def _advice(registry: RegistryFile) -> Found:
    served = {zone for team in registry.teams.values() for zone in team.zones}
    for zone in registry.zones:
        if zone not in served:
            said = f"no team serves the zone {zone}; its alarms go straight to the alarm centre"
            yield ("zones", zone), said
    for id_, home in registry.homes.items():
        if home.gateway is None and any(device.home == id_ for device in registry.devices.values()):
            yield ("homes", id_), f"the home {id_} has devices but no gateway that hears them"
    for team in registry.teams:
        if not any(shift.team == team for shift in registry.shifts):
            yield ("teams", team), f"the team {team} keeps no rota; it is always told as a whole"
