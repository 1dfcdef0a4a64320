"""The catalogue as a rule writer sees it: EVENTs, and the states that a CONDITION may speak of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from drivers.catalogue import CATALOGUE, FactSpec, StateSpec
from drivers.events import DecodeError, Event
from rules.problems import Wrong, nearest

Sample: TypeAlias = float | int | str | None
"""What a state is now: a number, a word, or None where it is unknown."""

_LARGEST = 1e15
"""Beyond it, and for what is no number at all, a reading is unknown."""

_ANY = tuple(
    f"any.{name}" for name in ("heartbeat", "battery", "battery_low", "tamper", "fault", "recovered")
)


@dataclass(frozen=True, slots=True)
class Source:
    """One fact that sets a state: to a fixed word, or to what its data field says."""

    kind: str
    word: str
    field: str
    required: bool
    number: bool

    def reader(self) -> Callable[[Event], Sample]:
        """The value an event gives the state; None where it says nothing that can be used."""
        word, field = self.word, self.field
        if not field:
            return lambda _: word
        return _number_reader(field) if self.number else _word_reader(field)

    def silent(self, event: Event) -> bool:
        """Whether the event leaves the state as it was, because an optional field is absent."""
        return bool(self.field) and not self.required and self.field not in event.data


def _number_reader(field: str) -> Callable[[Event], Sample]:
    def read(event: Event) -> Sample:
        value = event.data.get(field)
        if (type(value) is int or type(value) is float) and -_LARGEST < value < _LARGEST:
            return value
        return None

    return read


def _word_reader(field: str) -> Callable[[Event], Sample]:
    def read(event: Event) -> Sample:
        value = event.data.get(field)
        if isinstance(value, bool):
            return "yes" if value else "no"
        return value if isinstance(value, str) else None

    return read


def kinds_of(word: str) -> tuple[str, ...]:
    """The kinds an EVENT stands for: one, or with `any.` one of every class but the gateway."""
    if word in CATALOGUE.facts:
        return (word,)
    if word.startswith("any."):
        try:
            return CATALOGUE.expand(word)
        except DecodeError as wrong:
            raise Wrong(str(wrong)) from None
    if word in CATALOGUE.states:
        raise Wrong(
            f"{word!r} is a state, not an event; use it with 'while', or name the event that changes it"
        )
    raise Wrong(f"no device sends {word[:80]!r}{nearest(word, (*CATALOGUE.facts, *_ANY))}")


def state_of(name: str) -> StateSpec:
    """The state of that name. Raises Wrong with the nearest one."""
    found = CATALOGUE.states.get(name)
    if found is not None:
        return found
    if name in CATALOGUE.facts:
        raise Wrong(f"{name!r} is an event, not a state; open the rule with 'when: {name}'")
    raise Wrong(f"no device has a state {name[:80]!r}{nearest(name, CATALOGUE.states)}")


def sources_of(state: str) -> tuple[Source, ...]:
    """Every fact that sets a state; `any.battery` is set by the batteries of every class but the gateway."""
    names = set(CATALOGUE.expand(state)) if state.startswith("any.") else {state}
    number = CATALOGUE.states[state].is_number
    return tuple(
        _source(spec, how, number=number)
        for spec in CATALOGUE.facts.values()
        for name, how in spec.sets.items()
        if name in names
    )


def _source(spec: FactSpec, how: str, *, number: bool) -> Source:
    if not how.startswith("="):
        return Source(spec.kind, how, "", required=True, number=number)
    field = spec.field(how[1:])
    return Source(spec.kind, "", how[1:], required=field is not None and field.required, number=number)
