"""A thermometer, a scale and a heart-rate strap by their Bluetooth SIG profiles (0x1809, 0x181D, 0x180D)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bumble import gatt

from simulators.ble.gatt_peripheral import INDICATE, NOTIFY, GattPeripheral, date_time
from simulators.ble.medical_float import float32

TEMPERATURE, WEIGHT, HEART_RATE = "2A1C", "2A9D", "2A37"
BODY = 0x02  # temperature type: body, general
HAS_TIME = 1 << 1


class Thermometer(GattPeripheral):
    """Stores temperatures until they are confirmed."""

    service = 0x1809
    model = "Ear 1"

    def __init__(self, address: str, *, name: str = "Thermometer", battery: int = 100) -> None:
        super().__init__(name, address, battery=battery)

    async def measure(self, celsius: float | None, at: datetime | None = None) -> None:
        """Finish a measurement: °C, None where it failed; at: the device's own local time."""
        flags = (1 << 2) | (HAS_TIME if at else 0)
        when = date_time(at) if at else b""
        self.store(TEMPERATURE, bytes([flags]) + float32(celsius, -1) + when + bytes([BODY]))

    def _services(self) -> Sequence[gatt.Service]:
        return [gatt.Service("1809", [self._offer(TEMPERATURE, INDICATE)]), self._time_service()]


class WeightScale(GattPeripheral):
    """Stores weights until they are confirmed."""

    service = 0x181D
    model = "Floor 1"

    def __init__(self, address: str, *, name: str = "Scale", battery: int = 100) -> None:
        super().__init__(name, address, battery=battery)

    async def measure(
        self, kilograms: float | None, at: datetime | None = None, user: int | None = None
    ) -> None:
        """Finish a weighing: kg in steps of 5 g, None where it failed; user: 0 to 254."""
        flags = (HAS_TIME if at else 0) | (1 << 2 if user is not None else 0)
        raw = 0xFFFF if kilograms is None else round(kilograms / 0.005)
        more = (date_time(at) if at else b"") + (bytes([user]) if user is not None else b"")
        self.store(WEIGHT, bytes([flags]) + raw.to_bytes(2, "little") + more)

    def _services(self) -> Sequence[gatt.Service]:
        return [gatt.Service("181D", [self._offer(WEIGHT, INDICATE)]), self._time_service()]


class HeartRateStrap(GattPeripheral):
    """Notifies and forgets."""

    service = 0x180D
    model = "Strap 1"

    def __init__(self, address: str, *, name: str = "Strap", battery: int = 100) -> None:
        super().__init__(name, address, battery=battery)

    async def show(self, pulse: int, *, contact: bool = True) -> bool:
        """Notify the pulse of this moment; False when nobody listens."""
        return await self.notify(HEART_RATE, bytes([0x06 if contact else 0x04, pulse]))

    def _services(self) -> Sequence[gatt.Service]:
        return [gatt.Service("180D", [self._offer(HEART_RATE, NOTIFY)])]
