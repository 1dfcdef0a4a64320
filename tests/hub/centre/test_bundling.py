"""Forty silent gateways are one message and a list, not forty messages; and no home is forgotten over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from sqlmodel import col, select

from hub.centre.alerts import opening, rows
from hub.centre.alerts.case import Case
from hub.centre.alerts.decisions import Judged
from hub.centre.areas import grouping
from hub.centre.areas.bundling import speaks_for
from hub.centre.escalator import Escalator
from hub.channels.channel import Delivery, Notice
from hub.store.centre_tables import Alert, Deadline

MINUTE = 60_000


@dataclass
class Phone:
    """A channel that writes down whom it called, and about what."""

    name: str = "phone"
    called: list[tuple[str, int]] = field(default_factory=list)
    words: Mapping[str, str] = field(default_factory=lambda: {"nb": "telefon", "en": "telephone"})

    def reaches(self, target: str) -> bool:
        """Everybody."""
        return bool(target)

    async def send(self, notice: Notice) -> Delivery:
        """Call."""
        self.called.append((notice.target, notice.alert))
        return Delivery("sent")

    def about(self, alert: int) -> list[str]:
        """Who was called about an alert, in order."""
        return [target for target, number in self.called if number == alert]


@pytest.fixture
def phone() -> Phone:
    """Everybody's telephone."""
    return Phone()


@pytest.fixture
def escalator(store, clock, phone) -> Escalator:
    """The escalator, with nothing but the phone."""
    return Escalator(store, clock, [phone])


@pytest.fixture
async def outage(store, clock, judge):
    """Two silent gateways of one area's alert; gives the area's number and theirs."""
    homes = [
        await judge(
            rule="gateway-silent",
            key=key,
            device=key,
            because=(f"{key}:1",),
            queue="technical",
            life_safety=False,
        )
        for key in ("gw1", "gw9")
    ]
    numbers = [alert.id for alert in homes]
    judged = Judged(
        action="raise", rule="area-outage", key="nord", home="", zone="nord", at=clock.now(), urgency="critical",
        queue="technical", kind="area.counted", says={"nb": "Strøm ute i Nord", "en": "Power out in Nord"},
    )  # fmt: skip
    async with store.writing() as session:
        policy = await rows.policy_of(session)
        area = await opening.carry_out(session, judged, policy, clock.now())
        await grouping.join(session, area.id, numbers, policy, clock.now())
    return area.id, numbers


async def of(store, number: int) -> Alert:
    """An alert as it stands."""
    async with store.reading() as session:
        return await session.get_one(Alert, number)


async def wait(clock, escalator, *minutes: float) -> None:
    """Let time pass in steps, and carry out what is due."""
    for each in minutes:
        clock.at += round(each * MINUTE)
        await escalator.sweep()


async def test_people_are_told_of_the_area_and_not_home_by_home(clock, escalator, phone, outage):
    """For an hour nobody answers: the area's chain runs to its end and again, the homes' own steps wait."""
    area, homes = outage
    await wait(clock, escalator, 0, 1, 1, 3, *[5] * 11)
    assert phone.about(area)[:3] == ["tor", "nils", "eva"]
    assert phone.about(area).count("phone:+4755001122") >= 10
    assert {number for _, number in phone.called} == {area}
    assert len(homes) == 2


async def test_an_alert_that_waits_still_waits_for_something(store, clock, escalator, outage):
    """Its steps stay in the table, each later than now: nothing lies still for ever."""
    _, homes = outage
    await wait(clock, escalator, 0, 1, 1, 3)
    async with store.reading() as session:
        wanted = select(Deadline).where(col(Deadline.alert).in_(homes), col(Deadline.done).is_(None))
        steps = (await session.exec(wanted)).all()
    assert len(steps) == 8
    assert {step.due > clock.now() for step in steps} == {True}


async def test_taken_by_somebody_it_stays_quiet(clock, escalator, phone, outage, store, desk, people):
    """Who has the area has its homes; when that person falls silent, the area's chain starts anew."""
    area, homes = outage
    await wait(clock, escalator, 0)
    await desk.take(area, (await of(store, area)).version, people.tor, "test")
    before = len(phone.called)
    await wait(clock, escalator, 2, 2)
    assert len(phone.called) == before
    await wait(clock, escalator, 1)
    assert {number for _, number in phone.called[before:]} == {area}
    assert (await of(store, homes[0])).handling == "new"


async def test_after_its_end_a_home_that_still_is_silent_is_told_of(
    clock, escalator, phone, outage, store, desk, people
):
    """Closed too early: the homes' own chains begin anew with their first step."""
    area, homes = outage
    await wait(clock, escalator, 0)
    taken = await desk.take(area, (await of(store, area)).version, people.tor, "test")
    await desk.resolve(area, taken.version, people.tor, "test", cause="other", measure="talked")
    clock.at += MINUTE
    async with store.writing() as session:
        policy = await rows.policy_of(session)
        await grouping.tidy(session, homes, policy, clock.now())
    await wait(clock, escalator, 0)
    assert [phone.about(number) for number in homes] == [["tor", "nils"], ["tor", "nils"]]


async def test_without_anybody_to_tidy_up_a_home_is_told_of_all_the_same(
    clock, escalator, phone, outage, store, desk, people
):
    """A step that was put off is carried out when the area's alert has ended, whatever else works."""
    area, homes = outage
    await wait(clock, escalator, 0)
    taken = await desk.take(area, (await of(store, area)).version, people.tor, "test")
    await desk.resolve(area, taken.version, people.tor, "test", cause="other", measure="talked")
    await wait(clock, escalator, 6)
    assert {"tor", "nils"} <= set(phone.about(homes[0]))


async def test_a_call_for_help_out_of_that_area_is_told_at_once(clock, judge, escalator, phone, outage):
    """What residents need is never bundled."""
    press = await judge()
    await wait(clock, escalator, 0)
    assert phone.about(press.id) == ["nils"]


@pytest.mark.parametrize(
    ("home", "area", "bundled"),
    [
        ({}, {}, True),
        ({"urgency": "moderate"}, {}, True),
        ({}, {"urgency": "high"}, False),
        ({"life_safety": True}, {}, False),
        ({"queue": "care"}, {}, False),
        ({}, {"queue": "care"}, False),
        ({}, {"handling": "taken"}, True),
        ({}, {"handling": "snoozed"}, False),
        ({}, {"handling": "resolved", "undo": {"until": 100}}, True),
        ({}, {"handling": "resolved", "undo": {"until": 99}}, False),
        ({}, {"handling": "resolved"}, False),
        ({}, {"condition": "cleared"}, True),
    ],
)
def test_for_whom_an_area_speaks(home, area, bundled):
    """Technical alerts no more urgent than itself, on which no life hangs, while it is open and not put off."""
    both = {"urgency": "critical", "queue": "technical", "handling": "new", "condition": "active"}
    lasting = {
        "id": 1,
        "rule": "gateway-silent",
        "key": "gw1",
        "home": "h1",
        "zone": "nord",
        "chain": "",
        "last_at": 0,
    }
    case = Case.of(Alert(**(both | lasting | home)))
    assert speaks_for(Alert(**(both | area)), case, now=100) is bundled
