"""S1, the list of alarms, and the work list."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dashboard.pages import listing
from hub.clock import ManualClock

MINUTE = 60_000


def order(text: str) -> list[int]:
    """The numbers of the rows as they stand."""
    return [int(number) for number in re.findall(r'<li id="a(\d+)"', text)]


async def test_an_empty_list_says_when_it_was_true(sign_in: Any) -> None:
    """No alarms is a statement with a time, not an empty page."""
    text = (await (await sign_in("nils")).get("/nb/alarms")).text
    assert "Ingen åpne alarmer. Sist oppdatert 08:00:00." in text
    assert 'http-equiv="refresh" content="15"' in text


async def test_the_order_is_priority_then_untaken_then_oldest(sign_in: Any, town: Any, web: Any) -> None:
    """A taken P1 stands below the free ones and above every P2."""
    notice = await town.alarm("door.opened", "h2", "lock-2", ago=50 * MINUTE)
    young = await town.alarm("pendant.pressed", "h2", "pendant-2", ago=1 * MINUTE)
    old = await town.alarm("pendant.fall", "h1", ago=9 * MINUTE)
    warning = await town.alarm("dispenser.missed", "h1", "dispenser-1", ago=99 * MINUTE)
    jam = await town.alarm("lock.jammed", "h2", "lock-2", ago=200 * MINUTE, queue="technical")
    nils = await sign_in("nils")
    await nils.ask(f"/nb/alarms/{old.id}/take", version=1)
    rows = order((await nils.get("/nb/alarms")).text)
    assert rows == [young.id, old.id, warning.id, notice.id, jam.id]


async def test_a_row_says_what_who_where_and_since_when(sign_in: Any, town: Any) -> None:
    """Kind, name, address, room, zone, clock time and age; and when it was heard, if that was later."""
    await town.alarm("dispenser.missed", "h1", "dispenser-1", ago=10 * MINUTE, lag=5 * MINUTE)
    text = (await (await sign_in("nils")).get("/nb/alarms")).text
    for said in (
        "Dosen kl. 08:00 er ikke tatt",
        "Astrid Berg",
        "Storgata 1 · kjøkken · Nord",
        "07:50",
        "10 min",
    ):
        assert said in text
    assert "hørt 07:55" in text
    assert "neste: sykepleier på vakt" in text
    assert "Ta alarmen" in text


async def test_the_same_row_in_english(sign_in: Any, town: Any) -> None:
    """The address decides the language; names stay as they are."""
    await town.alarm()
    text = (await (await sign_in("nils")).get("/en/alarms")).text
    for said in (
        '<html lang="en"',
        "Fall detected",
        "P1 Critical",
        "Not taken",
        ">Take<",
        "nurse on duty",
    ):
        assert said in text
    assert 'href="/nb/alarms"' in text


async def test_low_urgency_goes_to_the_work_list(sign_in: Any, town: Any) -> None:
    """What is not urgent gets no alarm row, but it does not vanish."""
    low = await town.alarm("pendant.battery_low", urgency="low", queue="technical")
    nils = await sign_in("nils")
    alarms, work = (await nils.get("/nb/alarms")).text, (await nils.get("/nb/work")).text
    assert order(alarms) == []
    assert order(work) == [low.id]
    assert 'data-badge="work">1</span>' in alarms


async def test_a_critical_technical_alarm_is_a_p1(sign_in: Any, town: Any) -> None:
    """A silent gateway is as loud as a fall, and says that it is technical."""
    await town.alarm("lock.jammed", "h2", "lock-2", queue="technical", urgency="critical")
    text = (await (await sign_in("nils")).get("/nb/alarms")).text
    assert 'class="row row-p1"' in text
    assert "Teknisk" in text


async def test_a_filter_never_hides_that_others_exist(sign_in: Any, town: Any) -> None:
    """Nothing matches, but the page says how many others are open, and that a critical one is among them."""
    await town.alarm()
    await town.alarm("door.opened", "h2", "lock-2")
    text = (await (await sign_in("nils")).get("/nb/alarms?mine=1")).text
    assert order(text) == []
    assert "Ingen alarmer passer filteret. 2 andre er åpne." in text
    assert "1 kritiske utenfor filteret" in text


async def test_filters_by_zone_queue_and_handling(sign_in: Any, town: Any) -> None:
    """Each filter keeps what it says and nothing else."""
    fall = await town.alarm()
    smoke = await town.alarm("smoke.detected", "h3", "pendant-3")
    jam = await town.alarm("lock.jammed", "h2", "lock-2", queue="technical")
    eva = await sign_in("eva")
    await eva.ask(f"/nb/alarms/{fall.id}/take", version=1)
    wanted = {
        "zone=sor": [smoke.id],
        "queue=technical": [jam.id],
        "mine=1": [fall.id],
        "untaken=1": [smoke.id, jam.id],
        "zone=nowhere": [],
        "queue=strange&page=x": [smoke.id, fall.id, jam.id],
    }
    for query, rows in wanted.items():
        assert order((await eva.get(f"/nb/alarms?{query}")).text) == rows, query


async def test_at_most_two_hundred_rows_and_the_rest_is_counted(
    sign_in: Any, town: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is reached by paging, and the counters cover all (with a window of three here)."""
    monkeypatch.setattr(listing, "WINDOW", 3)
    alerts = [
        await town.alarm("door.opened", "h1", "lock-1", ago=number * MINUTE, rule=f"door {number}")
        for number in range(5)
    ]
    nils = await sign_in("nils")
    first, second = (await nils.get("/nb/alarms")).text, (await nils.get("/nb/alarms?page=2")).text
    oldest_first = [alert.id for alert in reversed(alerts)]
    assert (order(first), order(second)) == (oldest_first[:3], oldest_first[3:])
    assert "Viser 3 av 5. Avgrens eller bla." in first
    assert 'data-count-untaken="p3">5</b>' in first


async def test_the_rows_alone_carry_their_cursor(sign_in: Any, town: Any) -> None:
    """What a page fetches to get back in step: rows, counts and the place in the stream they stand for."""
    alert = await town.alarm()
    nils = await sign_in("nils")
    text = (await nils.get("/nb/live/alarms?untaken=1")).text
    assert order(text) == [alert.id]
    assert '"cursor": "c0ffee00c0ffee00-2"' in text
    assert "<html" not in text
    assert order((await nils.get("/nb/live/none")).text) == []


async def test_nothing_a_device_or_person_wrote_becomes_markup(sign_in: Any, town: Any, store: Any) -> None:
    """A name with a script in it is shown as it is written."""
    from hub.store.centre_tables import Resident

    async with store.writing() as session:
        (await session.get_one(Resident, "astrid")).name = '<script>alert("x")</script>'
    await town.alarm()
    nils = await sign_in("nils")
    for path in ("alarms", "alarms/1", "residents", "residents/astrid", "devices"):
        text = (await nils.get(f"/nb/{path}")).text
        assert "<script>alert" not in text, path
        assert "alert(" in text, path


async def test_ages_follow_the_homes_time(sign_in: Any, town: Any, clock: ManualClock) -> None:
    """The age of an alarm is counted on the homes' clock, never the browser's."""
    await town.alarm()
    nils = await sign_in("nils")
    await clock.advance(3 * 3600)
    assert ">3 t<" in (await nils.get("/nb/alarms")).text
