"""ESPA 4.4.4 link procedure: both roles, both directions, without I/O.

    poll     control → EOT '2' ENQ         the polled station becomes master for a while, or answers EOT
    select   master  → '1' ENQ             the selected station answers ACK, or a prefix and NAK
    direct   control → '1' ENQ '2' ENQ     the control station polls itself, then selects the pager system
    data     master  → block               ACK, or a prefix and NAK
    end      master  → EOT                 the line goes back to the control station

`ControlStation` polls the others; `Station` waits for its turn. Both listen (slave) and speak (master), in
`Listener` and `Speaker` below. An ACK to a block means *written down*: it goes out only when `answer` says so.
All times are configurable; the values of the specification itself are unverified.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from drivers.events import DecodeError
from drivers.protocols.espa444 import (
    ACK,
    CHARSETS,
    ENQ,
    EOT,
    NAK,
    CheckError,
    Scanner,
    Signal,
    Token,
    Whole,
    decode_block,
)
from drivers.protocols.line import Answer, Failed, Heard, Out, Sent, Write, count
from drivers.protocols.streams import BLOCK, LINE

BAD_LINE, BUSY, BAD_CONTENT = b"1\x15", b"2\x15", b"3\x15"
ANSWERS: Final[Mapping[Answer, bytes]] = {"accepted": bytes([ACK]), "busy": BUSY}
REASON: Final[Mapping[str, str]] = {"1": "transmission error", "2": "busy", "3": "invalid message"}
MAX_QUEUE: Final = 64
"""Messages waiting for the line; more means that it does not move."""


@dataclass(frozen=True, slots=True)
class EspaLine:
    """How one line is run. Times in seconds; texts name stations by their one-character address.

    role: what we are. polled: whether a control station polls us (else its silence means nothing).
    named: frames carry the station's address (`line#2`). repeats: how often a block without answer goes out again.
    refusals: how often one answered with "invalid message" does, since noise can look like that answer.
    """

    role: Literal["control", "station"] = "control"
    own: str = "1"
    stations: tuple[str, ...] = ("2",)
    bits: int = 8
    charset: str = "latin-1"
    polled: bool = True
    named: bool = False
    repeats: int = 3
    refusals: int = 2
    poll_every: float = 0.15
    poll_wait: float = 0.5
    answer_wait: float = 2.5
    block_wait: float = 15.0
    regain_after: float = 10.0
    silent_after: float = 10.0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> EspaLine:
        """Read a device's settings. Raises ValueError with a sentence for what cannot be meant."""
        role = settings.get("role", "control")
        if role not in ("control", "station"):
            raise ValueError(f"the ESPA role is control or station, not {role!r}")
        charset = settings.get("charset", "latin-1")
        if charset not in CHARSETS:
            raise ValueError(f"the ESPA charset is one of {', '.join(CHARSETS)}, not {charset!r}")
        bits = settings.get("bits", 8)
        if bits not in (7, 8):
            raise ValueError(f"an ESPA line has 7 or 8 data bits, not {bits!r}")
        own, stations = _addresses(role, settings)
        return cls(
            role=role,
            own=own,
            stations=stations,
            bits=bits,
            charset=charset,
            polled=bool(settings.get("polled", True)),
            named=len(stations) > 1 or bool(settings.get("unit")),
            **_numbers(settings),
        )


def _addresses(role: str, settings: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The recommended addresses: control station 1, paging system 2."""
    own = str(settings.get("own", "1" if role == "control" else "2"))
    others = settings.get("units", "2") if role == "control" else "1"
    given = settings.get("stations", others)
    stations = tuple(str(one) for one in (given if isinstance(given, list | tuple) else [given]))
    for one in (own, *stations):
        if len(one) != 1 or not " " < one < "\x7f":
            raise ValueError(f"an ESPA address is one character, not {one!r}")
    if not stations or own in stations:
        raise ValueError(f"an ESPA line needs stations other than its own address {own!r}")
    return own, stations


_LIMITS: Final[Mapping[str, tuple[type[int | float], float, float]]] = {
    "repeats": (int, 0, 10),
    "refusals": (int, 0, 10),
    "poll_every": (float, 0.01, 60),
    "poll_wait": (float, 0.01, 60),
    "answer_wait": (float, 0.05, 60),
    "block_wait": (float, 0.1, 120),
    "regain_after": (float, 0.1, 120),
    "silent_after": (float, 0.5, 600),
}


def _numbers(settings: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (kind, low, high) in _LIMITS.items():
        if name not in settings:
            continue
        value = settings[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"the ESPA setting {name} is a number from {low:g} to {high:g}, not {value!r}")
        found[name] = kind(value)
    return found


class Listener:
    """The slave's half: takes blocks, asks that they be written down, answers."""

    def __init__(self, line: EspaLine, counters: dict[str, int]) -> None:
        self._line = line
        self._counters = counters
        self._tickets = 0
        self.open = False
        self._waiting: tuple[int, bytes] | None = None
        self._settled: tuple[bytes, float | None] | None = None

    def select(self) -> list[Out]:
        """The master asked for us. Whatever it repeats from an unanswered selection is still the same block."""
        self.open = True
        return [Write(bytes([ACK]))]

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
        return [Write(ANSWERS[answer])] if self.open else []

    def _repeat(self, raw: bytes) -> list[Out]:
        """The block again that is written down already: our answer got lost, so it counts once and is answered."""
        count(self._counters, "repeated")
        self._settled = (raw, None)
        return [Write(bytes([ACK]))]

    def _refuse(self, raw: bytes, unit: str, why: bytes, counter: str) -> list[Out]:
        count(self._counters, counter)
        return [Write(why), Heard(raw, unit=unit, channel=BLOCK)]


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


class _Party(ABC):
    """What both roles share: scanning, the block timer, whose turn it is."""

    def __init__(self, line: EspaLine) -> None:
        self.line = line
        self.counters: dict[str, int] = {}
        self._scanner = Scanner(line.bits)
        self._listener = Listener(line, self.counters)
        self._speaker = Speaker(line, self.counters)
        self._block_until: float | None = None
        self._line_until: float | None = None
        self._alive_at = 0.0
        self._peer = ""

    def start(self, now: float) -> list[Out]:
        """The port is open: nothing is known of the line yet."""
        self._scanner = Scanner(self.line.bits)
        self._listener.close(now)
        self._block_until = self._line_until = None
        self._alive_at = now
        return []

    def stop(self, reason: str) -> list[Out]:
        """The port is gone."""
        return self._speaker.lose(reason)

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
        """What became of a block."""
        return self._listener.answer(ticket, answer, now)

    def send(self, ticket: int, unit: str, payload: bytes, _channel: str, _now: float) -> list[Out]:
        """Queue a block for a station (the only one where the line has one)."""
        try:
            decode_block(payload, charset=self.line.charset)
        except DecodeError as wrong:
            return [Failed(ticket, f"this is no block to send: {wrong}")]
        station = unit or self.line.stations[0]
        if station not in self.line.stations:
            return [Failed(ticket, f"station {station!r} is not on this line")]
        return self._speaker.put(ticket, station, payload)

    def cancel(self, ticket: int) -> None:
        """Nobody waits for this block any more."""
        self._speaker.cancel(ticket)

    def _token(self, token: Token, now: float) -> list[Out]:
        if isinstance(token, Signal):
            return self._signal(token, now)
        if not self._listener.open:
            count(self.counters, "foreign_blocks")
            return []
        self._line_until = now + self.line.regain_after
        if isinstance(token, Whole):
            return self._listener.block(token.raw, self._unit())
        return self._listener.broken(token.raw, self._unit())

    @abstractmethod
    def _signal(self, signal: Signal, now: float) -> list[Out]:
        """A control character: what the role makes of it."""

    def _unit(self) -> str:
        return self._peer if self.line.named else ""

    def _selected(self, now: float) -> list[Out]:
        self._line_until = now + self.line.regain_after
        return self._listener.select()

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
    """A station that waits to be polled or selected: the paging system, address 2."""

    def __init__(self, line: EspaLine) -> None:
        super().__init__(line)
        self._after_eot = False
        self._peer = line.stations[0]

    def due(self) -> float | None:
        """The earliest of: end of a block, of our turn as master, of the other's turn."""
        times = (self._block_until, self._speaker.deadline, self._line_until)
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> list[Out]:
        """A time has come."""
        done = self._overdue_block(now)
        if self._speaker.deadline is not None and now >= self._speaker.deadline:
            done += self._speaker.late(now)
        if self._line_until is not None and now >= self._line_until:
            self._line_until = None
            self._listener.close(now)
        return done

    def trouble(self, now: float) -> str:
        """No poll for too long."""
        silent = now - self._alive_at
        if not self.line.polled or silent <= self.line.silent_after:
            return ""
        return f"no poll from the control station for {silent:.0f} s"

    def _signal(self, signal: Signal, now: float) -> list[Out]:
        after_eot, self._after_eot = self._after_eot, signal.code == EOT
        if self._speaker.active:
            return self._speaker.hear(signal, now)
        if signal.code == EOT:
            self._line_until = None
            self._listener.close(now)
        if signal.code != ENQ or signal.prefix != self.line.own:
            return []
        if after_eot and self.line.polled:
            return self._polled(now)
        return self._alive(signal.prefix.encode("latin-1") + b"\x05", now) + self._selected(now)

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
        )
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> list[Out]:
        """A time has come."""
        done = self._overdue_block(now)
        if self._speaker.deadline is not None and now >= self._speaker.deadline:
            done += self._speaker.late(now)
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
            if now - at > self.line.silent_after
        ]
        return "; ".join(dead)

    def _signal(self, signal: Signal, now: float) -> list[Out]:
        if self._speaker.active:
            done = self._speaker.hear(signal, now)
            return done + (self._idle(now) if not self._speaker.active else [])
        if signal.code == EOT and (self._poll_until is not None or self._line_until is not None):
            sign = self._station_alive(b"\x04", now) if self._poll_until is not None else []
            return sign + self._idle(now)
        if signal.code != ENQ:
            return []
        if signal.prefix != self.line.own:  # the polled station talks to another one: leave it the line
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


def espa_machine(settings: Mapping[str, Any]) -> ControlStation | Station:
    """The machine that a device's settings describe. Raises ValueError with a sentence."""
    line = EspaLine.from_settings(settings)
    return ControlStation(line) if line.role == "control" else Station(line)
