"""The escalator: carries out what alerts wait for, from durable deadlines (DESIGN.md, promise 3).

Deadlines that are due go together, and each line is one transaction:

1. claim them by compare-and-set with an expiry; read their alerts in the same transaction (NO-2); lease a
   Notification row for each person and channel (NO-3);
2. (no transaction) ask the channels to send, side by side;
3. as they answer, record how it went, close the deadlines, and see to the next ones.

Killed between 1 and 3, they are claimed again after the restart, and whoever was not reached for certain is told
again. A step that means nobody, or reaches nobody, brings the next step forward at once (AL-10). The last step is
repeated until a person takes the alert. Where one of several breaks, each is tried for itself (RT-9). Steps of an
alert for which its area's speaks wait until that is over (hub.centre.areas).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import structlog
from sqlalchemy import bindparam, insert, or_, update
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit, metrics, technical
from hub.centre.alerts.case import Case, Turned, Wait
from hub.centre.alerts.codes import words
from hub.centre.alerts.desk import speed_of
from hub.centre.alerts.docket import Docket
from hub.centre.alerts.lifecycle import Line, Moved, lapse, wake
from hub.centre.alerts.policy import Policy, policy_of
from hub.centre.alerts.standing import Handling
from hub.centre.alerts.waiting import ARRIVE, LAPSE, STEP, WAKE, Wanted
from hub.centre.areas.bundling import by_themselves
from hub.centre.pulse import Pulse
from hub.centre.telling import (
    DOES_NOT_WORK,
    NO_WORDS,
    NOT_REACHED,
    Duty,
    Leased,
    Outcome,
    duty_at,
    notice,
    people,
    recorded,
)
from hub.channels.channel import Channel, ChannelDownError, Notice, NotReachedError
from hub.clock import Clock
from hub.registry.timers import Timers
from hub.store.centre_tables import Deadline, Notification
from hub.store.engine import Store

CLAIM_SECONDS = 30
"""Of a person's time: how long a claim holds when its worker is never heard of again."""

SEND_WITHIN = 10.0
"""Seconds of real time that a channel may take."""

TOGETHER = 32
"""Deadlines claimed in one transaction."""

AT_ONCE = 4
"""Such groups worked on side by side, so that one slow channel does not hold up other people's alerts."""

DUE_AT_ONCE = 200
"""Due deadlines looked up in one go."""

LOOK_EVERY = 1.0
"""Seconds of real time between looks when nobody nudges."""

TOLD_KEPT = 50
"""People told that are kept on the alert's row; the timeline has them all."""

UNHEARD = frozenset({Handling.NEW, Handling.SEEN})
"""Nobody has taken it: its chain goes on."""

Delivered: TypeAlias = tuple[Leased, Sequence[Outcome]]

log = structlog.get_logger()


class Escalator:
    """Works off deadlines. worker: this process's lasting name, by which it knows its own claims after a crash."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        channels: Sequence[Channel],
        *,
        worker: str = "centre",
        timers: Timers | None = None,
        changed: Any = lambda: None,
    ) -> None:
        self._store, self._clock, self._channels, self._worker = store, clock, tuple(channels), worker
        self._timers, self._changed = timers, changed
        self._pulse = Pulse(clock)
        self._speed = speed_of(clock)
        self._down: set[str] = set()

    def nudge(self) -> None:
        """A deadline may be due: look now."""
        self._pulse.nudge()

    async def run(self) -> None:
        """Work until cancelled. What a former life of this worker had claimed is taken up again first."""
        await self.release()
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("the escalator could not read what is due; it tries again")
            await self._pulse.wait(LOOK_EVERY * self._speed)

    async def release(self) -> None:
        """Give up this worker's own claims: whoever made them is dead."""
        async with self._store.writing() as session:
            mine = update(Deadline).where(
                col(Deadline.claimed_by) == self._worker, col(Deadline.done).is_(None)
            )
            await session.exec(mine.values(claimed_by=None, claimed_until=None))

    async def sweep(self) -> int:
        """Carry out everything due now, and what that makes due; gives how many steps were told."""
        done, tried = 0, set[int]()
        places = asyncio.Semaphore(AT_ONCE)
        while due := [one for one in await self._due() if one not in tried]:
            tried.update(due)  # one that broke is left for the next sweep and cannot spin
            groups = [due[at : at + TOGETHER] for at in range(0, len(due), TOGETHER)]
            done += sum(await asyncio.gather(*(self._some(group, places) for group in groups)))
        return done

    async def _due(self) -> Sequence[int]:
        now = self._clock.now()
        wanted = (
            select(Deadline.id, Deadline.due)
            .where(col(Deadline.done).is_(None), Deadline.due <= now, _free(now))
            .order_by(col(Deadline.due), col(Deadline.id))
            .limit(DUE_AT_ONCE)
        )
        async with self._store.reading() as session:
            found = (await session.exec(wanted)).all()
        metrics.OVERDUE.set((now - found[0][1]) / 1000 if found else 0)
        return [row[0] for row in found if row[0] is not None]

    async def _some(self, deadlines: Sequence[int], places: asyncio.Semaphore) -> int:
        """A group of deadlines, start to end. What breaks stays claimed for a while and holds up no other."""
        async with places:
            told = 0
            for leased in await self._claim_all(deadlines):
                told += len(leased)
                await self._tell(leased)
        return told

    async def _claim_all(self, deadlines: Sequence[int]) -> list[list[Leased]]:
        try:
            return [await self._claim(deadlines)]
        except Exception:
            if len(deadlines) == 1:
                log.exception("a deadline could not be claimed; it is tried again", deadline=deadlines[0])
                return []
        return [leased for one in deadlines for leased in await self._claim_all([one])]

    async def _tell(self, leased: Sequence[Leased]) -> None:
        """Send all, and write down whatever has been answered meanwhile."""
        sending = {asyncio.create_task(self._deliver(one), name="step") for one in leased}
        try:
            while sending:
                answered, sending = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
                await self._settle_all([task.result() for task in answered])
                self._changed()
        finally:
            for task in sending:
                task.cancel()

    async def _settle_all(self, delivered: Sequence[Delivered]) -> None:
        try:
            await self._settle(delivered)
        except Exception:
            if len(delivered) == 1:
                deadline = delivered[0][0].deadline
                log.exception("a deadline could not be carried out; it is tried again", deadline=deadline)
                return
            for one in delivered:
                await self._settle_all([one])

    # -- 1: claim, re-read, lease ---------------------------------------------------------------------------

    async def _claim(self, deadlines: Sequence[int]) -> list[Leased]:
        now = self._clock.now()
        async with self._store.writing() as session:
            await audit.in_order(session)
            won = await self._won(session, deadlines, now)
            docket = Docket(session, await policy_of(session, self._timers, self._speed), now)
            await docket.call(set(won.values()))
            mine = [(case, wait) for case in docket.cases.values() for wait in case.waits if wait.id in won]
            steps = [(case, wait) for case, wait in mine if self._still_waits(docket, case, wait)]
            leased = await self._lease(docket, await by_themselves(docket, steps))
            await docket.write()
        return leased

    async def _won(self, session: AsyncSession, deadlines: Sequence[int], now: Millis) -> dict[int, int]:
        """Claim by changing: what did not change, somebody else has, and that is fine. Gives deadline → alert."""
        claim = update(Deadline).where(
            col(Deadline.id).in_(deadlines), col(Deadline.done).is_(None), _free(now)
        )
        until = now + round(CLAIM_SECONDS * 1000 * self._speed)
        claim = claim.values(claimed_by=self._worker, claimed_until=until)
        columns = col(Deadline.id), col(Deadline.alert)
        won = await session.exec(claim.returning(*columns).execution_options(synchronize_session=False))
        return {id_: alert for id_, alert in won.all() if id_ is not None}

    def _still_waits(self, docket: Docket, case: Case, wait: Wait) -> bool:
        """Whether this is a step that people are to be told of now; all else is carried out here."""
        standing = case.standing
        moved: Moved
        if wait.purpose in {LAPSE, ARRIVE} and standing.handling is Handling.TAKEN:
            moved = lapse(standing, wait.purpose)
        elif wait.purpose == WAKE and standing.handling is Handling.SNOOZED:
            moved = wake(standing)
        elif wait.purpose == STEP and standing.handling in UNHEARD:
            return True
        else:
            wait.end(docket.now, "fallen away")
            return False
        turned = Turned(
            moved.standing, moved.lines, why=wait.purpose, rewait=True, deed=f"alert.{wait.purpose}"
        )
        case.turn(turned, docket.policy, docket.now)
        self._pulse.nudge()
        return False

    async def _lease(self, docket: Docket, steps: Sequence[tuple[Case, Wait]]) -> list[Leased]:
        duty = await duty_at(docket.session, {case.zone for case, _ in steps}, docket.now)
        meant = []
        for case, wait in steps:
            tell = str(wait.data.get("tell", ""))
            persons = await duty.meant(tell, case.zone)
            if persons:
                meant.append((case, wait, persons))
            else:  # nobody is meant: the next step is due at once
                wait.end(docket.now, "nobody")
                self._go_on(docket, case, wait.data, Line("skipped", data={"tell": tell}), [], hurry=True)
        rows = await self._notifications(docket, meant)
        return [self._leased(case, wait, persons, rows, duty) for case, wait, persons in meant]

    def _leased(
        self,
        case: Case,
        wait: Wait,
        persons: Sequence[Any],
        rows: Mapping[tuple[int, str, str], Notification],
        duty: Duty,
    ) -> Leased:
        notices, before = [], []
        tell, text = str(wait.data.get("tell", "")), duty.text(case)
        for person in persons:
            for channel in self._channels:
                row = rows.get((wait.id or 0, channel.name, person.id))
                if row is None:
                    continue
                if row.status == "leased":
                    notices.append((channel, notice(row.id or 0, wait.due, case, person, tell, text)))
                else:
                    before.append(recorded(row, person.name, channel))
        return Leased(wait.id or 0, case.id or 0, wait.data, tuple(notices), tuple(before))

    async def _notifications(
        self, docket: Docket, meant: Sequence[tuple[Case, Wait, Sequence[Any]]]
    ) -> dict[tuple[int, str, str], Notification]:
        """A row for each deadline, channel and target: written before the first attempt, found after a crash."""
        wanted = {
            (wait.id or 0, channel.name, person.id): case.id
            for case, wait, persons in meant
            for person in persons
            for channel in self._channels
            if channel.reaches(person.id)
        }
        if not wanted:
            return {}
        session, deadlines = docket.session, {deadline for deadline, _, _ in wanted}
        again = update(Notification).where(
            col(Notification.deadline).in_(deadlines), col(Notification.status) == "leased"
        )
        await session.exec(
            again.values(attempts=Notification.attempts + 1).execution_options(synchronize_session=False)
        )
        known = await _notified(session, deadlines)
        fresh = [
            {
                "alert": alert,
                "deadline": deadline,
                "channel": channel,
                "target": target,
                "status": "leased",
                "attempts": 1,
                "created": docket.now,
                "detail": "",
            }
            for (deadline, channel, target), alert in wanted.items()
            if (deadline, channel, target) not in known
        ]
        if fresh:
            await (await session.connection()).execute(insert(Notification), fresh)
            known = await _notified(session, deadlines)
        return known

    # -- 2: send ------------------------------------------------------------------------------------------------

    async def _deliver(self, leased: Leased) -> Delivered:
        outcomes = await asyncio.gather(*(self._send(*pair) for pair in leased.notices))
        return leased, (*leased.before, *outcomes)

    async def _send(self, channel: Channel, notice: Notice) -> Outcome:
        status, detail, why, way = "failed", "", DOES_NOT_WORK, NO_WORDS
        try:
            way = channel.words
            async with asyncio.timeout(SEND_WITHIN):
                delivery = await channel.send(notice)
            status, detail, why = delivery.status, delivery.detail, NO_WORDS
            self._down.discard(channel.name)
        except NotReachedError as reason:
            status, detail, why = "unreached", str(reason), words(**reason.why) if reason.why else NOT_REACHED
        except ChannelDownError as reason:
            detail = str(reason)
        except TimeoutError:
            detail = f"no answer within {SEND_WITHIN:g} s"
        except Exception as fault:
            log.exception("a channel broke", channel=channel.name)
            detail = f"{type(fault).__name__}: {fault!s:.200}"
        metrics.NOTIFICATIONS.labels(channel.name, status).inc()
        return Outcome(notice.id, channel.name, notice.target, notice.name, status, detail, way, why)

    # -- 3: record, go on ---------------------------------------------------------------------------------------

    async def _settle(self, delivered: Sequence[Delivered]) -> None:
        now = self._clock.now()
        async with self._store.writing() as session:
            await audit.in_order(session)
            policy = await policy_of(session, self._timers, self._speed)
            outcomes = [one for _, some in delivered for one in some]
            await _record(session, outcomes, now)
            await self._note_channels(session, outcomes, policy, now)
            docket = Docket(session, policy, now)
            await docket.call({leased.alert for leased, _ in delivered})
            for leased, some in delivered:
                self._close(docket, leased, some)
            await docket.write()

    def _close(self, docket: Docket, leased: Leased, outcomes: Sequence[Outcome]) -> None:
        """End the deadline, unless somebody did meanwhile; then what was sent is written down all the same."""
        case = docket.cases[leased.alert]
        wait = next((one for one in case.waits if one.id == leased.deadline), None)
        reached = wait is None or any(one.reached for one in outcomes)
        if wait is not None:
            wait.end(docket.now, "told" if reached else "unreached")
        line = Line("told", data={"tell": leased.data.get("tell", ""), "people": people(outcomes)})
        self._go_on(docket, case, leased.data, line, outcomes, hurry=not reached)

    def _go_on(
        self,
        docket: Docket,
        case: Case,
        data: Mapping[str, Any],
        line: Line,
        outcomes: Sequence[Outcome],
        *,
        hurry: bool,
    ) -> None:
        """Write the step down on the alert, and see that something follows while nobody has taken it."""
        standing, now = case.standing, docket.now
        waiting = standing.handling in UNHEARD
        if waiting and case.next_step() is None:
            again = now + docket.policy.timers.again(standing.urgency) * 1000
            case.wait([Wanted(STEP, again, {**data, "again": True})])
            hurry = False
        first = data.get("index") == 0 and not data.get("again")
        moved = replace(
            standing,
            version=standing.version + 1,
            escalated=standing.escalated + (not first and bool(outcomes)),
        )
        marks = [{"staff": one.target, "channel": one.channel, "at": now} for one in outcomes if one.reached]
        case.told = [*case.told, *marks][-TOLD_KEPT:]
        case.turn(Turned(moved, [line], why="step", hasten=hurry and waiting), docket.policy, now)
        if hurry:
            self._pulse.nudge()

    async def _note_channels(
        self, session: AsyncSession, outcomes: Sequence[Outcome], policy: Policy, now: Millis
    ) -> None:
        """A channel that does not work is a technical alert of its own."""
        for outcome in outcomes:
            if outcome.status == "failed" and outcome.channel not in self._down:
                self._down.add(outcome.channel)
                names = {
                    "channel": outcome.way if outcome.way["nb"] else outcome.channel,
                    "problem": outcome.detail,
                }
                await technical.found(session, technical.CHANNEL, outcome.channel, policy, now, names=names)


def _free(now: Millis) -> Any:
    """Claimed by nobody, or by somebody never heard of again."""
    return or_(col(Deadline.claimed_until).is_(None), col(Deadline.claimed_until) <= now)


async def _notified(session: AsyncSession, deadlines: set[int]) -> dict[tuple[int, str, str], Notification]:
    wanted = select(Notification).where(col(Notification.deadline).in_(deadlines))
    found = (await session.exec(wanted.execution_options(populate_existing=True))).all()
    return {(row.deadline, row.channel, row.target): row for row in found}


async def _record(session: AsyncSession, outcomes: Sequence[Outcome], now: Millis) -> None:
    """What became of each attempt, unless that stands there already."""
    table = Notification.__table__  # type: ignore[attr-defined]
    settled = (
        update(table)
        .where(table.c.id == bindparam("was_id"), table.c.status == "leased")
        .values({name: bindparam(f"new_{name}") for name in ("status", "detail", "settled")})
    )
    rows = [
        {
            "was_id": one.notification,
            "new_status": one.status,
            "new_detail": one.detail[:500],
            "new_settled": now,
        }
        for one in outcomes
    ]
    if rows:
        await (await session.connection()).execute(settled, rows)


async def overdue(session: AsyncSession, now: Millis) -> float:
    """Seconds that the oldest due deadline has waited; 0 when nothing is due."""
    oldest = select(func.min(Deadline.due)).where(col(Deadline.done).is_(None), Deadline.due <= now)
    due = (await session.exec(oldest)).first()
    return 0.0 if due is None else (now - due) / 1000
