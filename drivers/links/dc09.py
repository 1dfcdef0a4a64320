"""SIA DC-09 receiver on TCP and UDP: an event is written down, then acknowledged.

Frames of one connection are dealt with one after the other, however its segments are split or joined. A frame
whose time is wrong or that cannot be opened is answered NAK with our time, one whose content or account nobody
knows DUH, so that the panel may try its other receiver; what could not be written down gets no answer, so that the
panel sends it again. A repeat after a lost answer (same account, sequence and bytes) is acknowledged again and
counts once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, cast

from drivers.device_type import Outgoing
from drivers.events import DecodeError, Frame, Millis
from drivers.links.back_off import BackOff
from drivers.links.link import Hear, LinkDown, LinkHealth, LinkState, Receipt
from drivers.protocols import dc09
from drivers.protocols.line import count
from drivers.protocols.streams import BLOCK

log = logging.getLogger(__name__)

KeyOf = Callable[[str], bytes | None]
"""Account → its key; None where it sends in clear."""

MAX_STREAMS: Final = 512
MAX_AT_WORK: Final = 256
STREAM_IDLE: Final = 3_600.0
SAME_WITHIN: Final = 120.0
"""Seconds in which the same bytes under the same number are a repeat; numbers come again after 9,999 events."""
REMEMBERED: Final = 4_096
POLL_EVERY: Final[Millis] = 60_000
"""World time between two recorded polls of one account; the others are only answered."""


class Dc09Link:
    """The receiver at one port. now: world time, also the clock that panels are compared with."""

    def __init__(
        self,
        host: str,
        port: int,
        now: Callable[[], Millis],
        key_of: KeyOf = lambda _: None,
        *,
        name: str = "dc09",
        back_off: BackOff | None = None,
    ) -> None:
        self.name = name
        self.port = port
        self._host = host
        self._now = now
        self._key_of = key_of
        self._back_off = back_off or BackOff()
        self._state: LinkState = "configured"
        self._reason = ""
        self._since = now()
        self._counters: dict[str, int] = {}
        self._seen: OrderedDict[tuple[str, str, bytes], float] = OrderedDict()
        self._polls: OrderedDict[str, Millis] = OrderedDict()
        self._streams: set[asyncio.StreamWriter] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._hear: Hear | None = None
        self.listening = asyncio.Event()

    async def run(self, hear: Hear) -> None:
        """Listen for ever; a port that cannot be had is tried again."""
        self._hear = hear
        try:
            while True:
                try:
                    await self._listen()
                except OSError as wrong:
                    why = wrong.strerror or wrong
                    self._become("down", f"{self._host}:{self.port} could not be listened on: {why}")
                await asyncio.sleep(self._back_off.wait())
        finally:
            for task in set(self._work):
                task.cancel()
            self._become("configured", "")

    async def send(self, address: str, outgoing: Outgoing) -> None:  # noqa: ARG002  as every link
        """Panels take no commands over DC-09. Raises LinkDown."""
        raise LinkDown("a panel takes no commands over SIA DC-09")

    def health(self) -> LinkHealth:
        """State and counters."""
        return LinkHealth(self._state, dict(self._counters), self._since, self._reason)

    # -- listening

    async def _listen(self) -> None:
        self._become("opening", "")
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, self._host, self.port, family=socket.AF_INET)
        port = server.sockets[0].getsockname()[1]
        async with server:
            udp, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._datagram), local_addr=(self._host, port), family=socket.AF_INET
            )
            try:
                self.port = port
                self._become("up", "")
                self._back_off.reset()
                self.listening.set()
                await server.serve_forever()
            finally:
                self.listening.clear()
                udp.close()
                for writer in set(self._streams):
                    writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._streams) >= MAX_STREAMS:
            count(self._counters, "refused_streams")
            writer.close()
            return
        self._streams.add(writer)
        try:
            await self._read(reader, writer)
        except (OSError, TimeoutError):
            count(self._counters, "lost_streams")
        finally:
            self._streams.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = dc09.Framer()
        peer = str(writer.get_extra_info("peername")[0])
        while True:
            async with asyncio.timeout(STREAM_IDLE):
                data = await reader.read(4096)
            if not data:
                return
            before = framer.noise
            for frame in framer.feed(data):
                writer.write(await self._take(frame, peer))
            count(self._counters, "noise_bytes", framer.noise - before)
            await writer.drain()

    def _datagram(self, data: bytes, peer: tuple[str, int], answer: Callable[[bytes], None]) -> None:
        if len(self._work) >= MAX_AT_WORK:
            count(self._counters, "overload")
            return
        task = asyncio.get_running_loop().create_task(self._take_all(data, peer[0], answer))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _take_all(self, data: bytes, peer: str, answer: Callable[[bytes], None]) -> None:
        framer = dc09.Framer()
        for frame in framer.feed(data) or ([data] if data.strip() else []):
            if out := await self._take(frame, peer):
                answer(out)

    # -- one frame

    async def _take(self, frame: bytes, peer: str) -> bytes:
        """Write a frame down; what to answer, empty for nothing."""
        try:
            head = dc09.read_head(frame)
        except DecodeError:
            count(self._counters, "check_errors")
            return await self._refuse(frame, peer)
        key = self._key_of(head.account)
        try:
            message = dc09.read_frame(frame, key)
        except DecodeError:
            count(self._counters, "unreadable")
            return await self._refuse(frame, head.account)
        count(self._counters, "decimal_lengths", int(message.decimal_length))
        return await self._judged(message, frame, key)

    async def _judged(self, message: dc09.Message, frame: bytes, key: bytes | None) -> bytes:
        verdict = dc09.judge(message, self._now())
        head = message.head
        if verdict == "NAK":
            count(self._counters, "wrong_times")
            return await self._refuse(frame, head.account)
        if verdict == "DUH":
            count(self._counters, "not_understood")
            return dc09.write_duh(head) if (await self._record(frame, head.account, "")).accepted else b""
        ack = dc09.write_ack(head, self._now(), key)
        if verdict == "poll":
            return await self._poll(head, frame, ack)
        same = (head.account, head.seq, frame)
        if self._is_repeat(same):
            count(self._counters, "repeated")
            return ack
        receipt = await self._record(frame, head.account, BLOCK)
        if receipt.accepted and not receipt.error:
            self._seen[same] = self._clock()
        return _answer(receipt, head, ack)

    async def _poll(self, head: dc09.Head, frame: bytes, ack: bytes) -> bytes:
        count(self._counters, "polls")
        account, now = head.account, self._now()
        last = self._polls.get(account)
        if last is not None and 0 <= now - last < POLL_EVERY:
            return ack
        receipt = await self._record(frame, account, BLOCK)
        if receipt.error or not receipt.accepted:
            return _answer(receipt, head, ack)
        self._polls[account] = now
        self._polls.move_to_end(account)
        while len(self._polls) > REMEMBERED:
            self._polls.popitem(last=False)
        return ack

    async def _refuse(self, frame: bytes, address: str) -> bytes:
        """NAK with our time; the bytes are in the journal all the same."""
        await self._record(frame[: dc09.MAX_FRAME], address, "unreadable")
        return dc09.write_nak(self._now())

    async def _record(self, frame: bytes, address: str, channel: str) -> Receipt:
        assert self._hear is not None
        try:
            receipt = await self._hear(Frame("tcp", address, frame, self._now(), channel))
        except Exception:
            log.exception("a frame of %s could not be handed over", address)
            receipt = Receipt(accepted=False)
        count(self._counters, "frames" if receipt.accepted else "not_recorded")
        return receipt

    def _is_repeat(self, same: tuple[str, str, bytes]) -> bool:
        earliest = self._clock() - SAME_WITHIN
        while self._seen and (next(iter(self._seen.values())) < earliest or len(self._seen) > REMEMBERED):
            self._seen.popitem(last=False)
        return same in self._seen

    def _become(self, state: LinkState, reason: str) -> None:
        self._reason = reason
        if state != self._state:
            self._state, self._since = state, self._now()
            log.info("link %s is %s%s", self.name, state, f": {reason}" if reason else "")

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()


def _answer(receipt: Receipt, head: dc09.Head, ack: bytes) -> bytes:
    """What a panel is told: we have it; we have it and it says nothing to us; or nothing, so that it comes again."""
    if not receipt.accepted:
        return b""
    return dc09.write_duh(head) if receipt.error else ack


class _Datagrams(asyncio.DatagramProtocol):
    """Hands every datagram up, with a way to answer it."""

    def __init__(self, heard: Callable[[bytes, tuple[str, int], Callable[[bytes], None]], None]) -> None:
        self._heard = heard
        self._socket: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        udp = self._socket
        assert udp is not None
        self._heard(data, (str(addr[0]), int(addr[1])), lambda out: udp.sendto(out, addr))
