"""Nobody sees a resident they have no business with, and every deed leaves its row."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update
from sqlmodel import col, select

from hub.centre import audit, sign_in
from hub.centre.access import GRANTS, Actor, Right, actor_of, open_home
from hub.centre.alerts.refusals import NotAllowed, NotFound, Unacceptable
from hub.store.centre_tables import Audit, SignInLink, Staff


def test_no_role_no_right():
    """Deny by default: unknown roles and no roles grant nothing."""
    stranger = Actor("x", "X", frozenset({"wizard"}), frozenset({"nord"}))
    assert stranger.rights == frozenset()
    assert not any(stranger.may(right, zone="nord") for right in Right)
    assert stranger.queues == ()


@pytest.mark.parametrize("role", GRANTS)
def test_rights_end_at_the_zone(role):
    """No role but those of the whole municipality reaches beyond its zones."""
    actor = Actor("x", "X", frozenset({role}), frozenset({"nord"}))
    for right in actor.rights:
        assert actor.may(right, zone="nord", home="h1")
        assert not actor.may(right, zone="sor", home="h2")


def test_an_alert_without_a_zone_is_everybodys():
    """A call from a home nobody registered is seen by all who may see alerts: somebody must."""
    assert Actor("x", "X", frozenset({"nurse"}), frozenset()).may(Right.SEE_ALERTS, zone="")


async def test_who_has_left_is_nobody(store, clock):
    """Staff who have left, and strangers, are no actors."""
    async with store.writing() as session:
        (await session.get(Staff, "nils")).active = False
    async with store.reading() as session:
        assert await actor_of(session, "nils", clock.now()) is None
        assert await actor_of(session, "nobody", clock.now()) is None


async def test_emergency_access(store, clock, people):
    """A nurse opens another zone's home with a reason, for a while, and the reason stands in the trail."""
    until = clock.now() + 1000
    async with store.writing() as session:
        await open_home(session, people.olga, "h1", "fant henne ute", clock.now(), until, "web")
    async with store.reading() as session:
        olga = await actor_of(session, "olga", clock.now())
        later = await actor_of(session, "olga", until)
        (deed,) = (await session.exec(select(Audit))).all()
    assert olga.may(Right.SEE_RESIDENT, zone="nord", home="h1")
    assert not olga.may(Right.SEE_RESIDENT, zone="nord", home="h3")
    assert not later.may(Right.SEE_RESIDENT, zone="nord", home="h1")
    assert (deed.action, deed.home, deed.why) == ("access.emergency", "h1", "fant henne ute")


@pytest.mark.parametrize(
    ("who", "home", "reason", "answer"),
    [
        ("tor", "h1", "vil se", NotAllowed),
        ("olga", "h1", " x ", Unacceptable),
        ("olga", "h1", "x" * 201, Unacceptable),
        ("olga", "h9", "vil se", NotFound),
    ],
)
async def test_emergency_access_is_refused(store, clock, people, who, home, reason, answer):
    """Without the right, a reason or a home there is no emergency access."""
    async with store.writing() as session:
        with pytest.raises(answer):
            await open_home(session, getattr(people, who), home, reason, clock.now(), clock.now() + 1, "web")


async def write_three(store, clock) -> None:
    """Three rows of the trail, in two transactions."""
    async with store.writing() as session:
        await audit.write(
            session,
            audit.Deed(at=clock.now(), actor="nils", action="look", home="h1", data={"n": 1}),
            audit.Deed(at=clock.now(), actor="nils", action="look", home="h1", why="æøå"),
        )
    async with store.writing() as session:
        await audit.write(session, audit.Deed(at=clock.now(), actor="eva", action="look"))


async def test_the_chain_holds(store, clock):
    """Rows follow from one another across transactions."""
    await write_three(store, clock)
    async with store.reading() as session:
        verdict = await audit.verify(session)
    assert (verdict.rows, verdict.broken) == (3, None)


@pytest.mark.parametrize(
    ("meddling", "row"),
    [
        ("UPDATE audit SET actor = 'eva' WHERE seq = 1", 1),
        ("UPDATE audit SET data = '{}' WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 2", 3),
        ("DELETE FROM audit WHERE seq = 1", 2),
        ("UPDATE audit SET hash = 'x' WHERE seq = 3", 3),
    ],
)
async def test_meddling_is_found(store, clock, meddling, row):
    """A row changed or removed breaks the chain at its place."""
    await write_three(store, clock)
    async with store.writing() as session:
        await session.exec(text(meddling))
    async with store.reading() as session:
        verdict = await audit.verify(session)
    assert verdict.broken == row
    assert verdict.sentence.startswith(f"row {row}: ")


async def test_a_link_works_once(store, clock):
    """A sign-in link lets its person in once, and both its making and its use are in the trail."""
    async with store.writing() as session:
        token = await sign_in.issue(session, "nils", real=1000, world=clock.now(), by="console")
    async with store.writing() as session:
        first = await sign_in.redeem(session, token, real=2000, world=clock.now(), origin="web")
    async with store.writing() as session:
        second = await sign_in.redeem(session, token, real=2001, world=clock.now(), origin="web")
    assert (first, second) == ("nils", None)
    async with store.reading() as session:
        assert [row.action for row in (await session.exec(select(Audit))).all()] == [
            "sign_in.link",
            "sign_in",
        ]
        (link,) = (await session.exec(select(SignInLink))).all()
    assert token not in link.token


async def test_links_that_let_nobody_in(store, clock):
    """An old link, a made-up one, and one of somebody who has left let nobody in."""
    async with store.writing() as session:
        old = await sign_in.issue(session, "nils", real=1000, world=1, by="console")
        left = await sign_in.issue(session, "kari", real=1000, world=1, by="console")
        await session.exec(update(Staff).where(col(Staff.id) == "kari").values(active=False))
    async with store.writing() as session:
        for token, real in (
            (old, 1000 + sign_in.LIFE),
            (left, 1001),
            ("x" * 43, 1001),
            ("", 1001),
            ("\ud800", 1001),
        ):
            assert await sign_in.redeem(session, token, real=real, world=1, origin="web") is None


async def test_whom_a_link_is_for(store):
    """Without a name the link is for a coordinator; a stranger's name is refused."""
    async with store.writing() as session:
        assert await sign_in.somebody(session) == "eva"
        with pytest.raises(sign_in.UnknownStaffError, match="no staff 'ghost'"):
            await sign_in.issue(session, "ghost", real=1, world=1, by="console")
    assert sign_in.link("http://127.0.0.1:8420/", "abc") == "http://127.0.0.1:8420/nb/sign-in?token=abc"
