"""An alert that nobody answers goes on to the next person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from hub.centre.alerts.desk import AlertDesk
from hub.centre.escalator import Escalator
from hub.channels.channel import ChannelDownError, Delivery, Notice, NotReachedError
from hub.clock import ManualClock
from hub.store.centre_tables import Alert, AlertLine, Deadline, Notification, Staff


@dataclass
class Phone:
    """A channel that writes down whom it called. answer: what sending does."""

    name: str = "phone"
    called: list[tuple[str, int]] = field(default_factory=list)
    answer: Callable[[Notice], None] = lambda notice: None
    only: str = ""
    words: Mapping[str, str] = field(default_factory=lambda: {"nb": "telefon", "en": "telephone"})

    def reaches(self, target: str) -> bool:
        """Everybody, unless it is only for one."""
        return not self.only or target == self.only

    async def send(self, notice: Notice) -> Delivery:
        """Call."""
        self.called.append((notice.target, notice.id))
        self.answer(notice)
        return Delivery("sent")

    @property
    def people(self) -> list[str]:
        """Whom, in order."""
        return [target for target, _ in self.called]


@pytest.fixture
def phone() -> Phone:
    """Everybody's telephone."""
    return Phone()


@pytest.fixture
def escalator(store, clock, phone) -> Escalator:
    """The escalator, with nothing but the phone."""
    return Escalator(store, clock, [phone])


async def rows(store, table, *where):
    """All rows of a table."""
    async with store.reading() as session:
        return (await session.exec(select(table).where(*where).order_by(col(table.id)))).all()


async def test_the_whole_chain(store, clock, judge, escalator, phone):
    """Unanswered, a critical alert goes to the nurse, the team, the shift leader and the place that answers."""
    await judge()
    for seconds in (0, 60, 60, 180):
        clock.at += seconds * 1000
        await escalator.sweep()
    assert phone.people == ["nils", "eva", "kari", "nils", "eva", "phone:+4755001122"]
    (alert,) = await rows(store, Alert)
    assert (alert.escalated, alert.handling) == (3, "new")
    clock.at += 300_000
    await escalator.sweep()
    assert phone.people[-1] == "phone:+4755001122"
    assert len(phone.called) == 7
    (alert,) = await rows(store, Alert)
    assert (alert.next_due, alert.next_tell) == (clock.now() + 300_000, "alarm centre")


async def test_taken_wakes_nobody(clock, judge, escalator, phone, desk: AlertDesk, people):
    """An alert that somebody took wakes nobody else."""
    alert = await judge()
    await escalator.sweep()
    taken = await desk.take(alert.id, alert.version, people.nils, "test")
    assert taken.owner == "nils"
    clock.at += 200_000
    await escalator.sweep()
    assert phone.people == ["nils"]


async def test_seen_stops_nothing(clock, judge, escalator, phone, desk: AlertDesk, people):
    """Having read an alert is no answer: its chain goes on."""
    alert = await judge()
    await desk.seen(alert.id, alert.version, people.nils, "test")
    clock.at += 120_000
    await escalator.sweep()
    assert "eva" in phone.people


async def test_an_answer_goes_stale(store, clock, judge, escalator, phone, desk: AlertDesk, people):
    """Taken without a step for five minutes, an alert is new again and its chain starts anew."""
    alert = await judge()
    await escalator.sweep()
    await desk.take(alert.id, alert.version, people.nils, "test")
    clock.at += 299_999
    await escalator.sweep()
    assert (await rows(store, Alert))[0].handling == "taken"
    clock.at += 1
    await escalator.sweep()
    (again,) = await rows(store, Alert)
    assert (again.handling, again.owner) == ("new", None)
    assert phone.people == ["nils", "nils"]


async def test_on_the_way_and_never_there(store, clock, judge, escalator, desk: AlertDesk, people):
    """On the way without arriving for thirty minutes alarms again."""
    alert = await judge()
    taken = await desk.take(alert.id, alert.version, people.nils, "test")
    await desk.step(alert.id, taken.version, people.nils, "test", step="on_the_way")
    clock.at += 1_800_000
    await escalator.sweep()
    (again,) = await rows(store, Alert)
    assert again.handling == "new"
    assert (await rows(store, AlertLine, AlertLine.what == "lapsed"))[0].data["why"] == "arrive"


async def test_a_snooze_ends(store, clock, judge, escalator, phone, desk: AlertDesk, people):
    """A snoozed alert is quiet until its time and then new, with its chain from the start."""
    alert = await judge(rule="stock low", urgency="moderate", life_safety=False)
    until = clock.now() + 600_000
    await desk.snooze(alert.id, alert.version, people.nils, "test", until=until, reason="etter stellet")
    clock.at += 599_999
    assert await escalator.sweep() == 0
    clock.at += 1
    await escalator.sweep()
    (again,) = await rows(store, Alert)
    assert (again.handling, again.snoozed_until) == ("new", None)
    assert phone.people == ["nils"]


async def test_an_empty_step_is_skipped(store, clock, judge, escalator, phone):
    """A step that means nobody is skipped at once."""
    async with store.writing() as session:
        for person in ("nils", "kari"):
            row = await session.get(Staff, person)
            row.active = False
    await judge()
    await escalator.sweep()
    assert phone.people == ["eva"]  # of the whole team, only she is left
    assert [row.outcome for row in await rows(store, Deadline)][:2] == ["nobody", "told"]


async def test_a_step_that_reaches_nobody(clock, judge, escalator, phone):
    """A step that reaches nobody brings the next one forward at once."""

    def answer(notice: Notice) -> None:
        if notice.target == "nils":
            raise NotReachedError("no signal")

    phone.answer = answer
    await judge()
    await escalator.sweep()
    assert phone.people == ["nils", "eva", "kari", "nils"]


async def test_the_timeline_names_who_was_told_and_how(store, clock, judge, escalator, phone):
    """A step's line names the people, the channel and why somebody was not reached, in both languages."""

    def answer(notice: Notice) -> None:
        if notice.target == "nils":
            raise NotReachedError("Nils is asleep", {"nb": "sover", "en": "asleep"})
        if notice.target == "eva":
            raise NotReachedError("no signal")

    phone.answer = answer
    await judge()
    await escalator.sweep()
    told = [line.data["people"] for line in await rows(store, AlertLine) if line.what == "told"]
    said = {person["name"]: person["says"] for line in told for person in line}
    assert said["Nils"] == {"nb": "Nils (telefon, sover)", "en": "Nils (telephone, asleep)"}
    assert said["Eva"]["nb"] == "Eva (telefon, ikke nådd)"
    assert said["Kari"] == {"nb": "Kari (telefon)", "en": "Kari (telephone)"}


async def test_a_broken_channel_is_told(store, clock, judge, escalator, phone):
    """A channel that does not work is a technical alert of its own, once."""

    def answer(notice: Notice) -> None:
        raise ChannelDownError("no carrier")

    phone.answer = answer
    await judge()
    await escalator.sweep()
    technical = [alert for alert in await rows(store, Alert) if alert.queue == "technical"]
    assert [(alert.rule, alert.key) for alert in technical] == [("hub:channel down", "phone")]
    assert technical[0].says["en"] == "The channel telephone does not work: no carrier"
    assert technical[0].says["nb"] == "Varslingskanalen telefon virker ikke."


async def test_a_hanging_channel_holds_up_no_other(store, clock, judge, phone, monkeypatch):
    """A channel that never answers is given up, and the other channel's notice went out meanwhile."""
    monkeypatch.setattr("hub.centre.escalator.SEND_WITHIN", 0.01)

    class Hanging(Phone):
        """Hangs."""

        async def send(self, notice: Notice) -> Delivery:
            """Never end."""
            await asyncio.Event().wait()
            raise AssertionError

    escalator = Escalator(store, clock, [Hanging("hanging"), phone])
    await judge()
    await escalator.sweep()
    assert phone.people[0] == "nils"
    statuses = {row.channel: row.status for row in await rows(store, Notification, Notification.alert == 1)}
    assert statuses == {"hanging": "failed", "phone": "sent"}


async def test_two_escalators(store, clock, judge, phone):
    """Of two escalators one claims the step, so each person is told once."""
    await judge()
    pair = [Escalator(store, clock, [phone], worker=name) for name in ("one", "two")]
    await asyncio.gather(*(one.sweep() for one in pair))
    assert phone.people == ["nils"]


async def test_four_presses_hasten(clock, judge, escalator, phone):
    """Three further presses bring the next step forward to now."""
    await judge()
    await escalator.sweep()
    for number in (2, 3, 4):
        clock.at += 1000
        await judge("repeat", at=clock.now(), because=(f"pendant-1:{number}",))
        await escalator.sweep()
    assert phone.people == ["nils", "eva", "kari", "nils"]


async def test_nothing_personal_on_a_locked_screen(judge, escalator, phone):
    """The text for locked screens says how urgent and where, not who."""
    heard: list[Notice] = []
    phone.answer = heard.append
    await judge()
    await escalator.sweep()
    assert dict(heard[0].text) == {
        "nb": "Kritisk alarm – Nord. Åpne for å se.",
        "en": "Critical alarm – Nord. Open to see.",
    }


class KilledError(BaseException):
    """The process ends here and now."""


def killed_after(store, commits: int):
    """Let the process die before the commit that follows so many."""
    left = [commits]
    real = store.writing

    @asynccontextmanager
    async def writing():
        async with real() as session:
            yield session
            if left[0] <= 0:
                raise KilledError
        left[0] -= 1

    return writing


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(commits=st.integers(0, 9), lost_in_sending=st.integers(0, 6))
async def test_killed_at_any_step(new_centre, judging, commits, lost_in_sending):
    """Ended before any commit, or between lease and sending, and started again: everybody on the chain is told."""
    store, clock, phone = await new_centre(), ManualClock(1_768_424_520_000), Phone()
    whole = store.writing

    def dies(notice: Notice) -> None:
        if len(phone.called) == lost_in_sending:
            raise KilledError

    await judging(store, clock)()
    phone.answer = dies
    store.writing = killed_after(store, commits)
    for seconds in (0, 60, 60, 180):
        clock.at += seconds * 1000
        escalator = Escalator(store, clock, [phone])
        try:
            await escalator.sweep()
        except KilledError:
            store.writing, phone.answer = whole, lambda notice: None
            await escalator.release()
            await escalator.sweep()
    assert set(phone.people) == {"nils", "eva", "kari", "phone:+4755001122"}
    told = await rows(store, AlertLine, AlertLine.what == "told")
    chain = ["nurse on duty", "whole team", "shift leader", "alarm centre"]
    assert [line.data["tell"] for line in told] == chain
    assert all(row.status != "leased" for row in await rows(store, Notification))
