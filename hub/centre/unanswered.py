"""What is not known any more after a command that nobody answered for certain (failure mode BL-6).

A lock that was asked to move and did not say how it went may stand either way. From the moment of asking its bolt is
unknown, until the lock itself is heard to say where it is; "locked" is never what we last believed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis, iso
from hub.centre import audit
from hub.store.centre_tables import CommandRow, DeviceState, Entry

MOVES_BOLT = frozenset({"lock", "unlock", "unlatch"})
BOLT, UNKNOWN = "lock.bolt", "unknown"

OWN_EPOCH, OWN_LANE = "centre", "care"
"""Numbers of the lines that the centre itself writes into the journal; a gateway's epoch is hex digits."""


async def forget(session: AsyncSession, row: CommandRow, now: Millis) -> None:
    """After a command that failed or expired: the bolt is unknown, unless the lock spoke since it was asked."""
    if row.name not in MOVES_BOLT:
        return
    believed = update(DeviceState).where(
        col(DeviceState.device) == row.device,
        col(DeviceState.state) == BOLT,
        col(DeviceState.value) != UNKNOWN,
        col(DeviceState.at) <= row.asked,
    )
    found = await session.exec(believed.values(value=UNKNOWN, at=row.asked))
    if found.rowcount:
        await audit.write(session, _deed(row, now))


def _deed(row: CommandRow, now: Millis) -> audit.Deed:
    return audit.Deed(
        at=now,
        actor="hub",
        action="device.unknown",
        home=row.home,
        subject=f"device {row.device}",
        why=f"{row.name}: {row.answer}",
        data={"state": BOLT, "command": row.id},
    )


async def journal(session: AsyncSession, row: CommandRow, now: Millis) -> None:
    """Write into the home's journal that a command ran out: no gateway told of it, and the timeline must."""
    await audit.in_order(session)
    body = {
        "command": row.id,
        "outcome": row.status,
        "reason": row.answer,
        "name": row.name,
        "asked_by": row.asked_by,
        "why": row.reason,
        "home": row.home,
        "device": row.device,
        "at": iso(now),
    }
    await write_line(session, row.gateway, row.home, row.device, body, now)


async def write_line(
    session: AsyncSession, gateway: str, home: str, device: str, body: dict[str, Any], now: Millis
) -> None:
    """A `result` of the centre's own in a home's journal. The caller holds the order (`audit.in_order`)."""
    newest = select(func.max(Entry.number)).where(
        Entry.gateway == gateway, Entry.epoch == OWN_EPOCH, Entry.lane == OWN_LANE
    )
    number = (await session.exec(newest)).one() or 0
    line = Entry(
        gateway=gateway,
        epoch=OWN_EPOCH,
        lane=OWN_LANE,
        number=number + 1,
        type="result",
        home=home,
        device=device,
        at=now,
        heard=now,
        received=now,
        body=body,
    )
    session.add(line)
