"""The part of Home Assistant's templates that discovered devices use, read without ever running anybody's code.

    {{ value }}   {{ value_json.state }}   {{ value_json['contact'] }}   {{ value_json.temp | float | round(1) }}
    {{ 'ON' if value_json.battery < 20 else 'OFF' }}   {{ value_json.value == 22 }}

A template is an expression of names, fields, comparisons, a choice and a few filters; its grammar is a small
part of Python's, so Python's own parser reads it and a table of node types says what counts. Anything else is
refused in a sentence: a device whose announcement needs it cannot be adopted, and is never half understood.
Source: Home Assistant documentation, "Templating: processing incoming data", and the examples of its MQTT pages.
"""

from __future__ import annotations

import ast
import json
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from drivers.events import DecodeError
from drivers.protocols.json_payload import MAX_PAYLOAD

LONGEST = 300
"""Characters of one template; those of discovered devices are rarely a third of it."""

Template: TypeAlias = Callable[[str], str | None]
"""Payload → what the template says of it; None where the payload lacks what it asks for."""

Names: TypeAlias = Mapping[str, Any]
Step: TypeAlias = Callable[[Names], Any]


class _NotReadError(Exception):
    """A part of the language that we leave out."""


class _Nothing:
    """What a field that is not there gives."""


NOTHING: Final = _Nothing()


@lru_cache(maxsize=1024)
def compile_template(text: str) -> Template:
    """Read a template once. Raises DecodeError with a sentence for what lies outside the part we read."""
    found = re.fullmatch(r"\s*\{\{-?(.*?)-?\}\}\s*", text, flags=re.DOTALL)
    if found is None or len(text) > LONGEST or "{" in found[1] or "}" in found[1]:
        raise DecodeError(
            f"a template is one expression in {{{{ }}}} of at most {LONGEST} characters, not {text!r:.80}"
        )
    try:
        tree = ast.parse(found[1].strip(), mode="eval")
        step = _step(tree.body)
    except (SyntaxError, RecursionError, MemoryError, ValueError, _NotReadError):
        raise DecodeError(
            f"the template {text!r:.80} uses more of Home Assistant's language than we read"
        ) from None

    def render(payload: str) -> str | None:
        return _render(step, payload)

    return render


def plain(payload: str) -> str | None:
    """What counts where no template is announced: the payload as it stands."""
    return payload


def as_text(value: object) -> str:
    """A JSON value as templates write it: true is `True`, 21.0 is `21.0`."""
    return str(value)


def _render(step: Step, payload: str) -> str | None:
    try:
        found = step({"value": payload, "value_json": _json(payload)})
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return None
    return None if isinstance(found, _Nothing) else as_text(found)[:MAX_PAYLOAD]


def _json(payload: str) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return NOTHING


# ---------------------------------------------------------------- the grammar, a node type at a time


def _step(node: ast.expr) -> Step:
    reader = _READERS.get(type(node))
    if reader is None:
        raise _NotReadError(type(node).__name__)
    return reader(node)


def _constant(node: ast.Constant) -> Step:
    value = node.value
    if not isinstance(value, str | int | float | bool):
        raise _NotReadError("constant")
    return _always(value)


def _always(value: Any) -> Step:
    def step(names: Names) -> Any:  # noqa: ARG001  the shape of a step
        return value

    return step


def _name(node: ast.Name) -> Step:
    if node.id in ("true", "false"):
        return _always(node.id == "true")
    if node.id not in ("value", "value_json"):
        raise _NotReadError(node.id)
    return lambda names: names[node.id]


def _attribute(node: ast.Attribute) -> Step:
    inner, name = _step(node.value), node.attr
    return lambda names: _field(inner(names), name)


def _subscript(node: ast.Subscript) -> Step:
    inner = _step(node.value)
    if not isinstance(node.slice, ast.Constant) or not isinstance(node.slice.value, str | int):
        raise _NotReadError("subscript")
    name = node.slice.value
    return lambda names: _field(inner(names), name)


def _field(value: Any, name: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(name, NOTHING)
    if isinstance(value, list) and isinstance(name, int) and -len(value) <= name < len(value):
        return value[name]
    return NOTHING


def _choice(node: ast.IfExp) -> Step:
    """Home Assistant takes the second choice where the field asked for is missing; to us that says nothing."""
    test, then, other = _step(node.test), _step(node.body), _step(node.orelse)

    def chosen(names: Names) -> Any:
        found = test(names)
        if isinstance(found, _Nothing):
            return NOTHING
        return then(names) if found else other(names)

    return chosen


_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = MappingProxyType(
    {
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
    }
)


def _compare(node: ast.Compare) -> Step:
    compare = _COMPARISONS.get(type(node.ops[0]))
    if compare is None or len(node.ops) != 1:
        raise _NotReadError("comparison")
    left, right = _step(node.left), _step(node.comparators[0])

    def compared(names: Names) -> Any:
        one, other = left(names), right(names)
        return NOTHING if NOTHING in (one, other) else compare(one, other)

    return compared


# ---------------------------------------------------------------- filters


def _round(value: Any, digits: int = 0) -> Any:
    return round(float(value), digits)


def _default(value: Any, other: Any = "") -> Any:
    return other if isinstance(value, _Nothing) else value


_FILTERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "int": lambda value: int(float(value)),
        "float": float,
        "string": as_text,
        "lower": lambda value: as_text(value).lower(),
        "upper": lambda value: as_text(value).upper(),
        "trim": lambda value: as_text(value).strip(),
        "round": _round,
        "default": _default,
        "is_defined": lambda value: value,
    }
)


def _piped(node: ast.BinOp) -> Step:
    """`left | name` or `left | name(arguments)`."""
    if not isinstance(node.op, ast.BitOr):
        raise _NotReadError("operator")
    called = node.right if isinstance(node.right, ast.Call) else None
    name = called.func if called is not None else node.right
    if not isinstance(name, ast.Name) or name.id not in _FILTERS or (called is not None and called.keywords):
        raise _NotReadError("filter")
    inner, apply = _step(node.left), _FILTERS[name.id]
    arguments = [_argument(one) for one in (called.args if called is not None else ())]
    is_default = name.id == "default"

    def filtered(names: Names) -> Any:
        value = inner(names)
        if isinstance(value, _Nothing) and not is_default:
            return NOTHING
        return apply(value, *arguments)

    return filtered


def _argument(node: ast.expr) -> Any:
    value = ast.literal_eval(node)
    if not isinstance(value, str | int | float) or (isinstance(value, int) and abs(value) > 1000):
        raise _NotReadError("argument")
    return value


_READERS: Final[Mapping[type[ast.expr], Callable[[Any], Step]]] = MappingProxyType(
    {
        ast.Constant: _constant,
        ast.Name: _name,
        ast.Attribute: _attribute,
        ast.Subscript: _subscript,
        ast.IfExp: _choice,
        ast.Compare: _compare,
        ast.BinOp: _piped,
    }
)
