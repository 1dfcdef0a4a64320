"""The log of a Nuki Smart Lock: who moved the bolt and how, keypad, door sensor; read with the security PIN.

Smart Lock API 2.2: Request Log Entries (0x0031), Log Entry (0x0032), Log Entry Count (0x0033). Entries are numbered
upwards for ever; a lock that was reset begins anew. Times are the lock's own clock.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from drivers.device_type import Visit
from drivers.events import DecodeError, Fact, Millis, Value

REQUEST_LOG, ENTRY, COUNT = 0x31, 0x32, 0x33
NEWEST_FIRST: Final = 1
HEAD: Final = 4 + 7 + 4 + 32 + 1  # index, time, authorisation, name, type

FIRST_PAGE: Final = 3
PAGE: Final = 10
"""Entries asked for at a time: a command that comes meanwhile waits for no more than these."""
MOST: Final = 100
"""Entries read in one visit; what is older is given up."""

LOGGING, ACTION, CALIBRATION, INITIALISATION, KEYPAD, DOOR = 1, 2, 3, 4, 5, 6

BOLT: Final[Mapping[int, str]] = MappingProxyType(
    {1: "lock.unlocked", 2: "lock.locked", 3: "lock.unlocked", 4: "lock.unlocked", 5: "lock.unlocked",
     6: "lock.locked"}
)  # fmt: skip
"""Lock action → where the bolt is after it: unlock, lock, unlatch, lock'n'go (with unlatch), full lock."""

TRIGGER: Final[Mapping[int, str]] = MappingProxyType(
    {0: "command", 1: "manual", 2: "button", 3: "automatic", 6: "automatic"}
)
FOB: Final = 3
"""With an authorisation, "automatic" is its fob: so the examples of the maker's MQTT API 1.4 (lockActionEvent)."""

SOURCE: Final[Mapping[int, str]] = MappingProxyType({0: "key", 1: "code", 2: "fingerprint"})
"""What was used on the keypad; its back key locks without a code."""

DONE: Final = 0
NOT_MOVED: Final[Mapping[int, str]] = MappingProxyType(
    {2: "cancelled", 3: "too recent", 4: "busy", 9: "not authorised", 0xE0: "invalid code"}
)
STUCK: Final[Mapping[int, str]] = MappingProxyType({1: "motor blocked", 8: "incomplete"})
BROKEN: Final[Mapping[int, str]] = MappingProxyType(
    {5: "battery voltage too low", 6: "clutch failure", 7: "motor without power"}
)

LEAF: Final[Mapping[int, str]] = MappingProxyType({0: "door.opened", 1: "door.closed"})

PIN: Final = re.compile(r"\d{4}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log. at: the lock's clock, read as UTC, in ms. data: what the type says of it."""

    index: int
    at: Millis
    authorisation: int
    name: str
    type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LogCount:
    """How the log is kept. enabled: whether it is kept at all; door: whether the door sensor writes to it."""

    enabled: bool
    entries: int
    door: bool


def entry(payload: bytes) -> Entry:
    """Read a log entry. Raises DecodeError."""
    if len(payload) < HEAD:
        raise DecodeError(f"a log entry of a Nuki lock has at least {HEAD} bytes, not {len(payload)}")
    name = payload[15:47].partition(b"\0")[0].decode("utf-8", "replace").strip()
    return Entry(
        index=int.from_bytes(payload[:4], "little"),
        at=clock(payload[4:11]),
        authorisation=int.from_bytes(payload[11:15], "little"),
        name="".join(letter for letter in name if letter.isprintable()),
        type=payload[47],
        data=payload[HEAD:],
    )


def count(payload: bytes) -> LogCount:
    """Read how many entries there are. Raises DecodeError."""
    if len(payload) < 3:
        raise DecodeError(f"the count of a Nuki lock's log has at least 3 bytes, not {len(payload)}")
    return LogCount(bool(payload[0]), int.from_bytes(payload[1:3], "little"), payload[4:5] == b"\x01")


def clock(raw: bytes) -> Millis:
    """Seven bytes of the lock's clock, read as UTC, in ms; 0 for a time that does not exist."""
    year, month, day = int.from_bytes(raw[:2], "little"), raw[2], raw[3]
    hour, minute, second = raw[4], raw[5], raw[6]
    if not (1970 <= year <= 9998 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]):
        return 0
    if hour > 23 or minute > 59 or second > 59:
        return 0
    return calendar.timegm((year, month, day, hour, minute, second)) * 1000


def meaning(one: Entry) -> Fact | None:
    """What an entry says of bolt or door, without its time; None for what says nothing of them."""
    if one.type == ACTION and len(one.data) >= 4:
        action, trigger, completion = one.data[0], one.data[1], one.data[3]
        how = "fob" if trigger == FOB and one.authorisation else TRIGGER.get(trigger, f"trigger {trigger}")
        return _moved(action, completion, _who(one.name, how))
    if one.type == KEYPAD and len(one.data) >= 5:
        action, source, completion = one.data[0], one.data[1], one.data[2]
        number = int.from_bytes(one.data[3:5], "little")
        name = one.name or (f"code {number}" if number else "")
        return _moved(action, completion, _who(name, SOURCE.get(source, f"source {source}")))
    if one.type == DOOR and one.data:
        if one.data[0] in LEAF:
            return Fact(LEAF[one.data[0]])
        return Fact("lock.fault", {"code": "door sensor jammed"}) if one.data[0] == 2 else None
    return None


def _who(name: str, how: str) -> dict[str, Value]:
    return {"by": name, "how": how} if name else {"how": how}


def _moved(action: int, completion: int, who: dict[str, Value]) -> Fact | None:
    if completion in NOT_MOVED:
        return Fact("lock.refused", {"reason": NOT_MOVED[completion], **who})
    if completion in STUCK:
        return Fact("lock.jammed", {"reason": STUCK[completion]})
    if completion != DONE:
        return Fact("lock.fault", {"code": BROKEN.get(completion, f"completion 0x{completion:02x}")})
    kind = BOLT.get(action)
    return None if kind is None else Fact(kind, who)


def mark(key: bytes, pin: str) -> str:
    """What is remembered of a PIN that the lock refused: enough to know it again, useless without the lock's key."""
    return hmac.new(key, b"pin" + pin.encode(), hashlib.sha256).hexdigest()[:16]


@dataclass(slots=True)
class Fetch:
    """Reads the log back from its newest entry to the last one known. last: that entry's index, None at first.

    Nothing is told before all of it is here, so that a link lost in the middle leaves no gap. At the first contact
    only the newest entry is read: what was before us is not ours to tell.
    """

    pin: str
    last: int | None
    _entries: dict[int, bytes] = field(default_factory=dict)
    _count: bytes | None = None
    _page: int = 0
    _asked: int = 0
    _lowest: int | None = None

    def request(self, challenge: bytes) -> bytes:
        """The payload that asks for the next page."""
        self._page, self._asked = 0, self._size()
        start = 0 if self._lowest is None else self._lowest - 1
        head = start.to_bytes(4, "little") + self._asked.to_bytes(2, "little")
        first = self._lowest is None
        return head + bytes([NEWEST_FIRST, int(first)]) + challenge + int(self.pin).to_bytes(2, "little")

    def heard(self, command: int, payload: bytes, whole: bytes) -> None:
        """Take in an entry or the count. whole: the message as it is told."""
        if command == COUNT:
            self._count = whole
            return
        index = entry(payload).index
        if self._lowest is None or index < self._lowest:
            self._lowest = index
            self._page += 1
            self._entries[index] = whole

    def is_whole(self) -> bool:
        """Whether nothing is left to ask for, after a page has ended."""
        if self.last is None or self._lowest is None or not self._lowest:
            return True
        if self._page < self._asked or len(self._entries) >= MOST:
            return True
        return not self._began_anew() and self._lowest <= self.last + 1

    def told(self) -> list[bytes]:
        """The messages that are news, oldest first."""
        news = sorted(
            index for index in self._entries if self.last is None or self._began_anew() or index > self.last
        )
        return [*([] if self._count is None else [self._count]), *(self._entries[index] for index in news)]

    @property
    def newest(self) -> int:
        """The newest entry there is; the last one known, or 0, where there is none."""
        return max(self._entries, default=self.last or 0)

    def _began_anew(self) -> bool:
        return self.last is not None and bool(self._entries) and max(self._entries) < self.last

    def _size(self) -> int:
        if self.last is None:
            return 1
        return FIRST_PAGE if self._lowest is None else PAGE


def pin_of(visit: Visit, key: bytes) -> str | None:
    """The security PIN, where there is one that the lock has not refused."""
    pin = visit.secrets.get("pin", "")
    return pin if PIN.fullmatch(pin) and visit.memory.get("pin_refused") != mark(key, pin) else None


def known(memory: Mapping[str, Any]) -> int | None:
    """The newest entry that was told; None before the first contact."""
    log = memory.get("log")
    index = log.get("index") if isinstance(log, Mapping) else None
    return index if isinstance(index, int) else None
