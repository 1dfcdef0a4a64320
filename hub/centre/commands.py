"""Asking a device for something (DESIGN.md, promise 6): a reason first, an expiry always, the answer shown.

A command is a row before it is a message. The web process writes it; the centre process publishes it, because
it holds the gateway's line; the gateway's result, or the end of its life, settles it. No door opens without a
reason: an alert of that home which the person has taken, or an override in words; both stand in the trail.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis, TimeError, iso, parse_time
from drivers.registry import DEVICE_TYPES
from hub.centre import audit, door, remote_unlock, unanswered
from hub.centre.access import Actor, Right
from hub.centre.alerts.codes import Words, words
from hub.centre.alerts.desk import speed_of
from hub.centre.alerts.policy import Policy, policy_of
from hub.centre.alerts.refusals import (
    AlertError,
    NotAllowed,
    NotFound,
    Refused,
    StepUp,
    TooOld,
    Unacceptable,
)
from hub.clock import Clock
from hub.store.centre_tables import Alert, Change, CommandRow, Device, Home
from hub.store.engine import Store
from hub.uplink.messages import Order, down_topic

WAITING = ("queued", "sent")
OUTCOMES = frozenset({"done", "refused", "failed"})
DOOR_OPENING = frozenset(door.OPENS)
MOST_DOORS, IN_SECONDS = 3, 600
"""One person opens at most three doors in ten minutes: a stolen session must not empty a street of keys."""
REASON_LENGTH = 200
NOT_FOR_THE_TIMELINE = (NotFound, StepUp, TooOld, Unacceptable)
"""Refusals that are steps on the way to an opening, or of things that do not exist; the trail has them all."""
SPEAKS_FOR_ITSELF: Mapping[str, str] = MappingProxyType(
    {"visit": "planned visit", "emergency": "blue-light services"}
)
"""Purposes for which nobody need write a reason as well; what the trail says then."""

NO_DEVICE = words("Enheten finnes ikke.", "There is no such device.")
NO_RIGHT = words("Du har ikke tilgang til å gjøre dette.", "You are not allowed to do this.")
NO_GATEWAY = words(
    "Hjemmet har ingen boks som kan nå enheten.", "The home has no gateway that reaches the device."
)
NEEDS_REASON = words(
    "En dør åpnes bare når du har tatt alarmen, eller med en begrunnelse (høyst 200 tegn).",
    "A door is opened only when you have taken the alarm, or with a stated reason (at most 200 characters).",
)
NOT_YOURS = words("Ta alarmen først.", "Take the alarm first.")
ALREADY = words(
    "Det samme er allerede bedt om. Vent på svaret.", "The same is already asked for. Wait for the answer."
)
ID_IN_USE = words("Denne id-en er brukt til noe annet.", "This id belongs to another command.")
TOO_MANY = words(
    "Du har åpnet tre dører på ti minutter. Ring vakttelefonen.",
    "You have opened three doors in ten minutes. Call the duty phone.",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for. alert: the one it answers, if any. reason: in their own words.

    purpose: for a door without an alert: visit, emergency or other (hub.centre.door). id: chosen by who asks, so
    that a wish that is sent again, because its answer was lost on the way, asks for nothing twice; empty: a new one.
    house: the house number that a person typed to show which door they mean; None where none was asked for.
    """

    home: str
    device: str
    name: str
    args: Mapping[str, Any]
    reason: str = ""
    alert: int | None = None
    purpose: str = ""
    id: str = ""
    house: str | None = None


Publish = Callable[[str, bytes], Awaitable[None]]


async def ask(store: Store, clock: Clock, wish: Wish, actor: Actor, origin: str) -> CommandRow:
    """Write a command down, to be sent at once. Raises NotFound or Refused with its sentence.

    Every attempt at a door stands in the trail, also one that is refused (promise 6).
    """
    try:
        asked = await _ask(store, clock, wish, actor, origin)
    except AlertError as refused:
        if wish.name in DOOR_OPENING:
            await _note_refusal(store, wish, actor, origin, refused, clock.now())
        raise
    if isinstance(asked, CommandRow):
        return asked
    refusal = TooOld(asked)
    await _note_refusal(store, wish, actor, origin, refusal, clock.now())
    raise refusal


async def _ask(store: Store, clock: Clock, wish: Wish, actor: Actor, origin: str) -> CommandRow | Words:
    """The command, or the sentence that says why the lock is asked for its state first."""
    now = clock.now()
    async with store.writing() as session:
        await audit.in_order(session)
        device, home = await _device(session, wish, actor)
        _takes(device, wish)
        if known := await _asked_before(session, wish, actor):
            return known
        if wish.name in DOOR_OPENING and (closed := await remote_unlock.why_not(session, actor)):
            raise NotAllowed(closed)
        why = await _reason(session, wish, actor)
        door.check_house(home.address, wish.house)
        await _not_twice(session, wish, now)
        await _not_too_often(session, wish, actor, now - round(IN_SECONDS * 1000 * speed_of(clock)))
        policy = await policy_of(session, speed=speed_of(clock))
        told: dict[str, Any] = {}
        if wish.name in DOOR_OPENING:
            purpose = door.purpose_of(wish.purpose, wish.alert)
            door.check_login(actor, purpose)
            seen = await door.look(session, device, home, actor, policy, now)
            door.check_duty(seen, purpose)
            if old := door.too_old(device, seen, policy):
                await _ask_state(session, device, home, actor, policy, now, origin)
                return old
            told = {"purpose": purpose.value, **seen.told}
        row = CommandRow(
            id=wish.id or secrets.token_hex(12),
            home=home.id,
            device=device.id,
            gateway=home.gateway or "",
            name=wish.name,
            args=dict(wish.args),
            asked_by=actor.staff,
            reason=why,
            alert=wish.alert,
            asked=now,
            expires=now + policy.timers.command * 1000,
        )
        session.add(row)
        session.add(Change(at=now, subject="device", ref=device.id, home=home.id, zone=home.zone))
        await audit.write(session, _deed("command.ask", row, actor.staff, now, origin, **told))
    return row


async def _ask_state(
    session: AsyncSession, device: Device, home: Home, actor: Actor, policy: Policy, now: Millis, origin: str
) -> None:
    row = await door.question(session, device, home, actor, policy, now)
    if row is not None:
        session.add(row)
        session.add(Change(at=now, subject="device", ref=device.id, home=home.id, zone=home.zone))
        await audit.write(session, _deed("command.ask", row, actor.staff, now, origin))


async def _note_refusal(
    store: Store, wish: Wish, actor: Actor, origin: str, refused: AlertError, now: Millis
) -> None:
    deed = audit.Deed(
        at=now,
        actor=actor.staff,
        action="command.not_asked",
        home=wish.home,
        subject=f"device {wish.device}",
        why=wish.reason.strip()[:REASON_LENGTH],
        origin=origin,
        data={"name": wish.name, "alert": wish.alert, "refused": refused.says["en"]},
    )
    async with store.writing() as session:
        await audit.in_order(session)
        if not isinstance(refused, NOT_FOR_THE_TIMELINE):
            await _tell_the_home(session, wish, actor, refused, now)
        await audit.write(session, deed)


async def _tell_the_home(
    session: AsyncSession, wish: Wish, actor: Actor, refused: AlertError, now: Millis
) -> None:
    """Who wanted a door open and was refused stands in the home's own timeline too."""
    home = await session.get(Home, wish.home)
    if home is None:
        return
    body = {
        "outcome": "not_asked",
        "name": wish.name,
        "asked_by": actor.staff,
        "why": wish.reason.strip()[:REASON_LENGTH],
        "says": dict(refused.says),
        "home": home.id,
        "device": wish.device,
        "at": iso(now),
    }
    await unanswered.write_line(session, home.gateway or "", home.id, wish.device, body, now)
    session.add(Change(at=now, subject="device", ref=wish.device, home=home.id, zone=home.zone))


async def _device(session: AsyncSession, wish: Wish, actor: Actor) -> tuple[Device, Home]:
    device, home = await session.get(Device, wish.device), await session.get(Home, wish.home)
    if device is None or home is None or device.home != home.id or device.until is not None:
        raise NotFound(NO_DEVICE)
    right = Right.OPEN_DOORS if wish.name in DOOR_OPENING else Right.ASK_DEVICES
    if not actor.reaches(zone=home.zone, home=home.id):
        raise NotFound(NO_DEVICE)
    if not actor.has(right):
        raise NotAllowed(NO_RIGHT)
    if not home.gateway:
        raise Refused(NO_GATEWAY)
    return device, home


def _takes(device: Device, wish: Wish) -> None:
    """Refuse at once what this type of device cannot be asked, so that it stands in nobody's way."""
    known = DEVICE_TYPES.get(device.type)
    commands = known.commands if known is not None else {}
    if wish.name not in commands:
        raise Unacceptable(_takes_others(device.name or device.id, wish.name, list(commands)))
    for name in wish.args:
        if name not in commands[wish.name]:
            raise Unacceptable(_takes_other_arguments(wish.name, name, commands[wish.name]))


def _takes_others(device: str, asked: str, known: Sequence[str]) -> Words:
    listed = ", ".join(known)
    nb = f"Den kan bes om: {listed}." if known else "Den kan ikke bes om noe."
    en = f"It takes: {listed}." if known else "It takes no commands."
    return words(
        f"{device} kan ikke bes om «{asked:.64}». {nb}", f"{device} does not take {asked!r:.70}. {en}"
    )


def _takes_other_arguments(command: str, asked: str, known: Sequence[str]) -> Words:
    listed = ", ".join(known)
    nb = f"Den tar: {listed}." if known else "Den tar ingen opplysninger."
    en = f"It takes: {listed}." if known else "It takes no arguments."
    return words(
        f"«{command}» tar ikke imot «{asked:.64}». {nb}",
        f"{command!r} has no argument {asked!r:.70}. {en}",
    )


async def _reason(session: AsyncSession, wish: Wish, actor: Actor) -> str:
    """The reason that will stand in the trail; a door asks for one, other commands may have one."""
    stated = wish.reason.strip()[:REASON_LENGTH]
    if wish.alert is not None:
        alert = await session.get(Alert, wish.alert)
        if (
            alert is None
            or alert.home != wish.home
            or alert.handling != "taken"
            or alert.owner != actor.staff
        ):
            raise Refused(NOT_YOURS)
        return stated or f"alert {wish.alert}"
    if wish.name in DOOR_OPENING and not stated:
        if wish.purpose not in SPEAKS_FOR_ITSELF:
            raise Unacceptable(NEEDS_REASON)
        return SPEAKS_FOR_ITSELF[wish.purpose]
    return stated


async def _asked_before(session: AsyncSession, wish: Wish, actor: Actor) -> CommandRow | None:
    """What this very wish has become already. Raises Refused where its id is that of another wish."""
    known = await session.get(CommandRow, wish.id) if wish.id else None
    if known is None:
        return None
    if (known.device, known.name, known.asked_by) != (wish.device, wish.name, actor.staff):
        raise Refused(ID_IN_USE)
    return known


async def _not_twice(session: AsyncSession, wish: Wish, now: Millis) -> None:
    """A second press on the button asks for nothing new: no door opens, and no dose comes, twice."""
    same = select(CommandRow.id).where(
        CommandRow.device == wish.device,
        CommandRow.name == wish.name,
        col(CommandRow.status).in_(WAITING),
        CommandRow.expires > now,
    )
    if (await session.exec(same)).first() is not None:
        raise Refused(ALREADY)


async def _not_too_often(session: AsyncSession, wish: Wish, actor: Actor, since: Millis) -> None:
    if wish.name not in DOOR_OPENING:
        return
    opened = select(CommandRow.id).where(
        CommandRow.asked_by == actor.staff,
        col(CommandRow.name).in_(DOOR_OPENING),
        CommandRow.status
        != "refused",  # nothing moved, for certain; after `failed` or `expired` the door may be open
        CommandRow.asked > since,
    )
    if len((await session.exec(opened)).all()) >= MOST_DOORS:
        raise Refused(TOO_MANY)


def _deed(action: str, row: CommandRow, actor: str, now: Millis, origin: str = "", **data: Any) -> audit.Deed:
    return audit.Deed(
        at=now,
        actor=actor,
        action=action,
        home=row.home,
        subject=f"device {row.device}",
        why=row.reason,
        origin=origin,
        data={"command": row.id, "name": row.name, "alert": row.alert, **data},
    )


async def send_waiting(store: Store, clock: Clock, publish: Publish) -> int:
    """Publish every queued command and let those too old expire; gives how many were sent.

    A command whose publishing broke off is sent again under its id, and the gateway carries out an id once.
    """
    now = clock.now()
    async with store.reading() as session:
        queued = (await session.exec(select(CommandRow).where(CommandRow.status == "queued"))).all()
        late = select(CommandRow.id).where(col(CommandRow.status).in_(WAITING), CommandRow.expires <= now)
        expired = (await session.exec(late)).all()
    sent = 0
    for row in queued:
        if row.id not in expired:
            await publish(down_topic(row.gateway, "command"), _order(row).model_dump_json().encode())
            sent += 1
            await _mark(store, row.id, "queued", "sent", now)
    for command in expired:
        await _expire(store, command, now)
    return sent


def _order(row: CommandRow) -> Order:
    return Order(
        id=row.id,
        home=row.home,
        device=row.device,
        name=row.name,
        args=row.args,
        expires=row.expires,
        asked_by=row.asked_by,
        reason=row.reason,
    )


async def _mark(store: Store, command: str, before: str, after: str, now: Millis) -> None:
    async with store.writing() as session:
        changed = update(CommandRow).where(col(CommandRow.id) == command, col(CommandRow.status) == before)
        await session.exec(changed.values(status=after))
        row = await session.get(CommandRow, command, populate_existing=True)
        if row is not None:
            await _announce(session, row, now)


async def _expire(store: Store, command: str, now: Millis) -> None:
    async with store.writing() as session:
        row = await session.get(CommandRow, command, with_for_update=True)
        if row is None or row.status not in WAITING:
            return
        row.status, row.settled, row.answer = "expired", now, "no answer in time"
        session.add(row)
        await unanswered.journal(session, row, now)
        await unanswered.forget(session, row, now)
        await _announce(session, row, now)
        await audit.write(session, _deed("command.expired", row, "hub", now))


async def settle(session: AsyncSession, gateway: str, body: Mapping[str, Any], now: Millis) -> None:
    """Write down a gateway's result. One that comes after the expiry is still shown to who asked.

    `failed` may mean that nobody knows; what the device says of it later corrects it.
    """
    row = await session.get(CommandRow, str(body.get("command", "")))
    outcome = body.get("outcome")
    if row is None or row.gateway != gateway or outcome not in OUTCOMES:
        return
    if row.status in {"done", "refused", outcome}:
        return
    row.status, row.settled = str(outcome), _when(body, now)
    row.answer = str(body.get("reason") or "")[:500]
    session.add(row)
    if outcome == "failed":
        await unanswered.forget(session, row, now)
    await _announce(session, row, now)
    await audit.write(session, _deed(f"command.{outcome}", row, "hub", now, answer=row.answer))


def _when(body: Mapping[str, Any], now: Millis) -> Millis:
    try:
        return min(parse_time(body.get("at")), now)
    except TimeError:
        return now


async def _announce(session: AsyncSession, row: CommandRow, now: Millis) -> None:
    await audit.in_order(session)
    home = await session.get(Home, row.home)
    zone = home.zone if home else ""
    session.add(Change(at=now, subject="device", ref=row.device, home=row.home, zone=zone))
