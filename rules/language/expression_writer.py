"""From a CONDITION's tree to checked Python source of our own: names of the catalogue, numbers and quoted texts.

Every node is looked up in a table of what is allowed and has a type; anything else is an error with its column.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.catalogue import CATALOGUE
from rules.language.expression_tree import Tree
from rules.language.types import Parameters, ValueType
from rules.language.vocabulary import state_of
from rules.problems import Wrong, listed, nearest
from rules.spans import parse_span

MAX_NUMBER = 1e12

_FUNCTIONS: Mapping[str, tuple[ValueType, int, int, ValueType]] = {
    "abs": ("number", 1, 1, "number"),
    "min": ("number", 2, 8, "number"),
    "max": ("number", 2, 8, "number"),
    "round": ("number", 1, 2, "number"),
    "starts": ("text", 2, 2, "yes or no"),
}
"""name → type of its arguments, how few, how many, type of its result."""


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


class Writer:
    """Checks one tree and writes its source."""

    def __init__(self, tree: Tree, parameters: Parameters, states: Sequence[str]) -> None:
        self.tree = tree
        self.parameters = parameters
        self.states = states
        self.used: set[str] = set()

    # -- conditions: yes or no

    def condition(self, node: ast.expr) -> str:
        """The source of something that is true, false or unknown. Raises Wrong."""
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
        """A number, text or span, with its type. Raises Wrong."""
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
        span = self.tree.span(node)
        if span:
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
        return self.tree.wrong(node, what)
