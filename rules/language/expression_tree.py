"""From a CONDITION's text to Python's own tree of it, with limits; nothing is checked for meaning yet.

Spans such as `10 min` are no Python: a name stands in for each while the text is parsed, and columns told to people
are those of the text as it was written.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from rules.problems import Wrong
from rules.spans import SPAN

MAX_CHARACTERS = 500
MAX_NODES = 200

_PIECE = re.compile(rf"'[^']*'|\"[^\"]*\"|(?<![\w.]){SPAN}(?!\w)")
_RUNE = "ᚠ"  # stands in for a span; the input may not hold it


@dataclass(frozen=True, slots=True)
class Tree:
    """text: as written. root: what Python made of it. hidden: with names in the place of spans, which spans has."""

    text: str
    root: ast.expr
    hidden: str
    spans: Mapping[str, str]

    def span(self, node: ast.AST) -> str:
        """The span that a name stands in for; empty for every other node."""
        return self.spans.get(node.id, "") if isinstance(node, ast.Name) else ""

    def wrong(self, node: ast.expr, what: str) -> Wrong:
        """A fault of one part, with the part as it was written and its column, counted from 1."""
        start = self._column(node.col_offset)
        piece = (
            self.span(node) or self.text.strip()[start - 1 : self._column(node.end_col_offset) - 1].strip()
        )
        return Wrong(f"{what}: '{piece[:60]}' (column {start})" if piece else f"{what} (column {start})")

    def _column(self, offset: int | None) -> int:
        """In characters; Python counts bytes of the hidden text, where a rune has three."""
        return len(self.hidden.encode()[: offset or 0].decode(errors="ignore")) + 1


def parse(text: str) -> Tree:
    """Read a condition. Raises Wrong, and nothing else, whatever the text is."""
    if len(text) > MAX_CHARACTERS:
        raise Wrong(f"a condition has at most {MAX_CHARACTERS} characters, this one {len(text)}")
    if not text.isprintable() or _RUNE in text or "\\" in text:
        raise Wrong("a condition is one line of ordinary characters")
    hidden, spans = _hide_spans(text)
    root = _tree(text, hidden)
    if sum(1 for _ in ast.walk(root)) > MAX_NODES:
        raise Wrong(f"a condition has at most {MAX_NODES} parts; split it into two rules")
    return Tree(text, root, hidden, spans)


def _tree(text: str, hidden: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(hidden, mode="eval").body
    except SyntaxError as wrong:
        where = f" (column {wrong.offset})" if wrong.offset else ""
        raise Wrong(f"{text[:80]!r} is not a condition; write it like 'door.leaf is open'{where}") from None
    except (ValueError, MemoryError, RecursionError, OverflowError):
        raise Wrong("a condition is nested too deeply or holds a number too long") from None


def _hide_spans(text: str) -> tuple[str, Mapping[str, str]]:
    """Put a name in the place of every span outside quotes, so that Python can parse the rest."""
    spans: dict[str, str] = {}

    def hide(piece: re.Match[str]) -> str:
        if piece[0][0] in "'\"":
            return piece[0]
        name = f"{_RUNE}{len(spans)}"
        spans[name] = piece[0]
        return name.ljust(len(piece[0]))

    return _PIECE.sub(hide, text).strip(), spans
