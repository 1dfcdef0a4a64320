"""Our devices in Home Assistant: announced, shown as they are, and never commanded from there. Off unless asked for.

Everything here is a courtesy: it takes events after they were written down and judged elsewhere, never waits for its
broker, and forgets before it grows. States are kept by the broker (retained), so that Home Assistant knows them after
a restart; a device that has been silent for longer than its type allows is shown as not available, and all of them
when this gateway is gone (its last will).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from drivers.events import Event, Millis
from drivers.links.mqtt_client import Message, MqttClient, NotConnected
from hub.clock import Clock
from hub.gateway.home_assistant_entities import Place, Shown, at_first, possible, words
from hub.gateway.journal import Noted
from hub.gateway.roll import Assigned, Roll

MAX_NEWS = 500
"""Happenings waiting for the broker; the oldest are let go, for they would be old news."""

HEEDED = 2.0
"""Seconds after an announcement until Home Assistant surely listens to the new entity; it subscribes in bundles."""

LOOK_EVERY: Millis = 30_000
"""World time between two looks for devices that have fallen silent."""

GOODBYE = 1.0
"""Seconds for saying that we are gone."""

ONLINE, OFFLINE = b"online", b"offline"

say = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class HomeAssistant:
    """Shows this gateway's devices. url: the broker Home Assistant is on; prefix: its discovery prefix."""

    url: str
    prefix: str
    gateway: str
    roll: Callable[[], Roll]
    clock: Clock
    counters: Counter[str] = field(default_factory=Counter)
    place: Place = field(init=False)
    client: MqttClient = field(init=False)
    _kept: dict[str, bytes] = field(default_factory=dict)
    _due: dict[str, bytes] = field(default_factory=dict)
    _news: deque[tuple[str, bytes]] = field(default_factory=lambda: deque(maxlen=MAX_NEWS))
    _young: dict[str, list[bytes]] = field(default_factory=dict)
    _heard: dict[str, Millis] = field(default_factory=dict)
    _entities: dict[str, dict[str, Shown]] = field(default_factory=dict)
    _wanted: frozenset[str] = frozenset()
    _began: Millis = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.place = Place(self.prefix, self.gateway)
        self._began = self.clock.now()
        self.client = MqttClient(
            self.url,
            f"gateway-{self.gateway}-home-assistant",
            optional=(self.place.own_configs,),
            on_message=self._own_announcement,
            will=(self.place.status, OFFLINE),
            will_retained=True,
            on_state=lambda state, _reason: self._anew() if state == "up" else None,
        )

    # ------------------------------------------------------------ what the gateway tells us

    def take(self, noted: Iterable[Noted]) -> None:
        """Events just committed. Never raises: what comes after us must not depend on a courtesy."""
        devices = self.roll().devices
        for one in noted:
            device = devices.get(one.event.device)
            if not one.new or device is None:
                continue
            try:
                self._show(one.event, device)
            except Exception:
                self.counters["broken"] += 1
                say.exception("an event could not be shown to Home Assistant", kind=one.event.kind)

    def changed(self) -> None:
        """The registry changed: announce what is new, take back what is gone."""
        self._anew()
        for topic in [one for one in self._kept if one.startswith(self.prefix) and one not in self._wanted]:
            self._take_back(topic, self._kept[topic])

    def _show(self, event: Event, device: Assigned) -> None:
        self._heard[device.id] = event.heard
        self._keep(self.place.device_status(device.id), ONLINE)
        for word in words(event, device):
            known = self._entities.setdefault(device.id, {})
            topic = self.place.state(device.id, word.shown)
            if word.shown.key not in known:
                known[word.shown.key] = word.shown
                self._announce(device, word.shown)
                if not word.kept:
                    self._wait_until_heeded(topic)
            if word.kept:
                self._keep(topic, word.payload)
            elif topic in self._young:
                self._young[topic].append(word.payload)
            else:
                self._tell(topic, word.payload)

    def _wait_until_heeded(self, topic: str) -> None:
        """What happens once is kept by nobody: said to an entity that nobody listens to yet, it would be lost."""
        self._young[topic] = []
        asyncio.get_running_loop().call_later(HEEDED, self._grown, topic)

    def _grown(self, topic: str) -> None:
        for payload in self._young.pop(topic, ()):
            self._tell(topic, payload)

    def _tell(self, topic: str, payload: bytes) -> None:
        """Say what happened once."""
        self.counters["let_go"] += len(self._news) == MAX_NEWS
        self._news.append((topic, payload))
        self._wake.set()

    # ------------------------------------------------------------ at work

    async def run(self) -> None:
        """Show until cancelled, and then say that we are gone: a broker tells our last will only of a crash."""
        parts = [asyncio.create_task(one()) for one in (self.client.run, self._publish, self._look)]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            with contextlib.suppress(NotConnected, TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    await self.client.publish(self.place.status, OFFLINE, retain=True)
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _publish(self) -> None:
        while True:
            await self.client.up.wait()
            try:
                await self._publish_what_waits()
            except NotConnected as wrong:  # everything kept is said anew after the next connect
                say.info("Home Assistant's broker was lost", why=str(wrong))
                self.counters["cut_off"] += 1
            await self._wake.wait()
            self._wake.clear()

    async def _publish_what_waits(self) -> None:
        while self._due or self._news:
            if self._due:
                topic = next(iter(self._due))
                await self.client.publish(topic, self._due.pop(topic), retain=True)
            else:
                await self.client.publish(*self._news.popleft())
            self.counters["said"] += 1

    async def _look(self) -> None:
        while True:
            await self.clock.sleep(LOOK_EVERY / 1000)
            now = self.clock.now()
            for device in self.roll().devices.values():
                if self._is_silent(device, now):
                    self._keep(self.place.device_status(device.id), OFFLINE)

    def _is_silent(self, device: Assigned, now: Millis) -> bool:
        after = device.silent_after
        return after is not None and now - self._heard.get(device.id, self._began) > after * 1000

    # ------------------------------------------------------------ what is to be said

    def _anew(self) -> None:
        """Say everything kept again, since a broker may have forgotten it."""
        now = self.clock.now()
        devices = [one for one in self.roll().devices.values() if one.is_assigned(now)]
        self._wanted = frozenset(
            self.place.config(one.id, shown) for one in devices for shown in possible(one)
        )
        for device in devices:
            known = self._entities.setdefault(device.id, {})
            known.update({one.key: one for one in at_first(device)})
            for shown in known.values():
                self._announce(device, shown)
        self._due = {self.place.status: ONLINE, **self._due, **self._kept}
        self._wake.set()

    def _announce(self, device: Assigned, shown: Shown) -> None:
        self._keep(self.place.config(device.id, shown), self.place.announcement(device, shown))

    def _keep(self, topic: str, payload: bytes) -> None:
        if self._kept.get(topic) != payload:
            self._kept[topic] = self._due[topic] = payload
            self._wake.set()

    def _take_back(self, topic: str, announcement: bytes) -> None:
        """An entity is gone: its announcement and state, and its device's status if that is gone too."""
        self.counters["taken_back"] += 1
        still = {self.place.device_status(one) for one in self.roll().devices}
        for each in (topic, *(one for one in self.place.told_of(announcement) if one not in still)):
            self._kept.pop(each, None)
            self._due[each] = b""
        self._wake.set()

    async def _own_announcement(self, message: Message) -> None:
        """An announcement of ours that the broker keeps, perhaps from before our last start."""
        if message.payload and message.topic not in self._wanted:
            self._take_back(message.topic, message.payload)
