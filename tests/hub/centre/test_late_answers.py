"""An answer that was heard late ends the alert that was told without it, and stands on it with both times."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import col, select

from hub.centre.alerts import opening, rows
from hub.centre.alerts.decisions import read
from hub.store.centre_tables import Alert, AlertLine

NINE = 1_768_467_600_000
HOUR = 3_600_000
REASON = "came in late: 08:05, heard 11:40"


def decision(action: str, at: int, urgency: str, *because: str) -> Any:
    """A decision on Nils's morning dose."""
    body = {"action": action, "rule": "dose", "key": "h1/a", "home": "h1", "at": at, "because": list(because)}
    return read(body | {"urgency": urgency, "reason": REASON if action == "clear" else ""})


async def told(store: Any, *decisions: Any) -> tuple[Alert, list[AlertLine]]:
    """The alert and its timeline after these decisions, each in its transaction."""
    for one in decisions:
        async with store.writing() as session:
            await opening.carry_out(session, one, await rows.policy_of(session), NINE + 3 * HOUR)
    async with store.reading() as session:
        (alert,) = (await session.exec(select(Alert))).all()
        return alert, list((await session.exec(select(AlertLine).order_by(col(AlertLine.id)))).all())


@pytest.mark.parametrize("swapped", [False, True], ids=["raise first", "clear first"])
async def test_the_answer_stands_beside_the_question(new_centre: Any, *, swapped: bool) -> None:
    """Whichever came first over the line: over, with the reason and both events; an urgent one waits for a person."""
    story = [
        decision("raise", NINE, "high", "due-1"),
        decision("clear", NINE + 2 * HOUR, "high", "dispensed-1"),
    ]
    alert, lines = await told(await new_centre(), *(reversed(story) if swapped else story))
    assert (alert.condition, alert.handling, alert.clear_reason) == ("cleared", "new", REASON)
    assert alert.evidence == ["due-1", "dispensed-1"]
    (over,) = [line for line in lines if line.what == "cleared"]
    assert over.data == {"reason": REASON, "events": ["dispensed-1"]}


async def test_a_minor_one_is_closed_by_it(new_centre: Any) -> None:
    """A notice that nobody took leaves the list, as with every clear."""
    alert, _ = await told(
        await new_centre(),
        decision("raise", NINE, "moderate", "due-1"),
        decision("clear", NINE + 2 * HOUR, "moderate", "dispensed-1"),
    )
    assert (alert.handling, alert.cause) == ("resolved", "cleared")
