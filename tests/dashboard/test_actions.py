"""What people do with an alarm, with script and without."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlmodel import select

from hub.clock import ManualClock
from hub.store.centre_tables import Alert, Audit
from hub.store.engine import Store


async def stands(store: Store, number: int) -> Alert:
    """The alarm as it stands in the database."""
    async with store.reading() as session:
        return await session.get_one(Alert, number)


async def test_taking_answers_with_the_row_and_a_way_back(sign_in: Any, town: Any, store: Store) -> None:
    """The script gets the sentence, the row as it now stands and ten seconds to undo."""
    alert = await town.alarm()
    answer = await (await sign_in("nils")).ask(f"/nb/alarms/{alert.id}/take", version=1)
    body = answer.json()
    assert (answer.status_code, body["says"]) == (200, "Du har tatt alarmen.")
    assert body["row"]["owner"] == "nils"
    assert "Nils Berge har tatt den" in body["row"]["html"]
    assert body["undo"] == {"url": f"/nb/alarms/{alert.id}/undo", "version": 2, "seconds": 10.0}
    assert (await stands(store, alert.id)).handling == "taken"


async def test_of_two_who_take_at_once_one_wins(sign_in: Any, town: Any) -> None:
    """One 200, one 409 with the name and the time of the one who was first."""
    alert = await town.alarm()
    nils, mette = await sign_in("nils"), await sign_in("mette")
    answers = await asyncio.gather(
        *(who.ask(f"/nb/alarms/{alert.id}/take", version=1) for who in (nils, mette))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    lost = next(answer for answer in answers if answer.status_code == 409).json()
    assert lost["says"] in {"Nils Berge tok den kl. 08:00.", "Mette Lie tok den kl. 08:00."}
    assert lost["row"]["handling"] == "taken"


async def test_the_whole_way_without_script(sign_in: Any, town: Any, store: Store) -> None:
    """Take, on the way, at the door, close with cause and measure: plain forms that lead back to a page."""
    alert = await town.alarm()
    nils = await sign_in("nils")
    base = f"/nb/alarms/{alert.id}"
    back = await nils.post(f"{base}/take", version=1, back="list")
    assert (back.status_code, back.headers["location"]) == (303, "/nb/alarms")
    assert (await nils.post(f"{base}/step", version=2, step="on_the_way")).headers["location"] == base
    assert "På vei" in (await nils.get(base)).text
    await nils.post(f"{base}/step", version=3, step="at_the_door")
    await nils.post(
        f"{base}/resolve", version=4, cause="fall_unhurt", measure="visit", note="Satt på gulvet."
    )
    text = (await nils.get(base)).text
    for said in ("Nils Berge avsluttet den kl. 08:00", "Fall uten skade", "Besøk", "Satt på gulvet."):
        assert said in text
    closed = await stands(store, alert.id)
    assert (closed.handling, closed.cause, closed.measure) == ("resolved", "fall_unhurt", "visit")
    assert "Ingen åpne alarmer" in (await nils.get("/nb/alarms")).text


async def test_a_stale_action_without_script_is_a_page_with_the_sentence(sign_in: Any, town: Any) -> None:
    """409, the sentence, and the alarm as it now stands."""
    alert = await town.alarm()
    nils, mette = await sign_in("nils"), await sign_in("mette")
    await mette.post(f"/nb/alarms/{alert.id}/take", version=1)
    page = await nils.post(f"/nb/alarms/{alert.id}/take", version=1)
    assert page.status_code == 409
    assert "Mette Lie tok den kl. 08:00." in page.text
    assert "Mette Lie har hatt den i nå. Overta?" in page.text


async def test_every_action_of_the_panel_works(
    sign_in: Any, town: Any, store: Store, clock: ManualClock
) -> None:
    """Seen, snooze, take over, hand back and undo each leave the alarm as their name says."""
    alert = await town.alarm("dispenser.missed", "h1", "dispenser-1")
    nils, mette = await sign_in("nils"), await sign_in("mette")
    base = f"/nb/alarms/{alert.id}"

    async def act(who: Any, name: str, **fields: Any) -> str:
        version = (await stands(store, alert.id)).version
        answer = await who.ask(f"{base}/{name}", version=version, **fields)
        assert answer.status_code == 200, answer.text
        return (await stands(store, alert.id)).handling

    assert await act(nils, "seen") == "seen"
    assert "Sett av Nils Berge" in (await nils.get("/nb/alarms")).text
    assert await act(nils, "snooze", minutes=10, reason="Hun dusjer") == "snoozed"
    assert "Utsatt til 08:10" in (await nils.get("/nb/alarms")).text
    assert await act(mette, "take") == "taken"
    await clock.advance(180)
    assert "Mette Lie har hatt den i 3 min. Overta?" in (await nils.get(base)).text
    assert await act(nils, "take_over") == "taken"
    assert await act(nils, "hand_back") == "new"
    assert await act(nils, "take") == "taken"
    assert await act(nils, "undo") == "new"


async def test_undo_is_gone_after_ten_seconds(sign_in: Any, town: Any, clock: ManualClock) -> None:
    """Too late is told in a sentence."""
    alert = await town.alarm()
    nils = await sign_in("nils")
    await nils.ask(f"/nb/alarms/{alert.id}/take", version=1)
    await clock.advance(11)
    answer = await nils.ask(f"/nb/alarms/{alert.id}/undo", version=2)
    assert (answer.status_code, answer.json()["says"]) == (409, "Det er ingenting å angre lenger.")


async def test_a_critical_alarm_cannot_be_snoozed(sign_in: Any, town: Any) -> None:
    """The form is not offered, and the server refuses it anyway."""
    alert = await town.alarm()
    nils = await sign_in("nils")
    assert 'data-act="snooze"' not in (await nils.get(f"/nb/alarms/{alert.id}")).text
    answer = await nils.ask(f"/nb/alarms/{alert.id}/snooze", version=1, minutes=10, reason="x")
    assert answer.status_code == 409
    assert "det kan stå om liv" in answer.json()["says"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"version": "0"},
        {"version": "x"},
        {"version": "99999999999999999999"},
        {"version": "1", "note": "x" * 6000},
        {"version": "1", "minutes": "-5"},
    ],
)
async def test_a_form_that_makes_no_sense_does_nothing(
    sign_in: Any, town: Any, store: Store, fields: dict[str, str]
) -> None:
    """422 and a sentence, for script and page alike; the alarm stands as before."""
    alert = await town.alarm()
    nils = await sign_in("nils")
    scripted = await nils.ask(f"/nb/alarms/{alert.id}/take", **fields)
    says = "Skjemaet ble ikke forstått. Ingenting er gjort."
    assert (scripted.status_code, scripted.json()["says"]) == (422, says)
    for accept in ("text/html", "*/*"):
        sent = {"accept": accept, "sec-fetch-site": "same-origin"}
        page = await nils.http.post(f"/nb/alarms/{alert.id}/take", data=fields, headers=sent)
        assert (page.status_code, page.headers["content-type"][:9]) == (422, "text/html")
        assert says in page.text
    assert (await stands(store, alert.id)).version == 1


@pytest.mark.parametrize("name", ["explode", "standing", "__init__", "act"])
async def test_only_actions_of_the_table_exist(sign_in: Any, town: Any, name: str) -> None:
    """Any other word in the address is a page that does not exist."""
    alert = await town.alarm()
    assert (await (await sign_in("nils")).ask(f"/nb/alarms/{alert.id}/{name}", version=1)).status_code == 404


async def test_every_action_stands_in_the_trail(sign_in: Any, town: Any, store: Store) -> None:
    """Who, what, for whom and from where."""
    alert = await town.alarm()
    nils = await sign_in("nils")
    await nils.ask(f"/nb/alarms/{alert.id}/take", version=1)
    async with store.reading() as session:
        row = (await session.exec(select(Audit).where(Audit.action == "alert.take"))).one()
    assert (row.actor, row.home, row.subject, row.origin) == (
        "nils",
        "h1",
        f"alert {alert.id}",
        "web 127.0.0.1",
    )


@pytest.mark.parametrize("number", ["0", "-1", "x", "9007199254740993", "9" * 40])
async def test_an_alarm_that_cannot_be_is_no_fault_of_ours(sign_in: Any, number: str) -> None:
    """A number out of all bounds is an address that does not exist, and a form for it is not understood."""
    nils = await sign_in("nils")
    assert (await nils.get(f"/nb/alarms/{number}")).status_code == 404
    assert (await nils.post(f"/nb/alarms/{number}/take", version="1")).status_code == 422
