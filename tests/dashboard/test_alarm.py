"""S2, one alarm: who, where, what to do, and why it is here."""

from __future__ import annotations

from typing import Any

from sqlmodel import select

from dashboard.pages.panel import sentences
from hub.clock import ManualClock
from hub.store.centre_tables import Alert, Audit
from hub.store.engine import Store

MINUTE = 60_000


async def test_a_program_s_own_text_is_a_technical_detail(sign_in: Any, town: Any, store: Any) -> None:
    """It is English and for those who mend things, so it stands small, under why."""
    alert = await town.alarm()
    async with store.writing() as session:
        row = await session.get_one(Alert, alert.id)
        row.because = row.because | {"detail": "h1-pendant: the key file cannot be read"}
        session.add(row)
    text = (await (await sign_in("nils")).get(f"/nb/alarms/{alert.id}")).text
    assert 'Teknisk detalj: <span lang="en">h1-pendant: the key file cannot be read</span>' in text


async def test_everything_a_nurse_needs_stands_on_one_page(sign_in: Any, town: Any) -> None:
    """Sentence, action plan, resident with warnings, key box, telephones, rule and evidence."""
    await town.state("lock-1", "h1", "lock.bolt", "locked", ago=5 * MINUTE)
    alert = await town.alarm(ago=2 * MINUTE, lag=90_000)
    text = (await (await sign_in("nils")).get(f"/nb/alarms/{alert.id}")).text
    for said in (
        "Fall oppdaget",
        "Ring beboeren.",
        "Får du ikke svar, dra dit med en gang.",
        "Astrid Berg",
        "88 år",
        "Hund i huset",
        "4711",
        "Bruk døren mot hagen.",
        "+4755101010",
        "Per Berg",
        "sønn",
        "113",
        "pendant.fall → alarm",
        "hørt 07:59",
        "tid til å ta en dose",
        "låst",
        "Alarmen gikk",
    ):
        assert said in text, said


async def test_the_evidence_leads_to_its_line_in_the_timeline(sign_in: Any, town: Any) -> None:
    """From the alarm to the very event it acted on."""
    alert = await town.alarm()
    nils = await sign_in("nils")
    text = (await nils.get(f"/nb/alarms/{alert.id}")).text
    link = text.split('href="/nb/residents/astrid#e')[1].split('"')[0]
    assert f'id="e{link}"' in (await nils.get("/nb/residents/astrid")).text


async def test_a_look_is_written_down_once_for_ten_minutes(
    sign_in: Any, town: Any, store: Store, real: ManualClock
) -> None:
    """A page that keeps itself fresh is one look; coming back later is another, and another person is another."""
    alert = await town.alarm()
    nils, eva = await sign_in("nils"), await sign_in("eva")
    for who in (nils, nils, eva):
        await who.get(f"/nb/alarms/{alert.id}/panel")
    await real.advance(11 * 60)
    await nils.get(f"/nb/alarms/{alert.id}")
    async with store.reading() as session:
        rows = (
            await session.exec(select(Audit).where(Audit.action == "alert.read").order_by(Audit.seq))
        ).all()
    assert [(row.actor, row.subject, row.home) for row in rows] == [
        (who, f"alert {alert.id}", "h1") for who in ("nils", "eva", "nils")
    ]
    assert all(row.origin.startswith("web ") for row in rows)


async def test_what_cannot_be_written_down_is_not_shown(
    sign_in: Any, town: Any, store: Store, monkeypatch: Any
) -> None:
    """If the audit trail refuses, the page fails rather than showing what nobody would know was seen."""
    alert = await town.alarm()
    nils = await sign_in("nils")

    async def refuse(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("hub.centre.audit.write", refuse)
    for _ in range(2):
        answer = await nils.get(f"/nb/alarms/{alert.id}")
        assert answer.status_code == 500
        assert "Astrid" not in answer.text


async def test_a_technician_sees_the_device_and_no_health(sign_in: Any, town: Any) -> None:
    """Tor gets the jammed lock's address and the catalogue's words, no name, no key box, no telephone."""
    jam = await town.alarm("lock.jammed", "h2", "lock-2", queue="technical")
    fall = await town.alarm()
    tor = await sign_in("tor")
    page = (await tor.get(f"/nb/alarms/{jam.id}")).text
    assert "Lillegata 2" in page
    assert "Dørlåsen har kjørt seg fast" in page
    for hidden in ("Solveig", "1905", "+4755202020"):
        assert hidden not in page
        assert hidden not in (await tor.get("/nb/alarms")).text
        assert hidden not in (await tor.get("/nb/devices")).text
    assert (await tor.get(f"/nb/alarms/{fall.id}")).status_code == 404


async def test_a_wall_screen_shows_initials_only(sign_in: Any, town: Any) -> None:
    """No name, no address; the rule's own sentence may hold a name, so the catalogue's words stand instead."""
    await town.alarm()
    text = (await (await sign_in("vegg")).get("/nb/alarms")).text
    assert "A. B." in text
    assert "Fall oppdaget" in text
    for hidden in ("Astrid", "Berg<", "Storgata"):
        assert hidden not in text


def test_an_action_plan_is_cut_into_steps() -> None:
    """One sentence a step; numbers, abbreviations before small letters and line breaks are no surprise."""
    assert sentences("Ring henne. Får du ikke svar, dra dit. Ring 113!") == [
        "Ring henne.",
        "Får du ikke svar, dra dit.",
        "Ring 113!",
    ]
    assert sentences("Gi dosen kl. 08:00 evt. senere\n\nNoter det") == [
        "Gi dosen kl. 08:00 evt. senere",
        "Noter det",
    ]
    assert sentences("") == []
