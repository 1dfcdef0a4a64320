"""The two halves of an ESPA 4.4.4 station: `Listener` takes blocks as slave, `Speaker` gives them as master.

An ACK to a block means *written down*: it goes out only when `answer` says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from drivers.events import DecodeError
from drivers.protocols.espa444 import ACK, ENQ, EOT, NAK, CheckError, Signal, decode_block
from drivers.protocols.espa444_settings import EspaLine
from drivers.protocols.line import Answer, Failed, Heard, Out, Sent, Write, count
from drivers.protocols.streams import BLOCK

BAD_LINE, BUSY, BAD_CONTENT = b"1\x15", b"2\x15", b"3\x15"
ANSWERS: Final[Mapping[Answer, bytes]] = {"accepted": bytes([ACK]), "busy": BUSY}
REASON: Final[Mapping[str, str]] = {"1": "transmission error", "2": "busy", "3": "invalid message"}
MAX_QUEUE: Final = 64
"""Messages waiting for the line; more means that it does not move."""


class Listener:
    """The slave's half: takes blocks, asks that they be written down, answers."""

    def __init__(self, line: EspaLine, counters: dict[str, int]) -> None:
        self._line = line
        self._counters = counters
        self._tickets = 0
        self.open = False
        self._said = bytes([ACK])
        self._waiting: tuple[int, bytes] | None = None
        self._settled: tuple[bytes, float | None] | None = None

    def select(self) -> list[Out]:
        """The master asked for us. Whatever it repeats from an unanswered selection is still the same block."""
        self.open = True
        return self._say(bytes([ACK]))

    def repeat_answer(self) -> list[Out]:
        """A bare ENQ: the master missed our last answer. While a block is being written down there is none yet."""
        return [] if not self.open or self._waiting else [Write(self._said)]

    def close(self, now: float) -> None:
        """The master gave the line back. A block that got its answer is over; one that did not may come again."""
        self.open = False
        if self._settled and (self._settled[1] is None or self._settled[1] < now):
            self._settled = None

    def block(self, raw: bytes, unit: str) -> list[Out]:
        """A block came while we were selected."""
        try:
            decode_block(raw, charset=self._line.charset)
        except CheckError:
            return self._refuse(raw, unit, BAD_LINE, "check_errors")
        except DecodeError:
            return self._refuse(raw, unit, BAD_CONTENT, "invalid")
        if self._waiting and self._waiting[1] == raw:
            return []
        if self._settled and self._settled[0] == raw:
            return self._repeat(raw)
        self._tickets += 1
        self._waiting = (self._tickets, raw)
        count(self._counters, "blocks")
        return [Heard(raw, ticket=self._tickets, unit=unit, channel=BLOCK)]

    def broken(self, raw: bytes, unit: str) -> list[Out]:
        """A block began and never ended."""
        return self._refuse(raw, unit, BAD_LINE, "check_errors")

    def answer(self, ticket: int, answer: Answer, now: float) -> list[Out]:
        """The block is written down, or is not: say so, if the master still listens."""
        if not self._waiting or self._waiting[0] != ticket:
            return []
        raw, self._waiting = self._waiting[1], None
        until = None if self.open else now + self._line.regain_after
        self._settled = (raw, until) if answer == "accepted" else None
        return self._say(ANSWERS[answer]) if self.open else []

    def _say(self, answer: bytes) -> list[Out]:
        self._said = answer
        return [Write(answer)]

    def _repeat(self, raw: bytes) -> list[Out]:
        """The block again that is written down already: our answer got lost, so it counts once and is answered."""
        count(self._counters, "repeated")
        self._settled = (raw, None)
        return self._say(bytes([ACK]))

    def _refuse(self, raw: bytes, unit: str, why: bytes, counter: str) -> list[Out]:
        count(self._counters, counter)
        return [*self._say(why), Heard(raw, unit=unit, channel=BLOCK)]


class Speaker:
    """The master's half: selects, sends one block, repeats, gives the line back."""

    def __init__(self, line: EspaLine, counters: dict[str, int]) -> None:
        self._line = line
        self._counters = counters
        self.queue: deque[tuple[int, str, bytes]] = deque()
        self.deadline: float | None = None
        self._select = b""
        self._sent = False
        self._tries = 0
        self._refused = 0

    def put(self, ticket: int, station: str, raw: bytes) -> list[Out]:
        """Queue a block."""
        if len(self.queue) >= MAX_QUEUE:
            return [Failed(ticket, f"{MAX_QUEUE} messages already wait for this line")]
        self.queue.append((ticket, station, raw))
        return []

    def cancel(self, ticket: int) -> None:
        """Take a block out of the queue, unless it is on the line already."""
        begun = 1 if self.active else 0
        self.queue = deque(one for at, one in enumerate(self.queue) if at < begun or one[0] != ticket)

    @property
    def active(self) -> bool:
        """We are master."""
        return self.deadline is not None

    @property
    def selecting(self) -> bool:
        """We have asked for the line and not been answered."""
        return self.active and not self._sent

    def yield_line(self) -> None:
        """The other side asked for the line at the same moment and goes first; our block waits."""
        count(self._counters, "contentions")
        self.deadline = None

    def begin(self, opening: bytes, now: float) -> list[Out]:
        """Select the station of the first block. opening: what goes before its address."""
        _, station, _ = self.queue[0]
        self._select = opening + station.encode("latin-1") + bytes([ENQ])
        self._sent, self._tries, self._refused = False, 0, 0
        self.deadline = now + self._line.answer_wait
        return [Write(self._select)]

    def hear(self, signal: Signal, now: float) -> list[Out]:
        """An answer from the other side."""
        if signal.code == ACK:
            return self._taken(now)
        if signal.code == NAK:
            return self._refused_with(signal.prefix, now)
        return self._end("the other side took the line back", b"") if signal.code == EOT else []

    def late(self, now: float) -> list[Out]:
        """No answer in time."""
        return self._again("no answer", now)

    def lose(self, reason: str) -> list[Out]:
        """The line went away: everything queued fails."""
        failed: list[Out] = [Failed(ticket, reason) for ticket, _, _ in self.queue]
        self.queue.clear()
        self.deadline = None
        return failed

    def _taken(self, now: float) -> list[Out]:
        if not self._sent:
            self._sent, self._tries = True, 0
            self.deadline = now + self._line.answer_wait
            return [Write(self.queue[0][2])]
        count(self._counters, "sent")
        return self._end("")

    def _refused_with(self, cause: str, now: float) -> list[Out]:
        count(self._counters, "naks")
        if cause == "3" and self._sent:
            self._refused += 1
            if self._refused > self._line.refusals:
                return self._end(REASON["3"])
        return self._end(REASON["2"]) if cause == "2" else self._again(REASON.get(cause, REASON["1"]), now)

    def _again(self, reason: str, now: float) -> list[Out]:
        self._tries += 1
        if self._tries > self._line.repeats:
            return self._end(reason)
        count(self._counters, "repeats")
        self.deadline = now + self._line.answer_wait
        return [Write(self.queue[0][2] if self._sent else self._select)]

    def _end(self, reason: str, farewell: bytes = b"\x04") -> list[Out]:
        ticket, _, _ = self.queue.popleft()
        self.deadline = None
        done: Out = Failed(ticket, reason) if reason else Sent(ticket)
        return [Write(farewell), done] if farewell else [done]
