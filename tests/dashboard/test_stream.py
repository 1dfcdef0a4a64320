"""The live stream: what is told to whom, catching up, heartbeats, and ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dashboard.live import changes, feed
from dashboard.live.channel import MOST_PENDING, Client
from dashboard.live.epoch import ensure_epoch
from dashboard.live.frames import frame, read_cursor
from dashboard.web import Web
from hub.clock import ManualClock
from hub.store.centre_tables import Alert, Change, Staff, StoreFact, WebSession
from hub.store.engine import Store

EPOCH = "c0ffee00c0ffee00"


async def test_a_stream_begins_with_counts_and_a_heartbeat(sign_in: Any, listen: Any, town: Any) -> None:
    """It is an event stream that nobody may buffer or store, and it is not gzipped."""
    ear = await listen(await sign_in("nils"))
    assert ear.status == 200
    assert ear.headers["content-type"].startswith("text/event-stream")
    assert ear.headers["cache-control"] == "no-store"
    assert "content-encoding" not in ear.headers
    assert [name for name, _, _ in ear.heard] == ["n", "hb"]
    assert ear.of("hb")[0]["t"] == town.clock.now()


async def test_a_new_alarm_is_told_with_its_row_and_cursor(
    sign_in: Any, listen: Any, town: Any, look: Any
) -> None:
    """add, then put as it changes, then del with its closed row; counts follow."""
    nils = await sign_in("nils")
    ear = await listen(nils)
    alert = await town.alarm()
    await look()
    await nils.ask(f"/nb/alarms/{alert.id}/take", version=1)
    await look()
    await nils.ask(f"/nb/alarms/{alert.id}/resolve", version=2, cause="other", measure="talked")
    await look()
    rows = [(data["op"], data["ver"], data["handling"]) for data in ear.of("a")]
    assert rows == [("add", 1, "new"), ("put", 2, "taken"), ("del", 3, "resolved")]
    assert f'<li id="a{alert.id}"' in ear.of("a")[0]["html"]
    assert 'data-gone="1"' in ear.of("a")[2]["html"]
    assert [data["untaken"]["p1"] for data in ear.of("n")] == [0, 1, 0, 0]
    assert [data["open"]["p1"] for data in ear.of("n")] == [0, 1, 1, 0]
    identities = [identity for name, _, identity in ear.heard if name == "a"]
    assert identities == [f"{EPOCH}-{seq}" for seq in (2, 3, 4)]


async def test_everybody_in_a_channel_gets_the_same_bytes(
    sign_in: Any, listen: Any, town: Any, look: Any, web: Web
) -> None:
    """Nils and Mette share zone, rights and language; English is another channel with other words."""
    ears = [await listen(await sign_in(who)) for who in ("nils", "mette")]
    english = await listen(await sign_in("nils"), "/en/live")
    await town.alarm()
    await look()
    assert ears[0].of("a") == ears[1].of("a")
    assert "Fall oppdaget" in ears[0].of("a")[0]["html"]
    assert "Fall detected" in english.of("a")[0]["html"]
    assert len(web.feed._channels) == 2
    assert "data-mine" not in ears[0].of("a")[0]["html"]


async def test_zone_and_redaction_hold_on_the_stream(sign_in: Any, listen: Any, town: Any, look: Any) -> None:
    """The other zone hears nothing, a technician only technical alarms without names, a wall only initials."""
    ears = {who: await listen(await sign_in(who)) for who in ("nils", "siri", "olga", "tor", "vegg", "eva")}
    await town.alarm()
    await town.alarm("lock.jammed", "h2", "lock-2", queue="technical")
    await town.alarm("smoke.detected", "h3", "pendant-3")
    await look()
    text = {who: str(ear.heard) for who, ear in ears.items()}
    heard = {who: len(ear.of("a")) for who, ear in ears.items()}
    assert heard == {"nils": 2, "siri": 1, "olga": 0, "tor": 1, "vegg": 2, "eva": 3}
    assert "Olav" in text["siri"]
    for name in ("Astrid", "Solveig", "Storgata", "h1", "h2"):
        assert name not in text["siri"], name
        assert name not in text["olga"], name
    for name in ("Astrid", "Solveig", "Olav", "Fall"):
        assert name not in text["tor"], name
    assert "A. B." in text["vegg"]
    assert "Astrid" not in text["vegg"]
    assert "Storgata" not in text["vegg"]
    assert [ear.of("d") for ear in (ears["olga"], ears["siri"])] == [[], [{"home": "h3"}]]


async def test_reconnecting_replays_what_was_missed_and_nothing_else(
    sign_in: Any, listen: Any, town: Any, look: Any
) -> None:
    """Fifty changes while away: each alarm once, as it stands now, closed ones as gone."""
    nils = await sign_in("nils")
    first = await listen(nils)
    alerts = [await town.alarm("door.opened", "h1", "lock-1", rule=f"door {number}") for number in range(3)]
    await look()
    place = [identity for name, _, identity in first.heard if name == "a"][-1]
    first.hang_up()
    for version in (1, 3):
        await nils.ask(f"/nb/alarms/{alerts[0].id}/take", version=version)
        await nils.ask(f"/nb/alarms/{alerts[0].id}/hand_back", version=version + 1)
    await nils.ask(f"/nb/alarms/{alerts[1].id}/take", version=1)
    await nils.ask(f"/nb/alarms/{alerts[1].id}/resolve", version=2, cause="other", measure="talked")
    again = await listen(nils, after=place)
    assert [(data["op"], data["id"], data["ver"]) for data in again.of("a")] == [
        ("put", alerts[0].id, 5),
        ("del", alerts[1].id, 3),
    ]
    assert again.of("reset") == []


@pytest.mark.parametrize("after", ["", "0000-5", f"{EPOCH}-999999", f"{EPOCH}-x", f"{EPOCH}-", "x" * 5000])
async def test_a_place_nobody_knows_means_begin_anew(
    sign_in: Any, listen: Any, town: Any, after: str
) -> None:
    """Another database, a bent cursor or one from the future: reset, with the place to go on from."""
    await town.alarm()
    ear = await listen(await sign_in("nils"), after=after)
    assert ear.of("reset") == [{"cursor": f"{EPOCH}-2"}]


async def test_who_joins_while_sessions_are_checked_is_not_signed_out(
    sign_in: Any, listen: Any, web: Web, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mette's stream begins between the question about Nils' session and its answer; both go on listening."""
    nils, mette = await sign_in("nils"), await sign_in("mette")
    ears = [await listen(nils)]

    async def meanwhile(*asked: Any) -> Any:
        monkeypatch.undo()
        found = await feed.sessions.viewers(*asked)
        ears.append(await listen(mette))
        return found

    monkeypatch.setattr(feed.sessions, "viewers", meanwhile)
    await web.feed.beat()
    await look()
    assert [ear.of("auth") for ear in ears] == [[], []]


async def test_too_far_behind_means_begin_anew(
    sign_in: Any, listen: Any, town: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that slept through more changes than are worth replaying fetches the list instead."""
    monkeypatch.setattr(changes, "FARTHEST_BACK", 3)
    for number in range(3):
        await town.alarm("door.opened", "h1", "lock-1", rule=f"door {number}")
    ear = await listen(await sign_in("nils"), after=f"{EPOCH}-0")
    assert len(ear.of("reset")) == 1


async def test_a_pruned_table_of_changes_means_begin_anew(
    sign_in: Any, listen: Any, town: Any, store: Store
) -> None:
    """Where changes were cleared away, what was missed cannot be told any more."""
    await town.alarm()
    async with store.writing() as session:
        await session.delete(await session.get_one(Change, 1))
    nils = await sign_in("nils")
    assert len((await listen(nils, after=f"{EPOCH}-0")).of("reset")) == 1
    assert (await listen(nils, after=f"{EPOCH}-1")).of("reset") == []


async def test_the_heartbeat_names_the_last_change_of_its_own_channel(
    sign_in: Any, listen: Any, town: Any, look: Any, web: Web
) -> None:
    """A change of another zone moves no other channel's number (trap 16)."""
    nord, sor = await listen(await sign_in("nils")), await listen(await sign_in("siri"))
    await town.alarm()
    await town.alarm("smoke.detected", "h3", "pendant-3")
    await look()
    await web.feed.beat()
    await look()
    assert nord.of("hb")[-1]["seq"] == 2
    assert sor.of("hb")[-1]["seq"] == 4
    assert (nord.of("hb")[-1]["n"], sor.of("hb")[-1]["n"]) == (1, 1)


async def test_no_heartbeat_while_the_database_cannot_be_read(
    sign_in: Any, listen: Any, web: Web, look: Any, real: ManualClock
) -> None:
    """Silence must look like failure: a feed that reads nothing claims nothing."""
    ear = await listen(await sign_in("nils"))
    before = len(ear.of("hb"))
    await real.advance(feed.FRESH + 1)
    await web.feed.beat()
    await asyncio.sleep(0)
    assert len(ear.of("hb")) == before
    await look()
    await web.feed.beat()
    await look()
    assert len(ear.of("hb")) == before + 1


async def test_silent_sensors_are_told_with_every_heartbeat(
    sign_in: Any, listen: Any, web: Web, look: Any, clock: ManualClock
) -> None:
    """No gateway heard for longer than it may be: the page says so, although the web process lives."""
    ear = await listen(await sign_in("nils"))
    await clock.advance(4 * 60)
    await look()
    await web.feed.beat()
    await clock.advance(2 * 60)
    await look()
    await web.feed.beat()
    await look()
    assert [beat["silent"] for beat in ear.of("hb")][-2:] == [0, 6 * 60 * 1000]


async def test_signing_out_ends_the_stream_with_a_word(
    sign_in: Any, listen: Any, web: Web, look: Any
) -> None:
    """The next heartbeat finds the session gone: `auth`, and the stream is over."""
    nils = await sign_in("nils")
    ear = await listen(nils)
    await nils.post("/nb/sign-out")
    await web.feed.beat()
    await look()
    assert ear.heard[-1][0] == "auth"
    await asyncio.wait_for(ear.task, 30)


async def test_a_changed_scope_begins_the_stream_anew(
    sign_in: Any, listen: Any, web: Web, look: Any, store: Store
) -> None:
    """Who moves to another team gets a reset, and the list of the new zone; the old one is not told any more."""
    nils = await sign_in("nils")
    ear = await listen(nils)
    async with store.writing() as session:
        (await session.get_one(Staff, "nils")).teams = ["team-sor"]
    await web.feed.beat()
    await look()
    assert ear.heard[-1][0] == "reset"
    await asyncio.wait_for(ear.task, 30)


async def test_the_end_of_a_shift_is_told_two_minutes_ahead(
    sign_in: Any, listen: Any, web: Web, look: Any, store: Store, real: ManualClock
) -> None:
    """An open stream keeps the session in use, but not beyond the shift; the page can draw it out."""
    ear = await listen(await sign_in("nils"))
    for _ in range(12 * 3):
        await real.advance(20 * 60 - 3)
        await web.feed.beat()
    assert [name for name, _, _ in ear.heard if name == "auth"] == []
    await look()
    [left] = ear.of("left")
    assert 0 < left["seconds"] <= 120
    assert left["extend"] is True
    async with store.reading() as session:
        rows = list(await session.exec(WebSession.__table__.select()))
    assert rows[0].seen > real.now() - 20 * 60_000


async def test_a_slow_client_is_cut_and_others_are_not(web: Web) -> None:
    """Two thousand frames behind is too much: it is ended, and comes back with its cursor."""
    slow = Client("a")
    for number in range(MOST_PENDING + 1):
        slow.put(frame("a", {"n": number}))
    assert slow.ended
    assert await slow.take() == b""
    slow.put(b"more")
    assert slow.empty


async def test_a_fifth_stream_of_one_browser_is_told_so(sign_in: Any, listen: Any, web: Web) -> None:
    """`full` and an end, so that pages still get through; a closed one makes room."""
    nils = await sign_in("nils")
    ears = [await listen(nils) for _ in range(4)]
    fifth = await listen(nils)
    assert [name for name, _, _ in fifth.heard] == ["full"]
    ears[0].hang_up()
    await ears[0].task
    assert (await listen(nils)).of("hb")
    assert web.feed.listeners == 4


async def test_another_database_under_the_same_roof_begins_everything_anew(
    sign_in: Any, listen: Any, town: Any, look: Any, store: Store
) -> None:
    """A restored backup has a new epoch: every page fetches its list again."""
    ear = await listen(await sign_in("nils"))
    async with store.writing() as session:
        (await session.get_one(StoreFact, "epoch")).value = "beefbeefbeefbeef"
    await look()
    assert ear.of("reset") == [{"cursor": "beefbeefbeefbeef-0"}]
    await asyncio.wait_for(ear.task, 30)


async def test_a_moved_home_leaves_the_old_zone_and_arrives_in_the_new(
    sign_in: Any, listen: Any, town: Any, look: Any, store: Store
) -> None:
    """Whoever no longer has business there loses the row, and is told nothing more of it."""
    nord, sor = await listen(await sign_in("nils")), await listen(await sign_in("siri"))
    alert = await town.alarm()
    await look()
    async with store.writing() as session:
        row = await session.get_one(Alert, alert.id)
        row.zone, row.version = "sor", 2
        session.add(Change(at=0, subject="alert", ref=str(alert.id), home="h1", zone="sor"))
    await look()
    assert nord.of("a")[-1] == {"op": "del", "id": alert.id}
    assert sor.of("a")[-1]["op"] == "add"
    assert nord.of("n")[-1]["open"]["p1"] == 0
    assert sor.of("n")[-1]["open"]["p1"] == 1


async def test_counts_stay_right_through_everything(sign_in: Any, listen: Any, town: Any, look: Any) -> None:
    """After a long mixed day the running counts equal those counted from the beginning."""
    nils = await sign_in("nils")
    ear = await listen(nils)
    for number in range(12):
        kind = ("pendant.fall", "door.opened", "dispenser.missed")[number % 3]
        alert = await town.alarm(
            kind, "h1", "pendant-1", rule=f"rule {number}", urgency="low" if number == 5 else ""
        )
        if number % 2:
            await nils.ask(f"/nb/alarms/{alert.id}/take", version=1)
        if number % 4 == 3:
            await nils.ask(f"/nb/alarms/{alert.id}/resolve", version=2, cause="other", measure="talked")
        if number % 5 == 0:
            await look()
    await look()
    again = await listen(nils)
    assert ear.of("n")[-1] == again.of("n")[0]


def test_a_cursor_is_of_one_database() -> None:
    """Only the own epoch and a plain number are a place."""
    assert read_cursor("ab-12", "ab") == 12
    for bent in (None, "", "ab", "ab-", "cd-12", "ab-1x", "ab--1", "ab-²", "ab-" + "9" * 30):
        assert read_cursor(bent, "ab") is None


async def test_a_database_gets_its_epoch_once(store: Store) -> None:
    """The first web process names the database, later ones and other processes leave the name alone."""
    await asyncio.gather(ensure_epoch(store), ensure_epoch(store))
    async with store.reading() as session:
        first = (await session.get_one(StoreFact, "epoch")).value
    await ensure_epoch(store)
    async with store.reading() as session:
        assert (await session.get_one(StoreFact, "epoch")).value == first
    assert len(first) == 16
