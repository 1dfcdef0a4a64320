"""Before a door opens from afar: who asks, for what, and how fresh the lock's word is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import col, select

from hub.centre import commands
from hub.centre.access import Actor
from hub.centre.alerts.refusals import NotAllowed, Refused, StepUp, TooOld, Unacceptable
from hub.store.centre_tables import Audit, CommandRow, DeviceState

MINUTE, HOUR = 60, 3600
Hear = Callable[[], Awaitable[None]]


@pytest.fixture
def ask(store: Any, clock: Any) -> Callable[..., Awaitable[CommandRow]]:
    """Somebody asks Astrid's door to open."""

    async def unlock(actor: Actor, **more: Any) -> CommandRow:
        wish = commands.Wish("h1", "lock-1", "unlock", {}, **more)
        return await commands.ask(store, clock, wish, actor, "test")

    return unlock


async def deeds(store: Any) -> list[Audit]:
    """The trail."""
    async with store.reading() as session:
        return list((await session.exec(select(Audit).order_by(col(Audit.seq)))).all())


async def asked(store: Any) -> list[str]:
    """Names of the commands there are, in order."""
    async with store.reading() as session:
        return [
            row.name for row in (await session.exec(select(CommandRow).order_by(col(CommandRow.asked)))).all()
        ]


async def answered(store: Any, clock: Any) -> None:
    """The lock answers every question, and says nothing new."""
    async with store.writing() as session:
        for row in (await session.exec(select(CommandRow).where(CommandRow.status == "queued"))).all():
            body = {"command": row.id, "outcome": "done", "at": clock.now()}
            await commands.settle(session, row.gateway, body, clock.now())


async def test_a_fresh_state_and_a_reason_open(store, people, ask, fresh_lock) -> None:
    """Nils is on duty for a planned visit: asked at once, and the trail says what was known."""
    row = await ask(people.nils, purpose="visit")
    assert (row.name, row.reason) == ("unlock", "planned visit")
    (deed,) = await deeds(store)
    told = {name: deed.data[name] for name in ("purpose", "state", "state_age", "on_duty")}
    assert told == {"purpose": "visit", "state": "locked", "state_age": 0, "on_duty": True}


async def test_an_old_state_is_asked_for_first(store, clock, people, ask, fresh_lock: Hear) -> None:
    """A state of five minutes ago is not acted on: the lock is asked, once; its answer makes the next try good."""
    clock.at += 5 * MINUTE * 1000
    for _ in range(2):
        with pytest.raises(TooOld) as refused:
            await ask(people.nils, purpose="visit")
    assert refused.value.says["nb"].startswith("Låsens stilling er 5 min gammel")
    assert await asked(store) == ["state"]
    await answered(store, clock)
    assert (await ask(people.nils, purpose="visit")).name == "unlock"
    assert await asked(store) == ["state", "unlock"]


async def test_a_lock_that_never_said_where_it_stands(store, people, ask, fresh_lock) -> None:
    """Unknown is not locked: it is asked."""
    async with store.writing() as session:
        await session.delete(await session.get(DeviceState, ("lock-1", "lock.bolt")))
    with pytest.raises(TooOld, match="has not said where it stands"):
        await ask(people.nils, purpose="visit")
    assert await asked(store) == ["state"]


async def test_behind_a_silent_gateway_nothing_is_asked(store, clock, people, ask, fresh_lock) -> None:
    """When the box has not been heard, no command would get there: the key box is what helps."""
    clock.at += 6 * MINUTE * 1000
    with pytest.raises(TooOld, match="Use the key box"):
        await ask(people.nils, purpose="emergency")
    assert await asked(store) == []


async def test_another_reason_takes_a_fresh_sign_in(people, ask, fresh_lock) -> None:
    """Words that nobody can look up are believed of somebody who has just signed in; a visit needs no more."""
    of_the_morning = replace(people.nils, login_age=2 * HOUR)
    with pytest.raises(StepUp, match="for this reason"):
        await ask(of_the_morning, reason="she does not answer")
    assert (await ask(of_the_morning, purpose="visit")).name == "unlock"


async def test_a_sign_in_of_yesterday_opens_nothing(people, ask, judge, desk, fresh_lock) -> None:
    """After twelve hours even whoever has taken the alarm signs in anew; and so does whoever never did."""
    alert = await judge()
    await desk.take(alert.id, alert.version, people.nils, "test")
    for age in (13 * HOUR, None):
        with pytest.raises(StepUp, match="twelve hours"):
            await ask(replace(people.nils, login_age=age), alert=alert.id)
    assert (
        await ask(replace(people.nils, login_age=11 * HOUR), alert=alert.id)
    ).reason == f"alert {alert.id}"


async def test_a_planned_visit_is_made_on_duty(store, clock, people, ask, fresh_lock: Hear) -> None:
    """In the afternoon Nils has no shift: no planned visit, but blue-light services and a taken alarm go."""
    clock.at += 16 * HOUR * 1000
    await fresh_lock()
    with pytest.raises(NotAllowed, match="not on duty"):
        await ask(people.nils, purpose="visit")
    assert (await ask(people.nils, purpose="emergency")).reason == "blue-light services"
    assert (await deeds(store))[-1].data["on_duty"] is False


async def test_every_attempt_stands_in_the_trail(store, people, ask, fresh_lock) -> None:
    """Also what was refused, with who wanted what and why not (promise 6)."""
    for actor, more, kind in (
        (people.nils, {}, Unacceptable),
        (people.tor, {"reason": "testing"}, NotAllowed),
        (people.nils, {"alert": 77}, Refused),
    ):
        with pytest.raises(kind):
            await ask(actor, **more)
    told = [(deed.actor, deed.action, deed.home, deed.data["name"]) for deed in await deeds(store)]
    assert told == [(who, "command.not_asked", "h1", "unlock") for who in ("nils", "tor", "nils")]
    assert all(deed.data["refused"] for deed in await deeds(store))


async def test_other_commands_ask_nothing_of_the_kind(store, clock, people) -> None:
    """A door is locked whenever somebody may ask it to be, however old what is known."""
    wish = commands.Wish("h1", "lock-1", "lock", {})
    actor = replace(people.nils, login_age=None)
    assert (await commands.ask(store, clock, wish, actor, "test")).name == "lock"
