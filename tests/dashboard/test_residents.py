"""Residents, their timelines, and the equipment in their homes."""

from __future__ import annotations

import re
from typing import Any

from sqlmodel import select

from hub.clock import ManualClock
from hub.store.centre_tables import Audit
from hub.store.engine import Store

MINUTE, HOUR = 60_000, 3_600_000


async def test_the_list_shows_who_needs_somebody_first(sign_in: Any, town: Any) -> None:
    """Open alarms first, then by name; with last sign of life and silent equipment."""
    await town.hear("room.motion", "h1", "lock-1", ago=5 * MINUTE)
    await town.alarm(home="h2", device="pendant-2")
    text = (await (await sign_in("nils")).get("/nb/residents")).text
    assert text.index("Solveig Ødegård") < text.index("Astrid Berg")
    assert "1 alarm<" in text
    assert "uten kontakt:" in text
    assert "Olav" not in text


async def test_what_a_gateway_says_of_itself_is_no_sign_of_life(sign_in: Any, town: Any) -> None:
    """A box whose devices were never heard leaves its resident at "never"; one word from a device changes that."""
    nils = await sign_in("nils")
    await town.hear("gateway.heartbeat", "h1", "gw-h1")
    never = (await nils.get("/nb/residents?q=astrid")).text
    assert "aldri" in never
    await town.hear("lock.heartbeat", "h1", "lock-1", ago=9 * MINUTE)
    heard = (await nils.get("/nb/residents?q=astrid")).text
    assert "07:51" in heard
    assert "aldri" not in heard


async def test_search_by_name_and_address(sign_in: Any) -> None:
    """A part of either is enough; wildcards of the database are only characters."""
    nils = await sign_in("nils")
    for word, found in {"ødegård": "Solveig", "stor": "Astrid", "%": "", "_": ""}.items():
        text = (await nils.get(f"/nb/residents?q={word}", headers={"hx-request": "true"})).text
        assert "<html" not in text
        if found:
            assert found in text
    assert "Ingen passer søket." in (await nils.get("/nb/residents?q=nobody")).text


async def test_the_timeline_tells_what_happened_and_when_it_was_heard(sign_in: Any, town: Any) -> None:
    """Event, time, and the later time at which the gateway heard of it."""
    times = {"ago": 40 * MINUTE, "lag": 25 * MINUTE}
    await town.hear("dispenser.dispensed", "h1", "dispenser-1", **times, dose="d1", planned=town.clock.now())
    text = (await (await sign_in("nils")).get("/nb/residents/astrid")).text
    assert "I dag" in text
    assert "07:20" in text
    assert "hørt 07:45" in text
    assert "08:00" in text
    assert "Medisindispenser, kjøkken" in text


async def test_the_timeline_says_which_rule_acted_and_why(sign_in: Any, town: Any) -> None:
    """The alarm's line opens to the rule, its evidence and the parameters it used."""
    await town.alarm()
    text = (await (await sign_in("nils")).get("/nb/residents/astrid")).text
    assert "Alarm: Fall oppdaget" in text
    assert "pendant.fall → alarm" in text
    assert "Den bygger på denne hendelsen:" in text
    assert "tid til å ta en dose</dt><dd>1 t</dd>" in text
    assert "resident.dose_time" not in text


async def test_what_people_did_stands_in_the_timeline(sign_in: Any, town: Any) -> None:
    """Taken, closed, cause and note, each with the name."""
    alert = await town.alarm()
    nils = await sign_in("nils")
    await nils.ask(f"/nb/alarms/{alert.id}/take", version=1)
    await nils.ask(
        f"/nb/alarms/{alert.id}/resolve", version=2, cause="accidental", measure="talked", note="Alt vel."
    )
    text = (await nils.get("/nb/residents/astrid?show=alarms")).text
    for said in ("Tatt", "Avsluttet", "Årsak: Utløst ved uhell", "Tiltak: Samtale", "Alt vel.", "Nils Berge"):
        assert said in text


async def test_nothing_disappears_that_was_not_understood(sign_in: Any, town: Any) -> None:
    """Unreadable and unknown frames are lines of their own, with the reason and the bytes."""
    body = {"link": "ble", "address": "aa:bb", "hex": "d2fc40", "error": "payload ends after 3 bytes"}
    await town.journal("unreadable", body, home="h1", device="pendant-1")
    await town.journal("unknown", body | {"error": "nobody knows h9/x"}, home="")
    nils = await sign_in("nils")
    for query in ("", "?show=strange"):
        text = (await nils.get(f"/nb/residents/astrid{query}")).text
        assert "En melding som ikke kunne leses" in text
        assert "payload ends after 3 bytes" in text
        assert "d2fc40" in text
    equipment = (await (await sign_in("tor")).get("/nb/devices")).text
    assert "nobody knows h9/x" in equipment
    assert "payload ends after 3 bytes" in equipment, "who mends devices may see no timeline"


async def test_held_and_late_decisions_and_answers_of_devices_are_told(sign_in: Any, town: Any) -> None:
    """The system can say why an alarm is not there."""
    held = {"action": "held", "rule": "door at night", "reason": "the resident is away"}
    await town.journal("decision", held, home="h1")
    await town.journal("decision", {"action": "raise", "rule": "told by the alarm"}, home="h1")
    await town.journal("result", {"command": "c1", "outcome": "refused", "reason": "low battery"}, home="h1")
    lost = {"command": "c2", "outcome": "expired", "reason": "no answer in time"}
    await town.journal("result", lost, home="h1")
    await town.journal("health", {"what": "disk", "says": {"nb": "Disken er full", "en": "full"}}, home="h1")
    text = (await (await sign_in("nils")).get("/nb/residents/astrid")).text
    assert "En regel holdt en alarm tilbake" in text
    assert "door at night: the resident is away" in text
    assert "told by the alarm" not in text
    assert "Enheten avviste det den ble bedt om" in text
    assert "Ingen vet om enheten gjorde det den ble bedt om" in text
    assert "ikke noe svar i tide" in text
    assert "Disken er full" in text


async def test_late_decisions_stand_only_under_everything(sign_in: Any, town: Any) -> None:
    """Ten of them come after every start; whoever wants them finds them, in Norwegian."""
    late = {"action": "late", "rule": "pendant-pressed", "reason": "came in 5 min 51 s late"}
    await town.journal("decision", late, home="h1")
    await town.journal("decision", {"action": "held", "rule": "r", "reason": "came in late"}, home="h1")
    nils = await sign_in("nils")
    first = (await nils.get("/nb/residents/astrid")).text
    assert "En regel fikk vite dette for sent" not in first
    assert "r: kom for sent inn" in first
    every = (await nils.get("/nb/residents/astrid?show=all")).text
    assert "pendant-pressed: kom inn 5 min 51 s for sent" in every


async def test_filters_show_what_they_say(sign_in: Any, town: Any) -> None:
    """Heartbeats only in "everything", doors under doors, medicine under medicine."""
    await town.hear("lock.heartbeat", "h1", "lock-1")
    await town.hear("lock.locked", "h1", "lock-1", by="Mette")
    await town.hear("dispenser.taken", "h1", "dispenser-1", dose="08:00", planned=0)
    await town.hear("vitals.pulse", "h1", "pendant-1", value=72)
    nils = await sign_in("nils")

    async def icons(show: str) -> int:
        text = (await nils.get(f"/nb/residents/astrid?show={show}")).text
        return len(re.findall(r'<li class="happening', text))

    assert [await icons(show) for show in ("", "all", "doors", "medicine", "health", "strange", "bogus")] == [
        3, 4, 1 + 1, 1, 1, 0, 3,
    ]  # fmt: skip


async def test_paging_shows_each_happening_once(sign_in: Any, town: Any) -> None:
    """One hundred and fifty events with equal times among them: three pages, nothing twice, nothing missing."""
    for number in range(150):
        await town.hear("lock.locked", "h1", "lock-1", ago=(number // 3) * MINUTE, by=f"nr-{number}-")
    nils = await sign_in("nils")
    address, seen = "/nb/residents/astrid", []
    for _ in range(5):
        text = (await nils.get(address, headers={"hx-request": "true"})).text
        seen += re.findall(r"(nr-\d+-)", text)
        more = re.search(r'hx-get="([^"]+)"', text)
        if not more:
            break
        address = more.group(1).replace("&amp;", "&")
    assert len(seen) == 150
    assert len(set(seen)) == 150


async def test_a_bent_paging_address_starts_at_the_top(sign_in: Any, town: Any) -> None:
    """Whatever stands behind `before=`, the answer is a page."""
    await town.hear("lock.locked", "h1", "lock-1", by="Mette")
    nils = await sign_in("nils")
    for before in ("x", "1.e", "1.x.1", "9" * 40 + ".e.1", "-1.e.1", "²2.e.1"):
        answer = await nils.get("/nb/residents/astrid", params={"before": before})
        assert answer.status_code == 200
        assert "Mette" in answer.text


async def test_yesterday_has_its_own_heading(sign_in: Any, town: Any) -> None:
    """Days are those of the home's clock."""
    await town.hear("lock.locked", "h1", "lock-1", ago=9 * HOUR, by="Mette")
    text = (await (await sign_in("nils")).get("/en/residents/astrid")).text
    assert "Yesterday" in text
    assert "23:00" in text


async def test_a_look_at_a_resident_is_written_down(sign_in: Any, town: Any, store: Store) -> None:
    """The timeline is health information: who saw it stands in the trail."""
    await (await sign_in("nils")).get("/nb/residents/astrid")
    async with store.reading() as session:
        row = (await session.exec(select(Audit).where(Audit.action == "resident.read"))).one()
    assert (row.actor, row.home, row.subject) == ("nils", "h1", "resident astrid")


async def test_an_old_state_is_never_shown_as_current(sign_in: Any, town: Any, clock: ManualClock) -> None:
    """A lock unheard for longer than it may be is unknown; what it said last is struck out."""
    await town.hear("lock.locked", "h1", "lock-1", by="Mette")
    await town.state("lock-1", "h1", "lock.bolt", "locked")
    nils = await sign_in("nils")
    fresh = (await nils.get("/nb/devices")).text
    assert "Dørlås: <b>låst</b>" in fresh
    await clock.advance(3 * 86_400)
    for path in ("devices", "residents/astrid"):
        stale = (await nils.get(f"/nb/{path}")).text
        assert "<b>låst</b>" not in stale
        assert "<s>Dørlås: låst</s>" in stale
        assert "sist hørt" in stale


async def test_devices_behind_a_silent_gateway_are_unknown(
    sign_in: Any, town: Any, clock: ManualClock
) -> None:
    """What a lock said twenty minutes ago is only last known when its gateway is silent, and the count says so."""
    await town.hear("lock.locked", "h1", "lock-1", by="Mette")
    await town.state("lock-1", "h1", "lock.bolt", "locked")
    alert = await town.alarm()
    nils, tor = await sign_in("nils"), await sign_in("tor")
    assert "4 uten kontakt" in (await tor.get("/nb/devices")).text
    await clock.advance(20 * 60)
    devices = (await tor.get("/nb/devices")).text
    assert "6 enheter · 6 uten kontakt" in devices
    for text in (devices, (await nils.get("/nb/residents/astrid")).text):
        assert "<b>låst</b>" not in text
        assert "sist kjent" in text
        assert "<s>Dørlås: låst</s>" in text
    panel = (await nils.get(f"/nb/alarms/{alert.id}")).text
    assert "<b>låst</b>" not in panel
    assert "<s>låst</s>" in panel
    assert "uten kontakt: Medisindispenser, Dørlås, Trygghetsalarm" in (await nils.get("/nb/residents")).text


async def test_a_silent_gateway_is_unknown(sign_in: Any, town: Any, clock: ManualClock) -> None:
    """The list of boxes says so instead of showing the last good news."""
    nils = await sign_in("nils")
    assert "Boks Storgata 1" in (await nils.get("/nb/devices")).text
    await clock.advance(3600)
    assert (await nils.get("/nb/devices?only=silent")).text.count("state-unknown") >= 2


async def test_a_device_whose_silence_nobody_would_notice_says_so(sign_in: Any, town: Any) -> None:
    """A pendant without a battery, an SMS alarm with nothing set: who looks at it must not feel safe."""
    why = "melder bare fra når den brukes, så taushet kan ikke oppdages"
    unset = "det er ikke satt hvor lenge den kan være stille"
    tor = await sign_in("tor")
    assert why not in (await tor.get("/nb/devices")).text
    await town.change_device("pendant-1", type="enocean_pendant")
    assert why in (await tor.get("/nb/devices")).text
    assert why in (await (await sign_in("nils")).get("/nb/residents/astrid")).text
    await town.change_device("pendant-1", type="sms_pendant")
    assert unset in (await tor.get("/nb/devices")).text
    await town.change_device("pendant-1", type="sms_pendant", settings={"silent_after": 90_000})
    assert unset not in (await tor.get("/nb/devices")).text
