"""What a restored database is told before anything starts on it: it is old, and must not act as if it were not.

A gateway begins a new epoch, so that its numbers say nothing the centre remembers otherwise. A centre invalidates
every sign-in, leaves a gap in the numbers people and screens hold on to, writes the restore into the audit trail and
opens a technical alert. What gateways hold beyond the backup they send again when the centre first answers them
(hub.centre.intake.greeting); alerts that were open go on by their own deadlines.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis, iso
from hub.backup.manifest import Manifest
from hub.centre import audit, technical
from hub.centre.alerts import rows
from hub.gateway import journal, outbox
from hub.gateway.journal import Line, health_line
from hub.store.centre_tables import Alert, CentreTable, Change, SignInLink, WebSession
from hub.store.engine import open_store

LEAP_ALERTS, LEAP_ROWS = 1_000, 1_000_000
"""Numbers left out: alerts were called by theirs after the backup, and screens hold cursors."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a restore happens. world: of the homes' clock; real: of the machine's. Both ms UTC."""

    world: Millis
    real: Millis


def settle_gateway(path: Path, manifest: Manifest, now: Millis) -> str:
    """Begin a new epoch and leave word of the restore in the outbox; gives the epoch. Raises sqlite3.Error."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=FULL")
        db.execute("BEGIN IMMEDIATE")
        journal.ensure_marks(db)
        begun = outbox.begin_epoch(db)
        heard = journal.last_heard(db)
        journal.append(db, _word(manifest, heard, max(now, heard)))
        db.execute("COMMIT")
    return begun


def _word(manifest: Manifest, heard: Millis, now: Millis) -> Line:
    made = iso(manifest.made)[:16].replace("T", " ")
    return health_line(
        "restored",
        f"Hjemmesentralen er gjenopprettet fra en sikkerhetskopi av {made} UTC",
        f"The gateway was restored from a backup of {made} UTC",
        now,
        urgency="low",
        made=manifest.made,
        heard=heard,
        staff_action={
            "nb": "Det den hørte siden, står bare hos sentralen. Legg inn på nytt enheter og nøkler som er kommet til.",
            "en": "What it heard since then stands at the centre alone. Install again what devices and keys came.",
        },
    )


async def settle_centre(url: str, manifest: Manifest, moment: Moment) -> None:
    """Bring the tables up to date and do what a restored centre needs, in one transaction. Raises StoreError."""
    store = await open_store(url, "centre")
    try:
        async with store.writing() as session:
            await audit.in_order(session)
            await _shut_out(session, moment.real)
            stand_ins = await _leap(session, moment.world)
            await _tell(session, manifest, moment)
            for one in stand_ins:
                await session.delete(one)
    finally:
        await store.close()


async def _shut_out(session: AsyncSession, real: Millis) -> None:
    """Nobody stays signed in: a session that was ended after the backup would be open again."""
    await session.exec(update(WebSession).where(col(WebSession.revoked).is_(None)).values(revoked=real))
    await session.exec(update(SignInLink).where(col(SignInLink.used).is_(None)).values(used=real))


async def _leap(session: AsyncSession, now: Millis) -> list[CentreTable]:
    """Leave numbers out. On SQLite the next number follows the greatest, so a stand-in holds it until it is taken."""
    alerts = (await session.exec(select(func.max(Alert.id)))).first() or 0
    changes = (await session.exec(select(func.max(Change.seq)))).first() or 0
    last_alert, last_change = alerts + LEAP_ALERTS, changes + LEAP_ROWS
    if session.get_bind().dialect.name == "postgresql":
        connection = await session.connection()
        for table, column, last in (("alert", "id", last_alert), ("change", "seq", last_change)):
            move = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")
            await connection.execute(move, {"table": table, "column": column, "last": last})
        return []
    stand_ins = [_closed_alert(last_alert, now), Change(seq=last_change, at=now, subject="gateway", ref="")]
    session.add_all(stand_ins)
    await session.flush()
    return stand_ins


def _closed_alert(number: int, now: Millis) -> Alert:
    return Alert(
        id=number,
        rule="hub:restored",
        key="stand-in",
        home="",
        zone="",
        urgency="low",
        queue="technical",
        chain="",
        handling="resolved",
        at=now,
        heard=now,
        opened=now,
        last_at=now,
    )


async def _tell(session: AsyncSession, manifest: Manifest, moment: Moment) -> None:
    """The restore stands in the audit trail, and somebody has to answer the alert about it."""
    known = manifest.roles["centre"].head
    deed = audit.Deed(
        at=moment.world,
        actor="console",
        action=audit.RESTORED,
        subject="centre",
        why="restored from a backup",
        data={"backup_made": iso(manifest.made), "restored": iso(moment.real), "program": manifest.program,
              "newest_hash_then": known},
    )  # fmt: skip
    await audit.write(session, deed)
    names = {"made": iso(manifest.made)[:16].replace("T", " ")}
    key = f"centre {iso(moment.real)}"
    await technical.found(
        session, technical.RESTORED, key, await rows.policy_of(session), moment.world, names=names
    )
