"""The shipped incidents through a whole gateway and a whole centre: from the wire to the alerts that people see.

Each home's gateway is the real one on its own database: it hears frames, commits, judges, and keeps what it cannot
send. The centre takes its batches in, commits, judges what gateways say of themselves, and opens alerts. Nothing runs
by itself and nothing is waited for: the scenario's own time is handed to everybody, and a gateway that is down in the
scenario is stopped and boots again from its disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlmodel import col, select

from drivers.events import Frame, Millis, parse_time
from drivers.links.mqtt_client import Message
from drivers.protocols import mqtt_topics
from hub.centre.areas.judging import AreaJudging
from hub.centre.intake.intake import Intake
from hub.centre.judging import Judging
from hub.clock import ManualClock
from hub.gateway import outbox
from hub.gateway.gateway import Gateway
from hub.gateway.storage import open_storage
from hub.registry.importing import import_file
from hub.registry.models import DevicePart, RegistryFile
from hub.settings import GatewaySettings
from hub.store.centre_tables import Alert
from hub.store.engine import open_store, sqlite_url
from hub.uplink.messages import LANES, Ack, up_topic
from rules import load_book, standard_book_text
from simulators.__main__ import dry
from simulators.mqtt.native import Native
from simulators.mqtt_devices.said import Said
from simulators.play.foreign_units import ForeignHome, is_foreign
from simulators.scenario.load import load
from simulators.scenario.model import Beat, Scenario
from simulators.scenario.plan import Trouble, day_begin, expected, troubles
from simulators.town.registry import registry

INCIDENTS = ("eight_presses", "silent_upgrade", "power_cut", "mobile_outage", "dst_spring", "dst_autumn")
BESIDE = {"silent_upgrade": ["late-report h1"]}
"""What a gateway raises without a rule of the book: told half a day late that a dose of that morning was due."""

TOGETHER: Millis = 60_000
"""What is heard within so long is judged and sent up together; alerts have their own instants all the same."""
BEFORE: Millis = 40 * 60_000
AFTER: Millis = 10 * 60_000
"""Of the day, what lies so long before the first and after the last of what happens is played."""
LOOK_EVERY: Millis = 10 * 60_000


@dataclass
class Box:
    """A gateway of the scenario, on its disk; None while it is down."""

    settings: GatewaySettings
    clock: ManualClock
    gateway: Gateway | None = None

    async def boot(self) -> None:
        """Start from what the disk holds."""
        storage = await open_storage(self.settings.folder / "gateway.db", self.clock.now())
        self.gateway = Gateway(self.settings, storage, self.clock)
        await self.gateway.boot()

    async def stop(self) -> None:
        """The box is off."""
        if self.gateway is not None:
            await self.gateway.stop()
            self.gateway = None

    async def judge(self) -> None:
        """What was heard, and what is due."""
        if self.gateway is not None:
            await self.gateway.judging.turn()

    async def batches(self) -> list[tuple[Message, Ack]]:
        """What it has to send, lane by lane, and what the centre will answer."""
        assert self.gateway is not None
        return await self.gateway.storage.writer.write(self._waiting)

    async def forget(self, acks: list[Ack]) -> None:
        """The centre holds these."""
        assert self.gateway is not None
        await self.gateway.storage.writer.write(lambda db: [outbox.acknowledge(db, ack) for ack in acks])

    def _waiting(self, db: sqlite3.Connection) -> list[tuple[Message, Ack]]:
        found, marks, epoch = [], outbox.marks(db), outbox.epoch(db)
        for lane in LANES:
            after = marks[lane].acked if lane in marks else 0
            while entries := outbox.take(db, lane, after):
                payload, after = outbox.batch_json(epoch, entries), entries.last
                message = Message(up_topic(self.settings.id, lane), payload, retain=False, size=len(payload))
                found.append((message, Ack(lane=lane, epoch=epoch, upto=after)))
        return found


@dataclass
class Municipality:
    """All gateways of a scenario, and the centre."""

    scenario: Scenario
    registry: RegistryFile
    boxes: Mapping[str, Box]
    clock: ManualClock
    store: Any
    intake: Intake
    judging: Judging
    areas: AreaJudging
    natives: dict[str, Native] = field(default_factory=dict)
    foreign: ForeignHome = field(init=False)

    def __post_init__(self) -> None:
        self.foreign = ForeignHome(one for one in self.scenario.devices.values() if is_foreign(one))

    async def live(self, first: Any) -> None:
        """What happens on the scenario's first day."""
        lasting = troubles(self.scenario, first)
        begin, end = self.clock.now(), span(self.scenario)[1]
        whole = sorted(self._score(first, lasting), key=lambda one: one[0])
        score = [one for one in whole if begin <= one[0] < end]
        looked = self.clock.now()
        for number, (at, line) in enumerate(score):
            while at - looked > LOOK_EVERY:
                looked += LOOK_EVERY
                await self._to(looked)
                await self._turn(lasting)
            await self._to(at)
            await self._play(line, lasting)
            after = score[number + 1][0] if number + 1 < len(score) else end
            if after - looked > TOGETHER:
                looked = at
                await self._turn(lasting)
        await self._to(end)
        await self._turn(lasting)

    def _score(self, first: Any, lasting: list[Trouble]) -> Iterator[tuple[Millis, Any]]:
        """Lines at their times, and gateways that go down and come up. A real gateway says its own at once."""
        for line in dry(self.scenario, first, 1):
            own = str(line["kind"]).startswith("gateway.")
            yield parse_time(line["at"] if own else line["heard"]), line
        for one in lasting:
            if one.do == "silent" and one.device in self.boxes:
                yield one.since, (one.device, False)
                yield one.until - 1, (one.device, True)

    async def _play(self, line: Any, lasting: list[Trouble]) -> None:
        if isinstance(line, tuple):
            name, up = line
            if not up:
                await self._turn(lasting)
            await (self.boxes[name].boot() if up else self.boxes[name].stop())
            return
        box = self._box_of(line)
        if box.gateway is None:
            return
        if str(line["kind"]).startswith("gateway."):
            await box.gateway.own.tell(line["kind"], **line["data"])
            return
        part = self.registry.devices[line["device"]]
        for said in self._said(line):
            receipt = await box.gateway.hearing.hear(_frame(said, part, self.clock.now()))
            assert receipt.accepted, receipt

    def _box_of(self, line: Mapping[str, Any]) -> Box:
        gateway = self.registry.homes[line["home"]].gateway
        assert gateway is not None
        return self.boxes[gateway]

    def _said(self, line: Mapping[str, Any]) -> list[Said]:
        beat = Beat(parse_time(line["at"]), line["device"], line["kind"], line["home"], line["data"])
        if is_foreign(self.scenario.devices[beat.device]):
            return list(self.foreign.say(beat))
        native = self.natives.setdefault(beat.device, Native(beat.home, beat.device, _nowhere, "t"))
        native.say(beat)
        said = [Said(f"{native.root}/event", one.payload) for one in native.waiting.values()]
        native.waiting.clear()
        return said

    async def _to(self, at: Millis) -> None:
        if (ahead := at - self.clock.now()) > 0:
            await self.clock.advance(ahead / 1000)

    async def _turn(self, lasting: list[Trouble]) -> None:
        """Judge, send up where there is a way, and let the centre judge."""
        now = self.clock.now()
        cut_off = {one.device for one in lasting if one.do == "cut_off" and one.since <= now < one.until}
        for name, box in self.boxes.items():
            await box.judge()
            if box.gateway is not None and name not in cut_off:
                batches = await box.batches()
                for message, _ in batches:
                    await self.intake.take(message)
                await box.forget([ack for _, ack in batches])
        await self.judging.step()
        await self.areas.step()

    async def alerts(self) -> list[Alert]:
        """What people see."""
        async with self.store.reading() as session:
            return list((await session.exec(select(Alert).order_by(col(Alert.at)))).all())

    def home_of(self, alert: Alert) -> str:
        """The home an alert is about; a gateway's is the one it serves, an outage of many is the area's."""
        homes = {home.gateway: name for name, home in self.registry.homes.items()}
        return homes.get(alert.device, alert.home) or "area"


def span(scenario: Scenario) -> tuple[Millis, Millis]:
    """When something happens that matters."""
    assert scenario.first_day is not None
    windows = expected(scenario, scenario.first_day)
    lasting = troubles(scenario, scenario.first_day)
    begin = min([one.since for one in windows] + [one.since for one in lasting]) - BEFORE
    end = max([one.until for one in windows] + [one.until for one in lasting]) + AFTER
    return max(begin, day_begin(scenario, scenario.first_day)), end


async def _nowhere(_topic: str, _payload: bytes) -> bool:
    return False


def _frame(said: Said, part: DevicePart, heard: Millis) -> Frame:
    place = mqtt_topics.read(said.topic)
    if part.address.startswith(mqtt_topics.ADOPTED):
        return Frame("mqtt", part.address, said.payload, heard, said.topic)
    return Frame("mqtt", part.address, said.payload, heard, place.channel)


@contextlib.asynccontextmanager
async def municipality(name: str, folder: Path) -> AsyncIterator[Municipality]:
    """Everybody at work in the scenario's homes, at the begin of its first day."""
    scenario = load(name)
    assert scenario.first_day is not None
    clock = ManualClock(span(scenario)[0])
    file = folder / "registry.yaml"
    file.write_text(registry(scenario), encoding="utf-8")
    whole = RegistryFile.model_validate(yaml.safe_load(file.read_text("utf-8")))
    book = load_book(standard_book_text(), source="standard.yaml")
    store = await open_store(sqlite_url(folder / "centre.db"), "centre")
    async with store.writing() as session:
        await import_file(session, whole, by="eva", now=clock.now())
    boxes = {
        one: Box(
            GatewaySettings(data=folder / one, id=one, uplink="mqtt://127.0.0.1:1", registry=file), clock
        )
        for one in whole.gateways
    }
    intake = Intake(store, clock, acked=lambda *_: None)
    judging = Judging(store, clock, book, lambda: None)
    areas = AreaJudging(store, clock, book, lambda: None)
    await judging.start()
    await areas.start()
    working = asyncio.create_task(intake.run())
    try:
        for box in boxes.values():
            await box.boot()
        yield Municipality(scenario, whole, boxes, clock, store, intake, judging, areas)
    finally:
        for box in boxes.values():
            await box.stop()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await store.close()


def said_of(alert: Alert, home: str) -> str:
    """An alert for people who read a failing test."""
    return f"{alert.rule} {home} {datetime.fromtimestamp(alert.at / 1000, UTC):%m-%dT%H:%M:%SZ}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", INCIDENTS)
async def test_people_see_the_alerts_that_the_incident_expects(name: str, tmp_path: Path) -> None:
    """Each expected alert is opened, in its window; nothing besides but what the hub says of itself."""
    async with municipality(name, tmp_path) as town:
        first = town.scenario.first_day
        assert first is not None
        await town.live(first)
        alerts = await town.alerts()
        windows = expected(town.scenario, first)
        unexpected, left, beside = [], list(windows), BESIDE.get(name, [])
        for alert in alerts:
            home = town.home_of(alert)
            fits = [
                one
                for one in windows
                if (one.rule, one.home) == (alert.rule, home) and one.since <= alert.at <= one.until
            ]
            left = [one for one in left if one not in fits]
            if f"{alert.rule} {home}" in beside:
                beside = [one for one in beside if one != f"{alert.rule} {home}"]
            elif not fits and not alert.rule.startswith("hub:"):
                unexpected.append(said_of(alert, home))
        assert (unexpected, [f"{one.rule} {one.home}" for one in left], beside) == ([], [], [])
