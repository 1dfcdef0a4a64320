"""The catalogue: every kind of event there is, its data, words, states and codes in other vocabularies.

    CATALOGUE.spec("pendant.fall").words["nb"]      "Fall oppdaget"
    CATALOGUE.check("room.temperature", {"value": 21.5})
    CATALOGUE.expand("any.heartbeat")               ("dispenser.heartbeat", "lock.heartbeat", …)

A kind is `class.fact`, the class being that of the fact: a lock with a door sensor sends `lock.*` and
`door.*`. Nothing invents a kind outside this catalogue. CATALOGUE.md beside this package is generated from it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drivers.catalogue import (
    access,
    area,
    calls,
    dispenser,
    every_class,
    gateway,
    hazards,
    living,
    vitals,
)
from drivers.catalogue.commands import COMMANDS, CommandSpec
from drivers.catalogue.every_class import CLASSES, GENERIC, NO_DEVICE
from drivers.catalogue.spec import DataField, FactSpec, Lane, Language, StateSpec, Words
from drivers.events import DecodeError, Value

__all__ = [
    "CATALOGUE",
    "GENERIC",
    "NO_DEVICE",
    "Catalogue",
    "CommandSpec",
    "DataField",
    "FactSpec",
    "Lane",
    "Language",
    "StateSpec",
    "Words",
]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """facts: by kind. states: by name (`door.leaf`). classes: class → its words. commands: by name (`lock.lock`)."""

    facts: Mapping[str, FactSpec]
    states: Mapping[str, StateSpec]
    classes: Mapping[str, Words]
    commands: Mapping[str, CommandSpec]

    def spec(self, kind: str) -> FactSpec:
        """What is known of a kind. Raises DecodeError, naming the nearest kind, if there is none such."""
        known = self.facts.get(kind)
        if known is None:
            near = difflib.get_close_matches(kind[:80], self.facts, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DecodeError(f"no device sends {kind!r:.80}{hint}")
        return known

    def check(self, kind: str, data: Mapping[str, Value]) -> None:
        """Raise DecodeError with a sentence unless the kind exists and its data fits."""
        self.spec(kind).check(data)

    def expand(self, kind: str) -> tuple[str, ...]:
        """The kinds a rule's word stands for: `any.battery` is one of every class but the gateway.

        The same holds for state names. Raises DecodeError for an `any.` that not every class has.
        """
        wide, _, fact = kind.partition(".")
        if wide != "any":
            return (kind,)
        if fact not in GENERIC:
            raise DecodeError(f"not every device sends {kind!r:.80}; all send {', '.join(GENERIC)}")
        return tuple(f"{name}.{fact}" for name in self.classes if name not in NO_DEVICE)


_TABLES = (dispenser, access, calls, hazards, living, vitals, gateway, area)


def _facts() -> Iterable[FactSpec]:
    for table in _TABLES:
        yield from table.FACTS
    for name in every_class.BOXES:
        yield from every_class.facts_of(name)


def _states() -> Iterable[StateSpec]:
    for table in _TABLES:
        yield from table.STATES
    for name in every_class.BOXES:
        yield from every_class.states_of(name)
    yield from every_class.ANY_STATES


def _by_class(spec: FactSpec) -> int:
    return list(CLASSES).index(spec.device_class)


CATALOGUE = Catalogue(
    facts=MappingProxyType({each.kind: each for each in sorted(_facts(), key=_by_class)}),
    states=MappingProxyType({each.name: each for each in _states()}),
    classes=CLASSES,
    commands=COMMANDS,
)
