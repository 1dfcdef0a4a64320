"""Homes as the engine knows them: who lives there, which devices, which clock, and what the rules remember."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from drivers.events import Event, Millis
from rules.book import Book
from rules.language.types import Setting, ValueType, read_parameter
from rules.problems import Wrong

DEFAULT_TZ = "Europe/Oslo"
DEFAULT_LATE: Millis = 120_000
"""How late an event may come in and still be judged in its place, where nothing else is said (2 min)."""

OF_TIMES: Mapping[str, ValueType] = {"at_home": "yes or no", "away": "yes or no"}
"""Parameters that `only: when at home` asks for without naming them."""

RECENT = 16
"""Decisions remembered for each rule and key, for `why-not`."""


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """One installed unit. since: its assignment, ms UTC; silent_after: seconds; name: for sentences.

    knows_taken: whether it can tell that a dose was taken; a dispenser that cannot is not asked (VKP 1.3).

    late_ms: how late its events may come in; None: as the home says. 0 where the gateway stamps them.
    """

    device_class: str
    since: Millis | None = None
    silent_after: float | None = None
    name: str = ""
    late_ms: Millis | None = None
    knows_taken: bool = True


@dataclass(frozen=True, slots=True)
class HomeSpec:
    """A home. resident: `name` and parameters. late_ms: 0 where the gateway itself stamps every event."""

    id: str
    tz: str = DEFAULT_TZ
    resident: Mapping[str, Any] = field(default_factory=dict)
    devices: Mapping[str, DeviceSpec] = field(default_factory=dict)
    late_ms: Millis = DEFAULT_LATE


class Home:
    """One home while the engine runs. slots: one entry a rule, in the book's order."""

    __slots__ = (
        "assigned", "grace", "id", "late", "name", "off", "parameter_types", "parameters", "pending", "recent",
        "registered", "slots", "spec", "told", "tz",
    )  # fmt: skip

    def __init__(self, home: str, rules: int) -> None:
        self.id = home
        self.slots: list[Any] = [None] * rules
        self.recent: dict[tuple[str, str], deque[tuple[Millis, str, str]]] = {}
        self.told: dict[tuple[str, str, Millis, str], None] = {}
        self.pending: list[Event] = []
        self.registered = False
        self.assigned: frozenset[str] = frozenset()
        self.spec = HomeSpec(home)
        self.name, self.tz, self.grace = home, ZoneInfo(DEFAULT_TZ), DEFAULT_LATE
        self.late: Mapping[str, Millis] = {}
        self.parameters: Mapping[str, Any] = {}
        self.parameter_types: Mapping[str, str] = {}
        self.off: Mapping[str, str] = {}

    def settle_in(self, spec: HomeSpec, book: Book) -> None:
        """Take over what the registry says; rules that lack a parameter are off here, with the reason."""
        self.spec = spec
        self.assigned = frozenset(spec.devices)
        self.name = str(spec.resident.get("name") or spec.id)
        self.tz = zone(spec.tz)
        self.late = {name: each.late_ms for name, each in spec.devices.items() if each.late_ms is not None}
        self.grace = max(0, spec.late_ms, *self.late.values())
        self.parameter_types = book.types
        self.parameters, wrong = _parameters(spec, book)
        self.off = _off(book, self.parameters, wrong)

    def device_name(self, device: str) -> str:
        """What people call a device, else its id."""
        known = self.spec.devices.get(device)
        return (known.name if known else "") or device

    def value(self, setting: Setting | None, device: str) -> Any:
        """The value of a setting here, for a device; None where the resident or the device has none."""
        if setting is None:
            return None
        if setting.parameter:
            return self.parameters.get(setting.parameter)
        if setting.of_device:
            spec = self.spec.devices.get(device)
            return None if spec is None or spec.silent_after is None else round(spec.silent_after * 1000)
        return setting.value

    def allowance(self, device: str) -> Millis:
        """How late an event of this device may come in."""
        return self.late.get(device, max(0, self.spec.late_ms))

    @property
    def at_home(self) -> bool:
        """Whether the resident is at home, as the registry has it; yes where nothing is said."""
        return bool(self.parameters.get("at_home", True)) and not self.parameters.get("away", False)


def zone(name: str) -> ZoneInfo:
    """The time zone of that name; the default where there is none such (the registry has checked it before)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(DEFAULT_TZ)


def _parameters(spec: HomeSpec, book: Book) -> tuple[dict[str, Any], dict[str, str]]:
    """The resident's parameters in the types the book needs, and a sentence for each that cannot be read."""
    found, wrong = dict(book.defaults), {}
    for name, wanted in (*book.types.items(), *OF_TIMES.items()):
        if name in spec.resident and spec.resident[name] is not None:
            try:
                found[name] = read_parameter(name, spec.resident[name], wanted)
            except Wrong as fault:
                found.pop(name, None)
                wrong[name] = str(fault)
    return found, wrong


def _off(book: Book, parameters: Mapping[str, Any], wrong: Mapping[str, str]) -> dict[str, str]:
    off = {}
    for rule, names in book.needs:
        for name in names:
            if name not in parameters:
                off[rule] = wrong.get(name) or f"the resident has no parameter {name!r}"
    return off
