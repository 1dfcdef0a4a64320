"""What could not be read when it came: looked at, replayed after an upgrade, or dropped with a reason (TR-12).

Two things wait so. A *message* without readable epoch or numbers was put aside as a whole (id `12`); its gateway goes
on sending it until somebody reads it. An *entry* that was stored under its number but not understood stands in the
journal as `unreadable` (id `e345`). Both are replayed by the same way in as everything else: stored once, carried out
in the same transaction. What still cannot be read stays where it is, and the answer says why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit, technical
from hub.centre.alerts.codes import words
from hub.centre.alerts.desk import speed_of
from hub.centre.alerts.policy import Policy, policy_of
from hub.centre.alerts.refusals import NotFound, Refused, Unacceptable
from hub.centre.intake import meaning, storing
from hub.centre.intake.quarantine import KEPT_BYTES
from hub.centre.intake.reading import TYPES, UNREADABLE, PoisonError, Read, Sent, read, read_entry
from hub.centre.intake.storing import Stored
from hub.clock import Clock
from hub.store.centre_tables import UNREAD, Entry, Quarantined
from hub.store.engine import Store

MOST = 1000
"""Of each sort, the newest that are listed."""

DROPPED = "dropped"
"""The type of an unreadable entry that somebody dropped: it stays in the journal and waits no more."""

SHORTEST_REASON, LONGEST_REASON = 3, 200
ID = re.compile(r"(e?)([0-9]{1,18})")

NOT_THERE = words("Det finnes ingen slik melding.", "There is no such message.")
NEEDS_REASON = words(
    "Skriv hvorfor meldingen skal bort (3 til 200 tegn).",
    "Say why the message is to go (3 to 200 characters).",
)
CUT_SHORT = words(
    f"Bare de første {KEPT_BYTES} bytene er bevart; meldingen kan ikke spilles på nytt.",
    f"Only its first {KEPT_BYTES} bytes were kept; the message cannot be replayed.",
)


@dataclass(frozen=True, slots=True)
class Aside:
    """Something that waits. at, last_at: ms UTC. content: text as far as it is text, else hexadecimal."""

    id: str
    gateway: str
    topic: str
    at: Millis
    last_at: Millis
    times: int
    size: int
    problem: str
    content: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay brought into the journal. new, known: entries that were not there, and that were."""

    new: int
    known: int


async def listed(session: AsyncSession) -> list[Aside]:
    """Everything that waits, oldest first, without its content."""
    messages = select(Quarantined).order_by(col(Quarantined.id).desc()).limit(MOST)
    entries = select(Entry).where(UNREAD).order_by(col(Entry.seq).desc()).limit(MOST)
    found = [_of_message(row) for row in (await session.exec(messages)).all()]
    found += [_of_entry(row) for row in (await session.exec(entries)).all() if "came" in row.body]
    return sorted(found, key=lambda one: (one.at, one.id))


async def shown(session: AsyncSession, id_: str) -> Aside:
    """One of them, with its content. Raises NotFound."""
    row = await _found(session, id_)
    return _of_message(row, whole=True) if isinstance(row, Quarantined) else _of_entry(row, whole=True)


async def replay(store: Store, clock: Clock, id_: str, *, by: str, origin: str) -> Replayed:
    """Read it again and carry it out. Raises NotFound, or Refused with why it still cannot be."""
    now = clock.now()
    async with store.writing() as session:
        await audit.in_order(session)
        row = await _found(session, id_)
        policy = await policy_of(session, speed=speed_of(clock))
        if isinstance(row, Quarantined):
            done = await _message_again(session, row, policy, now)
        else:
            done = await _entry_again(session, row, policy, now)
        await audit.write(session, _deed("quarantine.replay", row, by, origin, now, new=done.new))
    return done


async def drop(store: Store, clock: Clock, id_: str, *, reason: str, by: str, origin: str) -> None:
    """Give it up for a stated reason. Raises NotFound, Unacceptable."""
    now, stated = clock.now(), reason.strip()
    if not SHORTEST_REASON <= len(stated) <= LONGEST_REASON:
        raise Unacceptable(NEEDS_REASON)
    async with store.writing() as session:
        await audit.in_order(session)
        row = await _found(session, id_)
        policy = await policy_of(session, speed=speed_of(clock))
        await audit.write(session, _deed("quarantine.drop", row, by, origin, now, why=stated))
        if isinstance(row, Quarantined):
            await session.delete(row)
        else:
            await session.exec(update(Entry).where(col(Entry.seq) == row.seq).values(type=DROPPED))
        await _over_when_empty(session, row.gateway, policy, now)


async def _found(session: AsyncSession, id_: str) -> Quarantined | Entry:
    said = ID.fullmatch(id_)
    row: Quarantined | Entry | None = None
    if said is not None and said[1]:
        row = await session.get(Entry, int(said[2]), with_for_update=True)
        row = row if row is not None and row.type == UNREADABLE and "came" in row.body else None
    elif said is not None:
        row = await session.get(Quarantined, int(said[2]), with_for_update=True)
    if row is None:
        raise NotFound(NOT_THERE)
    return row


async def _message_again(session: AsyncSession, row: Quarantined, policy: Policy, now: Millis) -> Replayed:
    payload = bytes.fromhex(row.payload)
    if len(payload) < row.size:
        raise Refused(CUT_SHORT)
    try:
        sent = read(row.topic, payload, row.size)
    except PoisonError as why:
        raise _still(str(why)) from None
    stored = await _stored(session, sent, policy, now)
    await session.delete(row)
    await _over_when_empty(session, row.gateway, policy, now)
    return Replayed(len(stored.new), len(sent.entries) - len(stored.new) - len(stored.conflicts))


async def _stored(session: AsyncSession, sent: Sent, policy: Policy, now: Millis) -> Stored:
    stored = await storing.store(session, [sent], now)
    await meaning.carry_out(session, stored, policy, now)
    return stored


async def _entry_again(session: AsyncSession, row: Entry, policy: Policy, now: Millis) -> Replayed:
    came = row.body["came"]
    type_, body = came.get("type"), came.get("body")
    if type_ not in TYPES or not isinstance(body, dict):
        raise _still(f"an entry is one of {', '.join(TYPES)}, not {type_!r:.60}")
    again = read_entry(row.number, type_, body)
    if again.problem:
        raise _still(again.problem)
    key = (row.gateway, row.epoch, row.lane)
    columns = storing.columns(key, again, now) | {"received": row.received}
    changed = update(Entry).where(col(Entry.seq) == row.seq).values(**columns)
    await session.exec(changed.execution_options(synchronize_session=False))
    await meaning.carry_out(session, _alone(key, again), policy, now)
    await _over_when_empty(session, row.gateway, policy, now)
    return Replayed(1, 0)


def _alone(key: storing.LaneKey, entry: Read) -> Stored:
    return Stored(new=[(key, entry)])


def _still(why: str) -> Refused:
    return Refused(
        words(
            "Meldingen kan fortsatt ikke leses. Detaljer på engelsk: " + why[:300],
            f"It still cannot be read: {why[:300]}",
        )
    )


async def _over_when_empty(session: AsyncSession, gateway: str, policy: Policy, now: Millis) -> None:
    """The gateway's alert about what nobody understands is over when nothing of it waits any more."""
    await session.flush()
    if not any(one.gateway == gateway for one in await listed(session)):
        why = "nothing unread is left"
        await technical.over(session, technical.UNREADABLE, gateway, policy, now, why)


def _of_message(row: Quarantined, *, whole: bool = False) -> Aside:
    content = _text(bytes.fromhex(row.payload)) if whole else ""
    return Aside(
        str(row.id), row.gateway, row.topic, row.at, row.last_at, row.times, row.size, row.problem, content
    )


def _of_entry(row: Entry, *, whole: bool = False) -> Aside:
    content = audit.canonical(row.body["came"])
    topic = f"gateways/{row.gateway}/up/{row.lane} {row.number}"
    problem = str(row.body.get("problem", ""))
    return Aside(
        f"e{row.seq}",
        row.gateway,
        topic,
        row.received,
        row.received,
        1,
        len(content),
        problem,
        content.decode() if whole else "",
    )


def _text(payload: bytes) -> str:
    """As text where it is text."""
    try:
        said = payload.decode()
    except UnicodeDecodeError:
        return payload.hex()
    return said if said.isprintable() or "\n" in said else payload.hex()


def _deed(
    action: str, row: Quarantined | Entry, by: str, origin: str, now: Millis, why: str = "", **data: Any
) -> audit.Deed:
    """The trail keeps what it was told by: gateway, problem and a digest, not the content itself."""
    if isinstance(row, Quarantined):
        subject, problem, digest = f"message {row.id}", row.problem, row.digest
    else:
        subject, problem = f"entry {row.seq}", str(row.body.get("problem", ""))
        digest = audit.digest("", row.body["came"])
    told = {"gateway": row.gateway, "problem": problem[:200], "digest": digest, **data}
    return audit.Deed(at=now, actor=by, action=action, subject=subject, why=why, origin=origin, data=told)
