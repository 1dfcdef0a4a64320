"""A Nuki smart lock with its own MQTT client.

Source: Nuki MQTT API specification 1.4: one topic a property under `nuki/{id}/`, state topics retained; commands
on `lockAction` (1 unlock, 2 lock, 3 unlatch), answered on `commandResponse` when they were executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulators.mqtt_devices.said import Said

LOCKED, UNLOCKING, UNLOCKED, LOCKING, UNLATCHED, BLOCKED = 1, 2, 3, 4, 5, 254
BUSY = 0x45
TARGET = {1: (UNLOCKING, UNLOCKED), 2: (LOCKING, LOCKED), 3: (UNLOCKING, UNLATCHED)}
BY_MQTT = 172


@dataclass(slots=True)
class NukiLock:
    """One lock. id: eight hex digits. jam: the motor is blocked. busy: it takes no command just now."""

    id: str
    state: int = LOCKED
    door: int = 2
    battery: int = 90
    jam: bool = False
    busy: bool = False

    @property
    def topics(self) -> tuple[str, ...]:
        """What it listens on."""
        return tuple(f"nuki/{self.id}/{name}" for name in ("lockAction", "lock", "unlock"))

    def start(self) -> Iterator[Said]:
        """Everything it publishes after connecting."""
        for name, value in (("connected", "true"), ("mode", "2"), ("state", str(self.state)),
                            ("doorsensorState", str(self.door)), ("batteryChargeState", str(self.battery)),
                            ("batteryCritical", _truth(self.battery < 20))):  # fmt: skip
            yield self._kept(name, value)

    def stop(self) -> Said:
        """What its last will says."""
        return self._kept("connected", "false")

    def turn(self, action: int, trigger: int = 1, person: int = 0) -> Iterator[Said]:
        """Somebody or something turns the bolt: 1 unlock, 2 lock, 3 unlatch."""
        yield Said(f"nuki/{self.id}/lockActionEvent", f"{action},{trigger},{person},0,0".encode())
        moving, reached = TARGET[action]
        yield self._move(moving)
        yield self._move(BLOCKED if self.jam else reached)

    def open_door(self, *, opened: bool) -> Said:
        """The door leaf moves."""
        self.door = 3 if opened else 2
        return self._kept("doorsensorState", str(self.door))

    def drain(self, percent: int) -> Iterator[Said]:
        """The battery falls to this level."""
        self.battery = percent
        yield self._kept("batteryChargeState", str(percent))
        yield self._kept("batteryCritical", _truth(percent < 20))

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:
        """Obey a lock action; anything else is ignored."""
        name = topic.rpartition("/")[2]
        wanted = (
            {"lock": b"2", "unlock": b"1"}.get(name, payload)
            if name == "lockAction" or payload == b"true"
            else b""
        )
        if wanted not in (b"1", b"2", b"3"):
            return
        if self.busy:
            yield Said(f"nuki/{self.id}/commandResponse", str(BUSY).encode(), retain=True)
            return
        yield from self.turn(int(wanted), BY_MQTT)
        yield Said(f"nuki/{self.id}/commandResponse", b"0", retain=True)

    def _move(self, state: int) -> Said:
        self.state = state
        return self._kept("state", str(state))

    def _kept(self, name: str, value: str) -> Said:
        return Said(f"nuki/{self.id}/{name}", value.encode(), retain=True)


def _truth(value: bool) -> str:
    return "true" if value else "false"
