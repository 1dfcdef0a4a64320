"""A door reader with strike and contact on OSDP at a port; the protocol is in simulators.serial.osdp_device."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from simulators.serial.cable import Cable
from simulators.serial.osdp_device import ISTATR, KEYPAD, LSTATR, OSTATR, RAW, DeviceFaults, OsdpDevice, Told
from simulators.serial.ports import Port

HUSH = 0.1
"""Seconds of silence after which half a packet is noise."""


class OsdpReader:
    """One reader at a port. key: 16 bytes, the Secure Channel key; without, it takes the key for installing."""

    def __init__(self, address: int, key: bytes | None = None, *, cable: Cable | None = None) -> None:
        self.device = OsdpDevice(address, key, time.monotonic)
        self.cable = cable or Cable()
        self._port: Port | None = None
        self._heard_at = 0.0

    @property
    def faults(self) -> DeviceFaults:
        """What is wrong with it."""
        return self.device.faults

    @property
    def told(self) -> Told:
        """What the controller told it."""
        return self.device.told

    async def start(self, path: Path) -> None:
        """Plug in under this name and answer."""
        self._port = Port(path, self._hear, cable=self.cable)
        self._port.plug()

    async def stop(self) -> None:
        """Unplug for good."""
        await self.unplug()
        self._port = None

    async def unplug(self) -> None:
        """Pull it out."""
        if self._port is not None:
            self._port.unplug()

    async def replug(self) -> None:
        """Plug it in again under the same name; it starts anew."""
        self.device.restart()
        if self._port is not None:
            self._port.plug()

    def card(self, number: bytes, bits: int) -> None:
        """Somebody holds a card to it."""
        self.device.tell(RAW, b"\x00\x01" + bits.to_bytes(2, "little") + number)

    def keys(self, digits: bytes) -> None:
        """Somebody types."""
        self.device.tell(KEYPAD, bytes([0, len(digits)]) + digits)

    def door(self, *, opened: bool) -> None:
        """The contact at input 0."""
        self.device.inputs[0] = int(opened)
        self.device.tell(ISTATR, bytes(self.device.inputs))

    def tamper(self, *, on: bool = True) -> None:
        """Its casing."""
        self.device.tampered = on
        self._tell_local()

    def power(self, *, lost: bool) -> None:
        """Its supply."""
        self.device.power_lost = lost
        self._tell_local()

    def _tell_local(self) -> None:
        self.device.tell(LSTATR, bytes([self.device.tampered, self.device.power_lost]))

    def strike(self, *, on_for: float) -> None:
        """Somebody inside presses the exit button: the strike opens by itself."""
        self.device.open_by_itself(on_for)
        self.device.tell(OSTATR, bytes(self.device.outputs))

    def _hear(self, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._heard_at > HUSH:
            self.device.hush()
        self._heard_at = now
        answer = self.device.hear(data)
        if answer and self._port is not None:
            self._port.write(answer)
