"""A blood-glucose meter by the Bluetooth SIG's Glucose Service 1.0.1 (0x1808), with its record access control point.

Records stay in the meter; who wants them asks at the control point. It speaks to bonded centrals only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from bumble import gatt
from bumble.device import Connection, Device

from simulators.ble.gatt_peripheral import INDICATE, NOTIFY, READ, WRITE, GattPeripheral, date_time
from simulators.ble.medical_float import sfloat
from simulators.ble.peripheral import GONE
from simulators.ble.printed_passkey import bond_by

MEASUREMENT, FEATURE, CONTROL_POINT = "2A18", "2A51", "2A52"
REPORT, DELETE, COUNT, NUMBER, RESPONSE = 0x01, 0x02, 0x04, 0x05, 0x06
SUCCESS, OP_UNKNOWN, OPERATOR_UNKNOWN, NO_RECORDS = 0x01, 0x02, 0x04, 0x06
HAS_CONCENTRATION, HAS_STATUS = 1 << 1, 1 << 3
CAPILLARY_FINGER, CONTROL_SOLUTION = 0x11, 0x4A
LOCKED = gatt.Characteristic.Permissions.WRITE_REQUIRES_ENCRYPTION
LOCKED_BY_NUMBER = LOCKED | gatt.Characteristic.Permissions.WRITE_REQUIRES_AUTHENTICATION


class GlucoseMeter(GattPeripheral):
    """The meter. records: (sequence number, bytes), oldest first. reported: set when somebody has fetched them.

    passkey: the number printed on it, which a central must know to bond; None bonds with anybody.
    """

    service = 0x1808
    model = "Strip 1"

    def __init__(
        self, address: str, *, name: str = "Glucose", battery: int = 100, passkey: int | None = None
    ) -> None:
        super().__init__(name, address, battery=battery)
        self.passkey = passkey
        self.records: list[tuple[int, bytes]] = []
        self.answer_requests = True
        self.reported = asyncio.Event()
        self._sequence = 0
        self._answers: set[asyncio.Task[None]] = set()

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
        self._sequence += 1
        head = bytes([flags]) + self._sequence.to_bytes(2, "little")
        record = head + date_time(at) + rest
        self.records.append((self._sequence, self.damage(record) if self.damage else record))
        self.reported.clear()

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
        try:
            op_code, answer = (request[0] if request else 0), OP_UNKNOWN
            chosen = self._choose(request[1:])
            if op_code in {REPORT, COUNT, DELETE} and chosen is None:
                answer = OPERATOR_UNKNOWN
            elif op_code == COUNT and chosen is not None:
                await self._indicate(bytes([NUMBER, 0]) + len(chosen).to_bytes(2, "little"))
                return
            elif op_code == REPORT and chosen is not None:
                for _, record in chosen:
                    await self.notify(MEASUREMENT, record)
                answer = SUCCESS if chosen else NO_RECORDS
                self.reported.set()
            elif op_code == DELETE and chosen is not None:
                self.records = [one for one in self.records if one not in chosen]
                answer = SUCCESS
            await self._indicate(bytes([RESPONSE, 0, op_code, answer]))
        except GONE:
            return

    def _choose(self, operand: bytes) -> list[tuple[int, bytes]] | None:
        """The records an operator means; None for an operator this meter does not have."""
        match list(operand):
            case [0x01]:  # all
                return list(self.records)
            case [0x03, 0x01, low, high]:  # from a sequence number on
                return [one for one in self.records if one[0] >= low | high << 8]
            case [0x05]:  # the oldest
                return self.records[:1]
            case [0x06]:  # the newest
                return self.records[-1:]
        return None

    async def _indicate(self, value: bytes) -> None:
        await self.device.indicate_subscribers(self._characteristics[CONTROL_POINT], value)
