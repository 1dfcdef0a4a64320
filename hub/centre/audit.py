"""The audit trail: append-only and hash-chained, every look and every action (DESIGN.md, promise 8).

hash = SHA-256 over (previous hash, canonical JSON of the row without its hash). A row changed, removed or
slipped in afterwards breaks the chain at its place, and `verify` says where. Cutting off the newest rows is
found by comparing the head with one kept elsewhere, which is why `verify` prints it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import insert, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.store.centre_tables import Audit

FIRST = "0" * 64
"""What the first row names as its predecessor."""

ORDER_LOCK = 0x7279_6767
"""PostgreSQL advisory lock under which numbered rows are written, so that numbers commit in their order."""

CHUNK = 1000

RESTORED = "centre.restored"
"""The action under which a restore from a backup stands in the trail: what was done since the backup is not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who did or saw what, when, for whom, why, from where. subject: what it was done to, like `alert 17`."""

    at: Millis
    actor: str
    action: str
    home: str = ""
    subject: str = ""
    why: str = ""
    origin: str = ""
    data: Mapping[str, Any] | None = None


async def in_order(session: AsyncSession) -> None:
    """Make writers of numbered rows wait for one another until this transaction ends.

    SQLite has one writer anyway. On PostgreSQL a lower number could otherwise commit after a higher one was
    read, and whoever follows a cursor would never see it.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.exec(text("SELECT pg_advisory_xact_lock(:key)"), params={"key": ORDER_LOCK})  # type: ignore[call-overload]


async def write(session: AsyncSession, *deeds: Deed) -> None:
    """Append to the trail, in the transaction of what it tells about."""
    if not deeds:
        return
    await in_order(session)
    previous, rows = await head(session), []
    for deed in deeds:
        rows.append(_row(deed, previous))
        previous = rows[-1]["hash"]
    await (await session.connection()).execute(insert(Audit), rows)


async def head(session: AsyncSession) -> str:
    """The newest hash."""
    newest = select(Audit.hash).order_by(col(Audit.seq).desc()).limit(1)
    return (await session.exec(newest)).first() or FIRST


def _row(deed: Deed, previous: str) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "at": deed.at,
        "actor": deed.actor,
        "action": deed.action,
        "home": deed.home,
        "subject": deed.subject,
        "why": deed.why,
        "origin": deed.origin,
        "data": dict(deed.data or {}),
    }
    return columns | {"previous": previous, "hash": digest(previous, columns)}


def digest(previous: str, columns: Mapping[str, Any]) -> str:
    """The hash of a row with these columns behind that predecessor."""
    return hashlib.sha256(previous.encode() + b"\n" + canonical(columns)).hexdigest()


def canonical(columns: Mapping[str, Any]) -> bytes:
    """JSON that is the same for the same content."""
    return orjson.dumps(dict(columns), option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a check. broken: the first row that does not follow from the one before, or None."""

    rows: int
    head: str
    broken: int | None = None
    sentence: str = ""


async def restores(session: AsyncSession) -> Sequence[Audit]:
    """The rows that tell of a restore from a backup, in order."""
    wanted = select(Audit).where(Audit.action == RESTORED).order_by(col(Audit.seq))
    return (await session.exec(wanted)).all()


async def verify(session: AsyncSession) -> Verdict:
    """Walk the whole chain."""
    previous, rows = FIRST, 0
    async for row in _all(session):
        problem = _problem(row, previous)
        if problem:
            return Verdict(rows, previous, row.seq, f"row {row.seq}: {problem}")
        previous, rows = row.hash, rows + 1
    return Verdict(rows, previous)


def _problem(row: Audit, previous: str) -> str:
    if row.previous != previous:
        return (
            f"names {row.previous[:12]} as its predecessor, expected {previous[:12]}: a row is missing or new"
        )
    columns = row.model_dump(exclude={"seq", "previous", "hash"})
    if row.hash != digest(previous, columns):
        return "its content does not match its hash: it was changed"
    return ""


async def _all(session: AsyncSession) -> AsyncIterator[Audit]:
    after = 0
    while True:
        page = select(Audit).where(col(Audit.seq) > after).order_by(col(Audit.seq)).limit(CHUNK)
        rows = (await session.exec(page)).all()
        for row in rows:
            yield row
        if len(rows) < CHUNK:
            return
        after = rows[-1].seq or after
        session.expunge_all()
