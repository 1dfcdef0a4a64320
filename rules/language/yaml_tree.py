"""YAML read as plain texts with their lines.

YAML guesses types: 22:00 becomes 1320, `on` becomes true, a key written twice is taken in silence. A book needs
none of that, so we keep every scalar as the text that was written and give it a type where the language has one.
The tree is built from parser events in a loop: no depth of nesting can exhaust the stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from rules.problems import BookError, Problem

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 12


@dataclass(slots=True)
class Text:
    """A scalar, exactly as written."""

    value: str
    line: int


@dataclass(slots=True)
class Items:
    """A list."""

    line: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Pairs:
    """A mapping, in the order written. lines: where each key stands."""

    line: int
    pairs: dict[str, Node] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


Node: TypeAlias = Text | Items | Pairs

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str, source: str = "") -> Node:
    """The one document in `text`. Raises BookError with line and remedy."""
    if len(text) > MAX_CHARACTERS:
        raise BookError([Problem(1, f"longer than {MAX_CHARACTERS} characters")], source)
    tree = _Tree()
    try:
        root = tree.build(yaml.parse(text, Loader=_LOADER))
    except _Fault as fault:
        raise BookError([*tree.twice, fault.problem], source) from None
    except yaml.YAMLError as wrong:
        raise BookError([_unreadable(wrong)], source) from None
    except (ValueError, RecursionError):  # ValueError: surrogates and the like that no file can hold
        raise BookError([Problem(1, "not readable as YAML text")], source) from None
    if tree.twice:
        raise BookError(tree.twice, source)
    return root


class _Fault(Exception):  # noqa: N818  never leaves this file
    def __init__(self, line: int, text: str) -> None:
        self.problem = Problem(line, text)


class _Tree:
    """Builds nodes from parser events, refusing what a book must not hold. twice: keys written twice."""

    def __init__(self) -> None:
        self.twice: list[Problem] = []
        self.root: Node | None = None
        self.stack: list[Items | Pairs] = []
        self.keys: list[Text | None] = []

    def build(self, events: Iterator[Any]) -> Node:
        documents = 0
        for event in events:
            line = event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Fault(line, "one file holds one book; remove the second '---'")
            elif isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise _Fault(line, "'&' and '*' references are not used here; write the value out")
            elif isinstance(event, yaml.ScalarEvent):
                self._put(Text(event.value, line))
            elif isinstance(event, yaml.SequenceStartEvent):
                self._open(Items(line))
            elif isinstance(event, yaml.MappingStartEvent):
                self._open(Pairs(line))
            elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                self.stack.pop()
                self.keys.pop()
        return self.root if self.root is not None else Pairs(1)

    def _open(self, node: Items | Pairs) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise _Fault(node.line, f"nested deeper than {MAX_DEPTH} levels")
        self._put(node)
        self.stack.append(node)
        self.keys.append(None)

    def _put(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        inside = self.stack[-1]
        if isinstance(inside, Items):
            inside.items.append(node)
        elif self.keys[-1] is None:
            self._key(inside, node)
        else:
            inside.pairs[self.keys[-1].value] = node
            self.keys[-1] = None

    def _key(self, inside: Pairs, node: Node) -> None:
        if not isinstance(node, Text):
            raise _Fault(
                node.line, "a key is one word, not a list or a mapping; put texts with { } in quotes"
            )
        if node.value in inside.lines:
            first = inside.lines[node.value]
            text = f"'{node.value[:80]}' is written twice; the first stands in line {first}"
            self.twice.append(Problem(node.line, text))
        inside.lines.setdefault(node.value, node.line)
        self.keys[-1] = node


def _unreadable(wrong: yaml.YAMLError) -> Problem:
    mark = getattr(wrong, "problem_mark", None) or getattr(wrong, "context_mark", None)
    line = mark.line + 1 if mark is not None else 1
    what = str(getattr(wrong, "problem", None) or "it cannot be read").replace("\n", " ")[:200]
    if "cannot start any token" in what:
        return Problem(
            line,
            "not readable as YAML: a tab, or a sign such as @ or `; indent with spaces, and put texts in quotes",
        )
    return Problem(
        line, f"not readable as YAML: {what}; check indentation, and put texts with : or {{ in quotes"
    )
