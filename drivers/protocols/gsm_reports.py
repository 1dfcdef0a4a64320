"""What the network reports of short messages that we sent: a text of several parts has one outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from drivers.protocols.sms_pdu import Report

MAX_WAITING: Final = 256
"""Parts whose report is awaited; a modem numbers them from 0 to 255."""
SAME_NUMBER: Final = 8
"""Digits from the end by which a number is known, since networks write it with and without its country."""


@dataclass(slots=True)
class SentText:
    """A text on its way. parts: not yet sent. id: of the command that it carries out. references: of sent parts."""

    ticket: int
    parts: list[bytes]
    number: str
    id: str = ""
    references: set[int] = field(default_factory=set)
    settled: bool = False


class Reports:
    """Parts by the number that the modem gave them."""

    def __init__(self) -> None:
        self._waiting: dict[int, SentText] = {}

    def expect(self, text: SentText, reference: int) -> None:
        """A part is sent. Nobody waits for a text without a command."""
        if not text.id:
            return
        text.references.add(reference)
        self._waiting[reference] = text
        while len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def settled(self, report: Report) -> SentText | None:
        """The text whose outcome this report settles, once: all its parts are delivered, or one never will be."""
        text = self._waiting.get(report.reference)
        if text is None or report.outcome == "trying" or text.settled:
            return None
        if text.number[-SAME_NUMBER:] != report.number[-SAME_NUMBER:]:
            return None
        del self._waiting[report.reference]
        text.references.discard(report.reference)
        if report.outcome == "delivered" and (text.references or text.parts):
            return None
        for other in text.references:
            self._waiting.pop(other, None)
        text.settled = True
        return text
