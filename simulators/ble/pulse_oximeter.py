"""A finger pulse oximeter by the Bluetooth SIG's Pulse Oximeter Service 1.0.1 (0x1822)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime

from bumble import core, gatt

from simulators.ble.gatt_peripheral import (
    INDICATE,
    NOTIFY,
    READ,
    WRITE,
    WRITEABLE,
    GattPeripheral,
    date_time,
)
from simulators.ble.medical_float import sfloat
from simulators.ble.peripheral import GONE
from simulators.ble.record_store import ALL, RecordStore

SPOT_CHECK, CONTINUOUS, FEATURES, CONTROL_POINT = "2A5E", "2A5F", "2A60", "2A52"
HAS_TIME, HAS_STATUS = 1 << 0, 1 << 1  # spot-check flags
CONTINUOUS_STATUS, CONTINUOUS_SENSOR = 1 << 2, 1 << 3  # continuous flags
FULLY_QUALIFIED, UNAVAILABLE = 1 << 8, 1 << 13  # measurement status
SENSOR_UNCONNECTED = 1 << 11  # device and sensor status


class PulseOximeter(GattPeripheral):
    """The oximeter: spot checks are stored until confirmed, continuous values are notified and forgotten.

    memory: of one that keeps its spot checks and hands them out at a control point; None of one that does not.
    """

    service = 0x1822
    model = "Fingertip 1"

    def __init__(
        self, address: str, *, name: str = "Oximeter", battery: int = 100, keeps: bool = False
    ) -> None:
        super().__init__(name, address, battery=battery)
        self.memory = RecordStore(operators=frozenset({ALL})) if keeps else None
        self._answers: set[asyncio.Task[None]] = set()

    async def measure(self, spo2: float | None, pulse: float | None, at: datetime | None = None) -> None:
        """Finish a spot check: percent and beats a minute, None where no value was found; at: device's time."""
        flags = HAS_STATUS | (HAS_TIME if at is not None else 0)
        when = date_time(at) if at is not None else b""
        status = FULLY_QUALIFIED.to_bytes(2, "little")
        reading = bytes([flags]) + sfloat(spo2) + sfloat(pulse) + when + status
        if self.memory is None:
            self.store(SPOT_CHECK, reading)
        else:
            self.memory.keep(0, reading)

    async def show(self, spo2: float | None, pulse: float | None) -> bool:
        """Notify the values of this moment; False when nobody listens."""
        return await self.notify(CONTINUOUS, bytes([0]) + sfloat(spo2) + sfloat(pulse))

    async def finger_out(self) -> bool:
        """The finger left the sensor: no values, and the device says why."""
        status = UNAVAILABLE.to_bytes(2, "little") + SENSOR_UNCONNECTED.to_bytes(3, "little")
        flags = bytes([CONTINUOUS_STATUS | CONTINUOUS_SENSOR])
        return await self.notify(CONTINUOUS, flags + sfloat(None) + sfloat(None) + status)

    async def send_bytes(self, uuid: str, value: bytes) -> None:
        """Send anything, right or wrong, under one of its characteristics."""
        if uuid == CONTINUOUS:
            await self.notify(uuid, value)
        else:
            self.store(uuid, value)

    def _services(self) -> Sequence[gatt.Service]:
        features = 0x03 if self.memory is None else 0x07  # status and sensor status; measurement storage
        offered = [
            self._offer(SPOT_CHECK, INDICATE),
            self._offer(CONTINUOUS, NOTIFY),
            self._offer(FEATURES, READ, bytes([features, 0x00])),
        ]
        if self.memory is not None:
            control = self._offer(CONTROL_POINT, WRITE | INDICATE, permissions=WRITEABLE)
            control.on(control.EVENT_WRITE, lambda _from, request: self._on_request(bytes(request)))
            offered.append(control)
        services = [gatt.Service("1822", offered)]
        return services if self.memory is None else [*services, self._time_service()]

    def _on_request(self, request: bytes) -> None:
        task = asyncio.ensure_future(self._answer(request))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, request: bytes) -> None:
        assert self.memory is not None
        with contextlib.suppress(*GONE, RuntimeError):
            await self.memory.answer(
                request,
                lambda record: self._indicate(SPOT_CHECK, record),
                lambda value: self._indicate(CONTROL_POINT, value),
                self._cut,
            )

    async def _indicate(self, uuid: str, value: bytes) -> None:
        await self.device.indicate_subscribers(self._characteristics[uuid], value)

    async def _cut(self) -> None:
        await self.lose_link()
        raise core.InvalidStateError("the link is gone")
