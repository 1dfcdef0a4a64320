"""A blood-glucose meter by the Bluetooth SIG's Glucose Service 1.0.1 (0x1808), with its record access control point.

Records stay in the meter; who wants them asks at the control point. It speaks to bonded centrals only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime

from bumble import core, gatt
from bumble.device import Connection, Device

from simulators.ble.gatt_peripheral import INDICATE, NOTIFY, READ, WRITE, GattPeripheral, date_time
from simulators.ble.medical_float import sfloat
from simulators.ble.peripheral import GONE
from simulators.ble.printed_passkey import bond_by
from simulators.ble.record_store import RecordStore

MEASUREMENT, FEATURE, CONTROL_POINT = "2A18", "2A51", "2A52"
HAS_CONCENTRATION, HAS_STATUS = 1 << 1, 1 << 3
CAPILLARY_FINGER, CONTROL_SOLUTION = 0x11, 0x4A
LOCKED = gatt.Characteristic.Permissions.WRITE_REQUIRES_ENCRYPTION
LOCKED_BY_NUMBER = LOCKED | gatt.Characteristic.Permissions.WRITE_REQUIRES_AUTHENTICATION


class GlucoseMeter(GattPeripheral):
    """The meter. memory: its records and how it hands them out.

    passkey: the number printed on it, which a central must know to bond; None bonds with anybody.
    """

    service = 0x1808
    model = "Strip 1"

    def __init__(
        self, address: str, *, name: str = "Glucose", battery: int = 100, passkey: int | None = None
    ) -> None:
        super().__init__(name, address, battery=battery)
        self.passkey = passkey
        self.memory = RecordStore()
        self.answer_requests = True
        self._sequence = 0
        self._answers: set[asyncio.Task[None]] = set()

    @property
    def reported(self) -> asyncio.Event:
        """Set when somebody has fetched what there is."""
        return self.memory.reported

    def change_battery(self, *, forget: bool) -> None:
        """The numbers begin anew; the records are forgotten, or kept with their old numbers. The clock stops."""
        self._sequence = 0
        self.clock = None
        if forget:
            self.memory.records = []

    async def measure(self, mmol: float, at: datetime, *, control: bool = False, status: int = 0) -> None:
        """Store a measurement: mmol/L; at: the meter's own local time; control: with control solution."""
        # kg/L; twelve bits of mantissa hold a millionth up to 11.3 mmol/L
        kilograms = sfloat(mmol / 5550.74, -6 if mmol < 11.3 else -5)
        sample = bytes([CONTROL_SOLUTION if control else CAPILLARY_FINGER])
        self._add(HAS_CONCENTRATION | HAS_STATUS, at, kilograms + sample + status.to_bytes(2, "little"))

    async def exceed(self, at: datetime) -> None:
        """Store a result above what the meter can measure: no number, only a status."""
        self._add(HAS_STATUS, at, (1 << 5).to_bytes(2, "little"))

    def _add(self, flags: int, at: datetime, rest: bytes) -> None:
        self._sequence = self._sequence % 0xFFFF + 1
        head = bytes([flags]) + self._sequence.to_bytes(2, "little")
        record = head + date_time(at) + rest
        self.memory.keep(self._sequence, self.damage(record) if self.damage else record)

    async def _come_on_air(self, device: Device) -> None:
        if self.passkey is not None:
            bond_by(device, self.passkey)
        await super()._come_on_air(device)

    def _services(self) -> Sequence[gatt.Service]:
        lock = LOCKED if self.passkey is None else LOCKED_BY_NUMBER
        control = self._offer(CONTROL_POINT, WRITE | INDICATE, permissions=lock)
        control.on(control.EVENT_WRITE, self._on_request)
        return [
            gatt.Service(
                "1808",
                [self._offer(MEASUREMENT, NOTIFY), self._offer(FEATURE, READ, bytes([0x00, 0x00])), control],
            ),
            self._time_service(),
        ]

    def _on_request(self, _connection: Connection, request: bytes) -> None:
        if not self.answer_requests:
            return
        task = asyncio.ensure_future(self._answer(bytes(request)))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, request: bytes) -> None:
        with contextlib.suppress(*GONE, RuntimeError):
            await self.memory.answer(
                request, lambda record: self.notify(MEASUREMENT, record), self._indicate, self._cut
            )

    async def _cut(self) -> None:
        await self.lose_link()
        raise core.InvalidStateError("the link is gone")

    async def _indicate(self, value: bytes) -> None:
        await self.device.indicate_subscribers(self._characteristics[CONTROL_POINT], value)
