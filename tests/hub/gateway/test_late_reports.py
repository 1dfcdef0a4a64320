"""A report that comes too late for the rules still reaches a person, where somebody must act."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from drivers.events import Event, Frame
from hub.clock import ManualClock
from hub.gateway.hearing import Hearing
from hub.gateway.judging import Judging, engine_at_work
from hub.gateway.late_reports import told_all_the_same
from hub.store.writer import Writer
from rules import DeviceSpec, Engine, HomeSpec, load_book

NINE = 1_768_467_600_000
MINUTE = 60_000
BOOK = """
rules:
  dose-reported:
    alert: The dispenser reports a missed dose
    when: dispenser.missed
    urgency: high
"""


def judged(kind: str, minutes_late: int, **data: str) -> tuple[list[str], list[str]]:
    """What the engine says of an event of nine o'clock, and what is told beside it."""
    engine = Engine(load_book(BOOK, source="test"), started=NINE - MINUTE)
    devices = {
        "h1-dispenser": DeviceSpec("dispenser", since=NINE - MINUTE, silent_after=None, name="Dispenser")
    }
    engine.set_home(HomeSpec("h1", "Europe/Oslo", {"name": "Astrid"}, devices, late_ms=2 * MINUTE))
    heard = NINE + minutes_late * MINUTE
    engine.advance(heard)
    event = Event("h1-dispenser:1", NINE, heard, "h1", "h1-dispenser", kind, data)
    said = engine.observe(event)
    told = told_all_the_same(event, said)
    return [one.action for one in said], [f"{one.rule} {one.urgency} {one.key}" for one in told]


def test_a_missed_dose_reported_half_an_hour_late_is_told() -> None:
    """The rules only mark it as late; the gateway tells it with its own words and the dose as its key."""
    said, told = judged("dispenser.missed", 30, dose="08:00-1")
    assert "late" in said
    assert told == ["late-report high h1/08:00-1"]


def test_a_dose_reported_in_time_is_left_to_the_rules() -> None:
    """Nothing is told twice."""
    _, told = judged("dispenser.missed", 0, dose="08:00-1")
    assert told == []


def test_old_news_that_nobody_must_act_on_stays_in_the_journal() -> None:
    """A late sign of life calls nobody."""
    _, told = judged("dispenser.heartbeat", 30)
    assert told == []


def test_a_dose_given_out_ends_what_was_told_late_of_it() -> None:
    """The dispenser was away from seven to twelve: due at eight and given out at five past come in together."""
    engine = Engine(load_book(BOOK, source="test"), started=NINE - MINUTE)
    engine.set_home(HomeSpec("h1", "Europe/Oslo", {"name": "Astrid"}, {}, late_ms=2 * MINUTE))
    found = []
    for number, kind in enumerate(("dispenser.due", "dispenser.dispensed", "dispenser.jammed")):
        at = NINE + 5 * number * MINUTE
        event = Event(f"d:{number}", at, NINE + 180 * MINUTE, "h1", "d", kind, {"dose": "a"})
        found += told_all_the_same(event, engine.observe(event))
    assert [(one.action, one.key, one.at, one.because) for one in found] == [
        ("raise", "h1/a", NINE, ("d:0",)),
        ("clear", "h1/a", NINE + 5 * MINUTE, ("d:1",)),
        ("raise", "h1/a", NINE + 10 * MINUTE, ("d:2",)),
    ]


def test_the_sentence_says_how_late() -> None:
    """Both languages name the minutes."""
    event = Event("d:1", NINE, NINE + 30 * MINUTE, "h1", "d", "dispenser.jammed")
    engine = Engine(load_book(BOOK, source="test"), started=NINE - MINUTE)
    engine.set_home(HomeSpec("h1", "Europe/Oslo", {"name": "Astrid"}, {}, late_ms=2 * MINUTE))
    engine.advance(event.heard)
    (told,) = told_all_the_same(event, engine.observe(event))
    assert told.says["nb"].endswith("meldt 30 min for sent")
    assert told.says["en"].endswith("reported 30 min late")


DOSE = load_book("rules: {dose: {when: room.motion, missing: lock.locked, within: 60 min}}")


@pytest.mark.parametrize(
    ("after", "decided"),
    [
        (40, [("held", "came in late: 08:05, heard 08:40")]),
        (220, [("raise", ""), ("clear", "came in late: 08:05, heard 11:40")]),
    ],
)
async def test_a_gateway_at_work_believes_a_late_answer(
    writer: Writer,
    hearing: Hearing,
    clock: ManualClock,
    says: Callable[..., Frame],
    stored: SimpleNamespace,
    after: int,
    decided: list[tuple[str, str]],
) -> None:
    """Known before the deadline it calls nobody, after it the alert is over; killed and started anew, all stays so."""
    devices = {"room-1": DeviceSpec("room", late_ms=0), "lock-1": DeviceSpec("lock")}
    home = HomeSpec("h1", "Europe/Oslo", {"name": "Astrid"}, devices, late_ms=2 * MINUTE)

    async def started() -> Judging:
        judging = Judging(writer, clock, DOSE, engine_at_work, lambda: [home], lambda _lanes: None)
        hearing.after = lambda committed: judging.take(committed.events)
        await judging.start()
        return judging

    judging, begin = await started(), clock.now()
    await hearing.hear(says("room-1", {"kind": "room.motion"}))
    for minute in range(1, 260):
        await clock.advance(60)
        if minute == after:
            await hearing.hear(says("lock-1", {"kind": "lock.locked", "at": begin + 5 * MINUTE}))
        await judging.turn()
    again = await started()
    await again.turn()
    bodies = [body for body in stored.bodies("decision") if body["action"] != "late"]
    assert [(body["action"], body["reason"]) for body in bodies] == decided
