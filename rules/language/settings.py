"""Values of a rule's words: numbers, spans and clock times, written out or left to the resident."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from drivers.catalogue import CATALOGUE
from rules.language.expressions import Condition
from rules.language.times import clock_setting, different
from rules.language.types import Parameters, Setting
from rules.language.yaml_tree import Items, Node, Text
from rules.problems import Wrong, listed, nearest
from rules.spans import parse_span

MOST_TIMES = 1000


def one_value(node: Node) -> str:
    """The text of a word that has one value. Raises Wrong for a list or a mapping."""
    if not isinstance(node, Text):
        raise Wrong("one value is needed here, not a list")
    return node.value.strip()


def names_in(node: Node | None) -> tuple[str, ...]:
    """One name, or a list of them, each once. Raises Wrong."""
    if isinstance(node, Items):
        return tuple(dict.fromkeys(one_value(each) for each in node.items))
    return () if node is None else (one_value(node),)


def span_setting(text: str, parameters: Parameters) -> Setting:
    """`10 min`, `resident.x` or `device.silent_after`. Raises Wrong."""
    if text.startswith("device."):
        if text != "device.silent_after":
            raise Wrong(f"a device has no {text[:80]!r}; did you mean 'device.silent_after'?")
        return Setting("duration", of_device=True)
    return _setting(text, "duration", parse_span, parameters)


def count_setting(text: str, parameters: Parameters) -> Setting:
    """A whole number, or `resident.x`. Raises Wrong."""
    return _setting(text, "number", _whole, parameters)


def mean_setting(text: str, condition: Condition | None, parameters: Parameters) -> Setting:
    """The samples, or the span, that a mean is taken over. Raises Wrong."""
    if condition is not None and (len(condition.states) != 1 or not _numeric(condition)):
        raise Wrong("'mean of last' needs a condition about one number, such as 'vitals.pulse > 120'")
    if text.startswith("resident."):
        spans = parameters.types.get(text.removeprefix("resident.")) == "duration"
    else:
        spans = not text.isdigit()
    return span_setting(text, parameters) if spans else count_setting(text, parameters)


def window_setting(node: Node | None, parameters: Parameters) -> tuple[Setting, Setting] | None:
    """The two clock times of `between`. Raises Wrong."""
    if node is None:
        return None
    if not isinstance(node, Items) or len(node.items) != 2:
        raise Wrong("'between' takes two clock times, such as ['06:00', '10:00']")
    start, end = (clock_setting(one_value(each), parameters) for each in node.items)
    different(start, end)
    return start, end


def _setting(
    text: str, wanted: Literal["number", "duration"], read: Callable[[str], Any], parameters: Parameters
) -> Setting:
    if not text.startswith("resident."):
        return Setting(wanted, read(text))
    name = text.removeprefix("resident.")
    if not name.isidentifier() or not name.isascii():
        raise Wrong(f"{text[:80]!r} is not a parameter's name")
    parameters.need(name, wanted)
    return Setting(wanted, parameter=name)


def _whole(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_TIMES:
        return int(text)
    raise Wrong(f"{text[:80]!r} is not a whole number from 1 to {MOST_TIMES}")


def _numeric(condition: Condition) -> bool:
    return all(CATALOGUE.states[state].is_number for state in condition.states)


def yes_or_no(text: str) -> bool:
    """Read yes or no. Raises Wrong."""
    words = {"yes": True, "true": True, "no": False, "false": False}
    if text.lower() not in words:
        raise Wrong(f"{text[:40]!r} is neither yes nor no")
    return words[text.lower()]


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one of these words; it raises Wrong with the nearest."""

    def read(text: str) -> str:
        if text not in words:
            raise Wrong(f"{text[:40]!r} is not one of {listed(words)}{nearest(text, words)}")
        return text

    return read
