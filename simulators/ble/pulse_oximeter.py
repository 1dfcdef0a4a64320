"""A finger pulse oximeter by the Bluetooth SIG's Pulse Oximeter Service 1.0.1 (0x1822)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bumble import gatt

from simulators.ble.gatt_peripheral import INDICATE, NOTIFY, READ, GattPeripheral, date_time
from simulators.ble.medical_float import sfloat

SPOT_CHECK, CONTINUOUS, FEATURES = "2A5E", "2A5F", "2A60"
HAS_TIME, HAS_STATUS = 1 << 0, 1 << 1  # spot-check flags
CONTINUOUS_STATUS, CONTINUOUS_SENSOR = 1 << 2, 1 << 3  # continuous flags
FULLY_QUALIFIED, UNAVAILABLE = 1 << 8, 1 << 13  # measurement status
SENSOR_UNCONNECTED = 1 << 11  # device and sensor status


class PulseOximeter(GattPeripheral):
    """The oximeter: spot checks are stored until confirmed, continuous values are notified and forgotten."""

    service = 0x1822
    model = "Fingertip 1"

    def __init__(self, address: str, *, name: str = "Oximeter", battery: int = 100) -> None:
        super().__init__(name, address, battery=battery)

    async def measure(self, spo2: float | None, pulse: float | None, at: datetime | None = None) -> None:
        """Finish a spot check: percent and beats a minute, None where no value was found; at: device's time."""
        flags = HAS_STATUS | (HAS_TIME if at is not None else 0)
        when = date_time(at) if at is not None else b""
        status = FULLY_QUALIFIED.to_bytes(2, "little")
        self.store(SPOT_CHECK, bytes([flags]) + sfloat(spo2) + sfloat(pulse) + when + status)

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
        return [
            gatt.Service(
                "1822",
                [
                    self._offer(SPOT_CHECK, INDICATE),
                    self._offer(CONTINUOUS, NOTIFY),
                    self._offer(FEATURES, READ, bytes([0x03, 0x00])),  # status and sensor status supported
                ],
            )
        ]
