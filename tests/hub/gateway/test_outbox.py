"""The outbox: under whatever losses, the centre ends up with every entry once, and nothing is forgotten before."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.gateway import journal, outbox, upkeep
from hub.gateway.journal import Line
from hub.gateway.outbox import LaneCursor
from hub.uplink.messages import LANES, MAX_BATCH, Ack, Batch, LaneName


@pytest.fixture
def db(database: Path) -> Any:
    """The gateway's database, used directly."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        journal.ensure_marks(connection)
        outbox.epoch(connection)
        yield connection


def line(lane: LaneName, text: str, *, size: int = 0) -> Line:
    """A line with a body that says which it is."""
    return Line("health", lane, orjson.dumps({"text": text, "pad": "x" * size}), at=1, heard=1)


def sent(db: sqlite3.Connection, lane: LaneName, after: int = 0) -> Batch | None:
    """What would go up next, as the centre would read it."""
    entries = outbox.take(db, lane, after)
    return (
        None if entries is None else Batch.model_validate_json(outbox.batch_json(outbox.epoch(db), entries))
    )


def texts(batch: Batch | None) -> list[tuple[int, str]]:
    """Numbers and texts of a batch."""
    return [(entry.number, entry.body["text"]) for entry in batch.entries] if batch else []


def ack(db: sqlite3.Connection, lane: LaneName, upto: int) -> outbox.Mark | None:
    """The centre's acknowledgement."""
    return outbox.acknowledge(db, Ack(epoch=outbox.epoch(db), lane=lane, upto=upto))


def test_lanes_count_by_themselves(db: sqlite3.Connection) -> None:
    """Each lane numbers its entries 1, 2, 3 …, whatever the others do."""
    for text in "abc":
        journal.append(db, line("alarm", text))
        journal.append(db, line("care", text))
    assert texts(sent(db, "alarm")) == texts(sent(db, "care")) == [(1, "a"), (2, "b"), (3, "c")]


def test_a_batch_is_bounded_in_number_and_size(db: sqlite3.Connection) -> None:
    """A batch holds at most 256 entries and about 200 kB, and goes on where the last one ended."""
    for number in range(MAX_BATCH + 10):
        journal.append(db, line("care", f"{number}"))
    first = sent(db, "care")
    assert first is not None
    assert len(first.entries) == MAX_BATCH
    assert texts(sent(db, "care", MAX_BATCH))[0][0] == MAX_BATCH + 1
    for _ in range(5):
        journal.append(db, line("alarm", "big", size=90_000))
    assert len(texts(sent(db, "alarm"))) == 2


def test_telemetry_is_numbered_when_it_is_sent(db: sqlite3.Connection) -> None:
    """Telemetry that is evicted before it was sent leaves no hole in the numbers."""
    for text in "abcdef":
        journal.append(db, line("telemetry", text))
    db.execute("UPDATE engine_state SET covers = 1000")
    assert upkeep.evict_telemetry(db, 2) == 2
    assert texts(sent(db, "telemetry")) == [(1, "c"), (2, "d"), (3, "e"), (4, "f")]
    assert upkeep.evict_telemetry(db, 100) == 0


def test_a_backlog_of_telemetry_says_that_more_follows(db: sqlite3.Connection) -> None:
    """After a long outage every batch but the last says so; the rest does not wait for something new to happen."""
    for number in range(2 * MAX_BATCH + 1):
        journal.append(db, line("telemetry", str(number)))
    first = outbox.take(db, "telemetry", 0)
    assert first is not None
    second = outbox.take(db, "telemetry", first.last)
    assert second is not None
    third = outbox.take(db, "telemetry", second.last)
    assert third is not None
    assert [one.more for one in (first, second, third)] == [True, True, False]


def test_repeating_a_batch_repeats_its_numbers(db: sqlite3.Connection) -> None:
    """The same entries go up under the same numbers, however often."""
    for lane in LANES:
        journal.append(db, line(lane, lane))
        assert sent(db, lane) == sent(db, lane)


def test_only_the_centres_word_lets_us_forget(db: sqlite3.Connection) -> None:
    """Upkeep deletes what was acknowledged, judged and is old enough, and nothing else."""
    for text in "abc":
        journal.append(db, line("care", text))
    assert upkeep.forget(db, 1000, 100) == 0
    ack(db, "care", 2)
    assert upkeep.forget(db, 1000, 100) == 0
    db.execute("UPDATE engine_state SET covers = 3")
    assert upkeep.forget(db, 1, 100) == 0
    assert upkeep.forget(db, 1000, 100) == 2
    assert texts(sent(db, "care")) == [(3, "c")]


def test_acknowledgements_never_go_back(db: sqlite3.Connection) -> None:
    """A late, lower acknowledgement changes nothing."""
    for text in "abc":
        journal.append(db, line("care", text))
    ack(db, "care", 3)
    assert ack(db, "care", 1) == outbox.Mark(last=3, acked=3)


def test_an_old_copy_is_noticed_and_numbered_anew(db: sqlite3.Connection) -> None:
    """A centre that holds more than we sent means we are a restored copy: a new epoch, open entries from 1."""
    for text in "abcde":
        journal.append(db, line("care", text))
    ack(db, "care", 2)
    assert ack(db, "care", 9) is None
    before = outbox.epoch(db)
    assert outbox.begin_epoch(db) != before
    assert texts(sent(db, "care")) == [(1, "c"), (2, "d"), (3, "e")]
    assert outbox.marks(db)["care"] == outbox.Mark(last=3, acked=0)
    journal.append(db, line("care", "f"))
    assert texts(sent(db, "care"))[-1] == (4, "f")
    outbox.begin_epoch(db)
    assert texts(sent(db, "care"))[0] == (1, "c")


def test_the_alarm_lane_goes_first() -> None:
    """Whatever else is waiting, an alarm is the next to be sent."""
    cursors = outbox.Cursors()
    assert cursors.next_to_send() == "alarm"
    cursors.lanes["alarm"].pending = False
    assert cursors.next_to_send() == "care"
    cursors.lanes["alarm"].pending = True
    assert cursors.next_to_send() == "alarm"


def test_a_full_window_waits_for_the_centre() -> None:
    """No more than two batches of a lane are under way; an acknowledgement opens the window."""
    cursor = LaneCursor()
    cursor.sent_up_to(MAX_BATCH, 0.0, more=True)
    assert cursor.can_send()
    cursor.sent_up_to(2 * MAX_BATCH, 0.0, more=True)
    assert not cursor.can_send()
    cursor.acknowledged(MAX_BATCH, 1.0)
    assert cursor.can_send()


def test_silence_of_the_centre_is_answered_with_patience() -> None:
    """Entries go up again after 3 s, 6 s, 12 s … at most a minute, and at once after progress."""
    cursor = LaneCursor()
    cursor.sent_up_to(5, 0.0, more=False)
    waits = []
    now = 0.0
    for _ in range(8):
        due = cursor.resend_at()
        assert due is not None
        waits.append((due - now) / cursor.jitter)
        now = due
        cursor.rewind(now, patient=True)
        cursor.sent_up_to(5, now, more=False)
    assert [round(wait, 6) for wait in waits] == [3, 6, 12, 24, 48, 60, 60, 60]
    cursor.acknowledged(5, now)
    assert cursor.resend_at() is None
    assert cursor.tries == 0


def test_a_centre_that_lost_entries_gets_them_again() -> None:
    """A centre restored from a backup says a lower number; with patience we go back to it."""
    cursor = LaneCursor(acked=10, sent=10)
    cursor.sent_up_to(12, 0.0, more=False)
    cursor.acknowledged(7, 1.0)
    assert cursor.acked == 10
    assert cursor.lacking
    cursor.go_back(4.0)
    assert (cursor.acked, cursor.sent, cursor.lacking) == (7, 7, False)


class LossyLine:
    """A lossy line to a centre that keeps what it can use and acknowledges what is contiguous."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.cursors = {lane: LaneCursor() for lane in LANES}
        self.centre: dict[LaneName, dict[int, str]] = {lane: {} for lane in LANES}
        self.clock = 0.0

    def upto(self, lane: LaneName) -> int:
        """The highest contiguous number the centre has."""
        number = 0
        while number + 1 in self.centre[lane]:
            number += 1
        return number

    def send(self, lane: LaneName, *, arrives: bool, answered: bool) -> None:
        """One batch on its way; perhaps it arrives, perhaps the acknowledgement does."""
        cursor = self.cursors[lane]
        entries = outbox.take(self.db, lane, cursor.sent)
        if entries is None:
            return
        batch = Batch.model_validate_json(outbox.batch_json(outbox.epoch(self.db), entries))
        cursor.sent_up_to(entries.last, self.clock, more=entries.more)
        if arrives:
            self.keep(lane, batch)
        if answered:
            self.answer(lane)

    def keep(self, lane: LaneName, batch: Batch) -> None:
        """Store entries once; the same number must say the same."""
        for entry in batch.entries:
            known = self.centre[lane].setdefault(entry.number, entry.body["text"])
            assert known == entry.body["text"], "one number says two things"

    def answer(self, lane: LaneName) -> None:
        """The centre's acknowledgement reaches the gateway."""
        mark = ack(self.db, lane, self.upto(lane))
        assert mark is not None
        self.cursors[lane].acknowledged(self.upto(lane), self.clock)

    def restart(self) -> None:
        """The gateway's process ends and starts again."""
        self.cursors = {
            lane: LaneCursor(acked=m.acked, sent=m.acked) for lane, m in outbox.marks(self.db).items()
        }

    def rewind(self, lane: LaneName) -> None:
        """The time to wait is over."""
        self.clock += 100
        self.cursors[lane].rewind(self.clock, patient=True)

    def forget(self) -> None:
        """Upkeep deletes what may be deleted."""
        self.db.execute("UPDATE engine_state SET covers = 1000000")
        upkeep.forget(self.db, 10**12, 10_000)


LANE = st.sampled_from(LANES)
ACTION = st.one_of(
    st.tuples(st.just("append"), LANE),
    st.tuples(st.just("send"), LANE, st.booleans(), st.booleans()),
    st.tuples(st.just("answer"), LANE),
    st.tuples(st.just("rewind"), LANE),
    st.tuples(st.just("restart")),
    st.tuples(st.just("forget")),
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, template: bytes) -> Callable[[], sqlite3.Connection]:
    """Makes an empty gateway database in memory."""
    path = tmp_path_factory.mktemp("fresh") / "gateway.db"
    path.write_bytes(template)

    def make() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        with closing(sqlite3.connect(path)) as source:
            source.backup(connection)
        journal.ensure_marks(connection)
        outbox.epoch(connection)
        return connection

    return make


@settings(max_examples=150, deadline=None, derandomize=True)
@given(actions=st.lists(ACTION, max_size=60))
def test_every_entry_arrives_once_whatever_is_lost(
    fresh: Callable[[], sqlite3.Connection], actions: list[Any]
) -> None:
    """With batches and answers lost at will and restarts between, the centre ends up with exactly the journal."""
    with closing(fresh()) as db:
        way = LossyLine(db)
        written: dict[LaneName, list[str]] = {lane: [] for lane in LANES}
        for action in actions:
            match action:
                case ("append", lane):
                    written[lane].append(f"{lane} {len(written[lane])}")
                    journal.append(db, line(lane, written[lane][-1]))
                case ("send", lane, arrives, answered):
                    way.send(lane, arrives=arrives, answered=arrives and answered)
                case ("answer", lane):
                    way.answer(lane)
                case ("rewind", lane):
                    way.rewind(lane)
                case ("restart",):
                    way.restart()
                case ("forget",):
                    way.forget()
        way.restart()
        for lane in LANES:
            for _ in range(3):
                way.send(lane, arrives=True, answered=True)
            assert [way.centre[lane][number] for number in sorted(way.centre[lane])] == written[lane]
            assert sorted(way.centre[lane]) == list(range(1, len(written[lane]) + 1))
        way.forget()
        assert db.execute("SELECT count(*) FROM journal").fetchone() == (0,)
