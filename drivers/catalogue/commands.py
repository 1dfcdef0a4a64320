"""What devices can be asked to do, and what a rule may ask by itself.

A person may ask for anything a device takes; a door needs a reason besides. A rule asks with nobody there, so it may
ask only for what can do no harm: every other command says here why it is left to people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drivers.catalogue.every_class import CLASSES, NO_DEVICE
from drivers.catalogue.spec import Words
from drivers.catalogue.writing import words

_DOORS = "no rule opens a door; a person does, with a reason"
_OUTSIDE = "no rule locks a door; somebody may stand outside in the night"
_DOSES = "no rule gives a dose; a dispenser gives it by its own plan"
_ANSWERS = "no rule answers a call; a person who has seen to it does"


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command of one class, `lock.lock`. args: names of what goes with it, all of them texts.

    left_to_people: why no rule may ask for it, one sentence; empty where it can do no harm.
    """

    name: str
    words: Words
    args: tuple[str, ...] = ()
    left_to_people: str = ""

    @property
    def harmless(self) -> bool:
        """Whether a rule may ask for it with nobody there."""
        return not self.left_to_people


_SPECIAL = (
    CommandSpec("dispenser.message", words("Si en beskjed", "Give a message"), ("text",)),
    CommandSpec("dispenser.dispense", words("Gi en dose", "Give a dose"), (), _DOSES),
    CommandSpec("lock.lock", words("Lås døren", "Lock the door"), (), _OUTSIDE),
    CommandSpec("lock.unlock", words("Lås opp døren", "Unlock the door"), ("compartment", "seconds"), _DOORS),
    CommandSpec("lock.unlatch", words("Åpne døren", "Open the door"), (), _DOORS),
    CommandSpec("pendant.message", words("Send en beskjed", "Send a message"), ("text",)),
    CommandSpec("call.page", words("Kall opp personsøkere", "Page staff"), ("address", "text")),
    CommandSpec("call.status", words("Si hva som ble av et anrop", "Say what became of a call"),
                ("address", "status"), _ANSWERS),
)  # fmt: skip


def _commands() -> Iterator[CommandSpec]:
    yield from _SPECIAL
    for name in CLASSES:
        if name not in NO_DEVICE:
            yield CommandSpec(f"{name}.state", words("Spør hvordan det står til", "Ask how it stands"))


COMMANDS: Mapping[str, CommandSpec] = MappingProxyType({each.name: each for each in _commands()})
