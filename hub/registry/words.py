"""YAML text → plain data with the line each part stands on, under bounds, with one sentence for each fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

MAX_BYTES = 20_000_000
"""A large municipality's registry is about a tenth of this."""

Path: TypeAlias = tuple[str | int, ...]
"""Where in the file: `("homes", "h1", "zone")`, a number for the place in a list."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault. line: from 1; 0 where the whole file is meant."""

    line: int
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}" if self.line else self.sentence


class UnreadableError(ValueError):
    """The text is no YAML that we take; the problem says why and where."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(slots=True)
class Words:
    """A file as plain data, and where each part stands."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    doubled: list[Problem] = field(default_factory=list)

    def line(self, path: Sequence[str | int]) -> int:
        """The line of a part, or of the nearest part around it."""
        for length in range(len(path), 0, -1):
            found = self.lines.get(tuple(path[:length]))
            if found is not None:
                return found
        return 1


QUICK: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: a town of a thousand homes is read in a second instead of ten."""
DEEPEST = 50


def read(text: str | bytes) -> Words:
    """Read a file. Raises UnreadableError."""
    if len(text) > MAX_BYTES:
        raise UnreadableError(Problem(0, f"a registry file has at most {MAX_BYTES} bytes, not {len(text)}"))
    try:
        _refuse_aliases(text)
        loader = QUICK(text)
        node = loader.get_single_node()
        words = Words()
        if node is not None:
            _walk(node, (), words)
            words.data = loader.construct_document(node)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line = mark.line + 1 if mark else 0
        raise UnreadableError(Problem(line, f"this is not YAML: {wrong.problem or wrong.context}")) from None
    except (yaml.YAMLError, ValueError) as wrong:
        raise UnreadableError(Problem(0, f"this is not YAML: {wrong!s:.200}")) from None
    except RecursionError:
        raise UnreadableError(Problem(0, "the file is nested too deeply")) from None
    return words


def _refuse_aliases(text: str | bytes) -> None:
    """A few lines of references can unfold to gigabytes, a deep nest can break a stack; a registry needs neither."""
    depth = 0
    for event in yaml.parse(text, Loader=QUICK):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise UnreadableError(Problem(_line(event), "the file is nested too deeply"))
        if isinstance(event, yaml.AliasEvent):
            raise UnreadableError(Problem(_line(event), "write it out; references (*name) are not read"))


def _line(part: yaml.Node | yaml.Event) -> int:
    return part.start_mark.line + 1 if part.start_mark else 0


def _walk(node: yaml.Node, path: Path, words: Words) -> None:
    words.lines[path] = _line(node)
    if isinstance(node, yaml.SequenceNode):
        for index, one in enumerate(node.value):
            _walk(one, (*path, index), words)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), _line(key)
            if name in seen:
                said = f"{name!r:.80} stands here a second time; the first is in line {seen[name]}"
                words.doubled.append(Problem(line, said))
            seen[name] = line
            _walk(value, (*path, name), words)
            words.lines[(*path, name)] = line
