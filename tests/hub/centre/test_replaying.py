"""What could not be read is looked at, replayed after an upgrade, or dropped with a reason."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sqlmodel import col, select

from drivers.events import iso
from drivers.links.mqtt_client import Message
from hub.centre import audit
from hub.centre.alerts.refusals import NotFound, Refused, Unacceptable
from hub.centre.intake import quarantine, reading, replaying
from hub.centre.intake.intake import Intake
from hub.store.centre_tables import Alert, Audit, Entry, Lane, Quarantined

TOPIC = "gateways/gw1/up/alarm"
UNKNOWN = {"type": "shout", "body": {"words": "help"}}


def pressed(now: int, **changes: Any) -> dict[str, Any]:
    """Astrid's pendant, as a gateway's rules decided."""
    body = {"action": "raise", "rule": "pendant pressed", "key": "h1", "home": "h1", "at": iso(now)}
    says = {"nb": "Astrid har trykket", "en": "Astrid pressed"}
    return {"type": "decision", "body": body | {"says": says, "urgency": "critical"} | changes}


async def take(store: Any, clock: Any, *payloads: bytes, topic: str = TOPIC) -> None:
    """Let messages come in."""
    intake = Intake(store, clock, acked=lambda _key, _mark: None)
    for payload in payloads:
        waiting = intake._read(Message(topic, payload, retain=False, size=len(payload)))
        await intake._commit([waiting])
        await waiting.done


async def rows(store: Any, table: Any) -> list[Any]:
    """All rows of a table."""
    async with store.reading() as session:
        return list((await session.exec(select(table))).all())


async def waiting(store: Any) -> list[replaying.Aside]:
    """What waits."""
    async with store.reading() as session:
        return await replaying.listed(session)


def of_tomorrow(now: int) -> bytes:
    """A message in a form that this centre does not know: its numbers are called something else."""
    return orjson.dumps({"epoch": "00c0ffee", "entries": [{"no": 1, **pressed(now)}]})


def upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A centre that understands tomorrow's messages."""
    real = reading.read

    def read(topic: str, payload: bytes, size: int = 0) -> reading.Sent:
        return real(topic, payload.replace(b'"no":', b'"number":'), size)

    monkeypatch.setattr(replaying, "read", read)


async def test_a_message_is_replayed_after_an_upgrade(store, clock, monkeypatch) -> None:
    """Unreadable at first; once the centre understands it, its alert is raised, its number counted, and it is gone."""
    await take(store, clock, of_tomorrow(clock.now()))
    (one,) = await waiting(store)
    assert (one.id, one.gateway, one.times) == ("1", "gw1", 1)
    with pytest.raises(Refused, match="still cannot be read"):
        await replaying.replay(store, clock, "1", by="tor", origin="test")
    upgraded(monkeypatch)
    done = await replaying.replay(store, clock, "1", by="tor", origin="test")
    assert (done.new, done.known) == (1, 0)
    alerts = {alert.rule: alert.condition for alert in await rows(store, Alert)}
    assert alerts == {"hub:unreadable entry": "cleared", "pendant pressed": "active"}
    assert [(lane.lane, lane.upto) for lane in await rows(store, Lane)] == [("alarm", 1)]
    assert await waiting(store) == []
    with pytest.raises(NotFound):
        await replaying.replay(store, clock, "1", by="tor", origin="test")


async def test_a_replay_is_one_of_several_tellings(store, clock, monkeypatch) -> None:
    """What the gateway sent again meanwhile, in a form that could be read, is not raised a second time."""
    await take(store, clock, of_tomorrow(clock.now()))
    await take(store, clock, of_tomorrow(clock.now()).replace(b'"no"', b'"number"'))
    upgraded(monkeypatch)
    done = await replaying.replay(store, clock, "1", by="tor", origin="test")
    assert (done.new, done.known) == (0, 1)
    assert [alert.count for alert in await rows(store, Alert) if alert.rule == "pendant pressed"] == [1]


async def test_an_entry_is_replayed_in_its_place(store, clock, monkeypatch) -> None:
    """One that was stored and not understood becomes what it is, under its own number, and is carried out."""
    entries = [{"number": 1, **pressed(clock.now(), urgency="purple")}, {"number": 2, **UNKNOWN}]
    await take(store, clock, orjson.dumps({"epoch": "00c0ffee", "entries": entries}))
    first, second = await waiting(store)
    assert ("urgency of a decision" in first.problem, first.id) == (True, "e1")
    real = replaying.read_entry

    def read_entry(number: int, type_: str, body: Any) -> Any:
        return real(number, type_, {**body, "urgency": "critical"} if type_ == "decision" else body)

    monkeypatch.setattr(replaying, "read_entry", read_entry)
    await replaying.replay(store, clock, first.id, by="tor", origin="test")
    entry = next(one for one in await rows(store, Entry) if one.number == 1)
    assert (entry.type, entry.home, entry.body["rule"]) == ("decision", "h1", "pendant pressed")
    assert "pendant pressed" in [alert.rule for alert in await rows(store, Alert)]
    with pytest.raises(Refused, match="still cannot be read"):
        await replaying.replay(store, clock, second.id, by="tor", origin="test")
    assert [one.id for one in await waiting(store)] == [second.id]


async def test_dropping_takes_a_reason(store, clock) -> None:
    """Nobody drops anything without saying why; the trail has the reason and a digest, and the alert is over."""
    await take(store, clock, b"not JSON")
    await take(store, clock, orjson.dumps({"epoch": "00c0ffee", "entries": [{"number": 1, **UNKNOWN}]}))
    with pytest.raises(Unacceptable):
        await replaying.drop(store, clock, "1", reason=" ", by="tor", origin="test")
    for one in await waiting(store):
        await replaying.drop(store, clock, one.id, reason="a test box", by="tor", origin="test")
    assert await waiting(store) == []
    assert [entry.type for entry in await rows(store, Entry)] == ["dropped"]
    deeds = [deed for deed in await rows(store, Audit) if deed.action == "quarantine.drop"]
    assert {(deed.actor, deed.why) for deed in deeds} == {("tor", "a test box")}
    assert all(len(deed.data["digest"]) == 64 for deed in deeds)
    (alert,) = await rows(store, Alert)
    assert alert.condition == "cleared"
    async with store.reading() as session:
        assert (await audit.verify(session)).broken is None


async def test_what_was_cut_short_is_not_replayed(store, clock, monkeypatch) -> None:
    """Half a message is not taken for a whole one."""
    monkeypatch.setattr(quarantine, "KEPT_BYTES", 20)
    await take(store, clock, of_tomorrow(clock.now()))
    upgraded(monkeypatch)
    with pytest.raises(Refused, match="Only its first"):
        await replaying.replay(store, clock, "1", by="tor", origin="test")


async def test_quarantine_is_bounded_in_bytes(store, clock, monkeypatch) -> None:
    """However large what comes is, the oldest make room."""
    monkeypatch.setattr(quarantine, "MOST_BYTES", 300)
    await take(store, clock, *(bytes([65 + number]) * 100 for number in range(6)))
    assert [one.id for one in await waiting(store)] == ["4", "5", "6"]


async def test_content_is_shown_as_text(store, clock) -> None:
    """Text is shown as text, anything else in hexadecimal."""
    await take(store, clock, b"hei, verden", b"\xff\x00")
    async with store.reading() as session:
        contents = [(await replaying.shown(session, id_)).content for id_ in ("1", "2")]
        with pytest.raises(NotFound):
            await replaying.shown(session, "e1; DROP TABLE entry")
    assert contents == ["hei, verden", "ff00"]
    assert len(await rows(store, Quarantined)) == 2
    async with store.reading() as session:
        assert (await session.exec(select(col(Quarantined.times)))).all() == [1, 1]
