"""A bus of lock boards: one question at a time, each board read in turn, an unlock never said twice.

A lost answer to an unlock is reported as not known; the next reading shows what happened. Repeating it could
open a compartment after somebody has closed it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from drivers.events import DecodeError
from drivers.protocols.line import Answer, Failed, Heard, Out, Sent, Write, count
from drivers.protocols.lock_board import SETTINGS as BOARD
from drivers.protocols.lock_board import UNLOCK, Board, Status, Unlocked, check, read_answer, write_read
from drivers.protocols.streams import BLOCK, LINE
from drivers.settings import Settings, listing, number, taken, whole

READ_EVERY: Final = 1.0
SETTINGS: Final[Settings] = {
    **BOARD,
    "boards": listing(whole(1, 31), most=31),
    "read_every": number(0.05, 60, "seconds", usual=READ_EVERY),
}
ANSWER_WITHIN: Final = 0.3
GAP: Final = 0.05
"""Seconds of silence after which a new frame begins; twice what boards need, for busy machines."""
DEAD_AFTER: Final = 10.0
MAX_QUEUE: Final = 16


@dataclass(frozen=True, slots=True)
class _Question:
    board: int
    raw: bytes
    ticket: int = 0


class LockBus:
    """The conversation with the boards of one line. boards: their addresses. named: frames carry the address."""

    def __init__(
        self, boards: tuple[int, ...], kind: Board, *, named: bool, read_every: float = READ_EVERY
    ) -> None:
        self.counters: dict[str, int] = {}
        self._boards, self._kind, self._named = boards, kind, named
        self._read_every = read_every
        self._queue: deque[_Question] = deque()
        self._asked: _Question | None = None
        self._until = 0.0
        self._read_at = 0.0
        self._turn = 0
        self._held = bytearray()
        self._last_byte = 0.0
        self._answered = dict.fromkeys(boards, 0.0)
        self._open: dict[int, tuple[int, ...]] = {}
        self._late: set[int] = set()  # boards whose reading was given up and may still come

    def start(self, now: float) -> list[Out]:
        """Read every board at once; what was known of them is old."""
        self._held.clear()
        self._asked = None
        self._open.clear()
        self._answered = dict.fromkeys(self._boards, now)
        self._read_at = now
        return self._next(now)

    def stop(self, reason: str) -> list[Out]:
        """Nothing that waited will be said later."""
        waiting = [*([self._asked] if self._asked else []), *self._queue]
        self._queue.clear()
        self._asked = None
        return [Failed(one.ticket, reason) for one in waiting if one.ticket]

    def feed(self, data: bytes, now: float) -> list[Out]:
        """Bytes came."""
        if self._held and now - self._last_byte > GAP:
            count(self.counters, "noise_bytes", len(self._held))
            self._held.clear()
        self._last_byte = now
        self._held += data
        done: list[Out] = []
        while (raw := self._frame()) is not None:
            done += self._heard(raw, now)
        return done + self._next(now)

    def tick(self, now: float) -> list[Out]:
        """An answer is late, or a board is due to be read."""
        done: list[Out] = []
        if self._asked is not None and now >= self._until:
            asked, self._asked = self._asked, None
            self._held.clear()
            count(self.counters, "unanswered")
            if asked.raw[0] != UNLOCK:
                self._late.add(asked.board)
            if asked.ticket:
                done.append(
                    Failed(
                        asked.ticket, f"board {asked.board} did not answer; whether it opened is not known"
                    )
                )
                self._read_at = now
        return done + self._next(now)

    def answer(self, _ticket: int, _answer: Answer, _now: float) -> list[Out]:
        """Boards wait for no answer."""
        return []

    def send(self, ticket: int, _unit: str, payload: bytes, _channel: str, now: float) -> list[Out]:
        """Say an unlock as soon as the line is free."""
        if len(payload) != 5 or payload[0] != UNLOCK or check(payload[:-1]) != payload[-1]:
            return [Failed(ticket, f"this is no unlock frame: {payload[:20].hex()}")]
        if payload[1] not in self._boards:
            return [Failed(ticket, f"board {payload[1]} is not on this line")]
        if len(self._queue) >= MAX_QUEUE:
            return [Failed(ticket, f"{MAX_QUEUE} unlocks already wait for this line")]
        self._queue.append(_Question(payload[1], payload, ticket))
        return self._next(now)

    def cancel(self, ticket: int) -> None:
        """Nobody waits for this unlock any more: it is not said later."""
        self._queue = deque(one for one in self._queue if one.ticket != ticket)

    def due(self) -> float | None:
        """The end of an answer, or the next reading."""
        return self._until if self._asked is not None else self._read_at

    def trouble(self, now: float) -> str:
        """A board does not answer."""
        dead = [
            f"board {board} has not answered for {now - at:.0f} s"
            for board, at in self._answered.items()
            if now - at > DEAD_AFTER
        ]
        return "; ".join(dead)

    def _frame(self) -> bytes | None:
        while self._held and not self._kind.length(self._held[0]):
            del self._held[0]
            count(self.counters, "noise_bytes")
        length = self._kind.length(self._held[0]) if self._held else 0
        if not length or len(self._held) < length:
            return None
        raw = bytes(self._held[:length])
        del self._held[:length]
        return raw

    def _heard(self, raw: bytes, now: float) -> list[Out]:
        try:
            answer = read_answer(raw, self._kind)
        except DecodeError:
            count(self.counters, "check_errors")
            return [Heard(raw, channel=BLOCK)]
        asked = self._asked
        if asked is None or asked.board != answer.board or raw[0] != asked.raw[0]:
            if isinstance(answer, Status) and answer.board in self._late:
                self._late.remove(answer.board)
                count(self.counters, "late")
                return []
            count(self.counters, "unasked")
            return [Heard(raw, unit=self._unit(answer.board), channel="unasked")]
        if isinstance(answer, Unlocked) and answer.channel != asked.raw[2]:
            count(self.counters, "unasked")
            return [Heard(raw, unit=self._unit(answer.board), channel="unasked")]
        self._asked = None
        self._answered[answer.board] = now
        return self._answer(answer, raw, asked, now)

    def _answer(self, answer: Unlocked | Status, raw: bytes, asked: _Question, now: float) -> list[Out]:
        unit = self._unit(answer.board)
        if isinstance(answer, Unlocked):
            count(self.counters, "unlocks")
            self._read_at = now
            return [Heard(raw, unit=unit, channel=BLOCK), Sent(asked.ticket)]
        count(self.counters, "readings")
        if self._open.get(answer.board) == answer.open:
            return [Heard(raw, unit=unit, channel=LINE, life=True)]
        self._open[answer.board] = answer.open
        return [Heard(raw, unit=unit, channel=BLOCK)]

    def _next(self, now: float) -> list[Out]:
        """Ask the next question, if the line is free and one is due."""
        if self._asked is not None:
            return []
        if self._queue:
            self._asked = self._queue.popleft()
        elif now >= self._read_at:
            board = self._boards[self._turn % len(self._boards)]
            self._turn += 1
            self._read_at = now + self._read_every / len(self._boards)
            self._asked = _Question(board, write_read(board))
        else:
            return []
        self._until = now + ANSWER_WITHIN
        return [Write(self._asked.raw)]

    def _unit(self, board: int) -> str:
        return str(board) if self._named else ""


def lock_board_machine(settings: Mapping[str, Any]) -> LockBus:
    """The machine for a line of boards.

    boards: addresses on this line, where it is more than the one in the device's own address (`cabinet#3`).
    """
    unit = str(settings.get("unit", ""))
    given = taken(SETTINGS, settings, "boards") or settings.get("units", [unit or 1])
    numbers = given if isinstance(given, list | tuple) else [given]
    try:
        boards = tuple(int(one) for one in numbers)
    except (TypeError, ValueError):
        raise ValueError(f"boards are addresses from 1 to 31, not {given!r:.60}") from None
    if not boards or any(not 1 <= one <= 31 for one in boards):
        raise ValueError(f"boards are addresses from 1 to 31, not {given!r:.60}")
    every = taken(SETTINGS, settings, "read_every")
    return LockBus(boards, Board.from_settings(settings), named=bool(unit), read_every=float(every))
