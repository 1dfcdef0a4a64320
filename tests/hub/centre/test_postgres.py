"""The centre's work on PostgreSQL: what differs from SQLite is locking, so that is what is asked here."""

from __future__ import annotations

import asyncio
import contextlib

import orjson
import pytest
from sqlmodel import col, select

from drivers.events import iso
from drivers.links.mqtt_client import Message
from hub.centre import audit
from hub.centre.alerts.desk import AlertDesk, Stale
from hub.centre.escalator import Escalator
from hub.centre.intake.intake import Intake
from hub.centre.supervision import Supervision
from hub.channels.channel import Delivery
from hub.registry.exporting import as_yaml, export
from hub.store.centre_tables import Alert, Change, DecisionRow, Entry, Notification

pytestmark = pytest.mark.postgres


async def rows(store, table, *order):
    """All rows."""
    async with store.reading() as session:
        return (await session.exec(select(table).order_by(*order))).all()


def batch(now: int, first: int, count: int) -> bytes:
    """Events and one decision."""
    entries = [
        {
            "number": first + index,
            "type": "event",
            "body": {
                "id": f"e{first + index}",
                "at": iso(now),
                "home": "h1",
                "device": "lock-1",
                "kind": "door.opened",
                "data": {},
            },
        }
        for index in range(count)
    ]
    raised = {
        "action": "raise",
        "rule": "door open",
        "key": "h1",
        "home": "h1",
        "at": iso(now),
        "because": [f"e{first}"],
        "says": "Døren er åpen",
        "urgency": "high",
    }
    return orjson.dumps(
        {
            "epoch": "00c0ffee",
            "entries": [*entries, {"number": first + count, "type": "decision", "body": raised}],
        }
    )


async def test_two_centres_take_in_the_same(on_postgres, clock):
    """Two centres that hear the same messages store each entry once and open each alert once."""
    async with contextlib.AsyncExitStack() as running:
        intakes = [Intake(on_postgres, clock, acked=lambda key, mark: None) for _ in range(2)]
        for intake in intakes:
            running.callback(asyncio.create_task(intake.run()).cancel)
        messages = [
            Message("gateways/gw1/up/care", batch(clock.now(), first, 9), retain=False)
            for first in (1, 11, 21)
        ]
        await asyncio.gather(*(intake.take(message) for intake in intakes for message in messages))
    assert [row.number for row in await rows(on_postgres, Entry, col(Entry.number))] == list(range(1, 31))
    (alert,) = await rows(on_postgres, Alert)
    assert (alert.count, len(await rows(on_postgres, DecisionRow))) == (1, 1)
    seqs = [row.seq for row in await rows(on_postgres, Change, col(Change.seq))]
    assert seqs == sorted(seqs)


async def test_two_takes_at_once(on_postgres, clock, judging, people):
    """Of twenty tries to take at once exactly one succeeds."""
    alert = await judging(on_postgres, clock)()
    desks = [AlertDesk(on_postgres, clock) for _ in range(10)]
    tries = [desk.take(alert.id, 1, who, "test") for desk in desks for who in (people.nils, people.eva)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, Alert) for one in outcomes) == 1
    assert sum(isinstance(one, Stale) for one in outcomes) == 19
    async with on_postgres.reading() as session:
        verdict = await audit.verify(session)
    assert (verdict.rows, verdict.broken) == (2, None)


async def test_three_escalators(on_postgres, clock, judging):
    """Three escalators on one database tell each person once a step."""
    called: list[str] = []

    class Phone:
        """Writes down whom it called."""

        name = "phone"
        words = {"nb": "telefon", "en": "telephone"}  # noqa: RUF012  nobody writes into it

        def reaches(self, target: str) -> bool:
            """Everybody."""
            return True

        async def send(self, notice) -> Delivery:
            """Call."""
            called.append(notice.target)
            await asyncio.sleep(0)
            return Delivery("sent")

    await judging(on_postgres, clock)()
    crowd = [Escalator(on_postgres, clock, [Phone()], worker=f"w{n}") for n in range(3)]
    for seconds in (0, 60, 60, 180):
        clock.at += seconds * 1000
        await asyncio.gather(*(one.sweep() for one in crowd))
    assert called == ["nils", "eva", "kari", "nils", "eva", "phone:+4755001122"]
    assert {row.status for row in await rows(on_postgres, Notification)} == {"sent"}


async def test_the_rest_runs_too(on_postgres, clock):
    """Supervision and export work on PostgreSQL."""
    await Supervision(on_postgres, clock).look()
    clock.at += 3_600_000
    await Supervision(on_postgres, clock).look()
    assert {alert.rule for alert in await rows(on_postgres, Alert)} == {"hub:gateway never heard"}
    async with on_postgres.reading() as session:
        assert "Storgata 1" in as_yaml(await export(session))
