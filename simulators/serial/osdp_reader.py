"""A door reader with strike and contact on OSDP, by libosdp's device role (the standard's other half).

The default time libosdp keeps is the machine's; a reader answers within some 20 ms.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osdp import (
    Capability,
    CardFormat,
    Channel,
    Event,
    LibFlag,
    LogLevel,
    PDCapabilities,
    PDInfo,
    PeripheralDevice,
    StatusReportType,
)

from simulators.serial.cable import Cable
from simulators.serial.ports import Port

REFRESH = 0.02
CAPABILITIES = [
    (Capability.ContactStatusMonitoring, 1, 2),
    (Capability.OutputControl, 1, 2),
    (Capability.CardDataFormat, 1, 1),
    (Capability.CommunicationSecurity, 1, 1),
    (Capability.Readers, 1, 1),
]


class _Wire(Channel):  # type: ignore[misc]  # libosdp is untyped
    def __init__(self, send: Any) -> None:
        super().__init__()
        self.held = bytearray()
        self._send = send

    def read(self, max_bytes: int) -> bytes:
        taken = bytes(self.held[:max_bytes])
        del self.held[:max_bytes]
        return taken

    def write(self, buf: bytes) -> int:
        self._send(bytes(buf))
        return len(buf)

    def flush(self) -> None:
        self.held.clear()


@dataclass(slots=True)
class OsdpReader:
    """One reader at a port. key: 16 bytes, the Secure Channel key. unlocks: seconds of each opening it was told."""

    address: int
    key: bytes | None = None
    cable: Cable = field(default_factory=Cable)
    unlocks: list[float] = field(default_factory=list)
    controls: list[int] = field(default_factory=list)
    _port: Port | None = None
    _device: Any = None
    _wire: Any = None
    _task: asyncio.Task[None] | None = None

    async def start(self, path: Path) -> None:
        """Plug in under this name and answer."""
        self._port = Port(path, self._hear, cable=self.cable)
        self._port.plug()
        self._wire = _Wire(self._port.write)
        flags = [LibFlag.EnforceSecure] if self.key else []
        info = PDInfo(self.address, self._wire, scbk=self.key, flags=flags)
        self._device = PeripheralDevice(
            info, PDCapabilities(CAPABILITIES), log_level=LogLevel.Emergency, command_handler=self._told
        )
        self._device.lock = threading.Lock()
        self._task = asyncio.get_running_loop().create_task(self._refresh())

    async def stop(self) -> None:
        """Unplug for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self.unplug()
        self._device = self._port = None

    async def unplug(self) -> None:
        """Pull it out."""
        if self._port is not None:
            self._port.unplug()

    async def replug(self) -> None:
        """Plug it in again under the same name."""
        if self._port is not None:
            self._port.plug()

    def card(self, number: bytes, bits: int) -> bool:
        """Somebody holds a card to it."""
        return self._say(
            {"event": Event.CardRead, "reader_no": 0, "direction": 0, "format": CardFormat.Wiegand,
             "length": bits, "data": number}
        )  # fmt: skip

    def keys(self, digits: bytes) -> bool:
        """Somebody types."""
        return self._say({"event": Event.KeyPress, "reader_no": 0, "data": digits})

    def door(self, *, opened: bool) -> bool:
        """The contact at input 0."""
        report = bytes([1 if opened else 0, 0])
        return self._say({"event": Event.Status, "type": StatusReportType.Input, "report": report})

    def tamper(self, *, on: bool = True) -> bool:
        """Its casing."""
        return self._say(
            {"event": Event.Status, "type": StatusReportType.Local, "report": bytes([int(on), 0])}
        )

    def _say(self, event: dict[str, Any]) -> bool:
        return bool(self._device.submit_event(event))

    def _told(self, command: dict[str, Any]) -> tuple[int, None]:
        if "control_code" in command:
            self.controls.append(command["control_code"])
            self.unlocks.append(command["timer_count"] / 10)
        return 0, None

    def _hear(self, data: bytes) -> None:
        if self._wire is not None:
            self._wire.held += data

    async def _refresh(self) -> None:
        while True:
            self._device.ctx.refresh()
            await asyncio.sleep(REFRESH)
