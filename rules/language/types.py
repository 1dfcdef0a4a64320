"""The five types of a value in a book, and the settings that may be written out or left to the resident."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rules.problems import Wrong, listed
from rules.spans import parse_clock, parse_span

ValueType: TypeAlias = Literal["number", "text", "yes or no", "duration", "clock"]

KNOWN: Mapping[str, ValueType] = {
    "dose_time": "duration",
    "door_open_time": "duration",
    "out_of_bed_time": "duration",
    "inactive_time": "duration",
    "morning_from": "clock",
    "morning_deadline": "clock",
    "night_from": "clock",
    "night_to": "clock",
    "pulse_high": "number",
    "pulse_low": "number",
    "spo2_low": "number",
    "systolic_high": "number",
    "systolic_low": "number",
    "temperature_high": "number",
    "glucose_high": "number",
    "glucose_low": "number",
    "at_home": "yes or no",
    "away": "yes or no",
}
"""Parameters of a resident that the field speaks of; a book may use any other name, and its use gives the type."""

_WRITTEN = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
_WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


@dataclass(slots=True)
class Parameters:
    """Which `resident.x` a book reads, and of which type each is."""

    types: dict[str, ValueType] = field(default_factory=lambda: dict(KNOWN))
    used: set[str] = field(default_factory=set)

    def need(self, name: str, wanted: ValueType) -> None:
        """Use a parameter as a `wanted`. Raises Wrong if it is already known as something else."""
        self.used.add(name)
        known = self.types.setdefault(name, wanted)
        if known != wanted:
            raise Wrong(f"a {wanted} is needed here, this is a {known}: 'resident.{name}'")


@dataclass(frozen=True, slots=True)
class Setting:
    """A number, span or clock time: written out (`value`), the resident's (`parameter`) or the device's own."""

    type: ValueType
    value: Any = None
    parameter: str = ""
    of_device: bool = False

    @property
    def fixed(self) -> bool:
        """Whether the book itself says the value."""
        return not self.parameter and not self.of_device

    def __str__(self) -> str:
        if self.of_device:
            return "device.silent_after"
        return f"resident.{self.parameter}" if self.parameter else str(self.value)


def read_parameter(name: str, value: object, wanted: ValueType) -> Any:
    """A resident's parameter as the type a book needs. Raises Wrong with a sentence."""
    try:
        return _READERS[wanted](value)
    except Wrong as wrong:
        raise Wrong(f"resident.{name}: {wrong}") from None


def _number(value: object) -> float | int:
    if isinstance(value, str) and _WRITTEN.fullmatch(value.strip()):
        return float(value) if "." in value else int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return value
    raise Wrong(f"a number is needed here, not {value!r:.80}")


def _text(value: object) -> str:
    if isinstance(value, str) and len(value) <= 500:
        return value
    raise Wrong(f"a text is needed here, not {value!r:.80}")


def _yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    raise Wrong(f"{listed(('yes', 'no'))} is needed here, not {value!r:.80}")


def _duration(value: object) -> int:
    if isinstance(value, str):
        return parse_span(value)
    raise Wrong(f"{value!r:.80} is not a time span; write it like '10 min', '90 s' or '1 h 30 min'")


def _clock(value: object) -> int:
    if isinstance(value, str | int):
        return parse_clock(value)
    raise Wrong(f"{value!r:.80} is not a clock time; write it like '22:00'")


_READERS = {
    "number": _number,
    "text": _text,
    "yes or no": _yes_or_no,
    "duration": _duration,
    "clock": _clock,
}
