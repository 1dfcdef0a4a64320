"""A report that comes too late for the rules still reaches a person, where somebody must act."""

from __future__ import annotations

import pytest

from drivers.events import Event
from hub.gateway.late_reports import told_all_the_same
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


@pytest.mark.parametrize("kind", ["dispenser.heartbeat", "dispenser.dispensed"])
def test_old_news_that_nobody_must_act_on_stays_in_the_journal(kind: str) -> None:
    """A late sign of life calls nobody."""
    _, told = judged(kind, 30, dose="08:00-1") if kind.endswith("dispensed") else judged(kind, 30)
    assert told == []


def test_the_sentence_says_how_late() -> None:
    """Both languages name the minutes."""
    event = Event("d:1", NINE, NINE + 30 * MINUTE, "h1", "d", "dispenser.jammed")
    engine = Engine(load_book(BOOK, source="test"), started=NINE - MINUTE)
    engine.set_home(HomeSpec("h1", "Europe/Oslo", {"name": "Astrid"}, {}, late_ms=2 * MINUTE))
    engine.advance(event.heard)
    (told,) = told_all_the_same(event, engine.observe(event))
    assert told.says["nb"].endswith("meldt 30 min for sent")
    assert told.says["en"].endswith("reported 30 min late")
