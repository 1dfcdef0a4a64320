"""YAML text → values that know their line, so that every complaint can name its place.

Scalars stay the text that was written: no `22:00` turns into 1320 and no `no` into false; whoever reads a
value says what it must be. A key written twice is refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import yaml

T = TypeVar("T")

LARGEST_FILE = 1_000_000
"""Characters of a scenario; a larger file is a mistake."""
DEEPEST = 12
"""Levels of nesting."""

SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


class ScenarioError(ValueError):
    """A scenario that cannot be played. problems: one sentence each, `line N: …`."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


Written: TypeAlias = "str | dict[str, Spot] | list[Spot]"


@dataclass(frozen=True, slots=True)
class Spot:
    """A value and the line it stands on. value: text, a mapping or a list of further spots. quoted: a text for sure."""

    value: Written
    line: int
    quoted: bool = False


@dataclass(slots=True)
class Problems:
    """Complaints collected while reading, so that a tester sees all of them at once."""

    found: list[str] = field(default_factory=list)

    def add(self, line: int, sentence: str) -> None:
        """Note one complaint."""
        self.found.append(f"line {line}: {sentence}")

    def settle(self) -> None:
        """Raise ScenarioError if there was any."""
        if self.found:
            raise ScenarioError(
                sorted(self.found, key=lambda one: int(one.split(":")[0].removeprefix("line ")))
            )


def parse(text: str) -> Spot:
    """Read YAML. Raises ScenarioError with a line."""
    if len(text) > LARGEST_FILE:
        raise ScenarioError([f"line 1: the file has {len(text)} characters, at most {LARGEST_FILE} are read"])
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as wrong:
        raise ScenarioError([_syntax(wrong)]) from None
    if node is None:
        raise ScenarioError(["line 1: the file is empty; begin with 'format: trygghub-scenario-1'"])
    problems = Problems()
    spot = _spot(node, problems, 0, set())
    problems.settle()
    return spot


def _spot(node: yaml.Node, problems: Problems, depth: int, met: set[int]) -> Spot:
    line = node.start_mark.line + 1
    if id(node) in met:
        raise ScenarioError([f"line {line}: this is used again by an alias (*name); write it out"])
    met.add(id(node))
    if depth > DEEPEST:
        raise ScenarioError([f"line {line}: more than {DEEPEST} levels deep"])
    if isinstance(node, yaml.MappingNode):
        return Spot(_mapping(node, problems, depth, met), line)
    if isinstance(node, yaml.SequenceNode):
        return Spot([_spot(one, problems, depth + 1, met) for one in node.value], line)
    return Spot(str(node.value), line, quoted=getattr(node, "style", None) is not None)


def _mapping(node: yaml.MappingNode, problems: Problems, depth: int, met: set[int]) -> dict[str, Spot]:
    found: dict[str, Spot] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in found:
            problems.add(line, f"'{name}' stands here twice (first on line {found[name].line})")
        found[name] = _spot(value, problems, depth + 1, met)
    return found


def _syntax(wrong: yaml.YAMLError) -> str:
    mark = getattr(wrong, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    return f"line {line}: this is not YAML: {getattr(wrong, 'problem', None) or wrong}"


# ---------------------------------------------------------------- readers: text → value, ValueError says why not


def clock(text: str) -> int:
    """`07:05` → minutes after midnight."""
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(f"a clock time is written like 07:05, not {text!r:.60}")
    return int(text[:2]) * 60 + int(text[3:])


def span(text: str) -> float:
    """`1 h 30 min`, `90 s` → seconds."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|min|s|h)\b", text)
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*(ms|min|s|h)\b", "", text).strip():
        raise ValueError(f"a time span is written like '10 min', '90 s' or '1 h 30 min', not {text!r:.60}")
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


def whole(text: str) -> int:
    """A whole number, 1 or more."""
    if not re.fullmatch(r"[1-9]\d{0,8}", text):
        raise ValueError(f"a whole number from 1 to 999999999 is needed, not {text!r:.60}")
    return int(text)


def number(text: str) -> float:
    """Any finite number."""
    if not re.fullmatch(r"-?\d{1,12}(\.\d{1,9})?", text):
        raise ValueError(f"a number is needed, not {text!r:.60}")
    return float(text)


def share(text: str) -> float:
    """A chance between 0 and 1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise ValueError(f"a chance lies between 0 and 1, not at {text!r:.60}")
    return value


def identity(text: str) -> str:
    """An id of a home or device."""
    if not re.fullmatch(r"[a-z0-9_-]{1,64}", text):
        raise ValueError(f"an id is 1 to 64 of a-z, 0-9, _ and -, not {text!r:.60}")
    return text


def words(text: str) -> str:
    """Text of some length."""
    if not 0 < len(text) <= 500:
        raise ValueError(f"a text has 1 to 500 characters, this has {len(text)}")
    return text


def one_of(*allowed: str) -> Callable[[str], str]:
    """One of these words."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"{text!r:.60} is none of {', '.join(allowed)}{meant(text, allowed)}")
        return text

    return read


def bluetooth(text: str) -> str:
    """A Bluetooth address, in small letters."""
    if not re.fullmatch(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", text):
        raise ValueError(f"a Bluetooth address is written like c0:7a:10:00:00:11, not {text!r:.60}")
    return text.lower()


def shared_line(text: str) -> str:
    """A place on a serial line: the port below the data folder and the unit there, `serial/stick#0180a1b2`."""
    if not re.fullmatch(r"(?!/)[A-Za-z0-9_./-]{1,120}#[A-Za-z0-9+]{1,32}", text) or ".." in text:
        raise ValueError(
            f"a place on a serial line is written port#unit, like serial/stick#0180a1b2, not {text!r:.60}"
        )
    return text


def endpoint(text: str) -> tuple[str, int]:
    """A host and a port."""
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[1-9]\d{0,4}", port) or int(port) > 65_535:
        raise ValueError(f"a receiver is written host:port, like 127.0.0.1:15060, not {text!r:.60}")
    return host, int(port)


def controller(text: str) -> str:
    """The controller id of a SCAIP unit."""
    if not re.fullmatch(r"\d{1,20}", text):
        raise ValueError(f"a SCAIP unit's address is its controller id, 1 to 20 digits, not {text!r:.60}")
    return text


def account(text: str) -> str:
    """The account of a DC-09 panel."""
    if not re.fullmatch(r"[0-9A-F]{3,16}", text):
        raise ValueError(f"a panel's address is its account, 3 to 16 of 0-9 and A-F, not {text!r:.60}")
    return text


def datum(text: str) -> float | bool | str:
    """A value in an event's data: a number, true, false, or text."""
    if text in {"true", "false"}:
        return text == "true"
    try:
        value = number(text)
    except ValueError:
        return words(text)
    return int(value) if value.is_integer() else value


def meant(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where something is near, else nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


# ---------------------------------------------------------------- reading mappings


@dataclass(slots=True)
class Record:
    """A mapping being read: each key once, unknown keys are complaints, wrong values too."""

    what: str
    fields: Mapping[str, Spot]
    line: int
    problems: Problems
    asked: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, what: str, spot: Spot, problems: Problems) -> Record:
        """Read this spot as a mapping; anything else is a complaint and reads as empty."""
        if isinstance(spot.value, dict):
            return cls(what, spot.value, spot.line, problems)
        problems.add(spot.line, f"{what} is written as 'key: value' lines, this is {_shape(spot)}")
        return cls(what, {}, spot.line, problems)

    def spot(self, key: str) -> Spot | None:
        """The value under a key as it stands."""
        self.asked.add(key)
        return self.fields.get(key)

    def get(self, key: str, read: Callable[[str], T], default: T | None = None) -> T:
        """The value under a key, read; a missing one is a complaint unless there is a default."""
        spot = self.spot(key)
        if spot is None:
            if default is None:
                self.problems.add(self.line, f"{self.what} needs '{key}'")
            return default  # type: ignore[return-value]  # the complaint ends the reading before it is used
        return scalar(spot, f"{self.what}: '{key}'", read, self.problems, default)

    def maybe(self, key: str, read: Callable[[str], T]) -> T | None:
        """The value under a key, or None where it is not said."""
        spot = self.spot(key)
        return None if spot is None else scalar(spot, f"{self.what}: '{key}'", read, self.problems, None)

    def items(self, key: str, read: Callable[[str], T]) -> tuple[T, ...]:
        """A list of values under a key, or one alone."""
        spot = self.spot(key)
        if spot is None:
            return ()
        spots = spot.value if isinstance(spot.value, list) else [spot]
        return tuple(scalar(one, f"{self.what}: '{key}'", read, self.problems, None) for one in spots)

    def close(self, known: Iterable[str] = ()) -> None:
        """Complain of every key nobody asked for."""
        allowed = self.asked | set(known)
        for name, spot in self.fields.items():
            if name not in allowed:
                self.problems.add(spot.line, f"{self.what} knows no '{name}'{meant(name, allowed)}")


def scalar(spot: Spot, what: str, read: Callable[[str], T], problems: Problems, default: Any) -> T:
    """Read one value; a wrong one is a complaint and reads as the default."""
    if not isinstance(spot.value, str):
        problems.add(spot.line, f"{what} is a single value, this is {_shape(spot)}")
        return default  # type: ignore[no-any-return]
    try:
        return read(spot.value)
    except ValueError as wrong:
        problems.add(spot.line, f"{what}: {wrong}")
        return default  # type: ignore[no-any-return]


def _shape(spot: Spot) -> str:
    return {dict: "a mapping", list: "a list"}.get(type(spot.value), f"{spot.value!r:.60}")
