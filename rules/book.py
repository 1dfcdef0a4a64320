"""A checked book: rules, chains and what residents' parameters are when nobody has said."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Any, Literal, TypeAlias

from rules.language.commands import Command
from rules.language.expressions import Condition
from rules.language.texts import Sentence
from rules.language.times import Times
from rules.language.types import Setting, ValueType
from rules.problems import Problem
from rules.spans import Span

Urgency: TypeAlias = Literal["critical", "high", "moderate", "low"]
Queue: TypeAlias = Literal["care", "technical"]
Role: TypeAlias = Literal["gateway", "centre", "area"]


class Form(Enum):
    """What a rule waits for; each has a machine of its own in `rules.machines`."""

    HAPPENS = "when"
    THEN = "when … then"
    TIMES = "when … times"
    UNANSWERED = "when … missing"
    LASTING = "while"
    SILENCE = "missing … for"
    DAILY = "missing … between"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, every word checked.

    events: the kinds that open it; second: those of `then`, or of `missing` behind `when`.
    wait: `within` or `for`. held_by: the rules named by `not while`. at_most: `at most once per`.
    do: what it asks of devices in the home when it raises.
    """

    name: str
    line: int
    form: Form
    events: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    same: str = ""
    condition: Condition | None = None
    until: Condition | None = None
    wait: Setting | None = None
    count: Setting | None = None
    mean: Setting | None = None
    window: tuple[Setting, Setting] | None = None
    per: Literal["resident", "device"] = "resident"
    only: Times | None = None
    started: Times | None = None
    held_by: tuple[str, ...] = ()
    at_most: Setting | None = None
    urgency: Urgency = "moderate"
    queue: Queue = "care"
    escalate: str = ""
    life_safety: bool = False
    alert: Sentence
    action: Sentence
    do: Command | None = None

    @property
    def chain(self) -> str:
        """The chain it names, else that of its urgency."""
        return self.escalate or self.urgency

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every number, span and clock time in it."""
        plain = (self.wait, self.count, self.mean, self.at_most, *(self.window or ()))
        times = (each for part in (self.only, self.started) if part for each in part.settings)
        return tuple(each for each in (*plain, *times) if each is not None)

    @property
    def parameters(self) -> frozenset[str]:
        """The resident's parameters without which it is off."""
        conditions = [each.parameters for each in (self.condition, self.until) if each]
        return frozenset(each.parameter for each in self.settings if each.parameter).union(*conditions)

    @property
    def names(self) -> frozenset[str]:
        """What stands in braces in its sentences."""
        return self.alert.names | self.action.names | (self.do.names if self.do else frozenset())

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind that moves it; for `while`, those that set the states it speaks of."""
        return frozenset((*self.events, *self.second))

    @property
    def critical(self) -> bool:
        """Acts on arrival and raises however late: critical, or marked as life-safety."""
        return self.urgency == "critical" or self.life_safety

    @property
    def meaning(self) -> str:
        """A short hash of everything but the words and what happens afterwards; state is kept while it is the same."""
        parts = (
            self.form.value, self.events, self.second, self.same, _said(self.condition), _said(self.until),
            _said(self.wait), _said(self.count), _said(self.mean), self.window and tuple(map(_said, self.window)),
            self.per, self.only and self.only.text, self.started and self.started.text, self.held_by,
            _said(self.at_most),
        )  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _said(part: Condition | Setting | None) -> str:
    if isinstance(part, Condition):
        return part.source + "|" + ",".join(part.states)
    return "" if part is None else f"{part.type} {part}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chain. after: since the raise."""

    after: Span
    tell: str


@dataclass(frozen=True)
class Book:
    """Rules by name in the order written. defaults: parameters of residents who have none of their own.

    types: the type of every parameter the book reads. advice: what is allowed but probably not meant.
    borrowed: names of the shipped rules that the book has beside its own.
    """

    rules: Mapping[str, Rule]
    chains: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, ValueType] = field(default_factory=dict)
    advice: tuple[Problem, ...] = ()
    source: str = ""
    borrowed: frozenset[str] = frozenset()

    def judged_by(self, role: Role) -> Book:
        """The part one role judges: the centre the rules on `gateway.*` facts and, as `area`, those on `area.*` facts.

        A gateway judges all others. It is never silent in its own ears, so `not while` a rule of the centre falls
        away there.
        """
        mine = {name: rule for name, rule in self.rules.items() if role_of(rule) == role}
        kept = {
            name: replace(rule, held_by=tuple(each for each in rule.held_by if each in mine))
            for name, rule in mine.items()
        }
        return replace(self, rules=kept)

    def only(self, names: frozenset[str]) -> Book:
        """The named rules and every rule that holds one of them back."""
        wanted = set(names)
        while more := {h for n in wanted if n in self.rules for h in self.rules[n].held_by} - wanted:
            wanted |= more
        return replace(self, rules={name: rule for name, rule in self.rules.items() if name in wanted})

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """Order at one instant: rules that hold others back before those they hold, else as written."""
        depth: dict[str, int] = {}

        def measure(name: str) -> int:
            if name not in depth:
                depth[name] = 0  # a circle cannot be loaded; this only ends the walk
                depth[name] = 1 + max((measure(each) for each in self.rules[name].held_by), default=-1)
            return depth[name]

        written = list(self.rules)
        ordered = sorted(written, key=lambda name: (measure(name), written.index(name)))
        return {name: place for place, name in enumerate(ordered)}

    @cached_property
    def needs(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each rule that needs parameters of the resident, and which."""
        return tuple(
            (name, tuple(sorted(rule.parameters))) for name, rule in self.rules.items() if rule.parameters
        )

    @cached_property
    def version(self) -> str:
        """A short hash of all meanings."""
        parts = sorted(f"{name}={rule.meaning}" for name, rule in self.rules.items())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def role_of(rule: Rule) -> Role:
    """Who judges a rule, by the classes of what it waits for."""
    classes = {kind.partition(".")[0] for kind in rule.kinds}
    return "area" if "area" in classes else "centre" if "gateway" in classes else "gateway"
