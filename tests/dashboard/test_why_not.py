"""Why no alarm? Asked on a page: which rule, when, and the answer in sentences."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from dashboard.pages.why_not import in_words, read_clock
from drivers.events import iso
from hub.store.centre_tables import Audit, Device
from hub.store.engine import Store

MINUTE = 60_000
PAGE = "/nb/residents/astrid/why-not"


async def test_the_form_offers_rules_by_what_they_would_say(sign_in: Any) -> None:
    """Rules of homes, in words, with the resident's name; the area's are not asked of one home."""
    text = (await (await sign_in("nils")).get(PAGE)).text
    assert ">Astrid Berg kan ha falt</option>" in text
    assert ">En enhet hos Astrid Berg er taus</option>" in text
    assert "area-outage" not in text
    assert 'value="2026-01-15T08:00"' in text
    assert 'href="/nb/residents/astrid"' in text


async def test_a_dose_that_is_still_waited_for(sign_in: Any, town: Any) -> None:
    """The rule says since when it waits, for what, and by when; in both languages."""
    await town.hear(
        "dispenser.due", "h1", "dispenser-1", ago=20 * MINUTE, dose="08", planned=town.clock.now()
    )
    nils = await sign_in("nils")
    text = (await nils.get(f"{PAGE}?rule=missed-dose&at=2026-01-15T08:00")).text
    assert "Astrid Berg har ikke tatt ut medisinen" in text
    assert "enter siden 15. jan. kl. 07.40" in text
    assert "frist 15. jan. kl. 08.40" in text
    english = (await nils.get(f"/en{PAGE[3:]}?rule=missed-dose&at=2026-01-15T08:00")).text
    assert "waiting since 15 Jan 07:40" in english
    earlier = (await nils.get(f"{PAGE}?rule=missed-dose&at=2026-01-15T07:30")).text
    assert "Ingenting av det den venter på er hørt herfra" in earlier


async def test_an_alarm_that_did_come_is_named(sign_in: Any, town: Any) -> None:
    """Whoever asks may have overlooked it."""
    alert = await town.alarm("pendant.fall", rule="fall", ago=30 * MINUTE)
    text = (await (await sign_in("nils")).get(f"{PAGE}?rule=fall&at=2026-01-15T08:00")).text
    assert "Men den varslet i døgnet før" in text
    assert f'href="/nb/alarms/{alert.id}"' in text
    before = (await (await sign_in("nils")).get(f"{PAGE}?rule=fall&at=2026-01-15T07:00")).text
    assert "Men den varslet" not in before


@pytest.mark.parametrize(
    "at", ["tomorrow", "2026-01-15T09:00", "1999-01-01T00:00", "2026-01-15T08:00Z", "9" * 60]
)
async def test_a_time_that_cannot_be_is_said(sign_in: Any, at: str) -> None:
    """In the future, long ago, with an offset of its own, or no time at all: a sentence beside the field."""
    answer = await (await sign_in("nils")).get(f"{PAGE}?rule=fall&at={at}")
    assert answer.status_code == 422
    assert "Velg et tidspunkt som har vært, høyst et år siden." in answer.text
    assert 'id="answer"' not in answer.text


async def test_a_rule_nobody_knows_gets_the_form(sign_in: Any) -> None:
    """No answer and no fault."""
    answer = await (await sign_in("nils")).get(f"{PAGE}?rule=no-such-rule&at=2026-01-15T08:00")
    assert answer.status_code == 200
    assert 'id="answer"' not in answer.text


async def test_the_look_is_in_the_trail(sign_in: Any, store: Store) -> None:
    """Who asked, about whom, and about which rule."""
    nils = await sign_in("nils")
    for _ in range(2):
        await nils.get(f"{PAGE}?rule=fall&at=2026-01-15T08:00")
    async with store.reading() as session:
        rows = (await session.exec(select(Audit).where(Audit.action == "resident.why_not"))).all()
    assert [(row.actor, row.home, row.subject) for row in rows] == [
        ("nils", "h1", "resident astrid, rule fall")
    ]


@pytest.mark.parametrize(
    ("who", "status"), [("olga", 403), ("siri", 403), ("tor", 403), ("mette", 200), ("eva", 200)]
)
async def test_who_may_ask(sign_in: Any, who: str, status: int) -> None:
    """Whoever may see the resident."""
    answer = await (await sign_in(who)).get(f"{PAGE}?rule=fall&at=2026-01-15T08:00")
    assert answer.status_code == status
    if status == 403:
        assert "Astrid" not in answer.text


def test_sentences_name_devices_and_not_ids() -> None:
    """The home's id is left out; a device's name stands for its id."""
    names = {"lock-1": "Dørlås"}
    assert in_words("h1: last was 104.", "h1", names) == "Last was 104."
    assert in_words("lock-1: sist ukjent.", "h1", names) == "Dørlås: sist ukjent."
    assert in_words("  15 Jan 08:00  lock-1  raised", "h1", names) == "  15 Jan 08:00  Dørlås: raised"
    assert in_words("  15 Jan 08:00  h1  raised", "h1", names) == "  15 Jan 08:00  raised"
    assert in_words("h1/08:00-1795330800000: answered.", "h1", names) == "08:00: answered."
    assert (
        in_words("h1/evening: waiting for: Taken (dispenser.taken).", "h1", names)
        == "Evening: waiting for: Taken."
    )


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-15T08:00", "2026-01-15T07:00:00.000Z"),
        ("2026-07-15T08:00:30", "2026-07-15T06:00:30.000Z"),
        ("2026-03-29T02:30", "2026-03-29T01:30:00.000Z"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00.000Z"),
    ],
)
def test_a_time_is_read_on_the_homes_clock(text: str, instant: str) -> None:
    """A time that comes twice is the first, one that does not exist is an hour later: as the rules read it."""
    at = read_clock(text, "Europe/Oslo")
    assert at is not None
    assert iso(at) == instant


async def test_a_home_without_devices(sign_in: Any, store: Store) -> None:
    """The page answers all the same."""
    async with store.writing() as session:
        for row in (await session.exec(select(Device).where(Device.home == "h1"))).all():
            await session.delete(row)
    answer = await (await sign_in("nils")).get(f"{PAGE}?rule=device-silent&at=2026-01-15T08:00")
    assert answer.status_code == 200
    assert 'id="answer"' in answer.text
