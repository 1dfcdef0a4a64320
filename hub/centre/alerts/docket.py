"""The cases of one transaction: read together, turned in memory, written together.

    docket = Docket(session, policy, now)
    await docket.call_open({("fall", "h1"), ("fall", "h2")})
    …                                              # turn the cases, open new ones
    await docket.write()                           # alerts, deadlines, timeline, audit and change

However many cases there are, that is one statement a table. Nobody else can change a case meanwhile: its row is
locked, and writers of numbered rows wait for one another (`audit.in_order`). `write` looks all the same whether every
version followed from the one that was read, and raises Clash where one did not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, insert, update
from sqlalchemy import select as sql_select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit
from hub.centre.alerts.case import LASTING, Case, Turned, Wait
from hub.centre.alerts.episodes import Episode, among
from hub.centre.alerts.policy import Policy
from hub.centre.alerts.standing import COLUMNS, columns_of
from hub.centre.duty import Rota, end_of_shift, rota_of
from hub.store.centre_tables import Alert, AlertLine, Change, Deadline

ALERTS: Table = Alert.__table__  # type: ignore[attr-defined]
DEADLINES: Table = Deadline.__table__  # type: ignore[attr-defined]
LINES: Table = AlertLine.__table__  # type: ignore[attr-defined]
CHANGES: Table = Change.__table__  # type: ignore[attr-defined]

READ = [ALERTS.c[name] for name in ("id", "told", *LASTING, *COLUMNS)]
NEXT = ("next_due", "next_tell")
TURNED = (
    update(ALERTS)
    .where(ALERTS.c.id == bindparam("was_id"), ALERTS.c.version == bindparam("was_version"))
    .values({name: bindparam(name) for name in (*COLUMNS, *NEXT, "told")})
)
MOVED = (
    update(DEADLINES)
    .where(DEADLINES.c.id == bindparam("was_id"))
    .values({name: bindparam(name) for name in ("due", "done", "outcome")})
)


class Clash(Exception):  # noqa: N818 - it names what happened, and is caught at once
    """Somebody else changed the alert between our reading and our writing."""


class Docket:
    """The cases of one transaction."""

    def __init__(self, session: AsyncSession, policy: Policy, now: Millis) -> None:
        self.session, self.policy, self.now = session, policy, now
        self.cases: dict[int, Case] = {}
        self._open: dict[tuple[str, str], Case] = {}
        self._fresh: list[Case] = []

    # -- reading ------------------------------------------------------------------------------------------------

    async def call_open(self, episodes: Collection[Episode]) -> None:
        """Read the open alerts of these rules and keys, locked for changing."""
        if episodes:
            await self._call(among(ALERTS.c.rule, ALERTS.c.key, episodes), ALERTS.c.handling != "resolved")

    async def call(self, alerts: Collection[int]) -> None:
        """Read these alerts, locked for changing."""
        if alerts:
            await self._call(ALERTS.c.id.in_(list(alerts)))

    async def _call(self, *which: ColumnElement[bool]) -> None:
        wanted = sql_select(*READ).where(*which).order_by(ALERTS.c.id).with_for_update()
        found = await (await self.session.connection()).execute(wanted)
        await self.add(Case.of(row) for row in found.all())

    async def add(self, cases: Iterable[Case]) -> None:
        """Take cases on, with what they wait for."""
        found = {case.id: case for case in cases if case.id is not None}
        self.cases |= found
        self._open |= {(case.rule, case.key): case for case in found.values() if case.standing.open}
        if not found:
            return
        wanted = (
            sql_select(*(DEADLINES.c[name] for name in ("alert", "purpose", "due", "data", "id")))
            .where(DEADLINES.c.alert.in_(list(found)), DEADLINES.c.done.is_(None))
            .order_by(DEADLINES.c.due, DEADLINES.c.id)
        )
        for alert, *wait in (await (await self.session.connection()).execute(wanted)).all():
            found[alert].waits.append(Wait(*wait))

    def open_case(self, rule: str, key: str) -> Case | None:
        """The open episode of a rule and key, among those called and those opened here."""
        case = self._open.get((rule, key))
        return case if case is not None and case.standing.open else None

    def enter(self, case: Case) -> None:
        """Take on an alert that is new."""
        case.former = self._open.get((case.rule, case.key), case.former)
        self._fresh.append(case)
        self._open[case.rule, case.key] = case

    # -- writing ------------------------------------------------------------------------------------------------

    @property
    def _turned(self) -> list[Case]:
        """Stored cases first: one that ends here makes room for the next episode of its rule and key."""
        return [*(case for case in self.cases.values() if case.turns), *self._fresh]

    async def write(self) -> None:
        """Write every case that turned, and what came of it, once. Raises Clash when a version had moved."""
        await audit.in_order(self.session)
        await self.session.flush()
        turned = self._turned
        await self._to_ends_of_shifts(turned)
        await self._write_waits(self.cases.values())
        await self._update([case for case in turned if case.id is not None])
        await self._insert_fresh()
        await self._write_waits(self._fresh)
        await self._run(insert(LINES), [row for case in turned for row in _lines(case, self.now)])
        await self._run(insert(CHANGES), [_change(case, self.now) for case in turned])
        await audit.write(self.session, *(deed for case in turned for deed in _deeds(case, self.now)))

    async def _to_ends_of_shifts(self, cases: Iterable[Case]) -> None:
        """What is due when the shift ends is due then, where the rota of the zone says when that is."""
        rotas: dict[str, Rota] = {}
        for case in cases:
            for wait in case.waits:
                if wait.end_of_shift and wait.id is None:
                    if case.zone not in rotas:
                        rotas[case.zone] = await rota_of(self.session, case.zone)
                    wait.due = end_of_shift(rotas[case.zone], self.now, case.standing.owner or "") or wait.due

    async def _run(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            await (await self.session.connection()).execute(statement, rows)

    async def _update(self, cases: Sequence[Case]) -> None:
        """Each alert whose version is still the one that was read."""
        alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for case in cases:
            row = _columns(case) | {"was_id": case.id, "was_version": case.before}
            alike.setdefault(tuple(sorted(case.extra)), []).append(row)
        for more, rows in alike.items():
            await self._run(TURNED.values({name: bindparam(name) for name in more}), rows)
        await self._look_for_clash(cases)

    async def _look_for_clash(self, cases: Sequence[Case]) -> None:
        if not cases:
            return
        expected = {case.id: case.standing.version for case in cases}
        wanted = sql_select(ALERTS.c.id, ALERTS.c.version).where(ALERTS.c.id.in_(list(expected)))
        found = (await (await self.session.connection()).execute(wanted)).all()
        if {row.id: row.version for row in found} != expected:
            raise Clash

    async def _insert_fresh(self) -> None:
        """New alerts; one whose former episode is new too waits until that one has its number."""
        left = list(self._fresh)
        while left:
            ready = [case for case in left if not isinstance(case.former, Case) or case.former.id is not None]
            ids = await self._numbered(ready)
            for case in ready:
                case.id = ids[case.rule, case.key]
            left = [case for case in left if case.id is None]

    async def _numbered(self, cases: Sequence[Case]) -> dict[tuple[str, str], int]:
        """Insert alerts, no two of them of one rule and key, and give their numbers."""
        statement = insert(ALERTS).returning(ALERTS.c.rule, ALERTS.c.key, ALERTS.c.id)
        rows = [_fresh_columns(case) for case in cases]
        found = await (await self.session.connection()).execute(statement, rows)
        return {(rule, key): id_ for rule, key, id_ in found.all()}

    async def _write_waits(self, cases: Iterable[Case]) -> None:
        pairs = [(case, wait) for case in cases for wait in case.waits]
        await self._run(MOVED, [_moved(wait) for _, wait in pairs if wait.id is not None and wait.changed])
        fresh = [(case, wait) for case, wait in pairs if wait.id is None]
        named = [(case, wait) for case, wait in fresh if wait in case.opened and case.standing.undo]
        await self._run(insert(DEADLINES), [_waiting(*pair) for pair in fresh if pair not in named])
        for case, wait in named:  # an undo must name them
            statement = insert(DEADLINES).values(_waiting(case, wait)).returning(DEADLINES.c.id)
            wait.id = (await (await self.session.connection()).execute(statement)).scalar_one()


def _columns(case: Case) -> dict[str, Any]:
    """What changes on the alert's row."""
    columns = columns_of(case.standing) | {"told": case.told} | case.extra
    if columns["undo"] and case.turns[-1].rewait:
        columns["undo"] |= {
            "closed": [wait.id for wait in case.closed],
            "opened": [wait.id for wait in case.opened],
        }
    step = case.next_step()
    following = (None, "") if step is None else (step.due, str(step.data.get("tell", "")))
    return columns | dict(zip(NEXT, following, strict=True))


def _fresh_columns(case: Case) -> dict[str, Any]:
    former = case.former.id if isinstance(case.former, Case) else case.former
    lasting = {name: getattr(case, name) for name in LASTING}
    return {**lasting, **(case.fresh or {}), **_columns(case), "before": former}


def _waiting(case: Case, wait: Wait) -> dict[str, Any]:
    return {
        "alert": case.id,
        "purpose": wait.purpose,
        "due": wait.due,
        "data": dict(wait.data),
        "done": wait.done,
        "outcome": wait.outcome,
    }


def _moved(wait: Wait) -> dict[str, Any]:
    return {"was_id": wait.id, "due": wait.due, "done": wait.done, "outcome": wait.outcome}


def _lines(case: Case, now: Millis) -> Iterator[dict[str, Any]]:
    for turned in case.turns:
        for line in turned.lines:
            yield {
                "alert": case.id,
                "at": now,
                "what": line.what,
                "by": turned.by,
                "vkp": line.vkp,
                "data": dict(line.data),
            }


def _change(case: Case, now: Millis) -> dict[str, Any]:
    """Tells the dashboards that this alert is to be drawn anew."""
    return {"at": now, "subject": "alert", "ref": str(case.id), "home": case.home, "zone": case.zone}


def _deeds(case: Case, now: Millis) -> Iterator[audit.Deed]:
    for turned, version in zip(case.turns, case.versions, strict=True):
        if turned.deed:
            yield _deed(case, turned, version, now)


def _deed(case: Case, turned: Turned, version: int, now: Millis) -> audit.Deed:
    opened = turned.deed == OPENED
    data = {"key": case.key, "urgency": turned.standing.urgency} if opened else turned.said
    return audit.Deed(
        at=now,
        actor=turned.by,
        action=turned.deed,
        home=case.home,
        subject=f"alert {case.id}",
        why=case.rule if opened else str(turned.said.get("reason", "")),
        origin=turned.origin,
        data=data if opened else {"version": version, **data},
    )


OPENED = "alert.open"
"""The deed of an alert that is new."""
