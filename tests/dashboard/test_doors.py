"""A door's page: what its lock says, reasons, refusals, fresh sign-in, progress, and the municipality's switch."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlmodel import col, select

from hub.centre import commands
from hub.store.centre_tables import Audit, CommandRow, DeviceState, Gateway, Municipality
from hub.store.engine import Store

MINUTE, HOUR = 60_000, 3_600_000
DOOR = "/nb/doors/lock-1"
VISIT = {"purpose": "visit", "house": "1"}
Says = Callable[..., Awaitable[None]]


@pytest.fixture
def lock_says(store: Store, clock: Any, town: Any) -> Says:
    """Astrid's lock reports its bolt, its gateway is heard."""

    async def report(value: str, battery: str = "") -> None:
        now = clock.now()
        async with store.writing() as session:
            gateway = await session.get_one(Gateway, "gw-h1")
            gateway.last_heard = now
            session.add(gateway)
            states = {"lock.bolt": value} | ({"lock.battery": battery} if battery else {})
            for name, text in states.items():
                await session.merge(
                    DeviceState(device="lock-1", state=name, home="h1", value=text, at=now, heard=now)
                )
        await town.hear(f"lock.{value}", "h1", "lock-1")

    return report


async def asked(store: Store) -> list[CommandRow]:
    """Every command, in order."""
    async with store.reading() as session:
        rows = (await session.exec(select(CommandRow).order_by(col(CommandRow.asked)))).all()
    return [row for row in rows if row.name != "state"]


async def went(store: Store, row: CommandRow, status: str, now: int, answer: str = "") -> None:
    """How a command went, as the gateway tells it."""
    async with store.writing() as session:
        if status == "sent":
            known = await session.get_one(CommandRow, row.id)
            known.status = "sent"
            session.add(known)
        else:
            body = {"command": row.id, "outcome": status, "at": now, "reason": answer}
            await commands.settle(session, row.gateway, body, now)


def text(page: str) -> str:
    """What a page says, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


async def test_a_door_says_whose_it_is_and_where_its_bolt_stands(sign_in: Any, lock_says: Says) -> None:
    """Who, where, the state in words with its age, the battery; and the look stands in the trail."""
    await lock_says("locked", battery="12")
    nils = await sign_in("nils")
    shown = text((await nils.get(DOOR)).text)
    for words in ("Døren hos Astrid Berg", "Storgata 1", "låst", "sist meldt: nå", "batteri 12 %"):
        assert words in shown
    assert "Med egne ord" in shown


@pytest.mark.parametrize(("value", "words"), [("unknown", "ukjent"), ("jammed", "ta med nøkkel")])
async def test_unknown_and_jammed_are_states(sign_in: Any, lock_says: Says, value: str, words: str) -> None:
    """Neither is ever shown as locked."""
    await lock_says(value)
    nils = await sign_in("nils")
    for path in (DOOR, "/nb/residents/astrid"):
        page = (await nils.get(path)).text
        assert f"bolt-{value}" in page
        assert words in text(page)


async def test_a_silent_lock_is_unknown_with_its_last_word_struck(
    sign_in: Any, lock_says: Says, clock: Any
) -> None:
    """Old news is not current."""
    await lock_says("locked")
    await clock.advance(3 * HOUR / 1000)
    nils = await sign_in("nils")
    page = (await nils.get(DOOR)).text
    assert "bolt-unknown" in page
    assert "<s>låst</s>" in page


async def test_unlocking_for_a_visit(sign_in: Any, lock_says: Says, store: Store, clock: Any) -> None:
    """Reason, house number, and one command; then the page shows how far it has come, by the lock's own word."""
    await lock_says("locked")
    nils = await sign_in("nils")
    answer = await nils.post(f"{DOOR}/unlock", **VISIT, once="ab" * 12)
    assert (answer.status_code, answer.headers["location"]) == (303, DOOR)
    [row] = await asked(store)
    assert (row.id, row.name, row.reason, row.asked_by) == ("ab" * 12, "unlock", "planned visit", "nils")
    assert "Sendes til hjemmet" in (await nils.get(DOOR)).text
    await went(store, row, "sent", clock.now())
    assert "Venter på låsen" in (await nils.get(DOOR)).text
    clock.at += 3000
    await lock_says("unlocked")
    await went(store, row, "done", clock.now())
    page = (await nils.get(DOOR)).text
    assert "Låsen sier: låst opp kl. 08:00:03" in page
    assert "Nils Berge ba om å låse opp døren kl. 08:00:00" in page
    assert "unlock-form" not in page
    assert "Lås døren" in page
    await nils.post(f"{DOOR}/unlock", **VISIT, once="ab" * 12)
    assert len(await asked(store)) == 1
    clock.at += 60_000
    await lock_says("locked")
    assert "og siden har låsen sagt: låst kl. 08:01:03" in (await nils.get(DOOR)).text


async def test_done_without_a_word_of_the_bolt_is_not_unlocked(
    sign_in: Any, lock_says: Says, store: Store, clock: Any
) -> None:
    """A gateway's "done" is not the lock's "unlocked"."""
    await lock_says("locked")
    nils = await sign_in("nils")
    await nils.post(f"{DOOR}/unlock", **VISIT)
    await went(store, (await asked(store))[0], "done", clock.now())
    page = (await nils.get(DOOR)).text
    assert "har ikke sagt ennå hvor den står" in page
    assert "låst opp kl." not in page


@pytest.mark.parametrize("status", ["failed", "expired"])
async def test_a_lost_answer_is_said_and_nothing_is_sent_again(
    sign_in: Any, lock_says: Says, store: Store, clock: Any, status: str
) -> None:
    """What is known is said; another unlocking waits until the lock has spoken; locking is offered."""
    await lock_says("locked")
    clock.at += 10
    nils = await sign_in("nils")
    await nils.post(f"{DOOR}/unlock", **VISIT)
    [row] = await asked(store)
    if status == "failed":
        await went(store, row, "failed", clock.now(), "no answer within 10 s")
    else:
        clock.at += 31_000
        await commands.send_waiting(store, clock, lambda _topic, _content: None)
    page = (await nils.get(DOOR)).text
    assert "Døren kan være låst opp eller ikke: ingen vet" in page
    assert "4711" in page
    assert "bolt-unknown" in page
    assert "unlock-form" not in page
    assert "Lås døren" in page
    again = await nils.post(f"{DOOR}/unlock", **VISIT)
    assert again.status_code == 409
    assert "Ingen vet om den forrige opplåsingen gikk gjennom" in again.text
    assert len(await asked(store)) == 1
    clock.at += 5000
    await lock_says("locked")
    page = (await nils.get(DOOR)).text
    assert "men låsen har sagt det siden: låst kl." in page
    assert "unlock-form" in page


async def test_the_alarm_i_have_taken_is_the_reason(
    sign_in: Any, lock_says: Says, store: Store, town: Any
) -> None:
    """Chosen beforehand when the door is opened from it; no house number; untaken it is only pointed to."""
    await lock_says("locked")
    alert = await town.alarm()
    nils = await sign_in("nils")
    before = await nils.get(f"{DOOR}?alarm={alert.id}")
    assert "Ta alarmen først" in before.text
    assert f"alarm-{alert.id}" not in before.text
    await nils.post(f"/nb/alarms/{alert.id}/take", version=alert.version)
    page = (await nils.get(f"{DOOR}?alarm={alert.id}")).text
    assert f'value="alarm-{alert.id}" checked' in page
    assert "Fall oppdaget" in page
    fields = {"purpose": f"alarm-{alert.id}", "origin": alert.id}
    answer = await nils.post(f"{DOOR}/unlock", **fields)
    assert answer.headers["location"] == f"{DOOR}?alarm={alert.id}"
    assert [(row.alert, row.reason) for row in await asked(store)] == [(alert.id, f"alert {alert.id}")]


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({}, 422, "Velg hvorfor døren skal låses opp"),
        ({"purpose": "visit", "house": "7"}, 422, "Husnummeret stemmer ikke"),
        ({"purpose": "other", "house": "1"}, 422, "med en begrunnelse"),
        ({"purpose": "alarm-77"}, 409, "Ta alarmen først"),
    ],
)
async def test_a_refusal_is_the_hubs_sentence_and_nothing_is_lost(
    sign_in: Any, lock_says: Says, store: Store, fields: Any, status: int, says: str
) -> None:
    """In the reader's language, with what was written still in the form."""
    await lock_says("locked")
    nils = await sign_in("nils")
    answer = await nils.post(f"{DOOR}/unlock", reason="", **fields)
    assert answer.status_code == status
    assert says in answer.text
    if "house" in fields:
        assert f'value="{fields["house"]}"' in answer.text
        assert f'value="{fields["purpose"]}" checked' in answer.text
    assert await asked(store) == []


async def test_a_fresh_sign_in_comes_back_to_the_form(
    sign_in: Any, lock_says: Says, store: Store, town: Any, real: Any
) -> None:
    """Two hours after signing in another reason asks for a new link; with it the same form goes through at once."""
    await lock_says("locked")
    nils = await sign_in("nils")
    old = dict(nils.http.cookies)
    for _ in range(5):
        await real.advance(24 * 60)
        await nils.get(DOOR)
    form = {"purpose": "other", "reason": "Hun svarer ikke", "house": "1", "once": "cd" * 12}
    refused = await nils.post(f"{DOOR}/unlock", **form)
    assert refused.status_code == 403
    assert "Logg inn på nytt for å låse opp" in refused.text
    assert 'name="link"' in refused.text
    assert "Hun svarer ikke" in refused.text
    assert "cd" * 12 in refused.text
    for_siri = await town.link("siri", real.now())
    for wrong in ("nonsense", for_siri):
        answer = await nils.post(f"{DOOR}/unlock", **form, link=wrong)
        assert answer.status_code == 403
        assert "til noen andre, er brukt eller for gammel" in answer.text
        assert "Hun svarer ikke" in answer.text
    assert await asked(store) == []
    token = await town.link("nils", real.now())
    answer = await nils.post(f"{DOOR}/unlock", **form, link=f"https://x/nb/sign-in?token={token}")
    assert answer.status_code == 303
    assert [row.reason for row in await asked(store)] == ["Hun svarer ikke"]
    assert dict(nils.http.cookies) != old
    assert (await nils.get(DOOR)).status_code == 200
    siri = await sign_in("siri")
    assert (await siri.post("/nb/sign-in", token=for_siri)).status_code == 303


async def test_where_it_is_switched_off_the_screens_say_so(
    sign_in: Any, lock_says: Says, store: Store, town: Any
) -> None:
    """One sentence in place of the form, on the alarm, the resident and the door; the hub refuses, and it is logged."""
    await lock_says("locked")
    alert = await town.alarm()
    async with store.writing() as session:
        row = await session.get_one(Municipality, 1)
        row.body = {**row.body, "remote_unlock": {"allowed": False}}
        session.add(row)
    nils = await sign_in("nils")
    for path in (DOOR, "/nb/residents/astrid", f"/nb/alarms/{alert.id}"):
        page = (await nils.get(path)).text
        assert "Kommunen har slått av opplåsing av dører fra skjermen." in page
        assert "unlock-form" not in page
        assert "Lås opp døren …" not in page
    answer = await nils.post(f"{DOOR}/unlock", **VISIT)
    assert answer.status_code == 403
    assert await asked(store) == []
    timeline = text((await nils.get("/nb/residents/astrid?show=doors")).text)
    assert "Lås opp døren: det ble ikke tillatt" in timeline
    assert "Nils Berge: Kommunen har slått av" in timeline


async def test_locking_needs_no_reason(sign_in: Any, lock_says: Says, store: Store) -> None:
    """Whoever sees an unlocked door may lock it; it is offered where the door is not locked."""
    await lock_says("unlocked")
    nils = await sign_in("nils")
    page = (await nils.get("/nb/residents/astrid")).text
    assert "Lås døren …" in page
    assert (await nils.post(f"{DOOR}/lock")).status_code == 303
    assert [row.name for row in await asked(store)] == ["lock"]
    assert "Nils Berge ba om å låse døren" in (await nils.get(DOOR)).text


async def test_the_timeline_tells_who_unlocked_and_why(
    sign_in: Any, lock_says: Says, store: Store, town: Any, clock: Any
) -> None:
    """What a gateway tells of an order stands under Doors, with the person and the reason; a mere question does not."""
    await lock_says("locked")
    nils = await sign_in("nils")
    for name, why in (("unlock", "blue-light services"), ("state", "before opening"), ("lock", "alert 3")):
        body = {"command": name, "outcome": "done", "name": name, "asked_by": "nils", "why": why}
        await town.journal("result", body, home="h1", device="lock-1")
    for show in ("doors", ""):
        shown = text((await nils.get(f"/nb/residents/astrid?show={show}")).text)
        assert "Lås opp døren: enheten gjorde det den ble bedt om Nils Berge · utrykning" in shown
        assert "Nils Berge · alarm 3" in shown
        assert "før opplåsing" not in shown
    assert "før opplåsing" in (await nils.get("/nb/residents/astrid?show=all")).text


@pytest.mark.parametrize("who", ["tor", "olga", "siri", "vegg"])
async def test_only_who_knows_the_resident_sees_the_door(
    sign_in: Any, lock_says: Says, store: Store, who: str
) -> None:
    """No page and no command for a technician, for strangers, for a wall screen."""
    await lock_says("locked")
    browser = await sign_in(who)
    assert (await browser.get(DOOR)).status_code == 403
    for deed in ("unlock", "lock", "state"):
        assert (await browser.post(f"{DOOR}/{deed}", **VISIT)).status_code == 403
    assert await asked(store) == []


async def test_what_is_no_door_has_no_page(sign_in: Any, town: Any) -> None:
    """A pendant, and nothing at all."""
    nils = await sign_in("nils")
    for device in ("pendant-1", "nothing"):
        assert (await nils.get(f"/nb/doors/{device}")).status_code == 404
        assert (await nils.post(f"/nb/doors/{device}/unlock", **VISIT)).status_code == 404


async def test_every_attempt_stands_in_the_trail(sign_in: Any, lock_says: Says, store: Store) -> None:
    """The look, the attempt that was refused, and the one that went through."""
    await lock_says("locked")
    nils = await sign_in("nils")
    await nils.get(DOOR)
    await nils.post(f"{DOOR}/unlock", purpose="visit", house="7")
    await nils.post(f"{DOOR}/unlock", **VISIT)
    async with store.reading() as session:
        trail = (await session.exec(select(Audit.action).where(Audit.actor == "nils"))).all()
    assert [one for one in trail if one.startswith(("door", "command"))] == [
        "door.read",
        "command.not_asked",
        "command.ask",
    ]
