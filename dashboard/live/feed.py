"""The feed: follows the changes, keeps the board, and gives each channel its frames and its heartbeat.

The database is the truth and is read once a second; a hint on the broker, or an action taken in this process,
only makes it look at once. A feed that cannot read the database sends no heartbeat: silence must look like
failure, and a page that hears nothing says so within ten seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog
from sqlalchemy import func
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from dashboard.auth import sessions
from dashboard.auth.scope import Scope, scope_of
from dashboard.auth.sessions import Viewer
from dashboard.live import changes
from dashboard.live.board import Board, Mark, admits, count, mark_of, read_marks
from dashboard.live.changes import Changed
from dashboard.live.channel import Channel, Client
from dashboard.live.frames import AUTH, BYE, FULL, RETRY, cursor_text, frame
from dashboard.live.telling import Telling, WriteRow, gone
from dashboard.look.words import Language
from dashboard.reads.alerts import alerts_by_id, cursor, told
from dashboard.reads.place import epoch, place, silence_allowed
from drivers.events import Millis
from hub.clock import Clock
from hub.store.centre_tables import Alert, Gateway
from hub.store.engine import Store

BEAT = 2.0
"""Real seconds between heartbeats."""
LOOK_EVERY = 1.0
"""Real seconds between looks at the database without a hint."""
FRESH = 3.0
"""Real seconds since the last good look, beyond which there is no heartbeat."""
STREAMS_EACH = 4
"""Open streams of one web session; a browser has six connections to a host and needs some for pages."""


class Feed:
    """One for each web process."""

    def __init__(
        self, store: Store, clock: Clock, real: Clock, write: WriteRow, loop_time: Callable[[], float]
    ) -> None:
        self._store, self._clock, self._real, self._write = store, clock, real, write
        self._loop_time = loop_time
        self._news = asyncio.Event()
        self._channels: dict[tuple[Scope, Language], Channel] = {}
        self._board = Board()
        self._good_at = self._around_at = float("-inf")
        self._silent_for: Millis | None = None
        self.epoch = ""
        self.seq = 0
        self.frames = 0

    # ------------------------------------------------------------ following the database

    def nudge(self) -> None:
        """Something has changed: look now."""
        self._news.set()

    async def follow(self) -> None:
        """Follow the changes for ever; a failing database is tried again each second."""
        while True:
            try:
                await self.catch_up()
            except Exception as fault:
                structlog.get_logger().error("the changes cannot be read", fault=str(fault))
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    async def catch_up(self) -> None:
        """Read and send everything new; the first time, or with another database, begin anew."""
        async with self._store.reading() as session:
            await self._look_around(session)
            while True:
                batch = await changes.after(session, self.seq)
                if batch:
                    await self._send_batch(session, changes.newest_of_each(batch))
                    self.seq = batch[-1].seq or self.seq
                if len(batch) < changes.AT_ONCE:
                    break
        self._good_at = self._loop_time()

    async def _look_around(self, session: AsyncSession) -> None:
        """Once a second: is it still the same database, and are the sensors heard?"""
        if self._loop_time() - self._around_at < LOOK_EVERY:
            return
        if await epoch(session) != self.epoch:
            await self._begin(session)
        self._silent_for = await self._silence(session)
        self._around_at = self._loop_time()

    async def _begin(self, session: AsyncSession) -> None:
        seq = await cursor(session)
        self._board = Board(await read_marks(session))
        self.epoch, self.seq = await epoch(session), seq
        for channel in self._channels.values():
            self._reset(channel.clients)
        self._channels.clear()

    def _reset(self, clients: Iterable[Client]) -> None:
        for client in list(clients):
            client.put(frame("reset", {"cursor": cursor_text(self.epoch, self.seq)}))
            client.end()

    async def _silence(self, session: AsyncSession) -> Millis | None:
        """How long no gateway at all has been heard, if that is longer than it may be; None if all is well."""
        heard = func.coalesce(Gateway.last_heard, Gateway.since)
        newest: Millis | None = (await session.exec(select(func.max(heard)))).one()
        if newest is None:
            return None
        silent = self._clock.now() - newest
        return silent if silent > silence_allowed(await place(session)) else None

    # ------------------------------------------------------------ frames

    async def _send_batch(self, session: AsyncSession, batch: list[Changed]) -> None:
        telling, rows = await self._load(session, batch)
        for one in batch:
            if one.subject == "alert" and one.ref.isdigit():
                self._send_alert(one, rows.get(int(one.ref)), telling)
            else:
                self._send_elsewhere(one)
        for channel in self._channels.values():
            if not channel.counted:
                channel.counted = True
                self._send(channel, frame("n", channel.counts.as_json()))

    async def _load(
        self, session: AsyncSession, batch: Iterable[Changed]
    ) -> tuple[Telling, dict[int, Alert]]:
        wanted = [int(one.ref) for one in batch if one.subject == "alert" and one.ref.isdigit()]
        rows = await told(session, await alerts_by_id(session, wanted))
        telling = Telling({row.id: row for row in rows}, self._clock.now(), self._write)
        return telling, {row.id: row.alert for row in rows}

    def _send_alert(self, one: Changed, alert: Alert | None, telling: Telling) -> None:
        number = int(one.ref)
        mark = mark_of(alert) if alert else None
        now = mark if alert and alert.handling != "resolved" else None
        before = self._board.replace(number, now)
        for channel in self._channels.values():
            content = self._for_channel(channel, one.seq, before, now, mark, telling)
            if content:
                channel.seq = one.seq
                self._send(channel, content)

    def _for_channel(
        self,
        channel: Channel,
        seq: int,
        before: Mark | None,
        now: Mark | None,
        mark: Mark | None,
        telling: Telling,
    ) -> bytes:
        """The frame that tells this channel of a change, empty if it is none of its business."""
        saw = before if before and admits(channel.scope, before) else None
        sees = now if now and admits(channel.scope, now) else None
        if saw:
            channel.counts.add(saw, -1)
        if sees:
            channel.counts.add(sees)
        channel.counted = channel.counted and not (saw or sees)
        identity = cursor_text(self.epoch, seq)
        if sees:
            op = "put" if saw else "add"
            return telling.row(sees.id, op, channel.scope.redaction, channel.language, identity)
        if not saw:
            return b""
        if mark and admits(channel.scope, mark):
            return telling.row(saw.id, "del", channel.scope.redaction, channel.language, identity)
        return gone(saw.id, identity)

    def _send_elsewhere(self, one: Changed) -> None:
        """Tell that something of a home changed; a page that shows the home fetches it anew."""
        if not one.home:
            return
        content = frame("d", {"home": one.home}, cursor_text(self.epoch, one.seq))
        for channel in self._channels.values():
            if channel.scope.reaches(zone=one.zone, home=one.home):
                channel.seq = one.seq
                self._send(channel, content)

    def _send(self, channel: Channel, content: bytes) -> None:
        self.frames += len(channel.clients)
        channel.send(content)

    # ------------------------------------------------------------ clients

    def join(self, viewer: Viewer, language: Language) -> Client:
        """A browser begins to listen. A stream too many is told so and ended."""
        client = Client(viewer.session)
        if self._streams_of(viewer.session) >= STREAMS_EACH:
            client.put(FULL)
            client.end()
            return client
        self._channel(scope_of(viewer.actor), language).clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """A browser has gone; a channel without listeners goes as well."""
        for key, channel in list(self._channels.items()):
            channel.clients.discard(client)
            if not channel.clients:
                del self._channels[key]

    def _channel(self, scope: Scope, language: Language) -> Channel:
        key = (scope, language)
        if key not in self._channels:
            self._channels[key] = Channel(scope, language, count(self._board.seen_by(scope)))
        return self._channels[key]

    def _streams_of(self, session: str) -> int:
        return sum(client.session == session for client in self._clients())

    def _clients(self) -> list[Client]:
        return [client for channel in self._channels.values() for client in channel.clients]

    @property
    def listeners(self) -> int:
        """Open streams, for the metrics."""
        return len(self._clients())

    async def opening(self, viewer: Viewer, language: Language, seq: int | None, client: Client) -> bytes:
        """What a new stream begins with: the missed frames, or a reset, then retry and a heartbeat."""
        if client.ended:
            return RETRY
        scope = scope_of(viewer.actor)
        async with self._store.reading() as session:
            rows = None if seq is None else await changes.missed(session, seq)
            if rows is None:
                at = cursor_text(self.epoch, await cursor(session))
                return RETRY + frame("reset", {"cursor": at})
            missed = await self._missed(session, scope, language, changes.newest_of_each(rows))
        channel = self._channel(scope, language)
        beat = self._beat_of(channel) if self.fresh else b""
        return missed + RETRY + frame("n", channel.counts.as_json()) + beat

    async def _missed(
        self, session: AsyncSession, scope: Scope, language: Language, batch: list[Changed]
    ) -> bytes:
        telling, rows = await self._load(session, batch)
        parts: list[bytes] = []
        for one in batch:
            identity = cursor_text(self.epoch, one.seq)
            alert = rows.get(int(one.ref)) if one.subject == "alert" and one.ref.isdigit() else None
            if alert and admits(scope, mark_of(alert)):
                op = "del" if alert.handling == "resolved" else "put"
                parts.append(telling.row(alert.id or 0, op, scope.redaction, language, identity))
            elif one.subject != "alert" and one.home and scope.reaches(zone=one.zone, home=one.home):
                parts.append(frame("d", {"home": one.home}, identity))
        return b"".join(parts)

    # ------------------------------------------------------------ heartbeat

    async def beat_for_ever(self) -> None:
        """Send heartbeats for ever; none while the database cannot be read."""
        while True:
            await asyncio.sleep(BEAT)
            try:
                await self.beat()
            except Exception as fault:
                structlog.get_logger().error("no heartbeat", fault=str(fault))

    @property
    def fresh(self) -> bool:
        """Whether the changes have been read lately."""
        return self._loop_time() - self._good_at <= FRESH

    async def beat(self) -> None:
        """Check every listener's web session and scope, then tell each channel the time and its last seq."""
        await self._check_sessions()
        if not self.fresh:
            return
        for channel in self._channels.values():
            self._send(channel, self._beat_of(channel))

    def _beat_of(self, channel: Channel) -> bytes:
        return frame(
            "hb",
            {
                "t": self._clock.now(),
                "seq": channel.seq,
                "n": channel.counts.total,
                "real": self._real.now(),
                "silent": self._silent_for or 0,
            },
        )

    async def _check_sessions(self) -> None:
        if not self._channels:
            return
        now = self._real.now()
        asked = set(self._clients())
        ids = {client.session for client in asked}
        async with self._store.reading() as session:
            standing = await sessions.viewers(session, ids, now, self._clock.now())
        if any(viewer.due_to_be_marked(now) for viewer in standing.values()):
            async with self._store.writing() as session:
                await sessions.mark_seen(session, standing.keys(), now)
        for (scope, _), channel in list(self._channels.items()):
            # Who joined while the database was read was not asked about, and is checked with the next heartbeat.
            for client in channel.clients & asked:
                self._check(client, scope, standing.get(client.session), now)

    def _check(self, client: Client, scope: Scope, viewer: Viewer | None, now: Millis) -> None:
        if viewer is None:
            client.put(AUTH)
            client.end()
        elif scope_of(viewer.actor) != scope:
            self._reset([client])
        elif viewer.expires - now < sessions.WARNING:
            left = max(0, viewer.expires - now) // 1000
            client.put(frame("left", {"seconds": left, "extend": viewer.may_extend}))

    def farewell(self) -> None:
        """Tell every browser that this process is going down for a moment."""
        for client in self._clients():
            client.put(BYE)
            client.end()
