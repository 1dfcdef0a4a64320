"""What stands behind decisions that may open an alert: the fact that was heard, the zone, the episode before.

Read for many decisions at once, so that opening the alerts asks the database nothing more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre.alerts.case import Case
from hub.centre.alerts.decisions import Judged
from hub.centre.alerts.episodes import Episode, among
from hub.centre.alerts.standing import Standing
from hub.store.centre_tables import Alert, DecisionRow, Entry, Home


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest fact behind a decision, as the journal has it. at, heard: ms UTC."""

    kind: str
    at: Millis
    heard: Millis


@dataclass(frozen=True, slots=True, order=True)
class Over:
    """What a clear says: when and why it is over, by which events."""

    at: Millis
    reason: str
    because: tuple[str, ...] = ()

    @classmethod
    def of(cls, judged: Judged) -> Over:
        """Read from the decision."""
        return cls(judged.at, judged.reason, judged.because)


@dataclass(slots=True)
class Background:
    """zones: home → zone. facts: event id → fact. former: (rule, key) → newest alert of it.

    clears: (rule, key) → clears that found nothing to clear, oldest first.
    """

    zones: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Heard] = field(default_factory=dict)
    former: dict[Episode, int] = field(default_factory=dict)
    clears: dict[Episode, list[Over]] = field(default_factory=dict)

    def overtook(self, judged: Judged) -> None:
        """A clear that found nothing: its raise may come after it."""
        waiting = self.clears.setdefault((judged.rule, judged.key), [])
        waiting.append(Over.of(judged))
        waiting.sort()

    def later_clear(self, judged: Judged) -> Over | None:
        """A clear of this episode that overtook its raise on the way."""
        waiting = self.clears.get((judged.rule, judged.key), ())
        return next((one for one in waiting if one.at >= judged.at), None)

    def case(self, judged: Judged, standing: Standing, now: Millis) -> Case:
        """The alert that this decision opens."""
        kind, heard = self._source(judged, now)
        return Case(
            rule=judged.rule,
            key=judged.key,
            home=judged.home,
            zone=judged.zone or self.zones.get(judged.home, ""),
            chain=judged.chain,
            queue=judged.queue,
            says=dict(judged.says),
            standing=standing,
            former=self.former.get((judged.rule, judged.key)),
            fresh={
                "device": judged.device,
                "kind": kind,
                "staff_action": dict(judged.staff_action),
                "because": dict(judged.body),
                "at": judged.at,
                "heard": heard,
                "opened": now,
            },
        )

    def _source(self, judged: Judged, now: Millis) -> tuple[str, Millis]:
        """Kind of the fact behind it, and when the reason was heard: from the journal, else as the decision tells it.

        An alert that is younger than its newest fact was raised by a deadline: nothing was heard then, and what
        counts is when the decision was made.
        """
        fact = self.facts.get(judged.because[-1]) if judged.because else None
        if fact is not None:
            by_deadline = fact.at < judged.at and not judged.lag
            return judged.kind or fact.kind, _decided(judged, now) if by_deadline else fact.heard
        return judged.kind, judged.at + judged.lag if judged.lag else _decided(judged, now)


def _decided(judged: Judged, now: Millis) -> Millis:
    """When it was decided: never before the instant it speaks of, never in the future."""
    made = judged.at if judged.made is None else min(judged.made, now)
    return max(judged.at, made)


async def background_of(session: AsyncSession, opening: Sequence[Judged]) -> Background:
    """Read it for decisions that may open an alert."""
    if not opening:
        return Background()
    episodes = {(judged.rule, judged.key) for judged in opening}
    return Background(
        zones=await _zones(session, {judged.home for judged in opening if judged.home}),
        facts=await _facts(session, {judged.because[-1] for judged in opening if judged.because}),
        former=await _former(session, episodes),
        clears=await _clears(session, episodes, min(judged.at for judged in opening)),
    )


async def _zones(session: AsyncSession, homes: Collection[str]) -> dict[str, str]:
    found = await session.exec(select(Home.id, Home.zone).where(col(Home.id).in_(homes)))
    return dict(found.all())


async def _facts(session: AsyncSession, events: Collection[str]) -> dict[str, Heard]:
    if not events:
        return {}
    wanted = select(col(Entry.event_id), Entry.kind, Entry.at, Entry.heard).where(
        col(Entry.event_id).in_(events), Entry.type == "event"
    )
    found = (await session.exec(wanted.order_by(col(Entry.seq).desc()))).all()
    return {str(id_): Heard(kind, at, heard) for id_, kind, at, heard in found}


async def _former(session: AsyncSession, episodes: Collection[Episode]) -> dict[Episode, int]:
    pairs = among(col(Alert.rule), col(Alert.key), episodes)
    wanted = select(Alert.rule, Alert.key, func.max(Alert.id)).where(pairs).group_by(Alert.rule, Alert.key)
    found = (await session.exec(wanted)).all()
    return {(rule, key): newest for rule, key, newest in found if newest is not None}


async def _clears(
    session: AsyncSession, episodes: Collection[Episode], since: Millis
) -> dict[Episode, list[Over]]:
    wanted = select(DecisionRow.rule, DecisionRow.key, DecisionRow.at, col(DecisionRow.body)).where(
        among(col(DecisionRow.rule), col(DecisionRow.key), episodes),
        col(DecisionRow.at) >= since,
        DecisionRow.action == "clear",
        col(DecisionRow.alert).is_(None),
    )
    clears: dict[Episode, list[Over]] = {}
    for rule, key, at, body in (await session.exec(wanted.order_by(col(DecisionRow.at)))).all():
        because = tuple(map(str, body.get("because") or ()))
        clears.setdefault((rule, key), []).append(Over(at, str(body.get("reason") or ""), because))
    return clears
