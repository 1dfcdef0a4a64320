"""Carries out what a conversation asks for: writes in their order, frames to the journal, answers to who waits."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from bleak.exc import BleakError

from drivers.device_type import Outgoing
from drivers.links.link import LinkDown
from drivers.protocols.conversation import Act, Conversation, Failed, Sent, Tell, Write


class Talking:
    """One connection's conversation. write: one characteristic; tell: a frame. Both raise nothing but BleakError."""

    def __init__(
        self,
        talk: Conversation,
        write: Callable[[str, bytes], Awaitable[None]],
        tell: Callable[[str, bytes], asyncio.Future[bool] | None],
    ) -> None:
        self._talk = talk
        self._write = write
        self._tell = tell
        self._writes: asyncio.Queue[Write] = asyncio.Queue()
        self._tickets = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._lost = False

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._talk.busy or not self._writes.empty() or bool(self._waiting)

    @property
    def unfinished(self) -> bool:
        """Whether the next connection has to come at once and ask what became of something."""
        return self._talk.unfinished or bool(self._waiting)

    def begin(self) -> None:
        """The link is up."""
        self._perform(self._talk.begin())

    def heard(self, channel: str, payload: bytes) -> asyncio.Future[bool] | None:
        """The device said something; what is returned says later whether what is to be told of it was written down."""
        return self._perform(self._talk.heard(channel, payload))

    async def send(self, outgoing: Outgoing) -> None:
        """Send and wait for the device's answer. Raises LinkDown, and says how far it had come."""
        if self._lost:
            raise LinkDown("the link has just gone; nothing was sent")
        ticket = next(self._tickets)
        answered = self._waiting[ticket] = asyncio.get_running_loop().create_future()
        self._perform(self._talk.send(ticket, outgoing))
        try:
            await answered
        finally:
            self._waiting.pop(ticket, None)
            self._talk.cancel(ticket)

    async def run(self) -> None:
        """Write what is to be written, for ever; ends by cancellation or with the link's error."""
        while True:
            one = await self._writes.get()
            try:
                await self._write(one.channel, one.payload)
            except (BleakError, TimeoutError):
                if not one.may_fail:
                    raise

    def lost(self) -> None:
        """The link is gone: everybody who waits learns what is known."""
        self._lost = True
        self._perform(self._talk.lost())
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(LinkDown("the link was lost; whether it arrived is not known"))

    def _perform(self, acts: list[Act]) -> asyncio.Future[bool] | None:
        written: asyncio.Future[bool] | None = None
        for act in acts:
            match act:
                case Write():
                    self._writes.put_nowait(act)
                case Tell(channel, payload):
                    written = self._tell(channel, payload)
                case Sent(ticket):
                    self._settle(ticket, None)
                case Failed(ticket, reason):
                    self._settle(ticket, LinkDown(reason))
        return written

    def _settle(self, ticket: int, wrong: LinkDown | None) -> None:
        answered = self._waiting.get(ticket)
        if answered is None or answered.done():
            return
        if wrong is None:
            answered.set_result(None)
        else:
            answered.set_exception(wrong)
