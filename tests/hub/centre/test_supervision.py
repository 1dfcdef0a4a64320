"""What nobody reports, the centre looks after itself."""

from __future__ import annotations

import pytest
from sqlmodel import col, select

from hub.centre.supervision import Supervision
from hub.store.centre_tables import Alert, Change, Entry, Gateway, Lane


@pytest.fixture
def supervision(store, clock) -> Supervision:
    """The supervision of the cast's centre."""
    return Supervision(store, clock)


async def alerts(store, rule: str = "") -> list[Alert]:
    """All alerts of a rule."""
    async with store.reading() as session:
        found = (await session.exec(select(Alert).order_by(col(Alert.id)))).all()
    return [alert for alert in found if not rule or alert.rule == rule]


async def hear(store, gateway: str, at: int) -> None:
    """A gateway was heard."""
    async with store.writing() as session:
        row = await session.get(Gateway, gateway)
        row.last_heard = at


async def test_a_hole_that_stays(store, clock, supervision):
    """A hole in a lane is a technical alert when it stays for a quarter of an hour, and clears when it is filled."""
    async with store.writing() as session:
        session.add(Lane(gateway="gw1", epoch="00c0ffee", lane="care", upto=7, gap_since=clock.now()))
    clock.at += 899_000
    await supervision.look()
    assert await alerts(store, "hub:entries missing") == []
    clock.at += 1000
    await supervision.look()
    await supervision.look()
    (alert,) = await alerts(store, "hub:entries missing")
    assert "after number 7" in alert.says["en"]
    assert alert.says["nb"] == "Meldinger fra boksen gw1 mangler (omsorg, etter nummer 7)."
    async with store.writing() as session:
        lane = await session.get(Lane, ("gw1", "00c0ffee", "care"))
        lane.gap_since, lane.upto = None, 9
    await supervision.look()
    assert (await alerts(store, "hub:entries missing"))[0].condition == "cleared"


async def test_a_hole_that_nothing_can_fill_is_told_once(store, clock, supervision):
    """Once a person has closed its alert it is not raised again, until the lane moves on and another hole stays."""
    async with store.writing() as session:
        session.add(Lane(gateway="gw1", epoch="00c0ffee", lane="care", upto=7, gap_since=clock.now()))
    clock.at += 900_000
    await supervision.look()
    async with store.writing() as session:
        (alert,) = (await session.exec(select(Alert).where(Alert.rule == "hub:entries missing"))).all()
        alert.handling, alert.resolved_at = "resolved", clock.now()
    clock.at += 60_000
    await supervision.look()
    assert len(await alerts(store, "hub:entries missing")) == 1
    async with store.writing() as session:
        lane = await session.get(Lane, ("gw1", "00c0ffee", "care"))
        lane.gap_since, lane.upto = clock.now(), 9
    clock.at += 900_000
    await supervision.look()
    assert len(await alerts(store, "hub:entries missing")) == 2


async def test_unknown_is_never_fine(store, clock, judge, supervision):
    """Behind an unheard gateway nobody can know whether it is still so; heard again, it is as it was."""
    await hear(store, "gw1", clock.now())
    await judge()
    clock.at += 901_000
    await supervision.look()
    (alert,) = await alerts(store, "pendant pressed")
    assert (alert.condition, alert.handling) == ("unknown", "new")
    await hear(store, "gw1", clock.now())
    await supervision.look()
    assert (await alerts(store, "pendant pressed"))[0].condition == "active"


async def test_never_heard(store, clock, supervision):
    """A registered gateway that was never heard is a technical alert after an hour; being heard at last clears it."""
    await supervision.look()
    assert await alerts(store) == []
    clock.at += 3_600_000
    await supervision.look()
    assert {alert.key for alert in await alerts(store, "hub:gateway never heard")} == {"gw1", "gw2"}
    await hear(store, "gw1", clock.now())
    await supervision.look()
    found = {alert.key: (alert.condition, alert.handling) for alert in await alerts(store)}
    assert found == {"gw1": ("cleared", "new"), "gw2": ("active", "new")}


async def test_one_failing_look_stops_no_other(store, clock, supervision, monkeypatch):
    """A look that breaks is logged, and the others are still taken."""
    from hub.centre import supervision as module

    async def broken(*_: object) -> None:
        raise RuntimeError("cannot look")

    monkeypatch.setattr(module, "gaps", broken)
    clock.at += 1
    await supervision.look()
    clock.at += 3_600_000
    await supervision.look()
    assert len(await alerts(store)) == 2


async def test_old_changes_go(store, clock, supervision, monkeypatch):
    """The screens' outbox is bounded."""
    from hub.centre import supervision as module

    monkeypatch.setattr(module, "CHANGES_KEPT", 3)
    async with store.writing() as session:
        session.add_all([Change(at=clock.now(), subject="device", ref=str(n)) for n in range(10)])
    await supervision.look()
    async with store.reading() as session:
        assert [row.ref for row in (await session.exec(select(Change))).all()] == ["7", "8", "9"]


async def test_old_heartbeats_of_gateways_go(store, clock, supervision, monkeypatch):
    """A line a minute and box is forgotten after some days, piece by piece; all other lines stay."""
    from hub.centre import supervision as module

    monkeypatch.setattr(module, "WALK", 4)
    kinds = [
        "gateway.heartbeat",
        "gateway.started",
        "lock.heartbeat",
        "gateway.heartbeat",
        "gateway.heartbeat",
    ]
    old = clock.now() - module.HEARTBEATS_KEPT - 1
    async with store.writing() as session:
        for number, kind in enumerate([*kinds, "gateway.heartbeat"]):
            received = clock.now() if number == 5 else old
            line = {"at": received, "heard": received, "received": received}
            session.add(
                Entry(
                    gateway="gw1", epoch="e", lane="telemetry", number=number, type="event", kind=kind, **line
                )
            )
    for left in (4, 3, 3):
        await supervision.look()
        async with store.reading() as session:
            kept = (await session.exec(select(Entry.number).order_by(col(Entry.number)))).all()
        assert len(kept) == left
    assert kept == [1, 2, 5]
