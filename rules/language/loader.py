"""Text → Book. Reads everything before it complains, so that one run names every fault."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

from rules.book import Book, Rule, Step
from rules.language.advice import advise
from rules.language.beside import BESIDES, WITHOUT, with_shipped
from rules.language.rule_reader import URGENCIES, read_rule
from rules.language.types import Parameters, ValueType, read_parameter
from rules.language.yaml_tree import Items, Node, Pairs, Text, read_yaml
from rules.problems import BookError, Problem, Wrong, nearest
from rules.spans import parse_clock, parse_span

SECTIONS = ("rules", "chains", "defaults", BESIDES, WITHOUT)
MAX_RULES = 1000
CATCH_ALL = "catch-all"
_NAME = re.compile(r"[a-zæøå0-9][a-zæøå0-9_-]{0,63}", re.IGNORECASE)


def load_book(text: str, source: str = "") -> Book:
    """Read and check a book. Raises BookError, and nothing else, with every fault as `line N: …`."""
    problems: list[Problem] = []
    whole = with_shipped(read_yaml(text, source), problems)
    parts = _sections(whole.root, problems)
    parameters = Parameters()
    defaults = _defaults(parts.get("defaults"), parameters, problems)
    rules = _rules(parts.get("rules"), parameters, problems)
    chains = _chains(parts.get("chains"), problems)
    problems += _references(rules, chains)
    if problems:
        raise BookError(problems, source)
    book = Book(
        rules={rule.name: rule for rule in rules},
        chains=chains,
        defaults={
            name: read_parameter(name, value, parameters.types[name]) for name, value in defaults.items()
        },
        types={name: kind for name, kind in parameters.types.items() if name in parameters.used},
        source=source,
        borrowed=whole.borrowed,
    )
    own = [each for each in advise(book) if each.line != whole.line]
    return replace(book, advice=tuple(own))


def _sections(root: Node, problems: list[Problem]) -> dict[str, Node]:
    if not isinstance(root, Pairs):
        problems.append(Problem(1, "a book begins with 'rules:'"))
        return {}
    for name, line in root.lines.items():
        if name not in SECTIONS:
            problems.append(Problem(line, f"a book has no part {name[:40]!r}{nearest(name, SECTIONS)}"))
    if "rules" not in root.pairs and not problems:
        problems.append(Problem(1, "a book begins with 'rules:'"))
    return root.pairs


def _rules(node: Node | None, parameters: Parameters, problems: list[Problem]) -> list[Rule]:
    if node is None or _empty(node):
        return []
    if not isinstance(node, Pairs):
        problems.append(Problem(node.line, "'rules' holds a name and then the words of each rule"))
        return []
    if len(node.pairs) > MAX_RULES:
        problems.append(Problem(node.line, f"more than {MAX_RULES} rules in one book"))
        return []
    # Spans and clock times say plainly what type a parameter has; rules with conditions are read after them,
    # so that a duration compared with a number is told at the comparison.
    rules: dict[str, Rule] = {}
    for name in sorted(node.pairs, key=lambda name: _has_condition(node.pairs[name])):
        line = node.lines[name]
        if not _NAME.fullmatch(name) or name == CATCH_ALL:
            problems.append(
                Problem(line, f"{name[:80]!r} cannot be a rule's name; use letters, digits and '-'")
            )
            continue
        rule = read_rule(name, line, node.pairs[name], parameters, problems)
        if rule is not None:
            rules[name] = rule
    return [rules[name] for name in node.pairs if name in rules]


def _has_condition(node: Node) -> bool:
    return isinstance(node, Pairs) and "while" in node.pairs


def _empty(node: Node) -> bool:
    return isinstance(node, Text) and node.value in ("", "~", "null")


def _defaults(node: Node | None, parameters: Parameters, problems: list[Problem]) -> dict[str, object]:
    if node is None or _empty(node):
        return {}
    if not isinstance(node, Pairs):
        problems.append(
            Problem(node.line, "'defaults' holds residents' parameters, such as 'dose_time: 60 min'")
        )
        return {}
    found: dict[str, object] = {}
    for name, value in node.pairs.items():
        line = node.lines[name]
        try:
            kind, read = _typed(_one_value(name, value), parameters.types.get(name))
            parameters.types[name] = kind
            found[name] = read
        except Wrong as wrong:
            problems.append(Problem(line, f"defaults: {name[:40]}: {wrong}"))
    return found


def _one_value(name: str, node: Node) -> str:
    if not name.isidentifier() or not name.isascii() or not isinstance(node, Text):
        raise Wrong("a parameter is one word with one value, such as 'dose_time: 60 min'")
    return node.value.strip()


def _typed(text: str, known: ValueType | None) -> tuple[ValueType, Any]:
    """The type a default is written in: number, clock time, span, yes or no, else text."""
    kind: ValueType
    value: Any = text
    if re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", text):
        kind, value = "number", float(text) if "." in text else int(text)
    elif text.lower() in ("yes", "no", "true", "false"):
        kind = "yes or no"
    elif ":" in text:
        parse_clock(text)
        kind = "clock"
    elif text[:1].isdigit():
        parse_span(text)
        kind = "duration"
    else:
        kind = "text"
    if known is not None and known != kind:
        raise Wrong(f"a {known} is needed here, this is a {kind}: {text[:40]!r}")
    return kind, value


def _chains(node: Node | None, problems: list[Problem]) -> dict[str, tuple[Step, ...]]:
    if node is None or _empty(node):
        return {}
    if not isinstance(node, Pairs):
        problems.append(Problem(node.line, "'chains' holds a name and then the steps of each chain"))
        return {}
    chains = {}
    for name, steps in node.pairs.items():
        try:
            chains[name] = _steps(steps)
        except Wrong as wrong:
            problems.append(Problem(node.lines[name], f"chain {name[:40]!r}: {wrong}"))
    return chains


def _steps(node: Node) -> tuple[Step, ...]:
    how = "a step is written {after: 3 min, tell: second nurse}"
    if not isinstance(node, Items) or not node.items:
        raise Wrong(f"a chain is a list of steps; {how}")
    steps = []
    for each in node.items:
        if not isinstance(each, Pairs) or set(each.pairs) != {"after", "tell"}:
            raise Wrong(how)
        after, tell = each.pairs["after"], each.pairs["tell"]
        if not isinstance(after, Text) or not isinstance(tell, Text) or not tell.value.strip():
            raise Wrong(how)
        steps.append(Step(parse_span(after.value), tell.value.strip()))
    if any(later.after < earlier.after for earlier, later in pairwise(steps)):
        raise Wrong("steps stand in order of time; a later line has a shorter 'after'")
    return tuple(steps)


def _references(rules: list[Rule], chains: dict[str, tuple[Step, ...]]) -> list[Problem]:
    """Names of rules and chains that do not exist, and circles of 'not while'."""
    names = {rule.name: rule for rule in rules}
    found = []
    for rule in rules:
        if rule.escalate and chains and rule.escalate not in (*chains, *URGENCIES):
            hint = nearest(rule.escalate, chains)
            found.append(_at(rule, f"'escalate' names no chain: {rule.escalate[:40]!r}{hint}"))
        found += [
            _at(rule, f"'not while' names no rule: {holder[:40]!r}{nearest(holder, names)}")
            for holder in rule.held_by
            if holder not in names
        ]
        circle = " → ".join(_circle(rule, names))
        if circle:
            found.append(_at(rule, f"'not while' goes in a circle: {circle}; each would wait for the other"))
    return found


def _at(rule: Rule, sentence: str) -> Problem:
    return Problem(rule.line, f"rule {rule.name!r}: {sentence}")


def _circle(rule: Rule, names: dict[str, Rule]) -> list[str]:
    """The way from a rule back to itself along `not while`, if there is one."""
    ways = [[rule.name]]
    seen = set()
    while ways:
        way = ways.pop()
        for holder in names[way[-1]].held_by:
            if holder == rule.name:
                return [*way, holder]
            if holder in names and holder not in seen:
                seen.add(holder)
                ways.append([*way, holder])
    return []
