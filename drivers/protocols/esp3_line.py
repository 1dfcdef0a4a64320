"""An EnOcean stick: what it hears, without the copies radio makes of everything, and whether it still answers.

The stick is asked for its base id at once and every minute; radio silence is normal, a stick that does not
answer is dead. Telegrams are not acknowledged: a battery-free button sends its three copies and is gone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from drivers.events import DecodeError
from drivers.protocols.esp3 import (
    CO_RD_IDBASE,
    COMMON_COMMAND,
    RADIO_ERP1,
    RESPONSE,
    Packet,
    Scanner,
    encode_packet,
    telegram_of,
)
from drivers.protocols.line import Answer, Failed, Heard, Out, Write, count
from drivers.protocols.streams import BLOCK
from drivers.settings import Settings, number, taken

ASK: Final = encode_packet(COMMON_COMMAND, bytes([CO_RD_IDBASE]))
ASK_EVERY: Final = 60.0
ANSWER_WITHIN: Final = 1.0
DEAD_AFTER: Final = 3
"""Questions without an answer."""
BYTE_WITHIN: Final = 0.1
"""Seconds between two bytes of one packet; longer means that its beginning was noise."""
COPY_WITHIN: Final = 0.1
STICK: Final[Settings] = {"copy_within": number(0, 2, "seconds", usual=COPY_WITHIN)}
"""Seconds in which the same telegram is a copy (subtelegrams, repeaters); later it is another press."""
REMEMBERED: Final = 256


class EnoceanStick:
    """The conversation with one stick."""

    def __init__(self, copy_within: float = COPY_WITHIN) -> None:
        self.counters: dict[str, int] = {}
        self.base_id = ""
        self._copy_within = copy_within
        self._scanner = Scanner()
        self._seen: OrderedDict[tuple[str, bytes, int], float] = OrderedDict()
        self._ask_at = 0.0
        self._unanswered = 0
        self._stale_at: float | None = None

    def start(self, now: float) -> list[Out]:
        """Ask at once."""
        self._scanner = Scanner()
        self._stale_at = None
        self._unanswered = 0
        return self._ask(now)

    def stop(self, _reason: str) -> list[Out]:
        """Nothing waits to be sent here."""
        return []

    def feed(self, data: bytes, now: float) -> list[Out]:
        """Bytes came."""
        return self._found(lambda: self._scanner.feed(data), now)

    def tick(self, now: float) -> list[Out]:
        """A packet broke off, or it is time to ask."""
        done: list[Out] = []
        if self._stale_at is not None and now >= self._stale_at:
            done += self._found(self._scanner.stale, now)
        return done + (self._ask(now) if now >= self._ask_at else [])

    def answer(self, _ticket: int, _answer: Answer, _now: float) -> list[Out]:
        """Radio takes no answer."""
        return []

    def send(self, ticket: int, _unit: str, _payload: bytes, _channel: str, _now: float) -> list[Out]:
        """Nothing is sent by EnOcean here: its telegrams are unencrypted and can be replayed by anybody."""
        return [Failed(ticket, "EnOcean devices take no commands here")]

    def cancel(self, _ticket: int) -> None:
        """Nothing is ever queued."""

    def due(self) -> float | None:
        """The next question, or the end of a packet that stands still."""
        return self._ask_at if self._stale_at is None else min(self._ask_at, self._stale_at)

    def trouble(self, _now: float) -> str:
        """The stick does not answer."""
        if self._unanswered < DEAD_AFTER:
            return ""
        return f"the EnOcean stick has not answered {self._unanswered} questions for its base id"

    def _ask(self, now: float) -> list[Out]:
        self._unanswered += 1
        self._ask_at = now + ANSWER_WITHIN
        return [Write(ASK)]

    def _found(self, scan: Any, now: float) -> list[Out]:
        bad, skipped = self._scanner.bad, self._scanner.skipped
        done = [out for packet in scan() for out in self._packet(packet, now)]
        count(self.counters, "check_errors", self._scanner.bad - bad)
        count(self.counters, "noise_bytes", self._scanner.skipped - skipped)
        self._stale_at = now + BYTE_WITHIN if self._scanner.pending else None
        return done

    def _packet(self, packet: Packet, now: float) -> list[Out]:
        if packet.type == RESPONSE:
            self._answered(packet, now)
            return []
        if packet.type != RADIO_ERP1:
            count(self.counters, f"packets_{packet.type:02x}")
            return []
        return self._radio(packet, now)

    def _answered(self, packet: Packet, now: float) -> None:
        self._unanswered = 0
        self._ask_at = now + ASK_EVERY
        if len(packet.data) >= 5 and packet.data[0] == 0:
            self.base_id = packet.data[1:5].hex()

    def _radio(self, packet: Packet, now: float) -> list[Out]:
        try:
            telegram = telegram_of(packet)
        except DecodeError:
            count(self.counters, "check_errors")
            return [Heard(packet.raw, channel=BLOCK)]
        key = (telegram.sender, bytes([telegram.rorg]) + telegram.payload, telegram.status & 0xF0)
        last = self._seen.pop(key, None)
        self._seen[key] = now
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        if last is not None and now - last <= self._copy_within:
            count(self.counters, "copies")
            return []
        count(self.counters, "telegrams")
        return [Heard(packet.raw, unit=telegram.sender, channel=BLOCK)]


def enocean_machine(settings: Mapping[str, Any]) -> EnoceanStick:
    """The machine for a stick. copy_within: seconds in which an equal telegram is a copy."""
    return EnoceanStick(float(taken(STICK, settings, "copy_within")))
