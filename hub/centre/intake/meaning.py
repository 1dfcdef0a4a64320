"""What newly stored entries mean, carried out in the transaction that stores them: alerts, states, results, faults.

Who says it matters. A gateway may speak for the homes the registry gives it; for others it may call for help
(a call is never swallowed), but ends no alert and sets no state, and a technical alert says that it tried.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import insert, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Event, Millis
from hub.centre import by_rule, commands, technical
from hub.centre.alerts import opening
from hub.centre.alerts.codes import Words
from hub.centre.alerts.decisions import OPENING, Judged
from hub.centre.alerts.rows import Policy
from hub.centre.intake import states
from hub.centre.intake.reading import Read
from hub.centre.intake.storing import LaneKey, Stored
from hub.store.centre_tables import Change, Device, Gateway, Home

MAY_PASS = (OperationalError, InterfaceError, OSError)
"""Troubles of the database and not of a message: the same message may well go in later."""

log = structlog.get_logger()


@dataclass(slots=True)
class Roster:
    """Who may speak for whom, as far as this group mentions it. owners: home → gateway. places: device → home."""

    owners: dict[str, str | None] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def trusts(self, gateway: str, home: str) -> bool:
        """Whether this gateway may speak for this home. Homes nobody registered are spoken for by who hears them."""
        return self.owners.get(home) in {None, gateway}

    def placed(self, event: Event) -> bool:
        """Whether the device is where the event says, as far as the registry knows it."""
        return self.places.get(event.device, event.home) == event.home

    def bound(self, judged: Judged, gateway: str) -> Judged | None:
        """The decision under a key of its own home, or None where nothing may come of it.

        Keys are words of the sender. One that is neither the home, nor of the home, nor a device that stands in it
        is put below the home, so that nobody opens or clears an alert under another home's key. What a gateway says
        of a home that is not its own stands apart under the gateway's name, and ends nothing.
        """
        if not self.trusts(gateway, judged.home):
            apart = replace(judged, key=f"{gateway}:{judged.key}")
            return apart if judged.action in OPENING else None
        own = judged.key == judged.home or judged.key.startswith(f"{judged.home}/")
        if own or self.places.get(judged.key) == judged.home:
            return judged
        return replace(judged, key=f"{judged.home}/{judged.key}")

    def may_set(self, gateway: str, event: Event) -> bool:
        """Whether this fact may change what a device is like. Of itself a gateway alone may speak."""
        if event.device_class == "gateway":
            return event.device == gateway
        return self.trusts(gateway, event.home) and self.placed(event)


async def roster_of(session: AsyncSession, entries: Iterable[Read]) -> Roster:
    """Read what is needed to judge who may speak."""
    listed = list(entries)
    homes = {entry.home for entry in listed if entry.home}
    devices = {entry.device for entry in listed if entry.device}
    devices |= {entry.judged.key for entry in listed if entry.judged}
    owners = await session.exec(select(Home.id, Home.gateway).where(col(Home.id).in_(homes)))
    places = await session.exec(select(Device.id, Device.home).where(col(Device.id).in_(devices)))
    return Roster(dict(owners.all()), dict(places.all()))


async def carry_out(session: AsyncSession, stored: Stored, policy: Policy, now: Millis) -> None:
    """Do what the new entries of a group say."""
    roster = await roster_of(session, (entry for _, entry in stored.new))
    for key, entry in stored.new:
        if _of_its_own(key, entry, roster):
            await _safely(session, key, entry, roster, policy, now)
    judged = [one for one in stored.new if one[1].judged is not None]
    await _decisions(session, judged, roster, policy, now)
    await _states(session, stored.new, roster, now)
    for key, entry in stored.conflicts:
        names = {"lane": technical.LANE_WORDS.get(key[2], key[2]), "number": entry.number}
        await technical.found(session, technical.CONFLICT, key[0], policy, now, gateway=key[0], names=names)
    await _heard(session, {key[0] for key in stored.marks}, policy, now)


def _of_its_own(key: LaneKey, entry: Read, roster: Roster) -> bool:
    """Whether something is to be done about this entry that is not the decision it holds."""
    if not roster.trusts(key[0], entry.home):
        return True
    return entry.judged is None and entry.type != "event"


async def _decisions(
    session: AsyncSession,
    entries: Sequence[tuple[LaneKey, Read]],
    roster: Roster,
    policy: Policy,
    now: Millis,
) -> None:
    """Carry out decisions together; where one of them breaks, each for itself."""
    bound = [roster.bound(entry.judged, key[0]) for key, entry in entries if entry.judged]
    if not any(bound):
        return
    try:
        async with session.begin_nested():
            await opening.carry_out_all(session, [judged for judged in bound if judged], policy, now)
    except MAY_PASS:
        raise
    except Exception:
        log.exception("decisions could not be carried out together; each is tried for itself")
        for (key, entry), judged in zip(entries, bound, strict=True):
            if judged is not None:
                await _safely(session, key, entry, roster, policy, now, judged)


async def _safely(
    session: AsyncSession,
    key: LaneKey,
    entry: Read,
    roster: Roster,
    policy: Policy,
    now: Millis,
    judged: Judged | None = None,
) -> None:
    """One entry behind its own savepoint: what breaks on it takes no other entry with it (promise 5)."""
    try:
        async with session.begin_nested():
            if judged is None:
                await _one(session, key, entry, roster, policy, now)
            else:
                await opening.carry_out_all(session, [judged], policy, now)
    except MAY_PASS:
        raise
    except Exception as broken:
        log.exception(
            "an entry is stored, but what it says could not be done", gateway=key[0], number=entry.number
        )
        fault = technical.CALL_NOT_JUDGED if _calls(entry) else technical.UNREADABLE
        names = {"problem": f"{type(broken).__name__}: {broken!s:.200}"}
        await technical.found(
            session,
            fault,
            f"{key[0]}/{entry.home}",
            policy,
            now,
            gateway=key[0],
            home=entry.home,
            names=names,
        )


def _calls(entry: Read) -> bool:
    return entry.judged is not None and entry.judged.action in OPENING


async def _one(
    session: AsyncSession, key: LaneKey, entry: Read, roster: Roster, policy: Policy, now: Millis
) -> None:
    if not roster.trusts(key[0], entry.home):
        await _impostor(session, key[0], entry.home, roster, policy, now)
    if entry.type == "result":
        await by_rule.note(session, key[0], entry.body, now)
        await commands.settle(session, key[0], entry.body, now)
    elif entry.type == "health":
        await _health(session, key[0], entry, policy, now)
    elif entry.problem:
        names = {"problem": entry.problem}
        await technical.found(session, technical.UNREADABLE, key[0], policy, now, gateway=key[0], names=names)


async def _impostor(
    session: AsyncSession, gateway: str, home: str, roster: Roster, policy: Policy, now: Millis
) -> None:
    names = {"home": home, "owner": roster.owners[home]}
    key = f"{gateway}/{home}"
    await technical.found(
        session, technical.WRONG_GATEWAY, key, policy, now, gateway=gateway, home=home, names=names
    )


async def _states(
    session: AsyncSession, new: Sequence[tuple[LaneKey, Read]], roster: Roster, now: Millis
) -> None:
    events = [entry.event for key, entry in new if entry.event and roster.may_set(key[0], entry.event)]
    await states.store(session, states.newest(events, now))
    seen = {event.device: event.home for event in events}
    zones = dict(
        (await session.exec(select(Home.id, Home.zone).where(col(Home.id).in_(set(seen.values()))))).all()
    )
    boxes = {event.device for event in events if event.device_class == "gateway"}
    changes = [
        {
            "at": now,
            "subject": "gateway" if device in boxes else "device",
            "ref": device,
            "home": home,
            "zone": zones.get(home, ""),
        }
        for device, home in seen.items()
    ]
    if changes:
        await (await session.connection()).execute(insert(Change), changes)


async def _health(session: AsyncSession, gateway: str, entry: Read, policy: Policy, now: Millis) -> None:
    """A gateway's word about itself. `data.over` says that the fault is gone; `data.note` that nobody need act."""
    body = entry.body
    data = body.get("data") if isinstance(body.get("data"), dict) else {}
    assert isinstance(data, dict)
    key = f"{gateway}/{body.get('what', '')}"[:200]
    session.add(Change(at=now, subject="gateway", ref=gateway))
    if data.get("over") is True:
        await technical.over(session, technical.HEALTH, key, policy, now, "the gateway says it is over")
    elif data.get("note") is not True:
        both = _in_both(body.get("says")) or dict.fromkeys(("nb", "en"), str(body.get("says")))
        do = _in_both(data.get("staff_action")) or technical.look_at(gateway)
        fault = replace(technical.HEALTH, urgency=_urgency(data.get("urgency")))
        await technical.found(
            session, fault, key, policy, now, gateway=gateway, names={"says": both, "do": do}
        )


def _in_both(said: object) -> Words | None:
    """A gateway's text in both languages, if it is one."""
    if not isinstance(said, dict) or not {"nb", "en"} <= set(said):
        return None
    return {"nb": str(said["nb"]), "en": str(said["en"])}


def _urgency(said: object) -> str:
    """What a gateway may ask for its own faults: critical is for what the rules say."""
    return said if isinstance(said, str) and said in {"high", "low"} else technical.HEALTH.urgency


async def _heard(session: AsyncSession, gateways: Collection[str], policy: Policy, now: Millis) -> None:
    heard = update(Gateway).where(col(Gateway.id).in_(gateways)).values(last_heard=now)
    known = await session.exec(heard.returning(col(Gateway.id)).execution_options(synchronize_session=False))
    for stranger in set(gateways) - {row[0] for row in known.all()}:
        await technical.found(session, technical.UNKNOWN_GATEWAY, stranger, policy, now, gateway=stranger)
