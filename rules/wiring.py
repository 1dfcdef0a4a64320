"""A book made ready to run: its machines, who holds whom, and which functions each kind of event calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from drivers.catalogue import CATALOGUE
from rules.book import Book
from rules.machines import Desk, Machine, machine_for
from rules.machines.base import Act

Acts: TypeAlias = tuple[Act, ...]

NOTHING: Acts = ()


@dataclass(frozen=True, slots=True)
class Wiring:
    """by_kind: what an event of each kind calls. at_once: the critical machines that may act on its arrival."""

    machines: tuple[Machine[Any], ...]
    by_name: Mapping[str, Machine[Any]]
    by_kind: dict[str, Acts]
    at_once: Mapping[str, tuple[tuple[Machine[Any], Act], ...]]


def wire(book: Book, desk: Desk) -> Wiring:
    """Compile every rule of a book once."""
    machines = tuple(machine_for(rule, index, desk) for index, rule in enumerate(book.rules.values()))
    by_name = {machine.rule.name: machine for machine in machines}
    for machine in machines:
        machine.rank = book.ranks[machine.rule.name]
        machine.holders = tuple(by_name[name] for name in machine.rule.held_by)
        machine.holds = tuple(each for each in machines if machine.rule.name in each.rule.held_by)
    by_kind = dict.fromkeys(CATALOGUE.facts, NOTHING)
    at_once: dict[str, tuple[tuple[Machine[Any], Act], ...]] = {}
    for machine in machines:
        for kind, act in machine.acts():
            by_kind[kind] = (*by_kind[kind], act)
            if machine.latches and machine.rule.critical:
                at_once[kind] = (*at_once.get(kind, ()), (machine, act))
    return Wiring(machines, by_name, by_kind, at_once)
