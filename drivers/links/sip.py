"""SCAIP over SIP: alarm units send MESSAGE here, over UDP, TCP or TLS; each is written down, then answered.

A unit is safe only when it holds our `mrs` with its own `ref`; the SIP 200 alone means nothing. Both leave after
the gateway's commit. What cannot be written down is answered 503 and comes again. A repeated request (same
transaction, or the same body from the same unit within a minute) is the same alarm and gets the same answer.
A unit that has a password in the registry must prove it (digest); what it said without is not taken, but recorded
when the proof was wrong. What we send ourselves is in drivers.links.sip_sending.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Final

from sipmessage import Request, Response

from drivers.device_type import Outgoing
from drivers.events import DecodeError, Frame, Millis
from drivers.links.back_off import BackOff
from drivers.links.link import Hear, LinkDown, LinkHealth, LinkState, Receipt
from drivers.links.sip_sending import SipSender
from drivers.links.sip_settings import SipSettings
from drivers.links.sip_ways import Listener, Stream, TlsPort, Way, stream
from drivers.protocols import scaip, sip
from drivers.protocols.line import count
from drivers.protocols.sip_digest import Gatekeeper

log = logging.getLogger(__name__)

MAX_AT_WORK: Final = 256
MAX_STREAMS: Final = 256
STREAM_IDLE: Final = 3_600.0
SAME_WITHIN: Final = 60.0
"""Seconds in which the same body of the same unit is the same alarm. Longer, and it may be a second press."""
VOICE_WITHIN: Final = 60.0
"""Seconds in which the unit's call must arrive; until then no second call is asked for."""
CODES: Final = {
    200: "OK",
    401: "Unauthorized",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    503: "Service Unavailable",
}


class SipLink:
    """The receiver and sender of alarm messages at one address.

    host, port: where to listen (port 0 picks one, see `port`). now: world time for frames. passwords: of units, by cid.
    tls: where to listen under TLS. trust: whom we believe when we send under TLS; the system's authorities if not said.
    """

    def __init__(
        self,
        host: str,
        port: int,
        now: Callable[[], Millis],
        settings: SipSettings | None = None,
        *,
        name: str = "sip",
        back_off: BackOff | None = None,
        passwords: Mapping[str, str] | None = None,
        tls: TlsPort | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.name = name
        self.port = port
        self._host = host
        self._now = now
        self._settings = settings or SipSettings()
        self._back_off = back_off or BackOff()
        self._state: LinkState = "configured"
        self._reason = ""
        self._since = now()
        self._counters: dict[str, int] = {}
        self._answers = sip.Answers()
        self._same: OrderedDict[tuple[str, str, bytes], tuple[float, bytes]] = OrderedDict()
        self._voice: dict[str, float] = {}
        self._passwords = passwords or {}
        self._gate = Gatekeeper(algorithm=self._settings.digest)
        self.tls = tls
        self._sender = SipSender(name, self._settings, self._counters, self._read, trust)
        self._work: set[asyncio.Task[object]] = set()
        self._streams: set[asyncio.StreamWriter] = set()
        self._hear: Hear | None = None
        self.listening = asyncio.Event()

    # -- what the gateway sees

    async def run(self, hear: Hear) -> None:
        """Listen for ever; a port that cannot be had is tried again."""
        self._hear = hear
        try:
            while True:
                try:
                    await self._listen()
                except OSError as wrong:
                    self._become(
                        "down",
                        f"{self._host}:{self.port} could not be listened on: {wrong.strerror or wrong}",
                    )
                await asyncio.sleep(self._back_off.wait())
        finally:
            for task in set(self._work):
                task.cancel()
            self._become("configured", "")

    async def send(self, address: str, outgoing: Outgoing) -> None:
        """Send a request to `sip:user@host:port` (`;transport=tcp`, `tls`), wait for its `mrs`. Raises LinkDown."""
        await self._sender.send(address, outgoing)

    def health(self) -> LinkHealth:
        """State and counters."""
        return LinkHealth(self._state, dict(self._counters), self._since, self._reason)

    # -- listening

    async def _listen(self) -> None:
        self._become("opening", "")
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(
            lambda: Listener(self._heard), local_addr=(self._host, self.port), family=socket.AF_INET
        )
        self._sender.socket = udp
        try:
            port = udp.get_extra_info("sockname")[1]
            server = await asyncio.start_server(self._serve, self._host, port, family=socket.AF_INET)
            async with server, self._listening_under_tls():
                self.port = port
                self._become("up", "")
                self._back_off.reset()
                self.listening.set()
                await server.serve_forever()
        finally:
            self.listening.clear()
            self._sender.socket = None
            udp.close()
            for writer in set(self._streams):
                writer.close()

    @contextlib.asynccontextmanager
    async def _listening_under_tls(self) -> AsyncIterator[None]:
        if self.tls is None:
            yield
            return
        server = await asyncio.start_server(
            self._serve, self._host, self.tls.port, family=socket.AF_INET, ssl=self.tls.context
        )
        async with server:
            self.tls = TlsPort(server.sockets[0].getsockname()[1], self.tls.context)
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._streams) >= MAX_STREAMS:
            count(self._counters, "refused_streams")
            writer.close()
            return
        self._streams.add(writer)
        try:
            await self._read(reader, stream(writer))
        except (OSError, TimeoutError):
            count(self._counters, "lost_streams")
        except DecodeError as wrong:
            count(self._counters, "unreadable")
            log.warning("a SIP stream was closed: %s", wrong)
        finally:
            self._streams.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, way: Stream) -> None:
        framer = sip.Framer()
        while True:
            async with asyncio.timeout(STREAM_IDLE):
                data = await reader.read(65_536)
            if not data:
                return
            if data.endswith(b"\r\n\r\n") and not data.strip():
                way.put(b"\r\n")  # the answer to a keep-alive, RFC 5626, 3.5.1
            for message in framer.feed(data):
                self._heard(message, way)
            await way.writer.drain()

    # -- one message

    def _heard(self, data: bytes, way: Way) -> None:
        """Sort a message; the slow part goes on by itself, begun in the order of arrival."""
        if not data.strip():
            return
        try:
            message = sip.parse(data)
        except sip.SipError:
            count(self._counters, "unreadable")
            self._start(self._note(f"{way.host}:{way.port}", data[:4096]))
            return
        if isinstance(message, Response):
            self._sender.answered(message)
            return
        self._request(message, way)

    def _request(self, message: Request, way: Way) -> None:
        if message.method == "ACK":
            return
        key = sip.transaction(message)
        before = self._answers.begin(key, self._clock())
        if before is not None:
            count(self._counters, "repeated")
            if before:
                way.put(before)
            return
        refusal = _refusal(message) or self._asked_for_password(message)
        if refusal:
            self._reply(message, way, *refusal)
        elif not self._start(self._take(message, way)):
            self._answers.forget(key)

    def _asked_for_password(self, message: Request) -> tuple[int, tuple[tuple[str, str], ...]] | None:
        """The challenge for a unit that has a password and has not proved it; None for one that may speak."""
        user = scaip.plain_cid(sip.user_of(message.headers["From"]))
        password = self._passwords.get(user)
        proof = message.headers.get("Authorization") or ""
        now = self._clock()
        if password is None or self._gate.lets_in(proof, user, password, message.method, now):
            return None
        if proof:
            count(self._counters, "wrong_passwords")
            self._start(self._note(user, message.body[:4096]))
        return 401, (("WWW-Authenticate", self._gate.challenge(now)),)

    def _start(self, work: Coroutine[Any, Any, object]) -> bool:
        if len(self._work) >= MAX_AT_WORK:
            count(self._counters, "overload")
            work.close()
            return False
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._worked)
        return True

    def _worked(self, task: asyncio.Task[object]) -> None:
        self._work.discard(task)
        if not task.cancelled() and task.exception() is not None:
            count(self._counters, "faults")
            log.error("an alarm message could not be dealt with", exc_info=task.exception())

    async def _take(self, message: Request, way: Way) -> None:
        """One alarm request, or the `mrs` to one of ours."""
        body, user = message.body, sip.user_of(message.headers["From"])
        if b"<mrs" in body[:200].lower():
            self._sender.acknowledged(body)
            self._reply(message, way, 200)
            return
        response = await self._written_down(user, way, body)
        if response is None:
            self._answers.forget(sip.transaction(message))
            way.put(sip.answer(message, 503, CODES[503], (("Retry-After", "2"),)))
            return
        self._reply(message, way, 200)
        with contextlib.suppress(LinkDown, TimeoutError, OSError, DecodeError):
            to = f"sip:{request_user(user)}@{way.host}:{way.port}"
            await self._sender.message(way, to, self._settings.user, scaip.write_response(response))
            count(self._counters, "acknowledged")

    async def _written_down(self, user: str, way: Way, body: bytes) -> scaip.Response | None:
        """Hand the request up; None if it could not be written down."""
        try:
            request = scaip.read_request(body, wrapped=self._settings.wrapped)
        except scaip.ScaipError as wrong:
            return await self._misread(user or way.host, body, wrong)
        return await self._alarm(request, user, body)

    async def _misread(self, address: str, body: bytes, wrong: scaip.ScaipError) -> scaip.Response | None:
        count(self._counters, "unreadable")
        if not await self._note(scaip.plain_cid(address), body[:4096]):
            return None
        return scaip.Response(wrong.ref or "0", wrong.snu, str(wrong)[:128])

    async def _alarm(self, request: scaip.Request, user: str, body: bytes) -> scaip.Response | None:
        if scaip.plain_cid(user) != request.cid:
            says = f"From user {user[:40]!r} is not the cid {request.cid}"
            return await self._misread(
                request.cid, body, scaip.ScaipError(says, scaip.UNDEFINED, request.ref)
            )
        key = (request.cid, request.ref, hashlib.sha256(body).digest())
        if known := self._known(key):
            count(self._counters, "repeated")
            return scaip.read_response(known)
        receipt = await self._record(Frame("sip", request.cid, body, self._now(), scaip.CONTENT_TYPE))
        if not receipt.accepted:
            return None
        response = self._response(request, error=receipt.error)
        self._same[key] = (self._clock(), scaip.write_response(response))
        return response

    def _known(self, key: tuple[str, str, bytes]) -> bytes:
        earliest = self._clock() - SAME_WITHIN
        while self._same and next(iter(self._same.values()))[0] < earliest:
            self._same.popitem(last=False)
        return self._same[key][1] if key in self._same else b""

    def _response(self, request: scaip.Request, *, error: str) -> scaip.Response:
        """What the unit is told once its request is written down."""
        if error:
            return scaip.Response(request.ref, scaip.NOT_TREATED, error[:128])
        hbi = self._settings.hbi if request.hbo else None
        if request.mty != "ME" or request.stc == scaip.CANCEL:
            return scaip.Response(request.ref, mre=0, hbi=hbi)
        if not (self._settings.tnu and request.callable) or self._in_call(request.cid):
            return scaip.Response(request.ref, mre=0, hbi=hbi)
        self._voice[request.cid] = self._clock()
        return scaip.Response(request.ref, mre=1, cre=62, tnu=self._settings.tnu, hbi=hbi)

    def _in_call(self, cid: str) -> bool:
        earliest = self._clock() - VOICE_WITHIN
        self._voice = {one: at for one, at in self._voice.items() if at > earliest}
        return cid in self._voice

    async def _note(self, address: str, payload: bytes) -> bool:
        """Hand up what cannot be read, so that it is in the journal."""
        frame = Frame("sip", address[:64], payload, self._now(), "unreadable")
        return (await self._record(frame)).accepted

    async def _record(self, frame: Frame) -> Receipt:
        assert self._hear is not None
        try:
            receipt = await self._hear(frame)
        except Exception:
            log.exception("a message of %s could not be handed over", frame.address)
            receipt = Receipt(accepted=False)
        count(self._counters, "frames" if receipt.accepted else "not_recorded")
        return receipt

    # -- small things

    def _reply(self, message: Request, way: Way, code: int, extra: tuple[tuple[str, str], ...] = ()) -> None:
        answer = sip.answer(message, code, CODES[code], extra)
        self._answers.finish(sip.transaction(message), answer)
        way.put(answer)

    def _become(self, state: LinkState, reason: str) -> None:
        self._reason = reason
        if state != self._state:
            self._state, self._since = state, self._now()
            log.info("link %s is %s%s", self.name, state, f": {reason}" if reason else "")

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()


def request_user(user: str) -> str:
    """A user as it may stand in a SIP address."""
    kept = "".join(character for character in user if character.isalnum() or character in "+-_.")
    return kept[:64] or "unit"


def _refusal(message: Request) -> tuple[int, tuple[tuple[str, str], ...]] | None:
    """What is answered to a request that is no alarm message; None for one that may be."""
    if message.method == "OPTIONS":
        return 200, (("Allow", "MESSAGE, OPTIONS"), ("Accept", scaip.CONTENT_TYPE))
    if message.method != "MESSAGE":
        return 405, (("Allow", "MESSAGE, OPTIONS"),)
    kind = (message.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if kind not in (scaip.CONTENT_TYPE, "application/xml", "text/xml"):
        return 415, (("Accept", scaip.CONTENT_TYPE),)
    return None
