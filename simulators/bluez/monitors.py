"""Advertisement monitors: programs on the bus that want to hear of certain advertisements (`AdvertisementMonitor1`).

Only their being there has an effect here: while one is active, scans are not filtered of duplicates.
"""

from __future__ import annotations

from collections.abc import Mapping

from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus

from simulators.bluez.tree import DBusFault

SWITCH, MONITOR = "org.bluez.AdvertisementMonitorManager1", "org.bluez.AdvertisementMonitor1"
TYPE = "or_patterns"


class Monitors:
    """Who registered where, and which monitors are active; (bus name, path) each."""

    def __init__(self) -> None:
        self.registered: set[tuple[str, str]] = set()
        self.active: set[tuple[str, str]] = set()

    def register(self, sender: str, root: str) -> None:
        """A program will show its monitors below a path, from now on. Raises DBusFault."""
        if (sender, root) in self.registered:
            raise DBusFault("org.bluez.Error.AlreadyExists", "Already Exists")
        self.registered.add((sender, root))

    def unregister(self, sender: str, root: str) -> None:
        """A program takes them away. Raises DBusFault."""
        if (sender, root) not in self.registered:
            raise DBusFault("org.bluez.Error.DoesNotExist", "Does Not Exist")
        self.registered.discard((sender, root))
        self.active = {one for one in self.active if one[0] != sender or not _below(one[1], root)}

    def left(self, sender: str) -> None:
        """A program left the bus."""
        self.registered = {one for one in self.registered if one[0] != sender}
        self.active = {one for one in self.active if one[0] != sender}

    def appeared(self, bus: MessageBus, sender: str, path: str, interfaces: Mapping[str, object]) -> None:
        """An object appeared on the bus: a monitor of somebody who registered is activated; an odd one is released."""
        about = interfaces.get(MONITOR)
        if about is None or not any(sender == name and _below(path, root) for name, root in self.registered):
            return
        fits = isinstance(about, dict) and _fits(about)
        if fits:
            self.active.add((sender, path))
        member = "Activate" if fits else "Release"
        bus.send(Message(destination=sender, path=path, interface=MONITOR, member=member))


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def _fits(about: Mapping[str, Variant]) -> bool:
    kind, patterns = about.get("Type"), about.get("Patterns")
    if kind is None or kind.value != TYPE or patterns is None or patterns.signature != "a(yyay)":
        return False
    return bool(patterns.value)
