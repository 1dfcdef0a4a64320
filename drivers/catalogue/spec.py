"""What the catalogue says of one fact, one state and one data field, and how data is checked against it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from drivers.events import EARLIEST, LATEST, DecodeError, Value

Language: TypeAlias = Literal["nb", "en"]
Words: TypeAlias = Mapping[Language, str]
"""The same phrase in Norwegian bokmål and English."""

FieldType: TypeAlias = Literal["number", "text", "flag", "time"]
Lane: TypeAlias = Literal["alarm", "care", "technical", "telemetry"]

MAX_TEXT = 500
"""Characters in one text of an event's data; longer texts are refused so that a journal row stays small."""

NO_SETS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class DataField:
    """One field of a fact's data.

    type: number (finite), text, flag (true or false) or time (integer ms since 1970 UTC).
    low, high: bounds of a number, both included. values: the texts allowed; empty means any text.
    """

    name: str
    type: FieldType
    unit: str = ""
    meaning: str = ""
    required: bool = False
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def check(self, value: Value) -> None:
        """Raise DecodeError with a sentence unless `value` fits this field."""
        if problem := _CHECKS[self.type](self, value):
            raise DecodeError(f"field {self.name!r} is {problem}, not {value!r:.80}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSpec:
    """One fact a device can report.

    words: a short phrase for the screen, by language. meaning: one sentence for rule writers and installers.
    sets: state name → the value it takes, or `=field` to take that field's value (a flag becomes yes or no, an
    absent field leaves the state as it was).
    call_for_help: a person asks for help; with no rule for it the hub raises an alert in these words.
    lane: in which lane of the uplink it travels.
    vkp: `alert-code#…` or `medicationdispense-events#…`, the Norwegian code systems `vkp-…-v090`.
    scaip: device type / status code of SS 91100 (dty/stc).
    mdc: `10471:sensor.bit` (activity hub), `10472:code` (medication monitor), or `104xx:code` of a measurement.
    """

    kind: str
    words: Words
    meaning: str
    lane: Lane
    fields: tuple[DataField, ...] = ()
    sets: Mapping[str, str] = field(default_factory=lambda: NO_SETS)
    call_for_help: bool = False
    vkp: str = ""
    scaip: str = ""
    mdc: str = ""

    @property
    def device_class(self) -> str:
        """The half before the dot."""
        return self.kind.partition(".")[0]

    def field(self, name: str) -> DataField | None:
        """The data field of that name, if this fact has one."""
        return next((each for each in self.fields if each.name == name), None)

    def check(self, data: Mapping[str, Value]) -> None:
        """Raise DecodeError with a sentence when a field is missing, unknown or of the wrong type."""
        for name, value in data.items():
            known = self.field(name)
            if known is None:
                raise DecodeError(f"{self.kind} has no field {name!r:.80}; it has {self._names()}")
            try:
                known.check(value)
            except DecodeError as wrong:
                raise DecodeError(f"{self.kind}: {wrong}") from None
        for each in self.fields:
            if each.required and each.name not in data:
                raise DecodeError(f"{self.kind} needs the field {each.name!r}, which is missing")

    def _names(self) -> str:
        return ", ".join(each.name for each in self.fields) or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSpec:
    """Something that stays so until a fact changes it: one of `values`, or a number in `unit`.

    value_words: what each value is called on screens; empty for numbers.
    """

    name: str
    words: Words
    values: tuple[str, ...] = ()
    unit: str = ""
    value_words: Mapping[str, Words] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_number(self) -> bool:
        """Whether the state holds a number instead of one of a few words."""
        return not self.values


def _number_problem(spec: DataField, value: Value) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        return "a number"
    if (spec.low is not None and value < spec.low) or (spec.high is not None and value > spec.high):
        return f"a number between {spec.low:g} and {spec.high:g}"
    return ""


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _text_problem(spec: DataField, value: Value) -> str:
    if not isinstance(value, str):
        return "a text"
    if len(value) > MAX_TEXT:
        return f"a text of at most {MAX_TEXT} characters"
    if not _storable(value):
        return "a text of whole characters without NUL"
    if spec.values and value not in spec.values:
        return f"one of {', '.join(spec.values)}"
    return ""


def _storable(text: str) -> bool:
    """Half a surrogate pair cannot be written as UTF-8, and PostgreSQL keeps no NUL."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _flag_problem(spec: DataField, value: Value) -> str:  # noqa: ARG001  every check has this shape
    return "" if isinstance(value, bool) else "true or false"


def _time_problem(spec: DataField, value: Value) -> str:  # noqa: ARG001  every check has this shape
    if isinstance(value, bool) or not isinstance(value, int) or not EARLIEST <= value <= LATEST:
        return "a time in whole milliseconds since 1970 UTC"
    return ""


_CHECKS = {
    "number": _number_problem,
    "text": _text_problem,
    "flag": _flag_problem,
    "time": _time_problem,
}
