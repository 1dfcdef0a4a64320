"""ESPA 4.4.4 link procedure: both roles, both directions, without I/O.

    poll     control → EOT '2' ENQ         the polled station becomes master for a while, or answers EOT
    select   master  → '1' ENQ             the selected station answers ACK, or a prefix and NAK
    direct   control → '1' ENQ '2' ENQ     the control station polls itself, then selects the pager system
    data     master  → block               ACK, or a prefix and NAK
    end      master  → EOT                 the line goes back to the control station

`ControlStation` polls the others; `Station` waits for its turn, or where nobody polls selects by itself. Both listen
(slave) and speak (master): drivers.protocols.espa444_turns. A status request is answered out of the calls that were
written down: drivers.protocols.espa444_calls. Where both sides select at once the control station wins (ISO 1745);
a bare ENQ asks for the last answer again (ISO 1745).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from drivers.events import DecodeError
from drivers.protocols.espa444 import (
    ENQ,
    EOT,
    Block,
    Scanner,
    Signal,
    Token,
    Whole,
    decode_block,
    encode_block,
)
from drivers.protocols.espa444_calls import CallBook, PageBook
from drivers.protocols.espa444_settings import EspaLine
from drivers.protocols.espa444_turns import Listener, Speaker
from drivers.protocols.line import Answer, Failed, Heard, Out, Sent, Write, count
from drivers.protocols.streams import LINE

OWN: Final = 0
"""The ticket of blocks that the line sends of its own accord."""
HELD_BACK: Final = 5
"""A second answer to a selection waits for this part of `answer_wait`: a block begins long before."""


class _Party(ABC):
    """What both roles share: scanning, the block timer, whose turn it is."""

    def __init__(self, line: EspaLine) -> None:
        self.line = line
        self.counters: dict[str, int] = {}
        self._scanner = Scanner(line.bits)
        self._listener = Listener(line, self.counters)
        self._speaker = Speaker(line, self.counters)
        self._calls = CallBook(line)
        self._pages = PageBook(line)
        self._given: dict[int, tuple[Block, str]] = {}
        self._waiting: dict[int, tuple[Block, str]] = {}
        self._block_until: float | None = None
        self._line_until: float | None = None
        self._promised_at: float | None = None  # a selection was answered, and no block has come since
        self._hold_until: float | None = None
        self._alive_at = 0.0
        self._peer = ""

    def start(self, now: float) -> list[Out]:
        """The port is open: nothing is known of the line yet."""
        self._scanner = Scanner(self.line.bits)
        self._listener.close(now)
        self._block_until = self._line_until = self._promised_at = self._hold_until = None
        self._alive_at = now
        self._waiting.clear()
        return []

    def stop(self, reason: str) -> list[Out]:
        """The port is gone."""
        self._given.clear()
        return _ours(self._speaker.lose(reason))

    def feed(self, data: bytes, now: float) -> list[Out]:
        """Bytes came."""
        noise = self._scanner.noise
        done: list[Out] = []
        for token in self._scanner.feed(data):
            done += self._token(token, now)
        count(self.counters, "noise_bytes", self._scanner.noise - noise)
        if not self._scanner.in_block:
            self._block_until = None
        elif self._block_until is None:
            self._block_until = now + self.line.block_wait
        return done

    def answer(self, ticket: int, answer: Answer, now: float) -> list[Out]:
        """What became of a block. One that is written down may ask for a status, or settle a page of ours."""
        done = self._listener.answer(ticket, answer, now)
        block, peer = self._waiting.pop(ticket, (None, ""))
        if block is None or answer != "accepted":
            return done
        self._pages.taken(block)
        if status := self._calls.taken(block):
            count(self.counters, "status_replies")
            self._queue(peer, status)
        return done

    def send(self, ticket: int, unit: str, payload: bytes, _channel: str, now: float) -> list[Out]:
        """Queue a block for a station (the only one where the line has one)."""
        try:
            block = decode_block(payload, charset=self.line.charset)
        except DecodeError as wrong:
            return [Failed(ticket, f"this is no block to send: {wrong}")]
        station = unit or self.line.stations[0]
        if station not in self.line.stations:
            return [Failed(ticket, f"station {station!r} is not on this line")]
        if refused := self._speaker.put(ticket, station, payload):
            return refused
        self._calls.told(block)
        self._given[ticket] = (block, station)
        return self._queued(now)

    def cancel(self, ticket: int) -> None:
        """Nobody waits for this block any more."""
        self._speaker.cancel(ticket)
        self._given.pop(ticket, None)

    def _queued(self, now: float) -> list[Out]:  # noqa: ARG002  a polled line waits for its turn
        """Something waits to be said."""
        return []

    def _queue(self, station: str, block: Block) -> None:
        """Say something of our own accord, under the ticket that nobody waits for."""
        self._speaker.put(OWN, station, encode_block(block, charset=self.line.charset))

    def _ended(self, outs: list[Out], now: float) -> list[Out]:
        """What the speaker ended: pages that were taken are asked about later."""
        for out in outs:
            if isinstance(out, Sent | Failed) and (given := self._given.pop(out.ticket, None)):
                self._pages.given(*given, now) if isinstance(out, Sent) else None
        return _ours(outs)

    def _ask_about_pages(self, now: float) -> None:
        for station, question in self._pages.questions(now):
            count(self.counters, "status_requests")
            self._queue(station, question)

    def _token(self, token: Token, now: float) -> list[Out]:
        if isinstance(token, Signal):
            return self._signal(token, now)
        if not self._listener.open:
            count(self.counters, "foreign_blocks")
            return []
        self._line_until = now + self.line.regain_after
        self._promised_at = self._hold_until = None
        if isinstance(token, Whole):
            return self._note(self._listener.block(token.raw, self._unit()))
        return self._listener.broken(token.raw, self._unit())

    def _note(self, outs: list[Out]) -> list[Out]:
        for out in outs:
            if isinstance(out, Heard) and out.ticket:
                self._waiting[out.ticket] = (decode_block(out.payload, charset=self.line.charset), self._peer)
        return outs

    @abstractmethod
    def _signal(self, signal: Signal, now: float) -> list[Out]:
        """A control character: what the role makes of it."""

    def _unit(self) -> str:
        return self._peer if self.line.named else ""

    def _selected(self, now: float) -> list[Out]:
        """Answer a selection; a second one without a block between them is held back for a moment.

        The two may have been on the wire together, because we were busy. The master takes the first ACK for its
        selection, sends the block, and would take the second for the block's: a call that nobody has written down.
        """
        self._line_until = now + self.line.regain_after
        if self._promised_at is not None and now - self._promised_at < self.line.answer_wait:
            count(self.counters, "held_answers")
            self._hold_until = now + self.line.answer_wait / HELD_BACK
            self._listener.open = True
            return []
        return self._promise(now)

    def _promise(self, now: float) -> list[Out]:
        self._promised_at, self._hold_until = now, None
        return self._listener.select()

    def _asked_again(self, now: float) -> list[Out]:
        """A bare ENQ asks for our last answer; where that was to a selection, it is as a second selection."""
        return self._selected(now) if self._promised_at is not None else self._listener.repeat_answer()

    def _held(self, now: float) -> list[Out]:
        """No block has begun meanwhile: the first answer was lost, so here is another."""
        if self._hold_until is None or now < self._hold_until:
            return []
        self._hold_until = None
        return self._promise(now) if self._listener.open and not self._scanner.in_block else []

    def _alive(self, sign: bytes, now: float) -> list[Out]:
        self._alive_at = now
        count(self.counters, "polls")
        return [Heard(sign, unit=self._unit(), channel=LINE, life=True)]

    def _overdue_block(self, now: float) -> list[Out]:
        if self._block_until is None or now < self._block_until:
            return []
        self._block_until = None
        done: list[Out] = []
        for token in self._scanner.abandon(f"no end within {self.line.block_wait:g} s"):
            done += self._token(token, now)
        return done


class Station(_Party):
    """A station that waits to be polled or selected: the paging system, address 2.

    Where no control station polls (`polled: false`) it selects by itself when it has something to say and the line
    is quiet.
    """

    def __init__(self, line: EspaLine) -> None:
        super().__init__(line)
        self._after_eot = False
        self._peer = line.stations[0]
        self._begin_at: float | None = None

    def due(self) -> float | None:
        """The earliest of: end of a block, of our turn as master, of the other's turn; the next of our own."""
        times = (
            self._block_until,
            self._speaker.deadline,
            self._line_until,
            self._hold_until,
            self._begin_at,
            self._pages.due(),
        )
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> list[Out]:
        """A time has come."""
        done = self._overdue_block(now) + self._held(now)
        self._ask_about_pages(now)
        if self._speaker.deadline is not None and now >= self._speaker.deadline:
            done += self._ended(self._speaker.late(now), now)
        if self._line_until is not None and now >= self._line_until:
            self._line_until = None
            self._listener.close(now)
        return done + self._begin_unasked(now)

    def answer(self, ticket: int, answer: Answer, now: float) -> list[Out]:
        """What became of a block."""
        return super().answer(ticket, answer, now) + self._queued(now)

    def _queued(self, now: float) -> list[Out]:
        return self._begin_unasked(now)

    def _begin_unasked(self, now: float) -> list[Out]:
        """Where nobody polls: take the line if it is free, else look again in a moment."""
        self._begin_at = None
        if self.line.polled or not self._speaker.queue or self._speaker.active:
            return []
        if self._listener.open:
            self._begin_at = now + self.line.poll_every
            return []
        return self._speaker.begin(b"", now)

    def trouble(self, now: float) -> str:
        """No poll for too long."""
        silent = now - self._alive_at
        if not self.line.polled or silent <= self.line.line_silent_after:
            return ""
        return f"no poll from the control station for {silent:.0f} s"

    def _signal(self, signal: Signal, now: float) -> list[Out]:
        after_eot, self._after_eot = self._after_eot, signal.code == EOT
        if self._speaker.selecting and self._taken_over(signal):
            self._speaker.yield_line()
            self._begin_at = now + self.line.answer_wait
        if self._speaker.active:
            return self._ended(self._speaker.hear(signal, now), now) + self._begin_unasked(now)
        if signal.code == EOT:
            return self._line_is_free(now)
        if signal.code == ENQ and not signal.prefix:
            return self._asked_again(now) if self._listener.open else []
        if signal.code != ENQ or signal.prefix != self.line.own:
            return []
        if after_eot and self.line.polled:
            return self._polled(now)
        return self._alive(signal.prefix.encode("latin-1") + b"\x05", now) + self._selected(now)

    def _taken_over(self, signal: Signal) -> bool:
        """The control station asked at the same moment, and goes first."""
        if signal.code == EOT:
            return not self.line.polled
        return signal.code == ENQ and signal.prefix == self.line.own

    def _line_is_free(self, now: float) -> list[Out]:
        self._line_until = None
        begun = self._listener.open
        self._listener.close(now)
        return self._begin_unasked(now) if begun else []

    def _polled(self, now: float) -> list[Out]:
        sign = self._alive(b"\x04" + self.line.own.encode("latin-1") + b"\x05", now)
        if self._speaker.queue:
            return sign + self._speaker.begin(b"", now)
        return [*sign, Write(bytes([EOT]))]


class ControlStation(_Party):
    """The station that polls the others and owns the line: address 1."""

    def __init__(self, line: EspaLine) -> None:
        super().__init__(line)
        self._turn = 0
        self._poll_at: float | None = 0.0
        self._poll_until: float | None = None
        self._answered = dict.fromkeys(line.stations, 0.0)

    def start(self, now: float) -> list[Out]:
        """Poll at once."""
        super().start(now)
        self._answered = dict.fromkeys(self.line.stations, now)
        self._poll_until = None
        return self._poll(now)

    def due(self) -> float | None:
        """The earliest of: next poll, end of its answer, of a block, of our turn, of the other's turn."""
        times = (
            self._poll_at,
            self._poll_until,
            self._block_until,
            self._speaker.deadline,
            self._line_until,
            self._hold_until,
            self._pages.due(),
        )
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> list[Out]:
        """A time has come."""
        done = self._overdue_block(now) + self._held(now)
        self._ask_about_pages(now)
        if self._speaker.deadline is not None and now >= self._speaker.deadline:
            done += self._ended(self._speaker.late(now), now)
            done += self._idle(now) if not self._speaker.active else []
        elif self._line_until is not None and now >= self._line_until:
            count(self.counters, "regained")
            done += [Write(bytes([EOT])), *self._idle(now)]
        elif self._poll_until is not None and now >= self._poll_until:
            count(self.counters, "unanswered_polls")
            done += self._idle(now)
        elif self._poll_at is not None and now >= self._poll_at:
            done += self._master(now) if self._speaker.queue else self._poll(now)
        return done

    def trouble(self, now: float) -> str:
        """A station does not answer its polls."""
        dead = [
            f"station {station} has not answered for {now - at:.0f} s"
            for station, at in self._answered.items()
            if now - at > self.line.line_silent_after
        ]
        return "; ".join(dead)

    def _signal(self, signal: Signal, now: float) -> list[Out]:
        if self._speaker.active:
            if self._speaker.selecting and signal.code == ENQ and signal.prefix == self.line.own:
                count(self.counters, "contentions")  # both asked at once: the control station goes first
            done = self._ended(self._speaker.hear(signal, now), now)
            return done + (self._idle(now) if not self._speaker.active else [])
        if signal.code == EOT and (self._poll_until is not None or self._line_until is not None):
            sign = self._station_alive(b"\x04", now) if self._poll_until is not None else []
            return sign + self._idle(now)
        if signal.code != ENQ:
            return []
        if not signal.prefix and self._listener.open:
            return self._asked_again(now)
        if signal.prefix != self.line.own:
            if signal.prefix in self.line.stations:  # it talks to another one: leave it the line
                self._lend(now)
            return []
        sign = self._station_alive(signal.prefix.encode("latin-1") + b"\x05", now)
        self._lend(now)
        return sign + self._selected(now)

    def _station_alive(self, sign: bytes, now: float) -> list[Out]:
        if self._peer:
            self._answered[self._peer] = now
        return self._alive(sign, now)

    def _lend(self, now: float) -> None:
        self._poll_at = self._poll_until = None
        self._line_until = now + self.line.regain_after

    def _idle(self, now: float) -> list[Out]:
        self._listener.close(now)
        self._line_until = self._poll_until = None
        self._poll_at = now + self.line.poll_every
        return []

    def _poll(self, now: float) -> list[Out]:
        self._peer = self.line.stations[self._turn % len(self.line.stations)]
        self._turn += 1
        self._poll_at, self._poll_until = None, now + self.line.poll_wait
        return [Write(b"\x04" + self._peer.encode("latin-1") + b"\x05")]

    def _master(self, now: float) -> list[Out]:
        """Direct selection: end whatever was, poll ourselves, select the other."""
        self._poll_at = None
        return self._speaker.begin(b"\x04" + self.line.own.encode("latin-1") + b"\x05", now)


def _ours(outs: list[Out]) -> list[Out]:
    """Without what became of blocks that nobody waits for."""
    return [out for out in outs if not (isinstance(out, Sent | Failed) and out.ticket == OWN)]


def espa_machine(settings: Mapping[str, Any]) -> ControlStation | Station:
    """The machine that a device's settings describe. Raises ValueError with a sentence."""
    line = EspaLine.from_settings(settings)
    return ControlStation(line) if line.role == "control" else Station(line)
