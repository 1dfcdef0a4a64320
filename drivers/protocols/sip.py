"""The little of SIP (RFC 3261, RFC 3428) that alarm messages need: MESSAGE requests and their answers, no I/O.

Parsing and writing of headers is `sipmessage`'s; here are the bounds, the identity of a transaction, framing
on streams, and what must be remembered so that a repeated request gets the same answer and counts once.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from sipmessage import URI, Message, Request, Response

from drivers.events import DecodeError

MAX_MESSAGE: Final = 65_536
T1, T2, GIVE_UP = 0.5, 4.0, 32.0
"""Seconds: first repeat over UDP, longest wait between repeats, end of a transaction (RFC 3261, 17.1.2)."""
MANDATORY: Final = ("Via", "From", "To", "Call-ID", "CSeq")
COOKIE: Final = "z9hG4bK"

Key: TypeAlias = tuple[str, str, str]
"""Branch, sent-by and method: which transaction a request belongs to."""


class SipError(DecodeError):
    """Bytes that are no SIP message, or one without what an answer needs."""


def parse(data: bytes) -> Request | Response:
    """Read one message whole. Raises SipError."""
    if len(data) > MAX_MESSAGE:
        raise SipError(f"a SIP message has at most {MAX_MESSAGE} bytes, this one has {len(data)}")
    try:
        message = Message.parse(data.lstrip(b"\r\n"))
    except (ValueError, IndexError, KeyError, RecursionError) as wrong:
        raise SipError(f"this is no SIP message: {wrong!s:.200}") from None
    missing = [name for name in MANDATORY if not message.headers.get(name)]
    if missing:
        raise SipError(f"the SIP header {missing[0]} is missing")
    return message


def transaction(message: Request | Response) -> Key:
    """Which transaction a message belongs to."""
    via = message.headers["Via"]
    branch = _parameter(via, "branch") or message.headers["Call-ID"]
    sent_by = re.split(r"[;\s]", via.partition(" ")[2].strip(), maxsplit=1)[0]
    method = message.method if isinstance(message, Request) else message.headers["CSeq"].split()[-1]
    return branch, sent_by, method


def user_of(header: str) -> str:
    """The user of a From or To header, in whatever form it is written; empty if it names none."""
    found = re.search(r"(?:sips?|tel):([^@>;\s]*)(@)?", header, re.IGNORECASE)
    return found.group(1) if found and (found.group(2) or "tel:" in header.lower()) else ""


def answer(request: Request, code: int, phrase: str, extra: tuple[tuple[str, str], ...] = ()) -> bytes:
    """The answer to a request, without a body."""
    response = Response(code, phrase)
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        response.headers.setlist(name, list(request.headers.getlist(name)))
    to = request.headers["To"]
    if ";tag=" not in to.lower():
        response.headers.set("To", f"{to};tag={secrets.token_hex(4)}")
    for name, value in extra:
        response.headers.add(name, value)
    response.headers.set("Content-Length", "0")
    return bytes(response)


@dataclass(frozen=True, slots=True)
class Outbound:
    """A MESSAGE to send. to_uri: whom. from_user, host, port, transport: who we are on this way.

    authorization: name and value of the header that answers a challenge; such a request is a new transaction of the
    same call.
    """

    to_uri: str
    from_user: str
    host: str
    port: int
    transport: str
    content_type: str
    body: bytes
    branch: str = field(default_factory=lambda: COOKIE + secrets.token_hex(8))
    call_id: str = field(default_factory=lambda: secrets.token_hex(12))
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    number: int = 1
    authorization: tuple[str, str] | None = None

    def authorized(self, header: str, value: str) -> Outbound:
        """The same request again, with the answer to a challenge."""
        return replace(
            self,
            branch=COOKIE + secrets.token_hex(8),
            number=self.number + 1,
            authorization=(header, value),
        )

    def write(self) -> bytes:
        """The request as bytes. Raises SipError for an address that is none."""
        try:
            uri = URI.parse(self.to_uri)
        except ValueError:
            raise SipError(f"expected an address like sip:user@host:port, got {self.to_uri!r:.100}") from None
        here = f"[{self.host}]" if ":" in self.host else self.host
        request = Request("MESSAGE", uri, self.body)
        for name, value in (
            ("Via", f"SIP/2.0/{self.transport} {here}:{self.port};branch={self.branch};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{self.from_user}@{here}>;tag={self.tag}"),
            ("To", f"<{self.to_uri}>"),
            ("Call-ID", f"{self.call_id}@{self.host}"),
            ("CSeq", f"{self.number} MESSAGE"),
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
        ):
            request.headers.set(name, value)
        if self.authorization is not None:
            request.headers.set(*self.authorization)
        return bytes(request)


class Answers:
    """What was answered to which request, for as long as it may be repeated (RFC 3261, 17.2.2)."""

    def __init__(self, keep: int = 1024, seconds: float = GIVE_UP) -> None:
        self._keep, self._seconds = keep, seconds
        self._answers: OrderedDict[Key, tuple[float, bytes]] = OrderedDict()

    def begin(self, key: Key, now: float) -> bytes | None:
        """None for a new request; else its answer, which is empty while it is still being worked on."""
        while self._answers and next(iter(self._answers.values()))[0] + self._seconds < now:
            self._answers.popitem(last=False)
        if key in self._answers:
            return self._answers[key][1]
        self._answers[key] = (now, b"")
        while len(self._answers) > self._keep:
            self._answers.popitem(last=False)
        return None

    def finish(self, key: Key, answer: bytes) -> None:
        """The request is answered."""
        if key in self._answers:
            self._answers[key] = (self._answers[key][0], answer)

    def forget(self, key: Key) -> None:
        """The request could not be dealt with: its repeat is a new attempt."""
        self._answers.pop(key, None)


class Framer:
    """Cuts a stream into messages by their Content-Length; empty lines between them are signs of life."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, give whole messages. Raises SipError when the stream can no longer be followed."""
        self._held += data
        messages: list[bytes] = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> bytes | None:
        stripped = self._held.lstrip(b"\r\n")
        del self._held[: len(self._held) - len(stripped)]
        head, separator, _ = self._held.partition(b"\r\n\r\n")
        if not separator:
            if len(self._held) > MAX_MESSAGE:
                raise SipError(f"no end of headers within {MAX_MESSAGE} bytes")
            return None
        end = len(head) + 4 + self._length(bytes(head))
        if len(self._held) < end:
            return None
        message = bytes(self._held[:end])
        del self._held[:end]
        return message

    def _length(self, head: bytes) -> int:
        found = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d{1,9})\s*$", head)
        if found is None:
            raise SipError("a message on a stream needs a Content-Length")
        length = int(found.group(1))
        if length > MAX_MESSAGE:
            raise SipError(f"a SIP message has at most {MAX_MESSAGE} bytes, this one announces {length}")
        return length


def _parameter(header: str, name: str) -> str:
    found = re.search(rf";\s*{name}\s*=\s*([^;,\s]+)", header, re.IGNORECASE)
    return found.group(1) if found else ""
