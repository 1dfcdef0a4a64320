"""Bluetooth devices of a scenario: what all have in common, and which unit stands for which device."""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from simulators.ble.peripheral import GONE, Peripheral
from simulators.play.keys import key_of
from simulators.play.unit import InTurn
from simulators.scenario.faults import amount
from simulators.scenario.model import Beat, Device
from simulators.scenario.plan import Trouble
from simulators.world import World

log = logging.getLogger(__name__)

LOW = 9
"""Percent that a device shows whose battery is low."""
BOOT = 2.0
"""Real seconds that a device is away while it starts anew."""


class BleUnit(ABC):
    """A peripheral that joins the radio, then does what its beats say, one after the other."""

    def __init__(self, device: Device, peripheral: Peripheral, radio: str, world: World) -> None:
        self._peripheral = peripheral
        self._radio = radio
        self._world = world
        self._turn = InTurn()
        self._draw = random.Random(f"{device.id}/faults")
        self._broken: dict[str, Mapping[str, Any]] = {}

    def say(self, beat: Beat) -> None:
        """Perform a beat when its turn has come."""
        self._turn.put(partial(self._unless_gone, beat))

    def silence(self, device: str, *, over: bool) -> None:  # noqa: ARG002  one unit, one device
        """Leave the air, or come back."""
        self._turn.put(self._peripheral.wake if over else self._peripheral.silence)

    def fail(self, trouble: Trouble, *, over: bool) -> None:
        """A fault begins or ends."""
        if trouble.do == "reboot":
            self._turn.put(self._reboot)
        elif over:
            self._broken.pop(trouble.do, None)
        else:
            self._broken[trouble.do] = trouble.data
        self._peripheral.damage = self._damage if "wrong_bytes" in self._broken else None
        self._changed(trouble, over=over)

    async def run(self) -> None:
        """Be on the air."""
        await self._begin()
        try:
            await self._turn.run()
        finally:
            await self._end()
            await self._peripheral.stop()

    async def _begin(self) -> None:
        await self._peripheral.start(self._radio)

    async def _end(self) -> None:  # noqa: B027  few have anything
        """Leave nothing running."""

    def _changed(self, trouble: Trouble, *, over: bool) -> None:  # noqa: B027  few have faults of their own
        """A fault that only this unit knows began or ended."""

    def _happens(self, fault: str) -> bool:
        return fault in self._broken and self._draw.random() < amount(self._broken[fault], "chance")

    def _damage(self, data: bytes) -> bytes:
        """Cut short, or with a wrong byte."""
        if not data or not self._happens("wrong_bytes"):
            return data
        at = self._draw.randrange(len(data))
        return (
            data[:at] if self._draw.random() < 0.5 else data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        )

    async def _reboot(self) -> None:
        await self._peripheral.silence()
        await asyncio.sleep(BOOT)
        await self._peripheral.wake()

    async def _unless_gone(self, beat: Beat) -> None:
        if "slow" in self._broken:
            await self._world.sleep(amount(self._broken["slow"], "seconds"))
        if not self._ready() or self._happens("dropped"):
            return
        try:
            await self._perform(beat)
            if self._happens("doubled"):
                await self._again(beat)
        except GONE as wrong:
            log.warning("%s could not say %s: %r", beat.device, beat.kind, wrong)

    def _ready(self) -> bool:
        return self._peripheral.on_air

    async def _again(self, beat: Beat) -> None:
        """Say it once more, as it was said."""
        await self._perform(beat)

    @abstractmethod
    async def _perform(self, beat: Beat) -> None: ...


def ble_unit(device: Device, radio: str, world: World, secrets: Path, zone: ZoneInfo) -> BleUnit:
    """The unit for a Bluetooth device; radio: `tcp:HOST:PORT`. zone: its home's. Raises KeyMissing."""
    from simulators.play.ble_meters import METER_UNITS  # noqa: PLC0415  they stand on this module
    from simulators.play.ble_sensors import LockUnit, PendantUnit, SensorUnit  # noqa: PLC0415

    key = key_of(device, secrets)
    if device.type == "pendant":
        return PendantUnit(device, radio, world, key)
    if device.type == "lock":
        return LockUnit(device, radio, world, key or b"")
    if device.type in METER_UNITS:
        return METER_UNITS[device.type](device, radio, world, zone)
    return SensorUnit(device, radio, world, key)
