"""One connectable device: connect when it is heard, subscribe, hear it out, let go, begin again.

Connections go through bleak-retry-connector with a deadline of our own. Whatever happens, `disconnect` is
called: bleak keeps a D-Bus connection per link and closes it only there, also after the link is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError
from bleak_retry_connector import BleakClientWithServiceCache, establish_connection

from drivers.device_type import BleUse, Outgoing
from drivers.events import Millis
from drivers.links.back_off import BackOff
from drivers.links.ble.ear import Ear
from drivers.links.ble.routes import Routes
from drivers.links.ble.talking import Talking
from drivers.links.link import LinkDown
from drivers.protocols.conversation import Conversation

log = logging.getLogger(__name__)

Tell = Callable[[str, str, bytes], "asyncio.Future[bool] | None"]
"""Takes address, channel and bytes; what it returns says later whether they were written down."""
Count = Callable[[str], None]


ECHO = 1.0
"""Seconds in which the same value of a characteristic that we read is the same answer, heard twice."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the link waits for things, in seconds of real time.

    connect: for a connection with all its attempts. answer: for one GATT request. let_go: for a disconnection.
    linger: how long a silent connection is kept when others wait for its slot. silence: without any
    advertisement before the scan is begun anew. For devices that are visited only when there is a reason:
    visit_every, even without one; revisit, at least between two calls; idle, before the visit ends.
    """

    connect: float = 45.0
    answer: float = 10.0
    let_go: float = 10.0
    linger: float = 20.0
    silence: float = 90.0
    visit_every: float = 4 * 3600.0
    revisit: float = 5.0
    idle: float = 2.0
    attempts: int = 2
    retry: float = 0.5
    longest_retry: float = 60.0


@dataclass(slots=True)
class Session:
    """The conversation with one device. use: what to do once connected. ear: the adapter it goes through just now."""

    address: str
    use: BleUse
    routes: Routes
    tell: Tell
    count: Count
    now: Callable[[], Millis]
    patience: Patience
    reason: str = "not heard yet"
    failing: bool = False
    ear: Ear | None = None
    _client: BleakClientWithServiceCache | None = None
    _read_lately: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    _talking: Talking | None = None
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _senders: int = 0
    _visited_at: float = float("-inf")
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)
    _heard_at: float = 0.0

    @property
    def connected(self) -> bool:
        """Whether the device is connected and subscribed to."""
        return self._ready.is_set()

    async def run(self) -> None:
        """Connect whenever the device is heard, for ever."""
        back_off = BackOff(self.patience.retry, self.patience.longest_retry)
        while True:
            await self._reason_to_visit()
            try:
                async with contextlib.AsyncExitStack() as held:
                    self.ear = ear = await self.routes.slot(self.address, held, urgent=self._by_reason)
                    if ear is None:
                        self.routes.used(self.address)
                        continue
                    await self._visit(ear)
                back_off.reset()
                self.reason = "it has gone"
                self.count("links_ended")
            except (BleakError, TimeoutError, EOFError, OSError) as error:
                self.failing = True
                self.reason = f"{self.address}: {error or type(error).__name__}"
                self.count("connect_failures")
                log.info("%s", self.reason)
                await asyncio.sleep(back_off.wait())
            finally:
                self.ear = None

    def called(self, manufacturer: dict[int, bytes]) -> None:
        """An advertisement was heard; it may be a reason to visit."""
        if self.use.calls is None or self._wanted.is_set() or not self.use.calls(manufacturer):
            return
        if asyncio.get_running_loop().time() - self._visited_at > self.patience.revisit:
            self._wanted.set()

    async def send(self, outgoing: Outgoing) -> None:
        """Send to the device, waiting for its connection if need be. Raises LinkDown."""
        self._senders += 1
        self._wanted.set()
        try:
            async with asyncio.timeout(outgoing.wait / 1000):
                await self._ready.wait()
                await self._hand_over(outgoing)
        except TimeoutError:
            raise LinkDown(
                f"{self.address} did not take it within {outgoing.wait} ms: {self.reason}"
            ) from None
        except (BleakError, EOFError, OSError) as error:
            raise LinkDown(f"{self.address}: {error}; whether it arrived is not known") from error
        finally:
            self._senders -= 1

    @property
    def _by_reason(self) -> bool:
        return self.use.calls is not None

    async def _reason_to_visit(self) -> None:
        """A device that stays connected is visited when it is heard; the others when there is a reason."""
        if self._by_reason and not self._senders:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.patience.visit_every):
                    await self._wanted.wait()
        await self.routes.heard(self.address)

    async def _hand_over(self, outgoing: Outgoing) -> None:
        if self._talking is not None:
            await self._talking.send(outgoing)
            return
        if self._client is None:
            raise LinkDown(f"{self.address} has just gone")
        await self._client.write_gatt_char(outgoing.channel, outgoing.payload, response=True)

    async def _visit(self, ear: Ear) -> None:
        self._gone.clear()
        self._wanted.clear()
        self._visited_at = float("inf")  # what it calls for while we are on our way is what we come for
        self.routes.used(self.address)
        client: BleakClientWithServiceCache | None = None
        try:
            talk = self._conversation()
            self._client = client = await self._connect(ear)
            self.routes.used(self.address)  # what was heard on the way here is no reason to come again
            self.count("connections")
            if talk is not None:
                self._talking = Talking(talk, self._write, self._tell)
            await self._prepare(client)
            self.reason, self.failing = "", False
            await self._stay(ear)
        finally:
            self._ready.clear()
            self._client = None
            talking, self._talking = self._talking, None
            if talking is not None:
                if talking.unfinished:
                    self._wanted.set()  # what became of it is asked at the next connection
                talking.lost()
            self._visited_at = asyncio.get_running_loop().time()
            if client is not None:
                await self._let_go(client)

    def _conversation(self) -> Conversation | None:
        if self.use.conversation is None:
            return None
        try:
            talk: Conversation = self.use.conversation(self.use.visit(self.now()))
        except ValueError as wrong:
            raise BleakError(str(wrong)) from None
        return talk

    async def _write(self, channel: str, payload: bytes) -> None:
        client = self._client
        if client is None:
            raise BleakError("it has just gone")
        async with asyncio.timeout(self.patience.answer):
            await client.write_gatt_char(channel, payload, response=True)

    async def _connect(self, ear: Ear) -> BleakClientWithServiceCache:
        device = self.routes.newest(self.address, ear)
        if device is None:
            raise BleakError("it is not on the air any more")
        async with asyncio.timeout(self.patience.connect):
            return await establish_connection(
                BleakClientWithServiceCache,
                device,
                self.address,
                disconnected_callback=lambda _client: self._gone.set(),
                max_attempts=self.patience.attempts,
                ble_device_callback=lambda: self.routes.newest(self.address, ear) or device,
                **ear.radio.client,
            )

    async def _prepare(self, client: BleakClientWithServiceCache) -> None:
        if self.use.pair:
            async with asyncio.timeout(self.patience.answer):
                await client.pair()
        present = [one for uuid in self.use.subscribe if (one := _find(client, uuid)) is not None]
        if not present:
            # A table from before the device's update or from BlueZ's restart: forget it, connect anew.
            async with asyncio.timeout(self.patience.answer):
                await client.clear_cache()
            raise BleakError(f"it has none of the characteristics {', '.join(self.use.subscribe)}")
        await self._read_all(client, self.use.first)
        for characteristic in present:
            await self._subscribe(client, characteristic)
        await self._read_all(client, self.use.read)
        for outgoing in self.use.greeting(self.use.visit(self.now())):
            if (one := _find(client, outgoing.channel)) is not None:
                await self._greet(client, one, outgoing.payload)

    async def _subscribe(
        self, client: BleakClientWithServiceCache, characteristic: BleakGATTCharacteristic
    ) -> None:
        def on_value(_from: BleakGATTCharacteristic, value: bytearray) -> Any:
            # bleak asks for nothing; our own backend confirms an indication when this is done.
            return self._heard(characteristic.uuid, bytes(value))

        async with asyncio.timeout(self.patience.answer):
            await client.start_notify(characteristic, on_value)

    async def _read_all(self, client: BleakClientWithServiceCache, wanted: tuple[str, ...]) -> None:
        for uuid in wanted:
            if (one := _find(client, uuid)) is not None:
                await self._read(client, one)

    async def _read(
        self, client: BleakClientWithServiceCache, characteristic: BleakGATTCharacteristic
    ) -> None:
        """Read a value; a device that refuses it is heard all the same."""
        try:
            async with asyncio.timeout(self.patience.answer):
                value = bytes(await client.read_gatt_char(characteristic))
        except (BleakError, TimeoutError) as error:
            if self._gone.is_set():
                raise
            self.count("reads_refused")
            log.info("%s refused to tell %s: %s", self.address, characteristic.uuid, error)
        else:
            self._tell(characteristic.uuid, value)

    async def _greet(
        self, client: BleakClientWithServiceCache, characteristic: BleakGATTCharacteristic, payload: bytes
    ) -> None:
        """Write a greeting; a device that refuses it is heard all the same."""
        try:
            async with asyncio.timeout(self.patience.answer):
                await client.write_gatt_char(characteristic, payload, response=True)
        except (BleakError, TimeoutError) as error:
            if self._gone.is_set():
                raise
            self.count("greetings_refused")
            log.info("%s refused what was written to %s: %s", self.address, characteristic.uuid, error)

    async def _stay(self, ear: Ear) -> None:
        """Stay until the device goes, nothing is left to do, or a long silent one is in another's way."""
        self._heard_at = asyncio.get_running_loop().time()
        ends = {
            asyncio.ensure_future(self._gone.wait()),
            asyncio.ensure_future(self._idle() if self._by_reason else self._linger(ear)),
        }
        if self._talking is not None:
            self._talking.begin()
            ends.add(asyncio.ensure_future(self._talking.run()))
        self._ready.set()
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()  # a write that failed ends the visit with its error
        finally:
            for one in ends:
                one.cancel()

    async def _idle(self) -> None:
        """Return when nobody wants anything and the device has said nothing for a moment."""
        loop = asyncio.get_running_loop()
        while True:
            busy = self._talking is not None and self._talking.busy
            quiet = self.patience.answer if busy else self.patience.idle
            left = self._heard_at + quiet - loop.time()
            if left <= 0 and not self._senders:
                return
            await asyncio.sleep(self.patience.idle)

    async def _linger(self, ear: Ear) -> None:
        """Return when the slot is wanted and the device has said nothing for a while."""
        loop = asyncio.get_running_loop()
        while True:
            await ear.slots.wanted()
            left = self._heard_at + self.patience.linger - loop.time()
            if left <= 0:
                return
            await asyncio.sleep(left)

    async def _let_go(self, client: BleakClientWithServiceCache) -> None:
        try:
            async with asyncio.timeout(self.patience.let_go):
                await client.disconnect()
        except (BleakError, TimeoutError, EOFError, OSError) as error:
            self.count("not_let_go")  # its D-Bus connection may stay open
            log.warning("%s was not let go: %s", self.address, error or type(error).__name__)

    def _heard(self, channel: str, payload: bytes) -> asyncio.Future[bool] | None:
        self._heard_at = asyncio.get_running_loop().time()
        if self._talking is None:
            return self._tell(channel, payload)
        return self._talking.heard(channel, payload)

    def _tell(self, channel: str, payload: bytes) -> asyncio.Future[bool] | None:
        if channel in self.use.read and self._is_echo(channel, payload):
            return None
        return self.tell(self.address, channel, payload)

    def _is_echo(self, channel: str, payload: bytes) -> bool:
        """Whether this is what was just read: BlueZ tells a subscriber that, too, as if it had been notified (5.66)."""
        now = asyncio.get_running_loop().time()
        before, at = self._read_lately.get(channel, (b"", float("-inf")))
        self._read_lately[channel] = (payload, now)
        return payload == before and now - at < ECHO


def _find(client: BleakClientWithServiceCache, uuid: str) -> BleakGATTCharacteristic | None:
    return client.services.get_characteristic(uuid)
