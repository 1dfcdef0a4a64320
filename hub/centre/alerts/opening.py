"""From decisions to alerts, inside the transaction that stores the decisions (DESIGN.md section 5, step 6).

An episode is one open alert of a rule and key; the database itself allows no second (failure mode AL-2). A raise
or repeat opens it or adds evidence to it. A repeat after a person resolved the alert opens a new one, for
somebody called again. Decisions may come in any order: a clear that is older than the newest match is ignored,
and a raise that comes after its clear is cleared at once (AL-3).

Many decisions are carried out together: what they need is read first, each is then done in memory in its turn
(`_Court`), and all that came of it is written at the end.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeAlias

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit
from hub.centre.alerts.background import Background, Over, background_of
from hub.centre.alerts.case import Case, Turned
from hub.centre.alerts.decisions import OPENING, Judged
from hub.centre.alerts.docket import OPENED, Docket
from hub.centre.alerts.episodes import among, spanning
from hub.centre.alerts.evidence import Grown, clear, kept, repeat
from hub.centre.alerts.lifecycle import Line
from hub.centre.alerts.policy import Policy
from hub.centre.alerts.standing import Standing, higher
from hub.store.centre_tables import Alert, DecisionRow

Identity: TypeAlias = tuple[str, str, Millis, str]
"""What makes a decision the same one: rule, key, instant, action."""


async def carry_out(session: AsyncSession, judged: Judged, policy: Policy, now: Millis) -> Alert | None:
    """Store a decision and do what it says; gives the alert it touched. A known decision does nothing."""
    (touched,) = await carry_out_all(session, [judged], policy, now)
    return None if touched is None else await session.get(Alert, touched, populate_existing=True)


async def carry_out_all(
    session: AsyncSession, decisions: Sequence[Judged], policy: Policy, now: Millis
) -> list[int | None]:
    """The same for many, in their order; gives the number of the alert that each one touched, if any."""
    await audit.in_order(session)
    known = await _known(session, decisions)
    court = _Court(Docket(session, policy, now))
    fresh: dict[Identity, Judged] = {}
    for judged in decisions:
        if identity(judged) not in known:
            fresh.setdefault(identity(judged), judged)
    await court.sit(list(fresh.values()))
    touched = {one: court.hear(judged) for one, judged in fresh.items()}
    await court.docket.write()
    alerts = {one: case.id if case else None for one, case in touched.items()}
    await _store(session, fresh.values(), alerts)
    first = dict(alerts)
    return [first.pop(identity(judged), None) for judged in decisions]


def identity(judged: Judged) -> Identity:
    """Twice received, it counts once."""
    return judged.rule, judged.key, judged.at, judged.action


async def open_alert(session: AsyncSession, rule: str, key: str) -> Alert | None:
    """The open alert of a rule and key, locked for changing."""
    wanted = select(Alert).where(Alert.rule == rule, Alert.key == key, Alert.handling != "resolved")
    wanted = wanted.with_for_update().execution_options(populate_existing=True)
    return (await session.exec(wanted)).first()


async def _known(session: AsyncSession, decisions: Collection[Judged]) -> set[Identity]:
    if not decisions:
        return set()
    asked = {identity(judged) for judged in decisions}
    wanted = select(DecisionRow.rule, DecisionRow.key, DecisionRow.at, DecisionRow.action).where(
        among(col(DecisionRow.rule), col(DecisionRow.key), {(rule, key) for rule, key, _, _ in asked}),
        spanning(col(DecisionRow.at), [at for _, _, at, _ in asked]),
    )
    return asked & set((await session.exec(wanted)).all())


async def _store(
    session: AsyncSession, decisions: Collection[Judged], alerts: dict[Identity, int | None]
) -> None:
    """Write the decisions down. The database allows none twice, whoever might have overlooked it."""
    rows = [
        {
            "rule": judged.rule,
            "key": judged.key,
            "at": judged.at,
            "action": judged.action,
            "home": judged.home,
            "alert": alerts[identity(judged)],
            "body": dict(judged.body),
        }
        for judged in decisions
    ]
    if rows:
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        await (await session.connection()).execute(insert(DecisionRow), rows)


class _Court:
    """Hears decisions one after the other, over cases that were read beforehand."""

    def __init__(self, docket: Docket) -> None:
        self.docket = docket
        self._policy, self._now = docket.policy, docket.now
        self._background = Background()

    async def sit(self, decisions: Sequence[Judged]) -> None:
        """Read what hearing these takes: open alerts, and what stands behind the ones that may open."""
        await self.docket.call_open({(judged.rule, judged.key) for judged in decisions})
        opening = [judged for judged in decisions if judged.action in OPENING]
        self._background = await background_of(self.docket.session, opening)

    def hear(self, judged: Judged) -> Case | None:
        """Do what one decision says; gives the case it touched."""
        case = self.docket.open_case(judged.rule, judged.key)
        if judged.action in OPENING:
            return self._open(judged) if case is None else self._add(case, judged)
        if judged.action != "clear":
            return None
        touched = self._clear(case, Over.of(judged)) if case is not None else None
        if touched is None:
            self._background.overtook(judged)
        return touched

    def _add(self, case: Case, judged: Judged) -> Case:
        standing = case.standing
        grown = repeat(standing, judged.at, judged.because, self._policy.timers)
        urgent = higher(grown.standing.urgency, judged.urgency)
        life_safety = standing.life_safety or judged.life_safety
        standing = replace(grown.standing, urgency=urgent, life_safety=life_safety)
        return self._turn(case, replace(grown, standing=standing), "repeat")

    def _clear(self, case: Case, over: Over) -> Case | None:
        if over.at < case.standing.last_at or case.standing.condition == "cleared":
            return None
        grown = clear(case.standing, over.at, self._now, over.reason, over.because)
        return self._turn(case, grown, "clear", deed="alert.clear")

    def _turn(self, case: Case, grown: Grown, why: str, deed: str = "") -> Case:
        turned = Turned(
            grown.standing, grown.lines, why=why, rewait=grown.rewait, hasten=grown.hasten, deed=deed
        )
        case.turn(turned, self._policy, self._now)
        return case

    def _open(self, judged: Judged) -> Case:
        standing = Standing(
            urgency=judged.urgency,
            life_safety=judged.life_safety,
            evidence=kept(judged.because),
            last_at=judged.at,
        )
        case = self._background.case(judged, standing, self._now)
        self.docket.enter(case)
        opened = Line("opened", vkp="0", data={"rule": case.rule, "events": list(standing.evidence)})
        case.begin(Turned(standing, [opened], why="opened", deed=OPENED), self._policy, self._now)
        later = self._background.later_clear(judged)
        if later is not None:
            self._clear(case, later)
        return case
