"""Bluetooth buttons, sensors and locks of a scenario."""

from __future__ import annotations

from collections.abc import Mapping

from simulators.ble.bthome_pendant import BthomePendant
from simulators.ble.bthome_sender import BthomeSender
from simulators.ble.bthome_sensors import (
    MOISTURE,
    MOTION,
    SMOKE,
    TAMPER,
    WINDOW,
    BthomeClimate,
    BthomeDoor,
    BthomeLeak,
    BthomeMotion,
    BthomeSensor,
    BthomeSmoke,
)
from simulators.ble.nuki_lock import BLOCKED, LOCKED, UNLOCKED, NukiLock
from simulators.play.ble_units import LOW, BleUnit
from simulators.scenario.model import Beat, Device
from simulators.scenario.plan import Trouble
from simulators.world import World

PRESSES = {"short": "press", "long": "long_press", "double": "double_press", "triple": "triple_press"}
"""Words of an incident's data → words of the button."""

SENSORS: Mapping[str, type[BthomeSensor]] = {
    "door": BthomeDoor,
    "motion": BthomeMotion,
    "smoke": BthomeSmoke,
    "water": BthomeLeak,
    "climate": BthomeClimate,
}
"""Type → sensor."""

FLAGS: Mapping[tuple[str, str], tuple[int, bool]] = {
    ("door", "opened"): (WINDOW, True),
    ("door", "closed"): (WINDOW, False),
    ("smoke", "detected"): (SMOKE, True),
    ("smoke", "cleared"): (SMOKE, False),
    ("water", "detected"): (MOISTURE, True),
    ("water", "cleared"): (MOISTURE, False),
}
"""Type and word → the flag that changes."""


def counter_at(world: World) -> int:
    """Where an encryption counter starts: at world time, which only grows, so that no restart repeats one."""
    return (world.now() // 1000) % 2**32


class _BthomeUnit(BleUnit):
    """What buttons and sensors share: a level to tell, and a last message that may come twice."""

    def __init__(self, device: Device, sender: BthomeSender, radio: str, world: World) -> None:
        self._sender = sender
        super().__init__(device, sender, radio, world)

    async def _perform(self, beat: Beat) -> None:
        if beat.word == "battery":
            self._sender.battery = int(beat.data["value"])
        elif beat.word == "battery_low":
            self._sender.battery = LOW
        await self._tell(beat)

    async def _again(self, beat: Beat) -> None:  # noqa: ARG002  the very same bytes
        await self._sender.replay()

    async def _tell(self, beat: Beat) -> None:
        """Send what this beat means."""


class PendantUnit(_BthomeUnit):
    """A worn button: a press is a burst of advertisements, a heartbeat one with the battery level."""

    def __init__(self, device: Device, radio: str, world: World, key: bytes | None) -> None:
        battery = device.settings.get("battery", 80)
        self._pendant = BthomePendant(
            device.settings["address"], key=key, battery=battery, counter=counter_at(world), beacon=None
        )
        super().__init__(device, self._pendant, radio, world)

    async def _tell(self, beat: Beat) -> None:
        if beat.word == "pressed":
            await self._pendant.press(PRESSES.get(str(beat.data.get("press", "")), "press"))
        else:
            await self._pendant.say()


class SensorUnit(_BthomeUnit):
    """A sensor that repeats its state in every message."""

    def __init__(self, device: Device, radio: str, world: World, key: bytes | None) -> None:
        self._type = device.type
        self._sensor = SENSORS[device.type](
            device.settings["address"],
            key=key,
            battery=device.settings.get("battery", 80),
            counter=counter_at(world),
            beacon=None,
        )
        self._air = {"temperature": 21.0, "humidity": 40.0}
        super().__init__(device, self._sensor, radio, world)

    async def _tell(self, beat: Beat) -> None:
        sensor = self._sensor
        if isinstance(sensor, BthomeClimate):
            self._air |= {beat.word: float(beat.data["value"])} if beat.word in self._air else {}
            await sensor.report(self._air["temperature"], self._air["humidity"])
        elif beat.word == "motion":
            await sensor.set(MOTION, on=True)
            sensor.state[MOTION] = False
        elif beat.word == "tamper":
            await sensor.set(TAMPER, on=True)
            sensor.state[TAMPER] = False
        elif change := FLAGS.get((self._type, beat.word)):
            await sensor.set(*change)
        else:
            await sensor.beacon_once()


class LockUnit(BleUnit):
    """A Nuki lock that was paired before: its key is the shared key and the authorisation's number."""

    def __init__(self, device: Device, radio: str, world: World, key: bytes) -> None:
        settings = device.settings
        self._lock = NukiLock(settings["address"], battery=settings.get("battery", 80))
        self._lock.knows(int.from_bytes(key[32:], "little"), key[:32])
        self._motor = self._lock.motor = max(self._lock.motor, settings.get("motor", 3.0) / world.speed)
        super().__init__(device, self._lock, radio, world)

    async def _perform(self, beat: Beat) -> None:
        lock = self._lock
        if beat.word in ("locked", "unlocked", "jammed"):
            lock.jam = beat.word == "jammed"
            await lock.turn_by_hand({"locked": LOCKED, "unlocked": UNLOCKED}.get(beat.word, BLOCKED))
            return
        if beat.word in ("battery", "battery_low"):
            await lock.set_battery(LOW if beat.word == "battery_low" else int(beat.data["value"]))
        await lock.turn_by_hand(lock.bolt)

    def _changed(self, trouble: Trouble, *, over: bool) -> None:
        if trouble.do == "link_lost":
            self._lock.lose_answer = True
        elif trouble.do == "slow":
            self._lock.motor = self._motor if over else self._motor + 20.0 / self._world.speed
