"""`do: COMMAND`: what a rule asks of the devices in the home when it raises, with nobody there.

    do: lock.state
    do: {dispenser.message: "Husk medisinen din"}
    do: {call.page: {address: "200", text: "{resident} har falt"}}

Only what the catalogue calls harmless can be written, so no rule opens a door or gives a dose (promises 6 and 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.catalogue import CATALOGUE, CommandSpec
from rules.language.settings import one_value
from rules.language.texts import Sentence, parse_sentence
from rules.language.yaml_tree import Items, Node, Pairs, Text
from rules.problems import Wrong, listed, nearest

IN_THE_CENTRE = frozenset({"gateway", "area"})
"""Classes whose facts are judged in the centre, which has no hands in a home."""

_HOW = "write it like 'lock.state' or {dispenser.message: \"Husk medisinen\"}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the catalogue, and the texts that go with it."""

    name: str
    args: Mapping[str, Sentence]

    @property
    def names(self) -> frozenset[str]:
        """What stands in braces in its texts."""
        return frozenset(name for each in self.args.values() for name in each.names)


def read_command(node: Node, names: tuple[str, ...]) -> Command:
    """Read what stands behind `do`. names: what may stand in braces. Raises Wrong."""
    if isinstance(node, Text):
        return _checked(_known(node.value.strip()), {}, names)
    if isinstance(node, Items) or len(node.pairs) != 1:
        raise Wrong(f"'do' asks for one thing; {_HOW}")
    ((name, given),) = node.pairs.items()
    spec = _known(name.strip())
    if isinstance(given, Pairs):
        return _checked(spec, {arg: one_value(each) for arg, each in given.pairs.items()}, names)
    if len(spec.args) != 1:
        raise Wrong(f"{spec.name!r} {_needs(spec)}")
    return _checked(spec, {spec.args[0]: one_value(given)}, names)


def _known(name: str) -> CommandSpec:
    spec = CATALOGUE.commands.get(name)
    if spec is None:
        raise Wrong(f"no device takes {name[:80]!r}{nearest(name, _harmless()) or f'; {_HOW}'}")
    if not spec.harmless:
        raise Wrong(f"{spec.left_to_people}: {name!r}")
    return spec


def _harmless() -> list[str]:
    return [name for name, spec in CATALOGUE.commands.items() if spec.harmless]


def _checked(spec: CommandSpec, given: Mapping[str, str], names: tuple[str, ...]) -> Command:
    for arg in given:
        if arg not in spec.args:
            raise Wrong(f"{spec.name!r} has no {arg[:40]!r}{nearest(arg, spec.args)}; it {_needs(spec)}")
    if len(given) < len(spec.args):
        raise Wrong(f"{spec.name!r} {_needs(spec)}")
    return Command(spec.name, {arg: parse_sentence(text, names) for arg, text in given.items()})


def _needs(spec: CommandSpec) -> str:
    return f"needs {listed(map(repr, spec.args), 'and')}" if spec.args else "needs nothing else"
