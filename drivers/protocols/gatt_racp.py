"""The Record Access Control Point (0x2A52) of meters that store records, and the conversation that fetches them.

A meter counts its records, sends those that are asked for as notifications or indications of their own
characteristic, and says at the control point when these were all (GATT Specification Supplement; Glucose Service
1.0.1, Pulse Oximeter Service 1.0.1). Only records that are new are asked for, where that can be known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from drivers.device_type import Outgoing
from drivers.events import DecodeError
from drivers.protocols.conversation import Act, Failed, Tell, Write
from drivers.protocols.gatt import Cursor, full, uuid

CONTROL_POINT: Final = uuid("2a52")

REPORT, COUNT, NUMBER, RESPONSE = 0x01, 0x04, 0x05, 0x06
ALL, FROM, NEWEST = 0x01, 0x03, 0x06
BY_SEQUENCE: Final = 0x01
SUCCESS, NO_RECORDS, NOT_COMPLETED = 0x01, 0x06, 0x08
NOT_KNOWN: Final = frozenset({0x02, 0x03, 0x04, 0x05, 0x09})
"""The meter does not have this question: op code, operator or operand are not supported, or not valid."""

ANSWERS: Final = {
    0x02: "op code not supported",
    0x03: "invalid operator",
    0x04: "operator not supported",
    0x05: "invalid operand",
    0x07: "abort unsuccessful",
    0x08: "procedure not completed",
    0x09: "operand not supported",
}

NEAR_THE_END: Final = 0xFC00
"""Sequence numbers have 16 bits and begin anew; from here on everything is asked for."""

MOST_TRIES: Final = 2
"""How often a question is put that the meter did not answer completely."""

Question: TypeAlias = Literal["count", "from", "newest", "all"]
Name: TypeAlias = tuple[int, str]
"""A record's sequence number, and what tells it from another of the same number: the time it carries."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the meter said at its control point. number: of records, None where it says something else.

    request, code: of a response, what was asked and how it went; 0 where it is none.
    """

    number: int | None = None
    request: int = 0
    code: int = 0

    @property
    def is_good(self) -> bool:
        """Nothing went wrong: these were all, or there are none."""
        return self.number is not None or self.code in {SUCCESS, NO_RECORDS}

    @property
    def wrong(self) -> str | None:
        """What went wrong, in words."""
        return None if self.is_good else ANSWERS.get(self.code, f"response {self.code}")


def read(payload: bytes) -> Answer:
    """Read an indication of the control point. Raises DecodeError."""
    cursor = Cursor(payload, "record access control point")
    code = cursor.uint(1, "op code")
    cursor.uint(1, "operator")
    if code == NUMBER:
        return Answer(number=cursor.uint(2, "number of records"))
    if code != RESPONSE:
        raise DecodeError(f"a record access control point answers with 5 or 6, not with {code}")
    return Answer(request=cursor.uint(1, "request op code"), code=cursor.uint(1, "response code"))


def question(what: Question, since: int = 0) -> bytes:
    """The bytes of a question."""
    if what == "from":
        return bytes([REPORT, FROM, BY_SEQUENCE]) + since.to_bytes(2, "little")
    return bytes({"count": [COUNT, ALL], "newest": [REPORT, NEWEST], "all": [REPORT, ALL]}[what])


@dataclass(slots=True)
class Records:
    """Fetches the records of one connection.

    records: the characteristic they come on. name: what tells one from another; None where they have no numbers,
    and all are asked for. last, total: the newest record known, and how many there were then; None at first.
    optional: not every meter of the kind has a control point; others only send by themselves.
    afterwards: what to write when everything has been fetched; a meter that refuses it is heard all the same.
    """

    records: str
    name: Callable[[bytes], Name | None] | None = None
    last: Name | None = None
    total: int | None = None
    optional: bool = False
    afterwards: Iterable[Outgoing] = ()
    _asked: Question | None = None
    _tries: int = 0
    _number: int | None = None
    _heard: list[Name | None] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        """Whether the meter is to answer."""
        return self._asked is not None

    @property
    def unfinished(self) -> bool:
        """Meters come by themselves; nothing has to be asked at once."""
        return False

    def begin(self) -> list[Act]:
        """Ask how many there are."""
        return self._ask("count")

    def send(self, ticket: int, outgoing: Outgoing) -> list[Act]:
        """Meters take no commands."""
        del outgoing
        return [Failed(ticket, "a meter takes no commands")]

    def cancel(self, ticket: int) -> None:
        """Nobody ever waits."""

    def lost(self) -> list[Act]:
        """What was not fetched to the end is fetched at the next connection: nothing is remembered here."""
        return []

    def heard(self, channel: str, payload: bytes) -> list[Act]:
        """A record, an answer of the control point, or something else to be told."""
        channel = full(channel)
        if channel == self.records and self._asked is not None:
            self._heard.append(None if self.name is None else self.name(payload))
        if channel != CONTROL_POINT or self._asked is None:
            return [Tell(channel, payload)]
        try:
            answer = read(payload)
        except DecodeError:
            return [Tell(channel, payload)]
        return self._answered(self._asked, answer, payload)

    # -- what follows from an answer

    def _answered(self, asked: Question, answer: Answer, payload: bytes) -> list[Act]:
        told: list[Act] = [Tell(CONTROL_POINT, payload)]
        if answer.code == NOT_COMPLETED and self._tries < MOST_TRIES:
            return self._ask(asked)
        if asked == "count":
            return self._counted(answer, told)
        if asked == "newest":
            known = answer.code in NOT_KNOWN or (bool(self._heard) and self._heard[-1] == self.last)
            return self._done() if known else self._ask("all")
        if asked == "from":
            return self._since(answer, told)
        if answer.is_good and self._number is not None and len(self._heard) < self._number:
            return self._ask("all") if self._tries < MOST_TRIES else self._done()
        return [*told, *self._done()]

    def _counted(self, answer: Answer, told: list[Act]) -> list[Act]:
        self._number = 0 if answer.code == NO_RECORDS else answer.number
        if self._number == 0:
            return [*told, *self._done()]
        if not answer.is_good and answer.code not in NOT_KNOWN:
            return [*told, *self._done()]
        known = self.last is not None and self.last[0] < NEAR_THE_END
        told = told if answer.is_good else []
        return [*told, *self._ask("from" if known else "all")]

    def _since(self, answer: Answer, told: list[Act]) -> list[Act]:
        """Whether the records from the last known one on are all that is new: it must be among them, and the meter's
        number of records must have grown by the others. After a change of battery neither holds.
        """
        assert self.last is not None
        fresh = len(self._heard) - 1
        grown = self._number is None or self.total is None or self._number == self.total + fresh
        if answer.code != SUCCESS or self.last not in self._heard or not grown:
            return self._ask("all")
        if fresh:
            return [*told, *self._done()]
        return [*told, *self._ask("newest")]

    def _ask(self, what: Question) -> list[Act]:
        self._tries = self._tries + 1 if what == self._asked else 1
        self._asked, self._heard = what, []
        since = 0 if self.last is None else self.last[0]
        return [Write(CONTROL_POINT, question(what, since), may_fail=self.optional)]

    def _done(self) -> list[Act]:
        self._asked = None
        return [Write(one.channel, one.payload, may_fail=True) for one in self.afterwards]
