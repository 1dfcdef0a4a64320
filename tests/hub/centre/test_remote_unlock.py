"""The municipality's switch over unlocking from a screen, and that nothing opens a door twice."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import col, select

from hub.centre import commands
from hub.centre.access import Actor
from hub.centre.alerts.refusals import NotAllowed, Refused, TooOld, Unacceptable
from hub.centre.door import house_number
from hub.centre.remote_unlock import NOT_YOUR_ROLE, NOT_YOUR_TEAM, SWITCHED_OFF, UNREADABLE, refusal
from hub.store.centre_tables import Audit, CommandRow, Entry, Municipality

NURSE, TEAM = {"nurse"}, ["team-nord"]
ONCE = "ab" * 12


@pytest.fixture
def ask(store: Any, clock: Any) -> Any:
    """Somebody asks Astrid's lock for something; a planned visit unless said otherwise."""

    async def command(actor: Actor, name: str = "unlock", **more: Any) -> CommandRow:
        wish = commands.Wish("h1", "lock-1", name, {}, **({"purpose": "visit"} | more))
        return await commands.ask(store, clock, wish, actor, "test")

    return command


async def set_to(store: Any, setting: Any) -> None:
    """What stands in the registry."""
    async with store.writing() as session:
        row = await session.get(Municipality, 1)
        row.body = {**row.body, "remote_unlock": setting}
        session.add(row)


async def settled(store: Any, command: str, status: str) -> None:
    """How a command ended."""
    async with store.writing() as session:
        row = await session.get(CommandRow, command)
        row.status = status
        session.add(row)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({}, None),
        ({"allowed": True, "roles": ["nurse"], "teams": ["team-nord"]}, None),
        ({"allowed": True, "teams": []}, None),
        ({"allowed": False}, SWITCHED_OFF),
        ({"roles": ["coordinator"]}, NOT_YOUR_ROLE),
        ({"teams": ["team-sor"]}, NOT_YOUR_TEAM),
        ({"allowed": "perhaps"}, UNREADABLE),
        ({"alowed": True}, UNREADABLE),
        ({"roles": ["technician"]}, UNREADABLE),
        (None, UNREADABLE),
    ],
)
def test_what_the_setting_says_to_a_nurse(setting: Any, says: Any) -> None:
    """Left out it allows; what cannot be read closes."""
    assert refusal(setting, NURSE, TEAM) is says


async def test_where_it_is_switched_off_no_door_opens(store, people, ask, judge, desk, fresh_lock) -> None:
    """Not for a visit, not for an alarm one has taken; it is in the trail and in the home's timeline; locking goes."""
    await set_to(store, {"allowed": False})
    alert = await judge()
    await desk.take(alert.id, alert.version, people.nils, "test")
    for more in ({}, {"alert": alert.id, "purpose": ""}):
        with pytest.raises(NotAllowed, match="has switched off unlocking"):
            await ask(people.nils, **more)
    assert (await ask(people.nils, "lock", purpose="")).name == "lock"
    async with store.reading() as session:
        trail = (await session.exec(select(Audit).where(Audit.action == "command.not_asked"))).all()
        lines = (
            await session.exec(select(Entry).where(Entry.type == "result").order_by(col(Entry.seq)))
        ).all()
    assert len(trail) == 2
    told = [(line.home, line.device, line.body["outcome"], line.body["asked_by"]) for line in lines]
    assert told == [("h1", "lock-1", "not_asked", "nils")] * 2
    assert lines[0].body["says"] == dict(SWITCHED_OFF)


async def test_it_can_be_left_to_one_role_and_one_team(store, people, ask, fresh_lock) -> None:
    """Coordinators of the team may, a nurse of the same team may not."""
    await set_to(store, {"roles": ["coordinator"], "teams": ["team-nord"]})
    with pytest.raises(NotAllowed, match="lets other roles unlock"):
        await ask(people.nils)
    assert (await ask(people.eva, purpose="emergency")).asked_by == "eva"


async def test_a_refusal_on_the_way_is_no_line_of_the_timeline(store, clock, people, ask, fresh_lock) -> None:
    """That the lock is asked first is a step of the opening; the trail has it, the timeline does not."""
    clock.at += 120_000
    with pytest.raises(TooOld):
        await ask(people.nils)
    async with store.reading() as session:
        assert (await session.exec(select(Entry).where(Entry.type == "result"))).all() == []


async def test_the_same_wish_sent_again_opens_nothing_twice(store, clock, people, ask, fresh_lock) -> None:
    """A browser that lost the answer asks again under the same id and gets what the first asking has become."""
    first = await ask(people.nils, id=ONCE)
    assert first.id == ONCE
    await settled(store, ONCE, "done")
    again = await ask(people.nils, id=ONCE)
    assert (again.id, again.status) == (ONCE, "done")
    async with store.reading() as session:
        assert len((await session.exec(select(CommandRow))).all()) == 1
    for actor, name in ((people.eva, "unlock"), (people.nils, "lock")):
        with pytest.raises(Refused, match="another command"):
            await ask(actor, name, id=ONCE)


@pytest.mark.parametrize("status", ["failed", "expired"])
async def test_after_a_lost_answer_the_lock_is_asked_first(
    store, clock, people, ask, fresh_lock, status: str
) -> None:
    """However fresh the state was before: the next opening waits until the lock has said where it stands."""
    clock.at += 1
    first = await ask(people.nils)
    await settled(store, first.id, status)
    clock.at += 11_000
    with pytest.raises(TooOld, match="whether the last unlocking went through"):
        await ask(people.nils)
    await fresh_lock()
    clock.at += 1
    assert (await ask(people.nils)).id != first.id


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("Storgata 1", "1"),
        ("Strandgata 4, 3. etasje", "4"),
        ("17. mai-gata 5, 0470 Oslo", "5"),
        ("Kirkeveien 12 B", "12b"),
        ("Storgata 1 H0201", "1"),
        ("Prestegården", ""),
    ],
)
def test_the_house_number_of_an_address(address: str, number: str) -> None:
    """What stands before the first comma, with its letter; no street, floor or postcode."""
    assert house_number(address) == number


async def test_the_wrong_house_number_opens_nothing(people, ask, fresh_lock) -> None:
    """Whoever typed another number meant another door; case and spaces do not matter."""
    with pytest.raises(Unacceptable, match="right door"):
        await ask(people.nils, house="7")
    assert (await ask(people.nils, house=" 1 ")).name == "unlock"
