"""A restored centre goes on: what was due while it was away is carried out by its deadlines."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from hub.backup.manifest import Manifest, Role
from hub.backup.settling import Moment, settle_centre
from hub.backup.snapshot import copy_sqlite
from hub.centre.escalator import Escalator
from hub.channels.dashboard import Dashboard
from hub.clock import ManualClock, SystemClock
from hub.store.centre_tables import Alert, Notification
from hub.store.engine import open_store, sqlite_url

HOUR = 3_600_000


async def test_an_alert_open_at_the_backup_goes_on_by_its_deadlines(
    store: Any, judge: Any, clock: ManualClock, tmp_path: Path
) -> None:
    """Nobody took Astrid's alarm before the backup: an hour later every step that was due has been carried out."""
    await judge()
    copy = tmp_path / "restored.db"
    await asyncio.to_thread(copy_sqlite, store.path, copy)
    await clock.advance(3600)
    manifest = Manifest(
        made=clock.now() - HOUR, program="0.1.0", name="centre", secrets=True, roles={"centre": Role("0004")}
    )
    await settle_centre(sqlite_url(copy), manifest, Moment(clock.now(), clock.now()))
    restored = await open_store(sqlite_url(copy), "centre")
    try:
        escalator = Escalator(restored, clock, (Dashboard(restored, SystemClock()),), worker="new")
        while await escalator.sweep():
            pass
        async with restored.reading() as session:
            alert = (await session.exec(select(Alert).where(col(Alert.id) < 1000))).one()
            told = set(
                (await session.exec(select(Notification.target).where(Notification.alert == alert.id))).all()
            )
    finally:
        await restored.close()
    assert alert.handling == "new"
    assert alert.escalated >= 1
    assert {"nils", "eva"} <= told
