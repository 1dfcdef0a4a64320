"""What an ESPA 4.4.4 station knows of calls: those it took (asked about by header 3), and pages it gave.

A status request repeats the records of the call it asks about; the answer is a status block (header 2) with the
call's address and its status (record 7). Which status a call has:

    written down here           2  in the queue: somebody will be told, nobody has yet said so
    reset by the one who called 5  terminated
    told by `status`            what was told
    not known here              8  fault: unknown is never said to be fine, the asker must call again

Both books are bounded and forget the oldest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drivers.protocols.espa444 import (
    ADDRESS,
    CALL_STATUS,
    CALL_TO_LINE,
    CALL_TO_PAGER,
    CALL_TYPE,
    STATUS_INFORMATION,
    STATUS_REQUEST,
    Block,
)
from drivers.protocols.espa444_settings import EspaLine

IN_QUEUE, TERMINATED, FAULT = "2", "5", "8"
UNSETTLED: Final = frozenset({"1", "2", "7"})
"""Busy, in the queue, speech channel open: the page is on its way, its end is still to come."""
MAX_CALLS: Final = 256
CALLS: Final = frozenset({CALL_TO_PAGER, CALL_TO_LINE})


class CallBook:
    """The calls of the other side, by address."""

    def __init__(self, line: EspaLine) -> None:
        self._resets = line.resets
        self._status: dict[str, str] = {}

    def taken(self, block: Block) -> Block | None:
        """A block that is written down; if it is a status request, the answer to it."""
        address = block.get(ADDRESS).strip()
        if block.header in CALLS:
            self._note(address, TERMINATED if block.get(CALL_TYPE) in self._resets else IN_QUEUE)
        elif block.header == STATUS_REQUEST:
            status = self._status.get(address, FAULT)
            return Block(STATUS_INFORMATION, ((ADDRESS, address), (CALL_STATUS, status)))
        return None

    def told(self, block: Block) -> None:
        """A block of ours: a status it carries is what later requests hear too."""
        if block.header == STATUS_INFORMATION and block.get(CALL_STATUS):
            self._note(block.get(ADDRESS).strip(), block.get(CALL_STATUS))

    def _note(self, address: str, status: str) -> None:
        self._status.pop(address, None)
        self._status[address] = status
        while len(self._status) > MAX_CALLS:
            del self._status[next(iter(self._status))]


@dataclass(slots=True)
class _Page:
    block: Block
    station: str
    ask_at: float
    asks: int


class PageBook:
    """Our pages that the other side took but has not told the end of: it is asked a few times."""

    def __init__(self, line: EspaLine) -> None:
        self._line = line
        self._open: dict[str, _Page] = {}

    def given(self, block: Block, station: str, now: float) -> None:
        """The other side took a block of ours."""
        if self._line.confirms and self._line.asks and block.header in CALLS:
            page = _Page(block, station, now + self._line.ask_after, self._line.asks)
            self._open[block.get(ADDRESS).strip()] = page
            while len(self._open) > MAX_CALLS:
                del self._open[next(iter(self._open))]

    def taken(self, block: Block) -> None:
        """A status block of the other side; one that settles a page ends the asking."""
        if block.header == STATUS_INFORMATION and block.get(CALL_STATUS, "1") not in UNSETTLED:
            self._open.pop(block.get(ADDRESS).strip(), None)

    def due(self) -> float | None:
        """When the next question is due."""
        return min((page.ask_at for page in self._open.values()), default=None)

    def questions(self, now: float) -> list[tuple[str, Block]]:
        """Status requests that are due, each with its station; the last one ends the asking."""
        asked: list[tuple[str, Block]] = []
        for address, page in list(self._open.items()):
            if page.ask_at > now:
                continue
            asked.append((page.station, Block(STATUS_REQUEST, page.block.records)))
            page.ask_at, page.asks = now + self._line.ask_after, page.asks - 1
            if page.asks <= 0:
                del self._open[address]
        return asked
