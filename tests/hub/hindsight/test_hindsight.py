"""Asked of the centre's journal: why an alert is there, why one is not, what another book would have said."""

from __future__ import annotations

import pytest

from drivers.events import Event, iso
from hub.hindsight.past import events_of, homes_of
from hub.hindsight.questions import UnknownAlertError, ask_what_if, ask_why_not, explain_alert
from hub.store.centre_tables import Alert, Entry, Resident
from rules import Engine, load_book
from rules.homes import DEFAULT_LATE

MINUTE = 60_000
START = 1_768_424_520_000
BOOK = load_book("rules: {door: {while: door.leaf is open, for: 10 min}, fall: {when: pendant.fall}}")


def story(start: int = START) -> list[Event]:
    """A door that stands open for a quarter of an hour, then a fall."""
    plan = [(0, "door-1", "door.opened"), (15, "door-1", "door.closed"), (20, "pendant-1", "pendant.fall")]
    return [
        Event(f"e{n}", start + m * MINUTE, start + m * MINUTE, "h1", d, k, {})
        for n, (m, d, k) in enumerate(plan)
    ]


@pytest.fixture
async def journal(store):
    """The store with the story in its journal, and a line that is no event."""
    async with store.writing() as session:
        for number, event in enumerate(story(), start=1):
            session.add(_entry(number, event.as_json(), event))
        session.add(_entry(9, {"at": "long ago"}, story()[0]))
    return store


def _entry(number: int, body: dict, event: Event) -> Entry:
    return Entry(gateway="gw1", epoch="00c0ffee", lane="care", number=number, type="event", event_id=body.get("id"),
                 home="h1", device=event.device, kind=event.kind, at=event.at, heard=event.heard,
                 received=event.heard, body=body)  # fmt: skip


async def test_homes_come_from_the_registry(journal) -> None:
    """Residents with their parameters, devices with what their types allow."""
    async with journal.writing() as session:
        astrid = await session.get(Resident, "astrid")
        astrid.parameters = {"dose_time": "45 min"}
    async with journal.reading() as session:
        (home,) = await homes_of(session, ["h1"])
        assert len(await homes_of(session)) == 2
    assert home.resident == {"name": "Astrid", "dose_time": "45 min"}
    assert home.devices["pendant-1"].silent_after == 4 * 3600
    assert home.late_ms in (0, DEFAULT_LATE)


async def test_events_come_in_the_order_of_hearing_and_bad_lines_are_left_out(journal) -> None:
    """What intake has marked as unreadable does not stop the look back."""
    async with journal.reading() as session:
        assert await events_of(session, ["h1"]) == story()
        assert await events_of(session, ["h2"]) == []
        assert await events_of(session, since=START + 16 * MINUTE) == story()[2:]


async def test_an_alert_explains_itself_from_its_stored_decision(journal) -> None:
    """Rule, instant and evidence in both languages; an unknown number is said to be one."""
    engine = Engine(BOOK, catch_all=False)
    decision = next(d for d in engine.feed(story()) if d.rule == "fall")
    async with journal.writing() as session:
        alert = Alert(
            rule="fall", key="h1", home="h1", zone="nord", urgency="critical", queue="care", chain="critical",
            because=decision.as_json(), evidence=list(decision.because), at=START, heard=START, opened=START,
            last_at=START,
        )  # fmt: skip
        session.add(alert)
        await session.flush()
        number = alert.id
    async with journal.reading() as session:
        found = await explain_alert(session, number)
        with pytest.raises(UnknownAlertError, match="no alert 4711"):
            await explain_alert(session, 4711)
    assert [event.kind for event in found.events] == ["pendant.fall"]
    assert any("Regelen «fall»" in each for each in found.sentences["nb"])
    assert any("Fall detected" in each for each in found.sentences["en"])


async def test_why_not_reads_as_far_back_as_it_needs(journal) -> None:
    """At ten past the door was open for eight minutes; two minutes later the alert was there."""
    async with journal.reading() as session:
        before = await ask_why_not(session, BOOK, "door", "h1", START + 8 * MINUTE)
        after = await ask_why_not(session, BOOK, "door", "h1", START + 14 * MINUTE)
    assert "so since" in before[0]
    assert "raised" in after[0]


async def test_what_if_over_the_journal(journal) -> None:
    """With twenty minutes the door would not have been told."""
    other = load_book("rules: {door: {while: door.leaf is open, for: 20 min}, fall: {when: pendant.fall}}")
    async with journal.reading() as session:
        found = await ask_what_if(session, BOOK, other, ["h1"], since=START, until=START + 60 * MINUTE)
    assert [(each.rule, iso(each.at)) for each in found.gone] == [("door", iso(START + 10 * MINUTE))]
    assert found.new == []


async def test_a_long_look_back_says_how_far_it_is(journal) -> None:
    """After each day of the journal, and at the end; nothing falls between two days."""
    other = load_book("rules: {door: {while: door.leaf is open, for: 20 min}, fall: {when: pendant.fall}}")
    since, told = START - 20 * 86_400_000 - 7 * MINUTE, list[float]()
    async with journal.reading() as session:
        whole = await ask_what_if(
            session, BOOK, other, ["h1"], since=since, until=START + 60 * MINUTE, share=told.append
        )
    assert [each.rule for each in whole.gone] == ["door"]
    assert told == sorted(told)
    assert len(told) == 22
    assert told[-1] == 1.0
