"""A blood-pressure cuff by the Bluetooth SIG's Blood Pressure Service 1.1.1 (0x1810)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bumble import gatt

from simulators.ble.gatt_peripheral import INDICATE, READ, GattPeripheral, date_time
from simulators.ble.medical_float import sfloat

MEASUREMENT, FEATURE = "2A35", "2A49"
HAS_TIME, HAS_PULSE, HAS_USER, HAS_STATUS = 1 << 1, 1 << 2, 1 << 3, 1 << 4
CUFF_TOO_LOOSE = 1 << 1


class BloodPressureCuff(GattPeripheral):
    """The cuff stores readings and indicates them, oldest first, as soon as somebody subscribes."""

    service = 0x1810
    model = "Upper arm 1"

    def __init__(self, address: str, *, name: str = "Cuff", battery: int = 100) -> None:
        super().__init__(name, address, battery=battery)

    async def measure(
        self,
        systolic: float,
        diastolic: float,
        pulse: float | None = None,
        *,
        mean: float | None = None,
        at: datetime | None = None,
        user: int | None = None,
    ) -> None:
        """Finish a measurement: mmHg, beats a minute; at: the cuff's own local time; user: 0 to 254."""
        flags = 0
        more = b""
        for bit, known, value in (
            (HAS_TIME, at is not None, date_time(at) if at else b""),
            (HAS_PULSE, pulse is not None, sfloat(pulse)),
            (HAS_USER, user is not None, bytes([user or 0])),
        ):
            flags |= bit if known else 0
            more += value if known else b""
        self.store(MEASUREMENT, bytes([flags]) + sfloat(systolic) + sfloat(diastolic) + sfloat(mean) + more)

    async def fail(self) -> None:
        """Give up a measurement: no numbers, cuff too loose."""
        status = CUFF_TOO_LOOSE.to_bytes(2, "little")
        self.store(MEASUREMENT, bytes([HAS_STATUS]) + sfloat(None) * 3 + status)

    def _services(self) -> Sequence[gatt.Service]:
        return [
            gatt.Service(
                "1810", [self._offer(MEASUREMENT, INDICATE), self._offer(FEATURE, READ, bytes([0x02, 0x00]))]
            ),
            self._time_service(),
        ]
