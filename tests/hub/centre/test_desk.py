"""People act on alerts."""

from __future__ import annotations

import asyncio

import pytest
from sqlmodel import col, select

from hub.centre import audit
from hub.centre.alerts.desk import AlertDesk, NotFound, Refused, Stale
from hub.store.centre_tables import Alert, AlertLine, Audit, Change, Deadline


async def _waiting(store, alert) -> list[tuple[str, int]]:
    async with store.reading() as session:
        wanted = select(Deadline).where(Deadline.alert == alert.id, col(Deadline.done).is_(None))
        return [
            (row.purpose, row.due) for row in (await session.exec(wanted.order_by(col(Deadline.due)))).all()
        ]


async def test_take_stops_the_chain(desk: AlertDesk, store, judge, people, clock):
    """Whoever takes an alert stops its chain and has five minutes for the next step."""
    alert = await judge()
    assert [purpose for purpose, _ in await _waiting(store, alert)] == ["step"] * 4
    taken = await desk.take(alert.id, alert.version, people.nils, "test")
    assert (taken.handling, taken.owner, taken.version) == ("taken", "nils", 2)
    assert await _waiting(store, alert) == [("lapse", clock.now() + 300_000)]
    assert taken.next_due is None


async def test_two_takes_at_once(desk: AlertDesk, judge, people):
    """Of two people who take at the same moment exactly one has it, and the other reads who."""
    alert = await judge()
    tries = (desk.take(alert.id, 1, who, "test") for who in (people.nils, people.eva))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    won = [one for one in outcomes if isinstance(one, Alert)]
    lost = [one for one in outcomes if isinstance(one, Stale)]
    assert (len(won), len(lost)) == (1, 1)
    name = {"nils": "Nils", "eva": "Eva"}[won[0].owner]
    assert dict(lost[0].says) == {
        "nb": f"{name} tok den kl. 22:02.",
        "en": f"{name} took it at 22:02.",
    }


async def test_take_survives_a_repeat(desk: AlertDesk, judge, people, clock):
    """A further press does not refuse the nurse who takes, but refuses the one who closes without seeing it."""
    alert = await judge()
    await judge("raise", at=clock.now() + 1000, because=("pendant-1:2",))
    taken = await desk.take(alert.id, 1, people.nils, "test")
    await judge("repeat", at=clock.now() + 2000, because=("pendant-1:3",))
    with pytest.raises(Stale) as refused:
        await desk.resolve(alert.id, taken.version, people.nils, "test", cause="fall_unhurt", measure="visit")
    assert refused.value.says["en"] == "More came at 22:02 (×3). Look at it again."


async def test_resolve_keeps_cause_and_measure(desk: AlertDesk, store, judge, people):
    """A resolved alert knows cause, measure, note and who, and its timeline carries the VKP events."""
    alert = await judge()
    taken = await desk.take(alert.id, 1, people.nils, "test")
    done = await desk.resolve(
        alert.id, taken.version, people.nils, "test", cause="fall_unhurt", measure="visit", note="Fint nå."
    )
    assert (done.handling, done.cause, done.measure, done.note) == (
        "resolved",
        "fall_unhurt",
        "visit",
        "Fint nå.",
    )
    assert await _waiting(store, alert) == []
    async with store.reading() as session:
        lines = (await session.exec(select(AlertLine).order_by(col(AlertLine.id)))).all()
    assert [line.vkp for line in lines] == ["0", "1", "6", "7", "3"]


async def test_olga_finds_nothing(desk: AlertDesk, judge, people):
    """Olga cannot even learn that there is an alert."""
    alert = await judge()
    with pytest.raises(NotFound):
        await desk.take(alert.id, 1, people.olga, "test")


async def test_technician_may_not_answer_care(desk: AlertDesk, judge, people):
    """Tor sees technical alerts only."""
    alert = await judge()
    with pytest.raises(NotFound):
        await desk.take(alert.id, 1, people.tor, "test")
    broken = await judge(rule="lock silent", key="lock-1", queue="technical", urgency="moderate")
    assert (await desk.take(broken.id, 1, people.tor, "test")).owner == "tor"


async def test_undo_puts_the_chain_back(desk: AlertDesk, store, judge, people, clock):
    """Undoing a take within ten seconds puts the very same deadlines back."""
    alert = await judge()
    before = await _waiting(store, alert)
    taken = await desk.take(alert.id, 1, people.nils, "test")
    clock.at += 9_000
    undone = await desk.undo(alert.id, taken.version, people.nils, "test")
    assert (undone.handling, undone.owner) == ("new", None)
    assert await _waiting(store, alert) == before


async def test_undo_comes_too_late(desk: AlertDesk, judge, people, clock):
    """After ten seconds an answer stands."""
    alert = await judge()
    taken = await desk.take(alert.id, 1, people.nils, "test")
    clock.at += 10_001
    with pytest.raises(Refused):
        await desk.undo(alert.id, taken.version, people.nils, "test")


async def test_undo_after_a_new_call(desk: AlertDesk, judge, people, clock):
    """A resolve cannot be undone once the resident has called again."""
    alert = await judge()
    taken = await desk.take(alert.id, 1, people.nils, "test")
    done = await desk.resolve(
        alert.id, taken.version, people.nils, "test", cause="accidental", measure="talked"
    )
    again = await judge("repeat", at=clock.now() + 1000, because=("pendant-1:2",))
    assert again.id != alert.id
    assert again.before == alert.id
    with pytest.raises(Refused) as refused:
        await desk.undo(alert.id, done.version, people.nils, "test")
    assert refused.value.says["en"] == "A new alarm about the same has come. Take that one."


async def test_every_transition_is_audited_once(desk: AlertDesk, store, judge, people):
    """Each transition is one row of the trail and one change for the screens, and the chain of hashes holds."""
    alert = await judge()
    taken = await desk.take(alert.id, 1, people.nils, "web")
    stepped = await desk.step(alert.id, taken.version, people.nils, "web", step="on_the_way")
    await desk.hand_back(alert.id, stepped.version, people.nils, "web")
    async with store.reading() as session:
        trail = (await session.exec(select(Audit).order_by(col(Audit.seq)))).all()
        verdict = await audit.verify(session)
        changes = (await session.exec(select(Change))).all()
    assert [row.action for row in trail] == ["alert.open", "alert.take", "alert.step", "alert.hand_back"]
    assert [row.actor for row in trail] == ["hub", "nils", "nils", "nils"]
    assert (verdict.rows, verdict.broken) == (4, None)
    assert len(changes) == 4


async def test_the_work_list_is_looked_through_when_the_shift_ends(store, judge, desk, people, clock):
    """A low alert is told at seven in the morning, when the night ends; whoever takes it has it until then."""
    alert = await judge(urgency="low", life_safety=False)
    morning = clock.now() + (8 * 60 + 58) * 60_000

    async def waits() -> list[tuple[str, int]]:
        wanted = select(Deadline).where(col(Deadline.done).is_(None)).order_by(col(Deadline.due))
        async with store.reading() as session:
            return [(row.purpose, row.due) for row in (await session.exec(wanted)).all()]

    assert await waits() == [("step", morning), ("step", clock.now() + 24 * 3_600_000)]
    await desk.take(alert.id, alert.version, people.nils, "test")
    assert await waits() == [("lapse", morning)]


async def test_off_duty_the_work_list_waits_eight_hours(store, judge, desk, people, clock):
    """Tor mends devices and is on no rota: what he takes goes back after eight hours."""
    alert = await judge(urgency="low", life_safety=False, queue="technical", rule="battery")
    await desk.take(alert.id, alert.version, people.tor, "test")
    async with store.reading() as session:
        (row,) = (await session.exec(select(Deadline).where(col(Deadline.done).is_(None)))).all()
    assert (row.purpose, row.due) == ("lapse", clock.now() + 8 * 3_600_000)
