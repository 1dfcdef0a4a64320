"""CONDITIONs: a small typed part of Python's own expressions, compiled once to a Python function.

    door.leaf is open
    vitals.pulse > resident.pulse_high
    lock.bolt in ['unlocked', 'jammed'] and not (room.presence is yes)

The text is parsed by Python, then every node is looked up in a table of what is allowed; anything else is an
error with its column. From the checked tree we write source of our own, so nothing of the input is executed as
it stands. Allowed: states of the catalogue, `resident.x`, numbers, spans, texts, `and or not`, comparisons, `in [..]`,
`+ - * /` and five functions. There is no power, no loop, no attribute walk, no index, no string building.

An unknown value makes a comparison unknown; `and`, `or` and `not` go on by three-valued logic, so `a or b` is true
when b is, whatever a may be. The caller takes unknown as false. Division by zero is unknown too.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from rules.language.expression_tree import parse
from rules.language.expression_writer import Writer
from rules.language.types import Parameters
from rules.language.vocabulary import Sample, state_of
from rules.problems import Wrong

Test: TypeAlias = Callable[[Any, Mapping[str, Any]], bool | None]
"""(sample, resident's parameters) → true, false or None for unknown.

The sample is the value itself where the condition speaks of one state, else the list of values in the order of
`Condition.states`.
"""

UNKNOWABLE = (ArithmeticError, TypeError, ValueError, LookupError, MemoryError)
"""What a test may raise where its sample or a parameter is none it can be asked of; the answer is unknown."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled CONDITION. states: what it speaks of, in order. source: the Python we wrote, to be shown."""

    text: str
    states: tuple[str, ...]
    parameters: frozenset[str]
    source: str
    test: Test

    def holds(self, sample: Sample | Sequence[Sample], parameters: Mapping[str, Any]) -> bool | None:
        """Whether it is so; None where that cannot be known. Never raises."""
        if sample is None:
            return None
        try:
            return self.test(sample, parameters)
        except UNKNOWABLE:
            return None


def opposite(condition: Condition) -> Condition:
    """Whether it is not so: what ends an episode where nothing else is said."""
    test = condition.test
    return replace(condition, text=f"not ({condition.text})", test=lambda v, p: _not(test(v, p)))


def compile_condition(text: str, parameters: Parameters, states: Sequence[str] = ()) -> Condition:
    """Check and compile. states: samples are handed over in this order (default: as they occur in the text).

    Raises Wrong, and nothing else, whatever the text is.
    """
    tree = parse(text)
    named = tuple(dict.fromkeys((*states, *_names(tree.root))))
    writer = Writer(tree, parameters, named)
    body = writer.condition(tree.root)
    if not named:
        raise Wrong("a condition speaks of at least one state of a device, such as 'door.leaf is open'")
    source = f"lambda v, p: {body}"
    return Condition(text, named, frozenset(writer.used), source, _function(source))


def _function(source: str) -> Test:
    # The source is ours: written by Writer out of names in the catalogue, checked numbers and quoted texts.
    made: Test = eval(compile(source, "<condition>", "eval"), {"__builtins__": {}, **_GIVEN})  # noqa: S307
    return made


def _names(tree: ast.expr) -> list[str]:
    """The states a tree speaks of, in order of occurrence. Raises Wrong for a name that is none."""
    found = []
    for node in sorted(
        (n for n in ast.walk(tree) if isinstance(n, ast.Attribute)), key=lambda n: (n.lineno, n.col_offset)
    ):
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        if owner and owner not in ("resident", "device"):
            found.append(state_of(f"{owner}.{node.attr}").name)
    return list(dict.fromkeys(found))


# ---------------------------------------------------------------- three-valued logic, for several states


def _all(*values: bool | None) -> bool | None:
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def _any(*values: bool | None) -> bool | None:
    if any(value is True for value in values):
        return True
    return None if any(value is None for value in values) else False


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _round(value: float, digits: float = 0) -> float:
    return round(value, int(max(0, min(digits, 9))))


_GIVEN = {
    "_all": _all, "_any": _any, "_not": _not,
    "abs": abs, "min": min, "max": max, "round": _round, "starts": str.startswith,
}  # fmt: skip
