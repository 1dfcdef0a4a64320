"""A store of records behind a Record Access Control Point (0x2A52), as meters with memory have it.

From the GATT Specification Supplement: a request is an op code, an operator and an operand; records come on their own
characteristic, and an indication of the control point ends the procedure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

REPORT, DELETE, ABORT, COUNT, NUMBER, RESPONSE = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
ALL, FROM, OLDEST, NEWEST = 0x01, 0x03, 0x05, 0x06
SUCCESS, OP_UNKNOWN, OPERATOR_UNKNOWN, NO_RECORDS, NOT_COMPLETED = 0x01, 0x02, 0x04, 0x06, 0x08

Send = Callable[[bytes], Awaitable[object]]


@dataclass(slots=True)
class RecordStore:
    """The records, oldest first: (sequence number, bytes).

    operators, op_codes: what this meter knows. capacity: the oldest goes when it is full. newest_first: the order of
    sending. skip: places of records that are lost on their way, once. refuse: response codes given instead of an
    answer, one a request. cut_after: the link breaks after so many more records. requests: everything asked.
    """

    records: list[tuple[int, bytes]] = field(default_factory=list)
    op_codes: frozenset[int] = frozenset({REPORT, DELETE, ABORT, COUNT})
    operators: frozenset[int] = frozenset({ALL, FROM, OLDEST, NEWEST})
    capacity: int = 500
    newest_first: bool = False
    skip: set[int] = field(default_factory=set)
    refuse: list[int] = field(default_factory=list)
    cut_after: int | None = None
    requests: list[bytes] = field(default_factory=list)
    sent: int = 0
    reported: asyncio.Event = field(default_factory=asyncio.Event)

    def keep(self, number: int, record: bytes) -> None:
        """Store a record."""
        self.records = [*self.records, (number, record)][-self.capacity :]
        self.reported.clear()

    async def answer(
        self, request: bytes, send: Send, indicate: Send, cut: Callable[[], Awaitable[None]]
    ) -> None:
        """Carry out one request."""
        self.requests.append(request)
        op_code, chosen = (request[0] if request else 0), self._choose(request[1:])
        code = self._refusal(op_code, chosen)
        if code:
            await indicate(bytes([RESPONSE, 0, op_code, code]))
        elif op_code == COUNT:
            await indicate(bytes([NUMBER, 0]) + len(chosen or ()).to_bytes(2, "little"))
        elif op_code == REPORT:
            await self._report(chosen or [], send, cut)
            await indicate(bytes([RESPONSE, 0, op_code, SUCCESS if chosen else NO_RECORDS]))
        else:
            self.records = [one for one in self.records if one not in (chosen or ())]
            await indicate(bytes([RESPONSE, 0, op_code, SUCCESS]))

    def _refusal(self, op_code: int, chosen: list[tuple[int, bytes]] | None) -> int:
        if self.refuse:
            return self.refuse.pop(0)
        if op_code not in self.op_codes:
            return OP_UNKNOWN
        return OPERATOR_UNKNOWN if chosen is None and op_code != ABORT else 0

    async def _report(
        self, chosen: list[tuple[int, bytes]], send: Send, cut: Callable[[], Awaitable[None]]
    ) -> None:
        for place, (_, record) in enumerate(reversed(chosen) if self.newest_first else chosen):
            if self.cut_after is not None:
                self.cut_after -= 1
                if self.cut_after < 0:
                    self.cut_after = None
                    await cut()
                    return
            if place in self.skip:
                self.skip.discard(place)
                continue
            self.sent += 1
            await send(record)
        self.reported.set()

    def _choose(self, operand: bytes) -> list[tuple[int, bytes]] | None:
        """The records an operator means; None for an operator this meter does not have."""
        match list(operand):
            case [operator, *_] if operator not in self.operators:
                return None
            case [0x01]:
                return list(self.records)
            case [0x03, 0x01, low, high]:
                return [one for one in self.records if one[0] >= low | high << 8]
            case [0x05]:
                return self.records[:1]
            case [0x06]:
                return self.records[-1:]
        return None
