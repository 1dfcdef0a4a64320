"""A gateway's database put back by hand from an old copy: whatever is lost, every event stands at the centre once.

The gateway's side is the uplink itself on a database in memory, the centre's side is the intake's storing and
answering. Between them is a broker that loses, holds back and repeats. Whatever the journal holds at the end was
acknowledged to a device; what only the replaced database held is gone with it, as with every copy.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from drivers.events import Event
from drivers.links.mqtt_client import Message
from hub.centre.intake import storing
from hub.centre.intake.answering import Answer, answers, joined, spans
from hub.centre.intake.greeting import Greeted
from hub.centre.intake.reading import read
from hub.centre.intake.watermark import Mark
from hub.centre.sending import ack_of
from hub.gateway import journal, outbox, upkeep
from hub.gateway.uplink import Uplink
from hub.store.centre_tables import Entry
from hub.store.engine import Store, open_store, sqlite_url
from hub.uplink.messages import LANES, OLD_COPY, Ack, Batch, LaneName

NOW = 1_768_424_520_000
KINDS: dict[LaneName, str] = {"alarm": "pendant.pressed", "care": "door.opened", "telemetry": "room.motion"}
BATCH = 2
"""Entries in a message here, so that a few events are several messages."""

T = TypeVar("T")


class Here:
    """A writer without a thread: each operation is one transaction of a database in memory."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    async def write(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run it."""
        return operation(self.db)


@dataclass
class Town:
    """A centre that plays many lives, each with a gateway's name of its own, on one loop."""

    runner: asyncio.Runner
    store: Store
    template: bytes = field(repr=False)
    names: Iterator[int] = field(default_factory=itertools.count)

    async def take(self, messages: Sequence[Message], greeted: Greeted) -> dict[storing.LaneKey, Mark]:
        """What the intake does with a group of messages, but for what they mean."""
        group = [read(one.topic, one.payload, one.size) for one in messages]
        async with self.store.writing() as session:
            stored = await storing.store(session, group, NOW)
            others = await greeted.marks(session, stored.marks)
        said = answers(group, stored, others)
        greeted.done(said)
        return said

    async def journal(self, gateway: str) -> Counter[str]:
        """How often each event stands there."""
        async with self.store.reading() as session:
            found = await session.exec(select(Entry.event_id).where(Entry.gateway == gateway))
            return Counter(one for one in found.all() if one is not None)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """One centre for all lives, and an empty gateway's database for each to begin with."""
    folder = tmp_path_factory.mktemp("town")
    with asyncio.Runner() as runner:
        centre = runner.run(open_store(sqlite_url(folder / "centre.db"), "centre"))
        runner.run(runner.run(open_store(sqlite_url(folder / "gateway.db"), "gateway")).close())
        yield Town(runner, centre, _plain(folder / "gateway.db"))
        runner.run(centre.close())


def _plain(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode=DELETE")
    return path.read_bytes()


class Life:
    """One gateway, its copies, and a broker that may lose what it was given."""

    def __init__(self, town: Town, *, tells_run: bool = True) -> None:
        self.town, self.tells_run = town, tells_run
        self.name = f"gw{next(town.names)}"
        self.greeted = Greeted()
        self.heard: list[Event] = []
        self.up: list[Message] = []
        self.down: list[tuple[storing.LaneKey, Mark]] = []
        self.copies: list[bytes] = []
        self.told: list[str] = []
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.begin(town.template)
        journal.ensure_marks(self.db)

    def begin(self, content: bytes) -> None:
        """The box starts on this database; nobody tells it whether it is an old one."""
        self.db.close()
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.deserialize(content)
        self.start()

    def start(self) -> None:
        """The program starts: a process that ended forgets what it had sent."""

        async def nothing(*_: Any) -> None:
            return None

        async def told(why: str) -> None:
            self.told.append(why)

        here: Any = Here(self.db)
        self.uplink = Uplink("mqtt://127.0.0.1:1", self.name, here, nothing, nothing, told, nothing)
        if not self.tells_run:
            self.uplink.run_id = ""
        line: Any = self
        self.uplink._client = line
        self.run(self.uplink.start())

    def run(self, what: Any) -> Any:
        """Run it to its end."""
        return self.town.runner.run(what)

    async def publish(self, topic: str, payload: bytes) -> None:
        """The broker took a batch."""
        self.up.append(Message(topic, payload, retain=False, size=len(payload)))

    # ------------------------------------------------------------ what may happen

    def hear(self, lane: LaneName) -> None:
        """A device says something new."""
        event = Event(f"{self.name}:{len(self.heard)}", NOW, NOW, "h1", "d1", KINDS[lane], {})
        self.heard.append(event)
        self.write(event)

    def repeat(self, which: int) -> None:
        """A device that heard no answer says it again, a little later; the journal knows it, or does not any more."""
        if self.heard:
            said = self.heard[which % len(self.heard)]
            self.write(Event(said.id, said.at, said.heard + 5, said.home, said.device, said.kind, {}))

    def write(self, event: Event) -> None:
        """Write it down and nudge."""
        line = journal.line_of(event)
        journal.append(self.db, line)
        self.uplink.nudge([line.lane])

    def send(self, lane: LaneName) -> None:
        """One batch goes to the broker, if there is one."""
        if self.uplink.cursors.lanes[lane].can_send():
            self.run(self.uplink._send_batch(lane))

    def arrive(self) -> None:
        """Everything the broker holds arrives, in one group, and the answers wait to go out."""
        if self.up:
            said = self.run(self.town.take(self.up, self.greeted))
            self.up.clear()
            self.down += said.items()

    def answer(self) -> None:
        """The answers that wait arrive, those of a lane joined as the centre does."""
        waiting: dict[storing.LaneKey, Mark] = {}
        for key, mark in self.down:
            waiting[key] = joined(waiting.get(key), mark)
        self.down.clear()
        for (_, epoch, lane), mark in waiting.items():
            text = ack_of(epoch, _lane(lane), mark).model_dump_json(exclude_defaults=True).encode()
            topic = f"gateways/{self.name}/down/ack"
            self.run(self.uplink._on_ack(Message(topic, text, retain=False, size=len(text))))

    def do(self, action: Any) -> None:
        """One thing that happens."""
        match action:
            case ("hear", lane):
                self.hear(lane)
            case ("repeat", which):
                self.repeat(which)
            case ("send", lane):
                self.send(lane)
            case ("arrive twice",):
                again = list(self.up)
                self.arrive()
                self.up += again
            case ("arrive",):
                self.arrive()
            case ("answer",):
                self.answer()
            case ("lose", "up"):
                self.up.clear()
            case ("lose", "down"):
                self.down.clear()
            case ("talk",):
                self.talk()
            case ("centre starts",):
                self.greeted.forget()
            case ("copy",):
                self.copies.append(self.db.serialize())
            case ("put back", which) if self.copies:
                self.begin(self.copies[which % len(self.copies)])
            case ("crash",):
                self.start()
            case ("reconnect",):
                self.uplink.cursors.rewind_all(0.0)
            case ("forget",):
                self.db.execute("UPDATE engine_state SET covers = 1000000")
                upkeep.forget(self.db, 10**15, 10_000)

    def talk(self) -> None:
        """A good moment: everything that may go up does, arrives and is answered."""
        for lane in KINDS:
            self.send(lane)
        self.arrive()
        self.answer()

    def settle(self) -> None:
        """Nothing is lost any more; time passes until all is acknowledged."""
        for _ in range(100):
            self.uplink.cursors.rewind_all(0.0)
            self.talk()
            marks = outbox.marks(self.db).values()
            waiting = self.db.execute("SELECT count(*) FROM journal WHERE number IS NULL").fetchone()[0]
            if not waiting and all(mark.acked == mark.last for mark in marks):
                return
        raise AssertionError(f"the outbox stands still at {outbox.marks(self.db)}")

    def held(self) -> set[str]:
        """The events in the journal that is in use."""
        rows = self.db.execute("SELECT once FROM journal WHERE type = 'event'").fetchall()
        return {once.removeprefix("event:") for (once,) in rows}


def _lane(name: str) -> LaneName:
    return next(lane for lane in LANES if lane == name)


LANE = st.sampled_from(sorted(KINDS))
ACTION = st.one_of(
    st.tuples(st.just("hear"), LANE),
    st.tuples(st.just("hear"), LANE),
    st.tuples(st.just("repeat"), st.integers(0, 30)),
    st.tuples(st.just("send"), LANE),
    st.tuples(st.just("send"), LANE),
    st.sampled_from([("arrive",), ("arrive twice",), ("answer",), ("talk",), ("talk",)]),
    st.tuples(st.just("lose"), st.sampled_from(["up", "down"])),
    st.sampled_from([("copy",), ("crash",), ("reconnect",), ("forget",), ("centre starts",)]),
    st.tuples(st.just("put back"), st.integers(0, 5)),
)


def hears(count: int, lane: LaneName = "care") -> list[Any]:
    """So many events."""
    return [("hear", lane)] * count


def behind(count: int) -> list[Any]:
    """A database that is so many entries of the care lane behind, and has just been put back."""
    return [*hears(1), ("talk",), ("copy",), *hears(count), *[("talk",)] * count, ("put back", 0)]


OTHER_LANE_FIRST: list[Any] = [
    *behind(3), ("centre starts",), *hears(4), ("hear", "alarm"), ("send", "alarm"), ("arrive",), ("answer",),
]  # fmt: skip
"""The alarm lane is answered with how far the care lane is at the centre, before care has said a word."""

LOST_AND_COVERED: list[Any] = [
    *behind(2), *hears(4), ("send", "care"), ("lose", "up"), ("send", "care"), ("arrive",), ("answer",), ("crash",),
]  # fmt: skip
"""What uses numbers again is lost by the broker; what follows arrives, and the mark covers both."""

REPEATED: list[Any] = [
    *behind(3), *hears(1), ("repeat", 1), ("repeat", 2), ("repeat", 3), ("send", "care"), ("send", "care"), ("talk",),
]  # fmt: skip
"""Devices that heard no answer say again what the copy does not know, and the last comes under an unused number."""

HAPPENING = st.lists(ACTION, max_size=20)
AROUND_A_COPY = st.tuples(HAPPENING, HAPPENING, HAPPENING).map(
    lambda parts: [*parts[0], ("copy",), *parts[1], ("put back", 0), *parts[2]]
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(actions=AROUND_A_COPY)
@example(actions=[*behind(3), *hears(2), ("talk",)])
@example(actions=[*behind(3), *hears(3), ("talk",)])
@example(actions=[*behind(3), *hears(5), ("talk",), ("crash",)])
@example(actions=OTHER_LANE_FIRST)
@example(actions=LOST_AND_COVERED)
@example(actions=REPEATED)
def test_every_event_stands_once_whatever_copy_is_put_back(town: Town, actions: list[Any]) -> None:
    """Copies at any time, crashes, losses, repetitions: what this journal holds is there once, nothing is twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "MAX_BATCH", BATCH)
        patch.setattr(outbox, "WINDOW", 3 * BATCH)
        life = Life(town)
        ever: set[str] = set()
        with closing(life.db):
            for action in actions:
                if action[0] == "put back" and life.copies:
                    ever = set()  # what only the replaced database held is gone with it
                life.do(action)
                ever |= life.held()
            life.settle()
        there = life.run(town.journal(life.name))
        assert {one: times for one, times in there.items() if times > 1} == {}
        assert sorted(ever - there.keys()) == []


@pytest.mark.parametrize("actions", [OTHER_LANE_FIRST, [*behind(3), *hears(5), ("talk",)]])
def test_an_old_copy_is_told(town: Town, actions: list[Any]) -> None:
    """The box says that it works on an old copy, once, however many new entries it wrote before it knew."""
    life = Life(town)
    for action in actions:
        life.do(action)
    life.settle()
    assert len(life.told) == 1
    assert "other entries under our numbers" in life.told[0] or "more than we ever sent" in life.told[0]


def test_an_ordinary_restart_is_no_old_copy(town: Town) -> None:
    """A crash with answers lost sends again under the same numbers; no epoch begins."""
    life = Life(town)
    before = life.uplink.epoch
    for action in [*hears(3), ("send", "care"), ("arrive",), ("lose", "down"), ("crash",), *hears(2)]:
        life.do(action)
    life.settle()
    assert (life.uplink.epoch, life.told) == (before, [])
    assert outbox.marks(life.db)["care"] == outbox.Mark(5, 5)


def test_a_gateway_of_an_older_program_is_told_too(town: Town) -> None:
    """One that names no run begins an epoch by the same answer, in words that it knows."""
    life = Life(town, tells_run=False)
    for action in [*behind(3), *hears(5)]:
        life.do(action)
    life.send("care")
    life.arrive()
    assert all(type(mark) is Mark for _, mark in life.down)
    life.answer()
    life.settle()
    assert len(life.told) == 1
    assert life.run(town.journal(life.name)).keys() >= life.held()


def test_an_older_centre_is_believed_in_what_was_sent(town: Town) -> None:
    """An acknowledgement that says nothing of runs counts as far as this run has sent, and no further."""
    life = Life(town)
    for _ in range(4):
        life.hear("care")
    word = Ack(epoch=life.uplink.epoch, lane="care", upto=3).model_dump_json(exclude_defaults=True).encode()
    assert orjson.loads(word).keys() == {"epoch", "lane", "upto"}
    life.run(life.uplink._on_ack(Message("x", word, retain=False, size=len(word))))
    assert outbox.marks(life.db)["care"] == outbox.Mark(4, 0)
    life.send("care")
    life.run(life.uplink._on_ack(Message("x", word, retain=False, size=len(word))))
    assert outbox.marks(life.db)["care"] == outbox.Mark(4, 3)
    assert Batch.model_validate_json(life.up[0].payload).run == life.uplink.run_id


def test_spans_and_joined_answers() -> None:
    """Numbers become spans; an answer that has not gone out yet joins the next, and the proof is never dropped."""
    assert spans([5, 1, 2, 3, 7, 2]) == ((1, 3), (5, 5), (7, 7))
    one, two = Answer(3, None, "aa", ((1, 3),)), Answer(5, None, "aa", ((5, 5),))
    assert joined(one, two) == Answer(5, None, "aa", ((1, 3), (5, 5)))
    assert joined(one, Answer(5, None, "bb", ())) == Answer(5, None, "bb", ())
    assert joined(Mark(OLD_COPY), Mark(4)) == Mark(OLD_COPY)
