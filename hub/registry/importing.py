"""Importing a checked registry file: what is new is added, what differs is changed, and nothing else is touched.

The same file twice changes nothing. Every row changed is one row of the audit trail that names the columns, not
their contents. A device that moves keeps its past: the old assignment ends where the new one begins, so every
record still belongs to the home of its time (failure mode SC-1). Rotas are replaced team by team.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit
from hub.registry.models import RegistryFile
from hub.registry.part import refuse_too_large
from hub.registry.tables import KINDS, Kind, Row, changed, rows_of, shifts_of
from hub.store.centre_tables import Assignment, Change, Device, Home, Shift, StoreFact

VERSION = "registry"
"""StoreFact that changes with the registry, so that one small read tells whether anything did."""


@dataclass(slots=True)
class Outcome:
    """What an import did: subjects added and changed, like `device h1-lock`."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """The database said the same already."""
        return not self.added and not self.changed


async def import_file(session: AsyncSession, registry: RegistryFile, *, by: str, now: Millis) -> Outcome:
    """Bring the database to what the file says; the caller commits. by: who imports, for the trail.

    Raises PartTooLargeError where a gateway would have more than a message can carry, with what it had before.
    """
    await audit.in_order(session)
    outcome, deeds = Outcome(), []
    for kind, row in rows_of(registry):
        deed = await _one(session, kind, row, outcome)
        if deed is not None:
            deeds.append(_deed(kind, row, deed, by, now))
    for team in registry.teams:
        wanted = [row for row in shifts_of(registry) if row["team"] == team]
        if await _rota(session, team, wanted):
            outcome.changed.append(f"rota {team}")
            deeds.append(
                audit.Deed(at=now, actor=by, action="registry.import", subject=f"rota {team}", data={})
            )
    await audit.write(session, *deeds)
    await _announce(session, outcome, now)
    await refuse_too_large(session)
    if not outcome.nothing:
        await session.merge(StoreFact(name=VERSION, value=secrets.token_hex(8)))
    return outcome


async def _one(session: AsyncSession, kind: Kind, row: Row, outcome: Outcome) -> list[str] | None:
    """Bring one row up to date; gives the columns that changed, or None."""
    known = await session.get(kind.table, row["id"])
    subject = f"{kind.word} {row['id']}"
    if known is None:
        session.add(kind.table(**row))
        if kind.table is Device:
            session.add(_assignment(row))
        outcome.added.append(subject)
        return sorted(row.keys() - {"id"})
    names = changed(known, row)
    if not names:
        return None
    if isinstance(known, Device):
        await _reassign(session, known, row)
    for name in names:
        setattr(known, name, row[name])
    session.add(known)
    outcome.changed.append(subject)
    return names


def _assignment(row: Row) -> Assignment:
    return Assignment(device=row["id"], home=row["home"], since=row["since"], until=row["until"])


async def _reassign(session: AsyncSession, known: Device, row: Row) -> None:
    """Keep where the device was, until when."""
    wanted = select(Assignment).where(Assignment.device == known.id, col(Assignment.until).is_(None))
    current = (await session.exec(wanted.order_by(col(Assignment.since).desc()))).first()
    if current is not None and current.home == row["home"]:
        current.since, current.until = row["since"], row["until"]
        session.add(current)
        return
    if current is not None:
        current.until = max(current.since, row["since"])
        session.add(current)
    if current is not None or row["until"] is None or row["home"] != known.home:
        session.add(_assignment(row))


async def _rota(session: AsyncSession, team: str, wanted: list[Row]) -> bool:
    """Replace a team's shifts where they differ."""
    stored: Sequence[Shift] = (await session.exec(select(Shift).where(Shift.team == team))).all()
    told = [row.model_dump(exclude={"id"}) for row in stored]
    if sorted(map(_key, told)) == sorted(map(_key, wanted)):
        return False
    await session.exec(delete(Shift).where(col(Shift.team) == team))
    session.add_all([Shift(**row) for row in wanted])
    return True


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("team", "staff", "duty", "from_clock", "to_clock"))


def _deed(kind: Kind, row: Row, names: list[str], by: str, now: Millis) -> audit.Deed:
    home = str(row.get("home") or (row["id"] if kind is KINDS["homes"] else ""))
    return audit.Deed(
        at=now,
        actor=by,
        action="registry.import",
        home=home,
        subject=f"{kind.word} {row['id']}",
        data={"columns": names},
    )


async def _announce(session: AsyncSession, outcome: Outcome, now: Millis) -> None:
    """Tell the screens which devices and gateways look different now."""
    await session.flush()
    for subject in (*outcome.added, *outcome.changed):
        word, _, id_ = subject.partition(" ")
        if word not in {"device", "gateway"}:
            continue
        home = await _home_of(session, word, id_)
        session.add(
            Change(
                at=now,
                subject=word,
                ref=id_,
                home=home.id if home else "",
                zone=home.zone if home else "",
            )
        )


async def _home_of(session: AsyncSession, word: str, id_: str) -> Home | None:
    device: Any = await session.get(Device, id_) if word == "device" else None
    return await session.get(Home, device.home) if device else None
