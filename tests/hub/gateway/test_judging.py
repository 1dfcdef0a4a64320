"""Judging: decisions are in the journal once, in order, whatever breaks and whenever the process ends."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Frame, Millis
from hub.clock import ManualClock, settle
from hub.gateway.hearing import Hearing
from hub.gateway.journal import Noted
from hub.gateway.judging import Judging
from hub.gateway.own_facts import OwnFacts
from hub.store.writer import Writer
from rules import Book, Decision, HomeSpec

Says = Callable[..., Frame]
PRESSED = {"kind": "pendant.pressed"}
MINUTE: Millis = 60_000


class Watchman:
    """A rule engine of two rules: a press raises at once; ten minutes without motion raise when they are over."""

    def __init__(self, _book: Book, started: Millis) -> None:
        self.last, self.raised, self.homes = started, False, list[str]()
        self.broken = ""

    def set_home(self, spec: HomeSpec) -> None:
        """Know a home."""
        self.homes.append(spec.id)

    def observe(self, event: Event) -> list[Decision]:
        """Judge one event."""
        if self.broken:
            raise ZeroDivisionError(self.broken)
        if event.kind == "room.motion":
            self.last, self.raised = event.at, False
            return []
        return (
            [decide("pressed", event.device, event.at, event.id)] if event.kind == "pendant.pressed" else []
        )

    def advance(self, now: Millis) -> list[Decision]:
        """Let time pass."""
        if self.raised or self.last + 10 * MINUTE >= now:
            return []
        self.raised = True
        return [decide("still", "h1", self.last + 10 * MINUTE)]

    def next_due(self) -> Millis | None:
        """When to look again."""
        return None if self.raised else self.last + 10 * MINUTE + 1

    def heard_nothing(self, until: Millis) -> None:
        """Count silence anew."""
        self.last = max(self.last, until)

    def snapshot(self) -> dict[str, Any]:
        """All state."""
        return {"last": self.last, "raised": self.raised}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over all state."""
        self.last, self.raised = state["last"], state["raised"]


def decide(rule: str, key: str, at: Millis, *because: str) -> Decision:
    """A raise."""
    says = {"nb": rule, "en": rule}
    return Decision(
        action="raise", rule=rule, key=key, home="h1", at=at, because=because, says=says, urgency="high"
    )


@pytest.fixture
def lanes() -> list[str]:
    """Lanes that were nudged."""
    return []


@pytest.fixture
def made() -> list[Watchman]:
    """Every engine made, in order."""
    return []


@pytest.fixture
def judging_of(clock: ManualClock, made: list[Watchman], lanes: list[str]) -> Callable[[Writer], Judging]:
    """Makes the judging of a gateway on a writer."""

    def make(book: Book, started: Millis) -> Watchman:
        made.append(Watchman(book, started))
        return made[-1]

    def judging(writer: Writer) -> Judging:
        return Judging(writer, clock, Book(rules={}), make, lambda: [HomeSpec("h1")], lanes.extend)

    return judging


@pytest.fixture
async def judging(writer: Writer, hearing: Hearing, judging_of: Callable[[Writer], Judging]) -> Judging:
    """Judging at work behind the hearing."""
    judging = judging_of(writer)
    hearing.after = lambda committed: judging.take(committed.events)
    judging.horizon = hearing.oldest_under_way
    await judging.start()
    return judging


async def started(judging: Judging) -> Judging:
    """Start as the gateway does: first the past, then what is due."""
    await judging.start()
    await judging.turn()
    return judging


def told(stored: SimpleNamespace) -> list[tuple[str, str]]:
    """Rules and keys of the decisions in the journal."""
    return [(body["rule"], body["key"]) for body in stored.bodies("decision")]


async def test_a_decision_stands_in_the_journal_with_its_evidence(
    hearing: Hearing, judging: Judging, says: Says, stored: SimpleNamespace, lanes: list[str]
) -> None:
    """What the rules decide on an event is written down, numbered for its lane, and the outbox is told."""
    receipt = await hearing.hear(says("pendant-1", PRESSED))
    await judging.turn()
    [body] = stored.bodies("decision")
    assert (body["rule"], body["because"]) == ("pressed", list(receipt.events))
    assert stored.rows("SELECT lane, number FROM journal ORDER BY seq") == [("alarm", 1), ("alarm", 2)]
    assert stored.rows("SELECT judged FROM engine_state") == [1]
    assert lanes == ["alarm"]


async def test_a_deadline_fires_at_its_own_instant(
    judging: Judging, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """The task sleeps until the deadline and writes the decision with the deadline's time."""
    import asyncio

    start = clock.now()
    task = asyncio.create_task(judging.run())
    await clock.advance(9 * 60)
    assert told(stored) == []
    await clock.advance(61)
    while not told(stored):
        await settle()
    [body] = stored.bodies("decision")
    assert stored.rows("SELECT at FROM journal WHERE type = 'decision'") == [start + 10 * MINUTE]
    assert body["rule"] == "still"
    task.cancel()


async def test_a_frame_under_way_comes_before_the_deadline(
    hearing: Hearing, judging: Judging, says: Says, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """An event heard in time counts as in time, even if its commit ends after the deadline."""
    await clock.advance(9 * 60)
    hearing._under_way[clock.now()] += 1
    await clock.advance(2 * 60)
    await judging.turn()
    assert told(stored) == []
    hearing._under_way.clear()
    await judging.turn()
    assert told(stored) == [("still", "h1")]


async def test_the_gateways_own_facts_are_left_to_the_centre(
    judging: Judging, clock: ManualClock, made: list[Watchman]
) -> None:
    """A `gateway.*` event is journaled and sent, and not judged here."""
    made[0].broken = "it would show"
    now = clock.now()
    judging.take([Noted(5, Event("g:1", now, now, "h1", "gw1", "gateway.heartbeat"), new=True)])
    await judging.turn()
    assert judging.judged == 5
    assert judging.counters["broken"] == 0


async def test_a_broken_engine_swallows_no_call(
    hearing: Hearing,
    judging: Judging,
    made: list[Watchman],
    says: Says,
    stored: SimpleNamespace,
    clock: ManualClock,
) -> None:
    """When the rules break on calls for help, each is raised in plain words, and the fault is told once."""
    made[0].broken = "by zero"
    for _ in range(2):
        await hearing.hear(says("pendant-1", PRESSED))
        await judging.turn()
        await clock.advance(1)
    calls = [("catch-all", "pendant-1")] * 2
    assert told(stored) == [("broken-rules", "h1"), *calls]
    fault, call, _ = stored.bodies("decision")
    assert "ZeroDivisionError" in fault["reason"]
    assert fault["queue"] == "technical"
    words = CATALOGUE.spec("pendant.pressed").words["nb"]
    assert (call["urgency"], call["life_safety"], call["says"]["nb"]) == ("critical", True, words)


async def test_a_broken_engine_lets_other_events_pass(
    hearing: Hearing, judging: Judging, made: list[Watchman], says: Says, stored: SimpleNamespace
) -> None:
    """An event that calls nobody is not made into a call because the rules broke on it."""
    made[0].broken = "by zero"
    await hearing.hear(says("room-1", {"kind": "room.motion"}))
    await judging.turn()
    assert told(stored) == [("broken-rules", "h1")]


async def test_a_restart_judges_what_was_not_judged(
    hearing: Hearing,
    judging: Judging,
    judging_of: Callable[[Writer], Judging],
    writer: Writer,
    says: Says,
    stored: SimpleNamespace,
) -> None:
    """An event that was committed, but not judged before the process ended, is judged at the next start."""
    await hearing.hear(says("pendant-1", PRESSED))
    await started(judging_of(writer))
    assert told(stored) == [("pressed", "pendant-1")]


async def test_a_restart_decides_nothing_twice(
    hearing: Hearing,
    judging: Judging,
    judging_of: Callable[[Writer], Judging],
    writer: Writer,
    says: Says,
    stored: SimpleNamespace,
) -> None:
    """Reading the journal again brings the same decisions, which are there already."""
    await hearing.hear(says("pendant-1", PRESSED))
    await judging.turn()
    again = judging_of(writer)
    await started(again)
    assert again.counters["read_again"] == 1
    assert told(stored) == [("pressed", "pendant-1")]


async def test_overdue_deadlines_fire_at_the_start_with_their_own_instants(
    judging: Judging,
    judging_of: Callable[[Writer], Judging],
    writer: Writer,
    clock: ManualClock,
    stored: SimpleNamespace,
) -> None:
    """A deadline that passed while the gateway was off is told at the start, and when it was."""
    await judging.close()
    due = clock.now() + 10 * MINUTE
    await clock.advance(3600)
    await started(judging_of(writer))
    assert told(stored) == [("still", "h1")]
    assert stored.rows("SELECT at, heard FROM journal WHERE type = 'decision'") == [(due, clock.now())]


async def test_a_snapshot_spares_reading_the_journal(
    hearing: Hearing,
    judging: Judging,
    judging_of: Callable[[Writer], Judging],
    writer: Writer,
    says: Says,
    clock: ManualClock,
    made: list[Watchman],
) -> None:
    """After a stop in order nothing has to be read again, and the engine goes on where it was."""
    await clock.advance(300)
    await hearing.hear(says("room-1", {"kind": "room.motion"}))
    await judging.turn()
    await judging.close()
    again = judging_of(writer)
    await started(again)
    assert again.counters["read_again"] == 0
    assert made[-1].last == clock.now()


async def test_a_lost_snapshot_costs_time_and_no_alert(
    hearing: Hearing,
    judging: Judging,
    judging_of: Callable[[Writer], Judging],
    writer: Writer,
    says: Says,
    stored: SimpleNamespace,
) -> None:
    """A snapshot that cannot be read is replaced by the journal, and the fault is told."""
    await hearing.hear(says("pendant-1", PRESSED))
    await judging.turn()
    await writer.write(lambda db: db.execute("UPDATE engine_state SET snapshot = '{\"other\": 1}'"))
    again = judging_of(writer)
    await started(again)
    assert again.counters["read_again"] == 1
    assert told(stored) == [("pressed", "pendant-1"), ("broken-rules", "h1")]


async def test_decisions_wait_out_a_full_disk(
    hearing: Hearing,
    judging: Judging,
    writer: Writer,
    says: Says,
    stored: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the disk is full decisions are kept and written as soon as there is room."""
    await hearing.hear(says("pendant-1", PRESSED))
    refusals = iter([True, True])
    monkeypatch.setattr("hub.gateway.judging.PAUSE", (0.0, 0.0))

    def sometimes() -> None:
        if next(refusals, False):
            import sqlite3

            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    writer.before_commit = sometimes
    await judging.turn()
    assert told(stored) == [("pressed", "pendant-1")]


async def test_homes_can_change_while_it_works(judging: Judging, made: list[Watchman]) -> None:
    """A changed registry reaches the engine without a restart."""
    judging.homes = lambda: [HomeSpec("h1"), HomeSpec("h2")]
    judging.set_homes()
    assert made[0].homes == ["h1", "h1", "h2"]


@pytest.mark.parametrize(("hours", "silent"), [(0.1, True), (3, False)])
async def test_our_own_deafness_is_nobodys_silence(
    judging: Judging,
    writer: Writer,
    clock: ManualClock,
    stored: SimpleNamespace,
    hours: float,
    silent: bool,
    judging_of: Callable[[Writer], Judging],
) -> None:
    """A device we could not hear because we were off for hours is given its time anew; a blink changes nothing."""
    own = OwnFacts("gw1", writer, clock, lambda: "h1", lambda _lanes: None)
    await clock.advance(9 * 60)
    await own.tell("gateway.heartbeat")
    await clock.advance(hours * 3600)
    again = judging_of(writer)
    own.noted = lambda noted: again.take((noted,))
    await again.start()
    await own.started()
    await again.turn()
    assert (told(stored) == [("still", "h1")]) == silent
    await clock.advance(11 * 60)
    await again.turn()
    assert told(stored) == [("still", "h1")]
