"""SCAIP over SIP from the outside: an alarm unit in a home, and an alarm receiving centre.

Messages are written out by hand. A unit takes an alarm for delivered only when it holds an `mrs` with its own
reference; until then it goes on, with the same message, then with a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import random
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

TYPE = "application/scaip+xml"
FIRST_REPEAT, LAST_REPEAT = 0.5, 4.0


def element(body: str, name: str) -> str:
    """The text of an element; empty if it is not there."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", body)
    return found.group(1) if found else ""


def header(message: str, name: str) -> str:
    """The first header of that name."""
    found = re.search(rf"(?im)^{name}\s*:\s*(.*?)\r?$", message)
    return found.group(1) if found else ""


def digest(challenge: str, user: str, password: str, uri: str) -> str:
    """The answer to a `Digest` challenge (RFC 2617 with qop auth, and SHA-256 where it is asked for)."""
    asked = {name.lower(): a or b for name, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', challenge)}
    algorithm = asked.get("algorithm", "MD5").upper()

    def hashed(text: str) -> str:
        return hashlib.new("md5" if algorithm == "MD5" else "sha256", text.encode()).hexdigest()

    proof = hashed(f"{user}:{asked['realm']}:{password}")
    rest = hashed(f"MESSAGE:{uri}")
    response = hashed(f"{proof}:{asked['nonce']}:00000001:0a4f113b:auth:{rest}")
    return (
        f'Digest username="{user}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="{uri}", '
        f'algorithm={algorithm}, qop=auth, nc=00000001, cnonce="0a4f113b", response="{response}"'
    )


@dataclass(slots=True)
class SipFaults:
    """Network faults of one side, in numbers of messages: lost answers to the other, doubled or lost sends.

    split: a stream's messages leave byte by byte. foreign_user: the From user is not the unit's own.
    """

    lose_answers: int = 0
    double: int = 0
    lose: int = 0
    split: bool = False
    foreign_user: str = ""


class _Sip:
    """What unit and receiver share: a socket or a stream, requests with repeats, answers."""

    def __init__(self, name: str, transport: str, first_repeat: float, seed: int) -> None:
        self.name = name
        self.transport = transport
        self.faults = SipFaults()
        self.answers: list[int] = []
        self._first = first_repeat
        self._draw = random.Random(seed)
        self._number = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[int]] = {}
        self._here = ("127.0.0.1", 0)
        self._tasks: set[asyncio.Task[None]] = set()
        self.password = ""
        self._challenge = ""

    async def request(
        self, send: Callable[[bytes], None], to: str, body: str, kind: str = TYPE, method: str = "MESSAGE"
    ) -> int:
        """Send a request and wait for its final answer; prove the password if it is asked for."""
        code = await self._transaction(send, to, body, kind, method)
        if code != 401 or not self.password:
            return code
        proof = digest(self._challenge, self.faults.foreign_user or self.name, self.password, to)
        return await self._transaction(send, to, body, kind, method, f"Authorization: {proof}")

    async def _transaction(
        self, send: Callable[[bytes], None], to: str, body: str, kind: str, method: str, more: str = ""
    ) -> int:
        """One request, repeated where the way may lose it."""
        branch = f"z9hG4bK{self._draw.getrandbits(48):012x}"
        data = self.compose(to, body, branch, kind, method, more)
        final: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[branch] = final
        wait = self._first
        try:
            for _ in range(12):
                self._out(send, data)
                with contextlib.suppress(TimeoutError):
                    # not wait_for: before Python 3.12 it forgets a cancellation that meets the answer
                    async with asyncio.timeout(wait if self.transport == "UDP" else 30):
                        return await asyncio.shield(final)
                wait = min(2 * wait, LAST_REPEAT)
            raise TimeoutError(f"{to} did not answer")
        finally:
            self._waiting.pop(branch, None)

    def compose(
        self, to: str, body: str, branch: str, kind: str = TYPE, method: str = "MESSAGE", more: str = ""
    ) -> bytes:
        """A SIP request as text. more: a further header."""
        user, number = self.faults.foreign_user or self.name, next(self._number)
        raw = body.encode()
        lines = [
            f"{method} {to} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {self._here[0]}:{self._here[1]};branch={branch};rport",
            f"From: <sip:{user}@{self._here[0]}>;tag={self._draw.getrandbits(32):x}",
            f"To: <{to}>",
            f"Call-ID: {self._draw.getrandbits(64):x}@{self._here[0]}",
            f"CSeq: {number} {method}",
            "Max-Forwards: 70",
            f"Content-Type: {kind}",
            *([more] if more else []),
            f"Content-Length: {len(raw)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw

    def _out(self, send: Callable[[bytes], None], data: bytes) -> None:
        if self.faults.lose > 0:
            self.faults.lose -= 1
            return
        pieces = [data[at : at + 1] for at in range(len(data))] if self.faults.split else [data]
        for _ in range(2 if self.faults.double > 0 else 1):
            for piece in pieces:
                send(piece)
        self.faults.double = max(0, self.faults.double - 1)

    def hear(self, raw: bytes, send: Callable[[bytes], None]) -> None:
        """A message came."""
        message = raw.decode("utf-8", "replace")
        if message.startswith("SIP/2.0 "):
            code = int(message[8:11])
            self.answers.append(code)
            self._challenge = header(message, "WWW-Authenticate") or self._challenge
            branch = re.search(r"branch=([^;,\s]+)", header(message, "Via"))
            final = self._waiting.get(branch.group(1)) if branch else None
            if final is not None and not final.done() and code >= 200:
                final.set_result(code)
            return
        if self.faults.lose_answers > 0:
            self.faults.lose_answers -= 1
            return
        if not self._is_trusted(message):
            send(self._refused(message))
            return
        send(self._ok(message))
        self.message(
            message.partition("\r\n\r\n")[2], send, header(message, "Contact") or header(message, "From")
        )

    def message(self, body: str, send: Callable[[bytes], None], sender: str) -> None:
        """A request's body; unit and receiver differ here."""

    def _is_trusted(self, message: str) -> bool:  # noqa: ARG002  a unit trusts its receiver
        return True

    def _refused(self, message: str) -> bytes:
        return self._answer(
            message, "401 Unauthorized", 'WWW-Authenticate: Digest realm="arc", nonce="4711", qop="auth"'
        )

    def _ok(self, message: str) -> bytes:
        return self._answer(message, "200 OK")

    def _answer(self, message: str, line: str, *more: str) -> bytes:
        vias = re.findall(r"(?im)^Via\s*:\s*(.*?)\r?$", message)
        lines = [f"SIP/2.0 {line}", *(f"Via: {via}" for via in vias), *more]
        lines += [f"{name}: {header(message, name)}" for name in ("From", "To", "Call-ID", "CSeq")]
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()

    def task(self, work: asyncio.Task[None]) -> None:
        """Keep a task until it is done."""
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, end: _Sip) -> None:
        self.end = end
        self.socket: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.socket = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.end.hear(data, lambda out: self.socket.sendto(out, addr) if self.socket else None)


async def _stream(end: _Sip, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Cut a stream into messages by their length."""
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lstrip(b"\r\n")
            if not head.strip():
                continue
            length = int(header(head.decode("utf-8", "replace"), "Content-Length") or 0)
            end.hear(head + await reader.readexactly(length), writer.write)
    writer.close()


@dataclass(slots=True)
class Alarm:
    """One alarm of a unit: its reference, and what the receiver answered (`mrs`)."""

    ref: str
    reply: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ScaipUnit(_Sip):
    """A care phone. cid: its controller id. receiver: (host, port) of whom it reports to.

    transport: UDP, TCP or TLS; under TLS `trust` says whom it believes. password: what it proves when asked.
    """

    def __init__(
        self,
        cid: str,
        receiver: tuple[str, int],
        *,
        transport: str = "UDP",
        first_repeat: float = FIRST_REPEAT,
        seed: int = 0,
        password: str = "",
        trust: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(cid, transport, first_repeat, seed)
        self.cid = cid
        self.password = password
        self._trust = trust
        self.receiver = receiver
        self.replies: list[str] = []
        self._alarms: dict[str, Alarm] = {}
        self._send: Callable[[bytes], None] = lambda _: None
        self._close: Callable[[], None] = lambda: None
        self._refs = itertools.count(1)

    async def start(self) -> None:
        """Open the way to the receiver."""
        loop = asyncio.get_running_loop()
        if self.transport == "UDP":
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=("127.0.0.1", 0)
            )
            self._here = transport.get_extra_info("sockname")
            self._send, self._close = lambda data: transport.sendto(data, self.receiver), transport.close
            return
        reader, writer = await asyncio.open_connection(
            *self.receiver, ssl=self._trust if self.transport == "TLS" else None
        )
        self._here = writer.get_extra_info("sockname")
        self._send, self._close = writer.write, writer.close
        self.task(loop.create_task(_stream(self, reader, writer)))

    async def stop(self) -> None:
        """Go silent."""
        self._close()
        for task in set(self._tasks):
            task.cancel()

    async def alarm(
        self, dty: str = "0003", stc: str = "0010", *, mty: str = "ME", ref: str = "", more: str = ""
    ) -> Alarm:
        """Raise an alarm and wait for the SIP answer; `reply` of what is returned is the real acknowledgement."""
        alarm = Alarm(ref or f"{self.cid[-6:]}{next(self._refs):04d}")
        self._alarms[alarm.ref] = alarm
        body = (
            f"<mrq><ref>{alarm.ref}</ref><ver>01.00</ver><cid>{self.cid}</cid><dty>{dty}</dty>"
            f"<mty>{mty}</mty><stc>{stc}</stc>{more}</mrq>"
        )
        await self.say(body)
        return alarm

    async def heartbeat(self) -> Alarm:
        """I am here."""
        return await self.alarm("0002", "0102", mty="PI")

    async def say(self, body: str, kind: str = TYPE, method: str = "MESSAGE") -> int:
        """Send any body; the SIP code that came back."""
        to = f"sip:receiver@{self.receiver[0]}:{self.receiver[1]}"
        return await self.request(self._send, to, body, kind, method)

    def raw(self, data: bytes) -> None:
        """Send any bytes at all."""
        self._send(data)

    def message(self, body: str, send: Callable[[bytes], None], sender: str) -> None:  # noqa: ARG002
        """The receiver's `mrs`."""
        self.replies.append(body)
        alarm = self._alarms.get(element(body, "ref"))
        if alarm is not None and not alarm.reply.done():
            alarm.reply.set_result(body)


class ScaipReceiver(_Sip):
    """An alarm receiving centre. snu: the status it gives. silent: it gives the SIP answer and no `mrs`.

    asks_for: the password that senders must prove. tls: its certificate; then it listens under TLS instead of TCP.
    """

    def __init__(
        self,
        *,
        snu: str = "0",
        silent: bool = False,
        seed: int = 0,
        asks_for: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__("receiver", "UDP", FIRST_REPEAT, seed)
        self.snu, self.silent = snu, silent
        self._asks_for, self._tls = asks_for, tls
        self.alarms: list[str] = []
        self._closes: list[Callable[[], None]] = []

    async def start(self, port: int) -> int:
        """Listen on UDP and TCP at this port of loopback, which is returned."""
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self._tls)
        self._here = server.sockets[0].getsockname()
        udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=self._here)
        self._closes += [server.close, udp.close]
        return int(self._here[1])

    async def stop(self) -> None:
        """Close."""
        for close in self._closes:
            close()
        for task in set(self._tasks):
            task.cancel()

    def _is_trusted(self, message: str) -> bool:
        if not self._asks_for or message.startswith("SIP/2.0"):
            return True
        given = header(message, "Authorization")
        user, uri = re.search(r'username="([^"]*)"', given), re.search(r'uri="([^"]*)"', given)
        response = re.search(r'response="([0-9a-f]+)"', given)
        cnonce = re.search(r'cnonce="([^"]*)"', given)
        if not (user and uri and response and cnonce):
            return False
        one = hashlib.md5(f"{user[1]}:arc:{self._asks_for}".encode(), usedforsecurity=False).hexdigest()
        two = hashlib.md5(f"MESSAGE:{uri[1]}".encode(), usedforsecurity=False).hexdigest()
        right = f"{one}:4711:00000001:{cnonce[1]}:auth:{two}"
        return hashlib.md5(right.encode(), usedforsecurity=False).hexdigest() == response[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _stream(self, reader, writer)

    def message(self, body: str, send: Callable[[bytes], None], sender: str) -> None:
        """A unit's `mrq`: note it, answer it by a message of our own."""
        self.alarms.append(body)
        if self.silent:
            return
        reply = (
            f"<mrs><ref>{element(body, 'ref')}</ref><snu>{self.snu}</snu><cve>01.00</cve><mre>0</mre></mrs>"
        )
        to = re.search(r"sip:[^>;]+", sender)
        self.task(
            asyncio.get_running_loop().create_task(
                self._reply(send, to.group(0) if to else "sip:unit", reply)
            )
        )

    async def _reply(self, send: Callable[[bytes], None], to: str, body: str) -> None:
        with contextlib.suppress(TimeoutError):
            await self.request(send, to, body)
