"""All that one rule says: to people, to devices in the home, and of the numbers it used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from drivers.events import Event, Millis
from rules.homes import Home
from rules.sentences import Numbers, Speaker, field_word

if TYPE_CHECKING:
    from rules.machines.base import Machine
    from rules.machines.slot import Slot

OF_THE_RULE = ("resident.", "between.")
"""Names that are known without an event."""


class Speech:
    """Compiled once a rule. captures: what its sentences say of events, which is kept until they are spoken."""

    def __init__(self, machine: Machine[Any]) -> None:
        rule = machine.rule
        self.alert = Speaker(machine, rule.alert)
        self.staff_action = Speaker(machine, rule.action)
        self.numbers = Numbers(machine)
        self._args = {name: Speaker(machine, text) for name, text in rule.do.args.items()} if rule.do else {}
        self.captures = frozenset(
            name for name in rule.names if "." in name and not name.startswith(OF_THE_RULE)
        )

    def capture(self, home: Home, event: Event) -> dict[str, str | float] | None:
        """What the sentences say of this event."""
        if not self.captures:
            return None
        found: dict[str, str | float] = {}
        word = event.kind.partition(".")[2]
        for name in self.captures:
            owner, _, field = name.partition(".")
            if owner == word:
                found[name] = field_word(home, event, field)
        return found

    def args(self, home: Home, slot: Slot, at: Millis) -> Mapping[str, str]:
        """The texts of what is asked of devices; a device speaks one language, that of the home."""
        return {name: speaker.say(home, slot, at, None)["nb"] for name, speaker in self._args.items()}
