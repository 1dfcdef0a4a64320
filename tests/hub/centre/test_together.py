"""Decisions carried out together leave the same behind as one by one, and cost a few statements."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlmodel import col, select

from hub.centre import audit
from hub.centre.alerts import opening, rows
from hub.centre.alerts.decisions import Judged
from hub.centre.alerts.standing import standing_of
from hub.clock import ManualClock
from hub.store.centre_tables import Alert, AlertLine, Audit, Deadline, DecisionRow

START = 1_768_424_520_000


def decision(action: str, key: str, minute: int, urgency: str = "high") -> Judged:
    """Something in Astrid's home."""
    return Judged(
        action=action,
        rule="door open",
        key=key,
        home="h1",
        device="lock-1",
        at=START + minute * 60_000,
        because=(f"{key}:{minute}",),
        urgency=urgency,
        body={"reason": f"minute {minute}", "because": [f"{key}:{minute}"]},
        reason=f"minute {minute}",
    )


async def left_behind(store: Any) -> dict[str, list[Any]]:
    """All that decisions leave behind, without row numbers of what is counted elsewhere."""
    wanted = {
        "alerts": select(Alert).order_by(col(Alert.id)),
        "decisions": select(DecisionRow).order_by(
            col(DecisionRow.rule), col(DecisionRow.key), col(DecisionRow.at)
        ),
        "lines": select(AlertLine).order_by(col(AlertLine.alert), col(AlertLine.id)),
        "waits": select(Deadline).order_by(col(Deadline.alert), col(Deadline.id)),
    }
    async with store.reading() as session:
        found = {name: (await session.exec(statement)).all() for name, statement in wanted.items()}
        deeds = (await session.exec(select(Audit).order_by(col(Audit.seq)))).all()
        assert (await audit.verify(session)).broken is None
    left = {name: [row.model_dump(exclude=_numbers(name)) for row in some] for name, some in found.items()}
    left["audit"] = sorted((one.action, one.subject, str(one.data)) for one in deeds)
    return left


def _numbers(name: str) -> set[str]:
    return set() if name == "alerts" else {"id"}


ACTIONS = st.sampled_from(["raise", "repeat", "clear", "held"])
DECISIONS = st.lists(
    st.builds(
        decision,
        ACTIONS,
        st.sampled_from(["h1", "h1/a"]),
        st.integers(0, 8),
        st.sampled_from(["moderate", "high", "critical"]),
    ),
    max_size=14,
)


async def carried_out(store: Any, groups: list[list[Judged]]) -> list[int | None]:
    """Carry groups out, each in a transaction of its own."""
    touched: list[int | None] = []
    for group in groups:
        async with store.writing() as session:
            policy = await rows.policy_of(session)
            touched += await opening.carry_out_all(session, group, policy, START + 3_600_000)
    return touched


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(decisions=DECISIONS)
async def test_together_as_one_by_one(new_centre: Any, decisions: list[Judged]) -> None:
    """Whatever comes in whatever order: alerts, deadlines, timeline and trail are those of one decision at a time."""
    together, alone = await new_centre(), await new_centre()
    at_once = await carried_out(together, [decisions])
    singly = await carried_out(alone, [[one] for one in decisions])
    assert [one is None for one in at_once] == [one is None for one in singly]
    assert await left_behind(together) == await left_behind(alone)


async def test_an_episode_that_ends_and_begins_again_in_one_message(new_centre: Any) -> None:
    """Raised, over and raised again in one transaction are two alerts, the second of which knows the first."""
    store = await new_centre()
    story = [decision("raise", "h1", 1), decision("clear", "h1", 2), decision("raise", "h1", 3)]
    story = [replace(one, urgency="moderate") for one in story]
    assert await carried_out(store, [story]) == [1, 1, 2]
    async with store.reading() as session:
        first, second = (await session.exec(select(Alert).order_by(col(Alert.id)))).all()
        waits = (await session.exec(select(Deadline).order_by(col(Deadline.id)))).all()
    assert (first.handling, first.condition, second.handling, second.before) == (
        "resolved",
        "cleared",
        "new",
        1,
    )
    assert {one.outcome for one in waits if one.alert == first.id} == {"clear"}
    assert all(one.done is None for one in waits if one.alert == second.id)


async def test_a_storm_costs_few_statements(new_centre: Any) -> None:
    """Fifty homes that call at once take no more statements than two do."""
    store = await new_centre()
    counts: list[int] = []
    event.listen(
        store.engine.sync_engine, "before_cursor_execute", lambda *_: counts.__setitem__(-1, counts[-1] + 1)
    )
    for homes in (range(2), range(100, 150)):
        counts.append(0)
        await carried_out(store, [[decision("raise", f"h1/{home}", 1) for home in homes]])
    assert counts[1] <= counts[0] + 2, counts
    assert counts[0] < 25


async def test_another_version_meanwhile_is_no_success(new_centre: Any) -> None:
    """When an alert's version moved under the docket, nothing is written."""
    store, clock = await new_centre(), ManualClock(START)
    await carried_out(store, [[decision("raise", "h1", 1)]])
    async with store.writing() as session:
        policy = await rows.policy_of(session)
        alert = await rows.locked(session, 1)
        assert alert is not None
        alert.version = 7  # what this transaction believes; the row says 1
        session.expunge(alert)
        turned = rows.Turned(rows_standing(alert), [], why="test")
        with pytest.raises(rows.Clash):
            await rows.write(session, alert, turned, policy, clock.now())


def rows_standing(alert: Alert) -> Any:
    """The next version of what that alert claims to be."""
    return replace(standing_of(alert), version=alert.version + 1)


async def test_no_decision_reads_a_whole_table(new_centre: Any) -> None:
    """However many alerts and decisions a centre has kept, those of a rule and key are found by an index."""
    store = await new_centre()
    asked: list[tuple[str, Any]] = []
    event.listen(
        store.engine.sync_engine,
        "before_cursor_execute",
        lambda _c, _k, text, given, *_: asked.append((text, given)),
    )
    await carried_out(store, [[decision("raise", f"h1/{home}", 1) for home in range(3)]])
    plans: dict[str, str] = {}
    async with store.engine.connect() as connection:
        for text, given in [one for one in asked if one[0].startswith("SELECT")]:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(given))
            plans[text] = " ".join(row[3] for row in plan.all())
    assert len(plans) > 6
    assert [text for text, plan in plans.items() if "SCAN alert" in plan or "SCAN decision" in plan] == []
