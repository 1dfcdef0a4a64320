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
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from drivers.catalogue import CATALOGUE
from rules.language.types import Parameters, ValueType
from rules.language.vocabulary import Sample, state_of
from rules.problems import Wrong, listed, nearest
from rules.spans import SPAN, parse_span

MAX_CHARACTERS = 500
MAX_NODES = 200
MAX_NUMBER = 1e12

Test: TypeAlias = Callable[[Any, Mapping[str, Any]], bool | None]
"""(sample, resident's parameters) → true, false or None for unknown.

The sample is the value itself where the condition speaks of one state, else the list of values in the order of
`Condition.states`.
"""


UNKNOWABLE = (ArithmeticError, TypeError, ValueError, LookupError)
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
    tree, spans = _parse(text)
    named = tuple(dict.fromkeys((*states, *_names(tree))))
    writer = _Writer(text, spans, parameters, named)
    body = writer.condition(tree)
    if not named:
        raise Wrong("a condition speaks of at least one state of a device, such as 'door.leaf is open'")
    source = f"lambda v, p: {body}"
    return Condition(text, named, frozenset(writer.used), source, _function(source))


def _function(source: str) -> Test:
    # The source is ours: written by _Writer out of names in the catalogue, checked numbers and quoted texts.
    made: Test = eval(compile(source, "<condition>", "eval"), {"__builtins__": {}, **_GIVEN})  # noqa: S307
    return made


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

_FUNCTIONS: Mapping[str, tuple[ValueType, int, int, ValueType]] = {
    "abs": ("number", 1, 1, "number"),
    "min": ("number", 2, 8, "number"),
    "max": ("number", 2, 8, "number"),
    "round": ("number", 1, 2, "number"),
    "starts": ("text", 2, 2, "yes or no"),
}
"""name → type of its arguments, how few, how many, type of its result."""


# ---------------------------------------------------------------- text → tree

_PIECE = re.compile(rf"'[^']*'|\"[^\"]*\"|(?<![A-Za-z0-9_.]){SPAN}", re.ASCII)
_RUNE = "ᚠ"  # stands in for a span such as `10 min`, which Python could not read; the input may not hold it


def _parse(text: str) -> tuple[ast.expr, list[str]]:
    if len(text) > MAX_CHARACTERS:
        raise Wrong(f"a condition has at most {MAX_CHARACTERS} characters, this one {len(text)}")
    if not text.isprintable() or _RUNE in text or "\\" in text:
        raise Wrong("a condition is one line of ordinary characters")
    hidden, spans = _hide_spans(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(hidden, mode="eval").body
    except SyntaxError as wrong:
        where = f" (column {wrong.offset})" if wrong.offset else ""
        raise Wrong(f"{text[:80]!r} is not a condition; write it like 'door.leaf is open'{where}") from None
    except (ValueError, MemoryError, RecursionError, OverflowError):
        raise Wrong("a condition is nested too deeply or holds a number too long") from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise Wrong(f"a condition has at most {MAX_NODES} parts; split it into two rules")
    return tree, spans


def _hide_spans(text: str) -> tuple[str, list[str]]:
    """Put a name in the place of every span outside quotes, so that Python can parse the rest."""
    spans: list[str] = []

    def hide(piece: re.Match[str]) -> str:
        if piece[0][0] in "'\"":
            return piece[0]
        spans.append(piece[0])
        return f"{_RUNE}{len(spans) - 1}".ljust(len(piece[0]))

    return _PIECE.sub(hide, text).strip(), spans


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


# ---------------------------------------------------------------- tree → source


@dataclass(frozen=True, slots=True)
class _Term:
    """A checked part. type: None for a resident's parameter whose type its neighbour decides."""

    type: ValueType | None
    source: str
    node: ast.expr
    states: frozenset[str] = frozenset()
    parameter: str = ""
    words: tuple[str, ...] = ()


_COMPARE = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Eq: "==", ast.NotEq: "!=", ast.Is: "==", ast.IsNot: "!=", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


class _Writer:
    """Checks one tree and writes its source."""

    def __init__(self, text: str, spans: list[str], parameters: Parameters, states: Sequence[str]) -> None:
        self.text = text
        self.spans = spans
        self.parameters = parameters
        self.states = states
        self.used: set[str] = set()

    # -- conditions: yes or no

    def condition(self, node: ast.expr) -> str:
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(each) for each in node.values]
            name = "_all" if isinstance(node.op, ast.And) else "_any"
            word = " and " if name == "_all" else " or "
            return f"{name}({', '.join(parts)})" if self._several else f"({word.join(parts)})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            part = self.condition(node.operand)
            return f"_not({part})" if self._several else f"(not {part})"
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        term = self._need(self.term(node), "yes or no")
        return self._guard(term.source, term.states)

    @property
    def _several(self) -> bool:
        return len(self.states) > 1

    def _guard(self, source: str, states: frozenset[str]) -> str:
        """Make a comparison unknown where one of its states is."""
        if not self._several or not states:
            return f"({source})"
        unknown = " or ".join(f"{self._value(name)} is None" for name in sorted(states))
        return f"(None if {unknown} else {source})"

    def _value(self, state: str) -> str:
        return f"v[{self.states.index(state)}]" if self._several else "v"

    def _comparison(self, node: ast.Compare) -> str:
        left = self._left(node)
        source, states = left.source, left.states
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            sign = _COMPARE[type(operator)]
            right = self._right(sign, operator, left, right_node)
            left, right = self._agree(sign, left, right)
            source, states = f"{source} {sign} {right.source}", states | right.states
            left = right
        return self._guard(source, states)

    def _left(self, node: ast.Compare) -> _Term:
        left = self.term(node.left)
        if len(node.ops) > 1 and any(
            isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops
        ):
            raise self._wrong(node, "'is' and 'in' stand alone; join two conditions with 'and'")
        return left

    def _right(self, sign: str, operator: ast.cmpop, left: _Term, node: ast.expr) -> _Term:
        if sign in ("in", "not in"):
            return self._list(left, node)
        if isinstance(operator, ast.Is | ast.IsNot) and isinstance(node, ast.Name):
            return _Term("text", repr(node.id), node, words=(node.id,))
        return self.term(node)

    def _list(self, left: _Term, node: ast.expr) -> _Term:
        if not isinstance(node, ast.List | ast.Tuple | ast.Set) or not node.elts:
            raise self._wrong(node, "after 'in' comes a list such as ['open', 'closed']")
        items = [self.term(each) for each in node.elts]
        if any(
            not isinstance(each.node, ast.Constant) and not isinstance(each.node, ast.UnaryOp)
            for each in items
        ):
            raise self._wrong(node, "a list holds numbers or texts written out")
        wanted = left.type or items[0].type or "text"
        items = [self._need(each, wanted) for each in items]
        words = tuple(word for each in items for word in each.words)
        return _Term(wanted, f"({', '.join(each.source for each in items)},)", node, words=words)

    def _agree(self, sign: str, left: _Term, right: _Term) -> tuple[_Term, _Term]:
        for each in (left, right):
            if sign in ("<", "<=", ">", ">=") and each.type in ("text", "yes or no"):
                raise self._wrong(each.node, f"a number is needed here, this is a {each.type}")
        wanted = left.type or right.type or "number"
        left, right = self._need(left, wanted), self._need(right, wanted)
        self._possible(left, right)
        self._possible(right, left)
        return left, right

    def _possible(self, state: _Term, word: _Term) -> None:
        """A state is only ever compared with the words it can take."""
        if not word.words or len(state.states) != 1 or state.type != "text":
            return
        (name,) = state.states
        values = state_of(name).values
        for each in word.words:
            if values and each not in values:
                raise self._wrong(word.node, f"{name!r} is never {each[:80]!r}; it is {listed(values)}")

    # -- terms: numbers, texts, spans

    def term(self, node: ast.expr) -> _Term:
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.Attribute):
            return self._dotted(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            inner = self._need(self.term(node.operand), "number")
            sign = "-" if isinstance(node.op, ast.USub) else "+"
            return _Term("number", f"({sign}{inner.source})", node, inner.states)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return self._arithmetic(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.BoolOp | ast.Compare | ast.UnaryOp):
            raise self._wrong(node, "a number is needed here, this is a yes or no")
        raise self._wrong(
            node, "this is not part of the language; use states, resident.x, numbers, texts and + - * /"
        )

    def _constant(self, node: ast.Constant) -> _Term:
        value = node.value
        if isinstance(value, bool):
            return _Term("yes or no", repr(value), node)
        if isinstance(value, int | float) and abs(value) <= MAX_NUMBER:
            return _Term("number", repr(value), node)
        if isinstance(value, str):
            return _Term("text", repr(value), node, words=(value,))
        raise self._wrong(node, f"a number up to {MAX_NUMBER:.0e} or a text is needed here")

    def _dotted(self, node: ast.Attribute) -> _Term:
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        if owner == "resident":
            return self._parameter(node)
        if not owner or owner == "device":
            raise self._wrong(node, "a name has two parts, such as door.leaf or resident.pulse_high")
        spec = state_of(f"{owner}.{node.attr}")
        kind: ValueType = "number" if spec.is_number else "text"
        return _Term(kind, self._value(spec.name), node, frozenset((spec.name,)))

    def _parameter(self, node: ast.Attribute) -> _Term:
        if len(node.attr) > 64 or not node.attr.isascii():
            raise self._wrong(node, f"'resident.{node.attr[:80]}' is not a parameter's name")
        self.used.add(node.attr)
        known = self.parameters.types.get(node.attr)
        self.parameters.used.add(node.attr)
        return _Term(known, f"p[{node.attr!r}]", node, parameter=node.attr)

    def _name(self, node: ast.Name) -> _Term:
        if node.id.startswith(_RUNE):
            span = self.spans[int(node.id[len(_RUNE) :])]
            return _Term("duration", str(parse_span(span)), node)
        raise self._wrong(node, f"{node.id[:80]!r} is no name here{self._near(node.id)}")

    def _near(self, word: str) -> str:
        by_last = {name.partition(".")[2]: name for name in CATALOGUE.states}
        if word in by_last:
            return f"; did you mean {by_last[word]!r}?"
        return nearest(word, (*CATALOGUE.states, *_FUNCTIONS))

    def _arithmetic(self, node: ast.BinOp) -> _Term:
        left, right = self.term(node.left), self.term(node.right)
        sign = _ARITHMETIC[type(node.op)]
        both_spans = sign in "+-" and "duration" in (left.type, right.type)
        scaled = sign in "*/" and left.type == "duration"
        wanted: ValueType = "duration" if both_spans or scaled else "number"
        left = self._need(left, wanted)
        right = self._need(right, "number" if scaled else wanted)
        return _Term(wanted, f"({left.source} {sign} {right.source})", node, left.states | right.states)

    def _call(self, node: ast.Call) -> _Term:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in _FUNCTIONS:
            known = listed(_FUNCTIONS, "and")
            raise self._wrong(
                node, f"there is no such function; there are {known}{nearest(name, _FUNCTIONS)}"
            )
        wanted, fewest, most, result = _FUNCTIONS[name]
        if node.keywords or not fewest <= len(node.args) <= most:
            raise self._wrong(node, f"{name} takes {fewest}{'' if fewest == most else f' to {most}'} values")
        parts = [self._need(self.term(each), wanted) for each in node.args]
        states = frozenset(state for each in parts for state in each.states)
        return _Term(result, f"{name}({', '.join(each.source for each in parts)})", node, states)

    # -- types

    def _need(self, term: _Term, wanted: ValueType) -> _Term:
        if term.type == wanted:
            return term
        if term.type is None and term.parameter:
            self.parameters.need(term.parameter, wanted)
            return _Term(wanted, term.source, term.node, term.states, term.parameter, term.words)
        if wanted == "yes or no" and term.states:
            (state, *_) = sorted(term.states)
            raise self._wrong(term.node, f"say what {state!r} is, such as '{state} is …' or '{state} > …'")
        raise self._wrong(term.node, f"a {wanted} is needed here, this is a {term.type}")

    def _wrong(self, node: ast.expr, what: str) -> Wrong:
        start = _column(self.text, node)
        if isinstance(node, ast.Name) and node.id.startswith(_RUNE):
            return Wrong(f"{what}: '{self.spans[int(node.id[len(_RUNE) :])]}' (column {start})")
        piece = self.text.strip()[start - 1 : _column(self.text, node, end=True) - 1].strip()
        shown = f": '{piece[:60]}' (column {start})" if piece else f" (column {start})"
        return Wrong(f"{what}{shown}")


def _column(text: str, node: ast.expr, *, end: bool = False) -> int:
    """Column counted in characters from 1; Python counts bytes of the hidden text, where a rune has three."""
    offset = (node.end_col_offset if end else node.col_offset) or 0
    return len(_hide_spans(text)[0].encode()[:offset].decode(errors="ignore")) + 1
