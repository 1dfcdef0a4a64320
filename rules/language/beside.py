"""`besides: standard`: a book that holds a municipality's own rules and leaves all others as they are shipped.

`without:` names shipped rules that shall not be there; an own rule takes the place of a shipped one of its name, an
own default of a shipped one of its name. So a municipality's file stays short and goes along with new versions.
"""

from __future__ import annotations

from dataclasses import dataclass

from rules.language.yaml_tree import Items, Node, Pairs, Text, read_yaml
from rules.problems import Problem, nearest
from rules.shipped import standard_book_text

BESIDES, WITHOUT = "besides", "without"
SHIPPED = "standard"


@dataclass(frozen=True, slots=True)
class Whole:
    """root: the book with what it borrows. borrowed: names of the shipped rules in it, which all stand at `line`."""

    root: Node
    borrowed: frozenset[str] = frozenset()
    line: int = 0


def with_shipped(root: Node, problems: list[Problem]) -> Whole:
    """A book that says `besides: standard` with the shipped rules, chains and defaults; any other as it is."""
    if not isinstance(root, Pairs) or not {BESIDES, WITHOUT} & set(root.pairs):
        return Whole(root)
    named = root.pairs.get(BESIDES)
    if not isinstance(named, Text) or named.value.strip() != SHIPPED:
        line = root.lines.get(BESIDES, root.lines.get(WITHOUT, 1))
        problems.append(Problem(line, f"'{BESIDES}' names the book that comes with trygghub: {SHIPPED}"))
        return Whole(root)
    shipped = read_yaml(standard_book_text(), SHIPPED)
    assert isinstance(shipped, Pairs)
    left = _without(root, shipped, problems)
    return Whole(_joined(shipped, root, left), left - _names(root), root.lines[BESIDES])


def _without(root: Pairs, shipped: Pairs, problems: list[Problem]) -> frozenset[str]:
    """The shipped rules that stay."""
    known, node = _names(shipped), root.pairs.get(WITHOUT)
    items = node.items if isinstance(node, Items) else [node] if node is not None else []
    gone = set()
    for each in items:
        if isinstance(each, Text) and each.value.strip() in known:
            gone.add(each.value.strip())
        else:
            said = each.value[:40] if isinstance(each, Text) else ""
            text = f"'{WITHOUT}' lists shipped rules, and {said!r} is none{nearest(said, known)}"
            problems.append(Problem(each.line, text))
    return known - gone


def _names(root: Pairs) -> frozenset[str]:
    rules = root.pairs.get("rules")
    return frozenset(rules.pairs) if isinstance(rules, Pairs) else frozenset()


def _joined(shipped: Pairs, own: Pairs, left: frozenset[str]) -> Pairs:
    """Shipped first, own over it. What is shipped stands where `besides` does: it has no line of its own here."""
    here = own.lines[BESIDES]
    whole = Pairs(own.line, dict(own.pairs), dict(own.lines))
    for part in ("rules", "defaults"):
        theirs, ours = shipped.pairs[part], own.pairs.get(part)
        assert isinstance(theirs, Pairs)
        kept = {name: node for name, node in theirs.pairs.items() if part != "rules" or name in left}
        if ours is not None and not isinstance(ours, Pairs):
            continue  # said where the part is read
        mine, lines = (ours.pairs, ours.lines) if ours is not None else ({}, {})
        whole.pairs[part] = Pairs(own.line, {**kept, **mine}, {**dict.fromkeys(kept, here), **lines})
        whole.lines.setdefault(part, own.line)
    return whole
