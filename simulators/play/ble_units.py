"""Bluetooth devices of a scenario: beats become presses and measurements on the virtual radio."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import Any

from simulators.ble.bthome_pendant import BthomePendant
from simulators.ble.peripheral import GONE, Peripheral
from simulators.ble.pulse_oximeter import PulseOximeter
from simulators.play.unit import InTurn
from simulators.scenario.model import Beat, Device
from simulators.world import World

log = logging.getLogger(__name__)

KEY_BYTES = 16
PRESSES = {"short": "press", "long": "long_press", "double": "double_press", "triple": "triple_press"}
"""Words of an incident's data → words of the button."""


class KeyMissing(Exception):  # noqa: N818  it says what is so
    """A device's key file is not there or holds no key."""


class BleUnit(ABC):
    """A peripheral that joins the radio, then does what its beats say, one after the other."""

    def __init__(self, peripheral: Peripheral, radio: str) -> None:
        self._peripheral = peripheral
        self._radio = radio
        self._turn = InTurn()

    def say(self, beat: Beat) -> None:
        """Perform a beat when its turn has come."""
        self._turn.put(partial(self._unless_gone, beat))

    def silence(self, device: str, *, over: bool) -> None:  # noqa: ARG002  one unit, one device
        """Leave the air, or come back."""
        self._turn.put(self._peripheral.wake if over else self._peripheral.silence)

    async def run(self) -> None:
        """Be on the air."""
        await self._peripheral.start(self._radio)
        try:
            await self._turn.run()
        finally:
            await self._peripheral.stop()

    async def _unless_gone(self, beat: Beat) -> None:
        if not self._peripheral.on_air:
            return
        try:
            await self._perform(beat)
        except GONE as wrong:
            log.warning("%s could not say %s: %r", beat.device, beat.kind, wrong)

    @abstractmethod
    async def _perform(self, beat: Beat) -> None: ...


class PendantUnit(BleUnit):
    """A worn button: a press is a burst of advertisements, a heartbeat one with the battery level."""

    def __init__(self, device: Device, radio: str, world: World, secrets: Path) -> None:
        # The counter starts at world time, which only grows, so that no restart repeats one.
        self._pendant = BthomePendant(
            device.settings["address"],
            key=read_key(secrets / device.settings["key"]) if "key" in device.settings else None,
            battery=device.settings.get("battery", 80),
            counter=(world.now() // 1000) % 2**32,
            beacon=None,
        )
        super().__init__(self._pendant, radio)

    async def _perform(self, beat: Beat) -> None:
        if beat.word == "pressed":
            await self._pendant.press(PRESSES.get(str(beat.data.get("press", "")), "press"))
        elif beat.word == "battery":
            await self._pendant.set_battery(int(beat.data["value"]))
        elif beat.word == "heartbeat":
            await self._pendant.say()


class OximeterUnit(BleUnit):
    """A finger oximeter: two beats of one moment (spo2 and pulse) are one stored spot check."""

    def __init__(self, device: Device, radio: str) -> None:
        self._oximeter = PulseOximeter(device.settings["address"], battery=device.settings.get("battery", 80))
        self._half: dict[str, Any] = {}
        super().__init__(self._oximeter, radio)

    async def _perform(self, beat: Beat) -> None:
        if beat.word not in {"spo2", "pulse"}:
            return
        self._half = {
            beat.word: beat.data["value"],
            **(self._half if self._half.get("at") == beat.at else {}),
        }
        self._half["at"] = beat.at
        if self._half.keys() >= {"spo2", "pulse"}:
            whole, self._half = self._half, {}
            await self._oximeter.measure(whole["spo2"], whole["pulse"])


def ble_unit(device: Device, radio: str, world: World, secrets: Path) -> BleUnit:
    """The unit for a Bluetooth device; radio: `tcp:HOST:PORT`. Raises KeyMissing."""
    if device.type == "pendant":
        return PendantUnit(device, radio, world, secrets)
    return OximeterUnit(device, radio)


def read_key(path: Path) -> bytes:
    """A key file holds 32 hexadecimal digits. Raises KeyMissing with a sentence."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as wrong:
        raise KeyMissing(f"the key {path} cannot be read: {wrong}") from None
    if len(key) != KEY_BYTES:
        raise KeyMissing(f"the key {path} has {len(key)} bytes, {KEY_BYTES} are expected")
    return key
