"""What we send over SIP ourselves: alarms to a receiving centre, and the `mrs` to units.

A request is repeated over UDP until it has its answer; a challenge (401, 407) is answered once with our password.
An alarm counts as passed on only when its `mrs` came.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from sipmessage import Response

from drivers.device_type import Outgoing
from drivers.events import DecodeError, Millis
from drivers.links.link import LinkDown
from drivers.links.sip_settings import SipSettings
from drivers.links.sip_ways import Datagrams, Stream, Way, stream, target
from drivers.protocols import scaip, sip, sip_digest
from drivers.protocols.line import count

ACKNOWLEDGED_WITHIN: Final[Millis] = 40_000
"""For the receiver's `mrs`, where the sender names no time of its own."""
CHALLENGES: Final = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}

Read = Callable[[asyncio.StreamReader, Stream], Awaitable[None]]


class SipSender:
    """The sending half of a link.

    read: what reads a connection that we opened. socket: the UDP socket, while there is one.
    """

    def __init__(
        self,
        name: str,
        settings: SipSettings,
        counters: dict[str, int],
        read: Read,
        trust: ssl.SSLContext | None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._counters = counters
        self._read = read
        self._trust = trust
        self._open: dict[str, asyncio.Future[Response]] = {}
        self._wanted: dict[str, asyncio.Future[scaip.Response]] = {}
        self.socket: asyncio.DatagramTransport | None = None

    async def send(self, address: str, outgoing: Outgoing) -> None:
        """Send a request and wait for its `mrs`. Raises LinkDown."""
        try:
            request = scaip.read_request(outgoing.payload)
        except scaip.ScaipError as wrong:
            raise LinkDown(f"this is no alarm to send: {wrong}") from None
        if request.ref in self._wanted:
            raise LinkDown(f"a request with the reference {request.ref} is already on its way")
        answered: asyncio.Future[scaip.Response] = asyncio.get_running_loop().create_future()
        self._wanted[request.ref] = answered
        try:
            response = await self._acknowledgement(address, request.cid, outgoing, answered)
        finally:
            self._wanted.pop(request.ref, None)
        if response.snu != scaip.OK:
            raise LinkDown(f"{address} did not take the alarm: status {response.snu} {response.ste}".rstrip())
        count(self._counters, "sent")

    async def _acknowledgement(
        self, address: str, cid: str, outgoing: Outgoing, answered: asyncio.Future[scaip.Response]
    ) -> scaip.Response:
        wait = outgoing.wait or ACKNOWLEDGED_WITHIN
        try:
            async with asyncio.timeout(wait / 1000), self._reach(address) as way:
                await self.message(way, address, cid, outgoing.payload)
                return await answered
        except TimeoutError:
            raise LinkDown(f"{address} did not acknowledge the alarm within {wait} ms") from None
        except ssl.SSLError as wrong:
            raise LinkDown(f"{address} could not be trusted: {wrong.reason or wrong}") from None
        except OSError as wrong:
            raise LinkDown(f"{address} could not be reached: {wrong.strerror or wrong}") from None
        except DecodeError as wrong:
            raise LinkDown(str(wrong)) from None

    async def message(self, way: Way, to: str, from_user: str, body: bytes) -> None:
        """Send a MESSAGE and wait for its final answer, proving who we are if asked. Raises LinkDown."""
        here = way.local
        out = sip.Outbound(to, from_user, here[0], here[1], way.transport, scaip.CONTENT_TYPE, body)
        final = await self._transaction(way, out)
        if final.code in CHALLENGES and (proof := self._proof(final, to, from_user)):
            count(self._counters, "challenges")
            final = await self._transaction(way, out.authorized(*proof))
        if not 200 <= final.code < 300:
            raise LinkDown(f"{to} answered {final.code}")

    def answered(self, response: Response) -> None:
        """An answer came."""
        if self._settings.mrs_in_answer and b"<mrs" in response.body[:200].lower():
            self.acknowledged(response.body)
        final = self._open.get(sip.transaction(response)[0])
        if final is not None and not final.done() and response.code >= 200:
            final.set_result(response)

    def acknowledged(self, body: bytes) -> None:
        """An `mrs` came."""
        try:
            response = scaip.read_response(body)
        except scaip.ScaipError:
            count(self._counters, "unreadable")
            return
        wanted = self._wanted.get(response.ref)
        if wanted is not None and not wanted.done():
            wanted.set_result(response)

    # -- one transaction

    def _proof(self, refusal: Response, uri: str, user: str) -> tuple[str, str] | None:
        """The header that answers a challenge; None where we have no password or do not know the challenge."""
        asked, given = CHALLENGES[refusal.code]
        challenge = sip_digest.best(refusal.headers.getlist(asked))
        if challenge is None or not self._settings.own_password:
            return None
        return given, sip_digest.answer(challenge, user, self._settings.own_password, "MESSAGE", uri)

    async def _transaction(self, way: Way, out: sip.Outbound) -> Response:
        data = out.write()
        final: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._open[out.branch] = final
        try:
            way.put(data)
            return await self._final(way, data, final)
        finally:
            self._open.pop(out.branch, None)

    async def _final(self, way: Way, data: bytes, final: asyncio.Future[Response]) -> Response:
        clock = asyncio.get_running_loop().time
        wait, end = sip.T1, clock() + sip.GIVE_UP
        while (left := end - clock()) > 0:
            pause = min(wait, left) if way.transport == "UDP" else left
            done, _ = await asyncio.wait({final}, timeout=pause)
            if done:
                return final.result()
            if way.transport == "UDP":
                way.put(data)
                count(self._counters, "repeats")
                wait = min(wait * 2, sip.T2)
        raise TimeoutError

    @asynccontextmanager
    async def _reach(self, address: str) -> AsyncIterator[Way]:
        """A way to a receiver: our own UDP socket, or a new connection."""
        host, port, transport = target(address)
        if transport == "udp":
            yield await self._datagrams(host, port)
            return
        trust = (self._trust or ssl.create_default_context()) if transport == "tls" else None
        reader, writer = await asyncio.open_connection(host, port, ssl=trust)
        way = stream(writer)
        reading = asyncio.get_running_loop().create_task(self._quietly(reader, way))
        try:
            yield way
        finally:
            reading.cancel()
            writer.close()

    async def _datagrams(self, host: str, port: int) -> Way:
        if self.socket is None:
            raise LinkDown(f"{self._name} does not listen")
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM
        )
        peer, local = found[0][4], self.socket.get_extra_info("sockname")
        return Datagrams(self.socket, str(peer[0]), int(peer[1]), (local[0], local[1]))

    async def _quietly(self, reader: asyncio.StreamReader, way: Stream) -> None:
        with contextlib.suppress(OSError, TimeoutError, DecodeError):
            await self._read(reader, way)
