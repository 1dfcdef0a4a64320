"""The escalator: carries out what alerts wait for, from durable deadlines (DESIGN.md, promise 3).

One deadline goes like this, and each line is one transaction:

1. claim it by compare-and-set with an expiry; read the alert in the same transaction (NO-2); lease a Notification
   row for each person and channel (NO-3);
2. (no transaction) ask the channels to send;
3. record how it went, close the deadline, and see to the next one.

Killed between 1 and 3, it is claimed again after the restart, and whoever was not reached for certain is told
again. A step that means nobody, or reaches nobody, brings the next step forward at once (AL-10). The last step is
repeated until a person takes the alert.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy import or_, update
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import metrics, technical
from hub.centre.alerts import rows
from hub.centre.alerts.codes import Words, words
from hub.centre.alerts.desk import speed_of
from hub.centre.alerts.lifecycle import Line, lapse, wake
from hub.centre.alerts.rows import Policy
from hub.centre.alerts.standing import Handling, standing_of
from hub.centre.alerts.waiting import ARRIVE, LAPSE, STEP, WAKE, Wanted
from hub.centre.duty import Target, rota_of, told
from hub.centre.pulse import Pulse
from hub.channels.channel import Channel, ChannelDownError, Notice, NotReachedError
from hub.clock import Clock
from hub.registry.timers import Timers
from hub.store.centre_tables import Alert, Deadline, Notification, Zone
from hub.store.engine import Store

CLAIM_SECONDS = 30
"""Of a person's time: how long a claim holds when its worker is never heard of again."""

SEND_WITHIN = 10.0
"""Seconds of real time that a channel may take."""

AT_ONCE = 8
"""Deadlines worked on side by side, so that one slow channel does not hold up other people's alerts."""

LOOK_EVERY = 1.0
"""Seconds of real time between looks when nobody nudges."""

TOLD_KEPT = 50
"""People told that are kept on the alert's row; the timeline has them all."""

URGENCY_WORDS: dict[str, Words] = {
    "critical": words("Kritisk alarm", "Critical alarm"),
    "high": words("Varsel", "Warning"),
    "moderate": words("Merknad", "Notice"),
    "low": words("Oppgave", "Task"),
}

NO_WORDS = words("", "")
NOT_REACHED = words("ikke nådd", "not reached")
DOES_NOT_WORK = words("virker ikke", "does not work")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one notification went. status: sent, shown, unreached or failed. way: the channel, in people's words.

    why: why somebody was not reached, in a word or two.
    """

    notification: int
    channel: str
    target: str
    name: str
    status: str
    detail: str = ""
    way: Words = field(default_factory=lambda: NO_WORDS)
    why: Words = field(default_factory=lambda: NO_WORDS)

    @property
    def reached(self) -> bool:
        """Handed over, as far as the channel knows."""
        return self.status in {"sent", "shown"}


@dataclass(frozen=True, slots=True)
class Leased:
    """A claimed step with what is to be sent now, and what an earlier life had sent."""

    deadline: int
    alert: int
    notices: tuple[tuple[Channel, Notice], ...]
    before: tuple[Outcome, ...]


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
        """Carry out everything due now, and what that makes due; gives how many deadlines were done."""
        done, tried = 0, set[int]()
        while due := [one for one in await self._due() if one not in tried]:
            tried.update(due)  # one that broke is left for the next sweep and cannot spin
            places = asyncio.Semaphore(AT_ONCE)
            done += sum(await asyncio.gather(*(self._one(deadline, places) for deadline in due)))
        return done

    async def _due(self) -> Sequence[int]:
        now = self._clock.now()
        wanted = (
            select(Deadline.id, Deadline.due)
            .where(
                col(Deadline.done).is_(None),
                Deadline.due <= now,
                or_(col(Deadline.claimed_until).is_(None), col(Deadline.claimed_until) <= now),
            )
            .order_by(col(Deadline.due), col(Deadline.id))
            .limit(200)
        )
        async with self._store.reading() as session:
            found = (await session.exec(wanted)).all()
        metrics.OVERDUE.set((now - found[0][1]) / 1000 if found else 0)
        return [row[0] for row in found if row[0] is not None]

    async def _one(self, deadline: int, places: asyncio.Semaphore) -> bool:
        """One deadline, start to end. What breaks on it stays claimed for a while and holds up no other (RT-9)."""
        async with places:
            try:
                leased = await self._claim(deadline)
                if leased is None:
                    return False
                outcomes = await asyncio.gather(*(self._send(*pair) for pair in leased.notices))
                await self._settle(leased, (*leased.before, *outcomes))
            except Exception:
                log.exception("a deadline could not be carried out; it is tried again", deadline=deadline)
                return False
        self._changed()
        return True

    # -- 1: claim, re-read, lease ---------------------------------------------------------------------------

    async def _claim(self, deadline: int) -> Leased | None:
        now = self._clock.now()
        async with self._store.writing() as session:
            row = await self._won(session, deadline, now)
            if row is None:
                return None
            alert = await rows.locked(session, row.alert)
            policy = await rows.policy_of(session, self._timers, self._speed)
            if alert is None or not await self._still_waits(session, row, alert, policy, now):
                return None
            return await self._lease(session, row, alert, policy, now)

    async def _won(self, session: AsyncSession, deadline: int, now: Millis) -> Deadline | None:
        """Claim by changing: no row changed means that somebody else has it, and that is fine."""
        free = or_(col(Deadline.claimed_until).is_(None), col(Deadline.claimed_until) <= now)
        claim = update(Deadline).where(col(Deadline.id) == deadline, col(Deadline.done).is_(None), free)
        until = now + round(CLAIM_SECONDS * 1000 * self._speed)
        outcome = await session.exec(claim.values(claimed_by=self._worker, claimed_until=until))
        if outcome.rowcount != 1:
            return None
        return await session.get(Deadline, deadline, populate_existing=True)

    async def _still_waits(
        self, session: AsyncSession, row: Deadline, alert: Alert, policy: Policy, now: Millis
    ) -> bool:
        """Whether this is a step that people are to be told of now; all else is carried out here."""
        standing = standing_of(alert)
        if row.purpose in {LAPSE, ARRIVE} and standing.handling is Handling.TAKEN:
            moved = lapse(standing, row.purpose)
        elif row.purpose == WAKE and standing.handling is Handling.SNOOZED:
            moved = wake(standing)
        elif row.purpose == STEP and standing.handling in {Handling.NEW, Handling.SEEN}:
            return True
        else:
            row.done, row.outcome = now, "fallen away"
            session.add(row)
            return False
        turned = rows.Turned(
            moved.standing, moved.lines, why=row.purpose, rewait=True, deed=f"alert.{row.purpose}"
        )
        await rows.write(session, alert, turned, policy, now)
        self._pulse.nudge()
        return False

    async def _lease(
        self, session: AsyncSession, row: Deadline, alert: Alert, policy: Policy, now: Millis
    ) -> Leased | None:
        tell = str(row.data.get("tell", ""))
        people = told(tell, await rota_of(session, alert.zone), now)
        if not people:
            await self._skip(session, row, alert, policy, now, tell)
            return None
        text = await _text(session, alert)
        notices, before = [], []
        for person in people:
            for channel in self._channels:
                if not channel.reaches(person.id):
                    continue
                leased = await _notification(session, row, alert, channel.name, person.id, now)
                if leased.status == "leased":
                    notices.append((channel, _notice(leased, row, alert, person, tell, text)))
                else:
                    before.append(_outcome(leased, person.name, channel))
        return Leased(row.id or 0, alert.id or 0, tuple(notices), tuple(before))

    async def _skip(
        self, session: AsyncSession, row: Deadline, alert: Alert, policy: Policy, now: Millis, tell: str
    ) -> None:
        """Nobody is meant: the next step is due at once."""
        row.done, row.outcome = now, "nobody"
        session.add(row)
        await session.flush()
        await self._go_on(session, row, alert, policy, now, Line("skipped", data={"tell": tell}), [], True)

    # -- 2: send ------------------------------------------------------------------------------------------------

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

    async def _settle(self, leased: Leased, outcomes: Sequence[Outcome]) -> None:
        now = self._clock.now()
        async with self._store.writing() as session:
            alert = await rows.locked(session, leased.alert)
            row = await session.get(Deadline, leased.deadline, populate_existing=True)
            assert alert is not None
            assert row is not None
            policy = await rows.policy_of(session, self._timers, self._speed)
            for outcome in outcomes:
                await _record(session, outcome, now)
            await self._note_channels(session, outcomes, policy, now)
            if row.done is None:
                reached = any(outcome.reached for outcome in outcomes)
                row.done, row.outcome = now, "told" if reached else "unreached"
                session.add(row)
                await session.flush()
            else:
                reached = True
            line = Line("told", data={"tell": row.data.get("tell", ""), "people": _people(outcomes)})
            await self._go_on(session, row, alert, policy, now, line, outcomes, not reached)

    async def _go_on(
        self,
        session: AsyncSession,
        row: Deadline,
        alert: Alert,
        policy: Policy,
        now: Millis,
        line: Line,
        outcomes: Sequence[Outcome],
        hurry: bool,
    ) -> None:
        """Write the step down on the alert, and see that something follows while nobody has taken it."""
        standing = standing_of(alert)
        waiting = standing.handling in {Handling.NEW, Handling.SEEN}
        if waiting and (await rows.next_step(session, alert.id or 0))["next_due"] is None:
            again = now + policy.timers.again(alert.urgency) * 1000
            await rows.add_deadlines(
                session, alert.id or 0, [Wanted(STEP, again, {**row.data, "again": True})]
            )
            hurry = False
        first = row.data.get("index") == 0 and not row.data.get("again")
        moved = replace(
            standing,
            version=standing.version + 1,
            escalated=standing.escalated + (not first and bool(outcomes)),
        )
        marks = [{"staff": one.target, "channel": one.channel, "at": now} for one in outcomes if one.reached]
        extra = {"told": [*alert.told, *marks][-TOLD_KEPT:]}
        turned = rows.Turned(moved, [line], why="step", hasten=hurry and waiting, extra=extra)
        await rows.write(session, alert, turned, policy, now)
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


def _people(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Who was told, and how that went; `says` is fit for the timeline: `Eva Haugen (screen, not signed in)`."""
    return [
        {
            "staff": one.target,
            "name": one.name,
            "channel": one.channel,
            "status": one.status,
            "detail": one.detail,
            "says": {language: _tried(one, language) for language in ("nb", "en")},
        }
        for one in outcomes
    ]


def _tried(one: Outcome, language: str) -> str:
    how = [one.way[language] or one.channel, one.why[language]]
    return f"{one.name} ({', '.join(filter(None, how))})"


async def _notification(
    session: AsyncSession, row: Deadline, alert: Alert, channel: str, target: str, now: Millis
) -> Notification:
    """The row of this deadline, channel and target: written before the first attempt, found again after a crash."""
    wanted = select(Notification).where(
        Notification.deadline == row.id, Notification.channel == channel, Notification.target == target
    )
    known = (await session.exec(wanted)).first()
    if known is None:
        known = Notification(
            alert=alert.id or 0, deadline=row.id or 0, channel=channel, target=target, created=now
        )
    if known.status == "leased":
        known.attempts += 1
    session.add(known)
    await session.flush()
    return known


async def _record(session: AsyncSession, outcome: Outcome, now: Millis) -> None:
    row = await session.get(Notification, outcome.notification)
    if row is not None and row.status == "leased":
        row.status, row.detail, row.settled = outcome.status, outcome.detail[:500], now
        session.add(row)


def _outcome(row: Notification, name: str, channel: Channel) -> Outcome:
    """What an earlier life of this step had recorded."""
    why = {"unreached": NOT_REACHED, "failed": DOES_NOT_WORK}.get(row.status, NO_WORDS)
    return Outcome(row.id or 0, row.channel, row.target, name, row.status, row.detail, channel.words, why)


def _notice(
    leased: Notification, row: Deadline, alert: Alert, person: Target, tell: str, text: Words
) -> Notice:
    return Notice(
        id=leased.id or 0,
        alert=alert.id or 0,
        target=person.id,
        name=person.name,
        phone=person.phone,
        urgency=alert.urgency,
        tell=tell,
        text=text,
        says=alert.says,
        due=row.due,
    )


async def _text(session: AsyncSession, alert: Alert) -> Words:
    """What may stand on a locked screen: how urgent and where, but not who."""
    zone = await session.get(Zone, alert.zone) if alert.zone else None
    where = f" – {zone.name}" if zone else ""
    urgency = URGENCY_WORDS[alert.urgency]
    return words(f"{urgency['nb']}{where}. Åpne for å se.", f"{urgency['en']}{where}. Open to see.")


async def overdue(session: AsyncSession, now: Millis) -> float:
    """Seconds that the oldest due deadline has waited; 0 when nothing is due."""
    oldest = select(func.min(Deadline.due)).where(col(Deadline.done).is_(None), Deadline.due <= now)
    due = (await session.exec(oldest)).first()
    return 0.0 if due is None else (now - due) / 1000
