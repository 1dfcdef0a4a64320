"""Judging what only the centre can know: the rules on `gateway.*` facts (DESIGN.md section 1).

A gateway cannot report its own silence. So the centre keeps a rule engine in which each gateway is a home with one
device, itself. What counts is when the centre *heard*: a fact is judged at the time it was received, since silence
means that no alarm would get through, whatever the box wrote down meanwhile.

The engine is a function of the journal: a snapshot and the entry it covers are stored together, a restart reads on
from there, and each decision has one identity, so being killed at any point changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import structlog
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Event, Millis
from hub.book_watch import BookFileError, read_book
from hub.centre import audit, technical
from hub.centre.alerts import opening, rows
from hub.centre.alerts.decisions import Judged, read
from hub.centre.alerts.desk import speed_of
from hub.centre.pulse import Pulse
from hub.clock import Clock
from hub.registry.importing import VERSION
from hub.store.centre_tables import EngineState, Entry, Gateway, Home, Municipality, Resident, StoreFact
from hub.store.engine import Store
from rules import Book, Decision, DeviceSpec, Engine, Form, HomeSpec, load_book, standard_book_text
from rules.reload import horizon

ENGINE = "gateways"
"""The row of EngineState."""

SNAPSHOT_EVERY: Millis = 60_000
"""Time at the wall between two snapshots; what comes after the last one is read again from the journal."""

AT_ONCE = 500
"""Entries judged before their decisions are committed."""

LOOK_BACK: Millis = 86_400_000
"""How far back the journal is read at least for new rules: what is so may have been said long before their spans."""

LOOK_EVERY = 1.0
"""Seconds of real time between looks when nobody nudges."""

GRACE = 60.0
"""Seconds of real time that gateways get after our own start: they may have been away for our sake."""

SHORTEST_SILENCE = 10.0
"""Seconds of real time that a gateway must be silent at least: where the homes' clock runs fast, minutes are less."""

WORDS_FOR_THE_BOX = re.compile(
    r"\A(?:the\s+)?(?:hjemmesentral(?:en)?|sentral(?:en)?|boks(?:en)?|gateway)\s+(?:(?:i|på|hos|in|at|of)\s+)?(?=[^\W\d])",
    re.IGNORECASE,
)

log = structlog.get_logger()


def book_from(path: Path | None) -> Book:
    """The whole rule book. Raises BookFileError for one that was asked for and cannot be read."""
    if path is None:
        return load_book(standard_book_text(), source="standard.yaml")
    return read_book(path)


def book_or_standard(path: Path | None) -> tuple[Book, BookFileError | None]:
    """The book, or the shipped one and why: a slip in a file must not leave gateways unwatched."""
    try:
        return book_from(path), None
    except BookFileError as wrong:
        return book_from(None), wrong


def patient(book: Book, speed: float) -> Book:
    """The book with no silence of gateways shorter than what a busy machine may be late by."""
    least = round(SHORTEST_SILENCE * 1000 * speed)
    rules = {
        name: replace(rule, wait=replace(rule.wait, value=max(rule.wait.value, least)))
        if rule.form is Form.SILENCE and rule.wait is not None and rule.wait.fixed
        else rule
        for name, rule in book.rules.items()
    }
    return replace(book, rules=rules)


class Judging:
    """The centre's own rule engine. changed: told when a decision touched an alert."""

    def __init__(
        self, store: Store, clock: Clock, book: Book, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._store, self._clock, self._changed = store, clock, changed
        self._whole = book
        self._speed = speed_of(clock)
        self._book = patient(book.judged_by("centre"), self._speed)
        self._pulse = Pulse(clock)
        self._engine = Engine(self._book)
        self._judged = 0
        self._looked = 0
        self._snapshot_at: Millis = 0
        self._known: dict[str, HomeSpec] = {}
        self._registry: object = None
        self._next: Book | None = None

    async def use(self, book: Book) -> None:
        """Judge by another book from the next look on."""
        self._next = book
        self._pulse.nudge()

    def nudge(self) -> None:
        """Gateways were heard: look now."""
        self._pulse.nudge()

    async def run(self) -> None:
        """Judge until cancelled."""
        await self.start()
        while True:
            try:
                await self.take_over()
                await self.step()
            except Exception as broken:
                log.exception("judging gateways failed; it starts again from what is stored")
                await self._tell(broken)
                await self.start()
            await self._pulse.wait(LOOK_EVERY * speed_of(self._clock))

    async def take_over(self) -> None:
        """Swap the book, if there is another one; what it decides is stored with a snapshot. A fault keeps the old."""
        whole, self._next = self._next, None
        if whole is None:
            return
        book, now = patient(whole.judged_by("centre"), self._speed), self._clock.now()
        async with self._store.reading() as session:
            history = await _since(session, now - max(LOOK_BACK, horizon(self._book, book)), self._judged)
        decisions = self._engine.reload(book, now, [as_heard(entry) for entry in history])
        async with self._store.writing() as session:
            await rows.store_fact(session, rows.BOOK_CHAINS, orjson.dumps(_chains(whole)).decode())
        self._snapshot_at = 0
        await self._write(decisions, now)
        self._whole, self._book = whole, book
        log.info("another rule book is at work", rules=len(book.rules), decided=len(decisions))

    async def _tell(self, broken: Exception) -> None:
        """Nobody watches the gateways just now: that is an alert of its own (promise 5)."""
        now = self._clock.now()
        async with self._store.writing() as session:
            await audit.in_order(session)
            policy = await rows.policy_of(session, speed=speed_of(self._clock))
            names = {"problem": f"{type(broken).__name__}: {broken!s:.200}"}
            await technical.found(session, technical.JUDGING, "centre", policy, now, names=names)

    async def start(self) -> None:
        """Take up the stored state. Silence while the centre itself was away is nobody's silence."""
        now = self._clock.now()
        async with self._store.reading() as session:
            stored = await session.get(EngineState, ENGINE)
            specs = await specs_of(session)
        async with self._store.writing() as session:
            await rows.store_fact(session, rows.BOOK_CHAINS, orjson.dumps(_chains(self._whole)).decode())
        self._engine = Engine(self._book, started=now)
        self._judged = self._looked = stored.judged if stored else 0
        self._known, self._registry = {}, None
        if stored is not None:
            self._restore(stored.snapshot, specs, now)
        self._meet(specs)

    def _restore(self, snapshot: Mapping[str, Any], specs: Sequence[HomeSpec], now: Millis) -> None:
        """A snapshot that cannot be read costs knowledge, not alerts: watching begins anew."""
        try:
            self._engine.restore(snapshot, specs)
        except Exception:
            log.exception("the stored state of the rules cannot be read; watching begins anew")
            self._engine = Engine(self._book, started=now)
            return
        self._known = {spec.id: spec for spec in specs}
        listen_anew(self._engine, now + round(GRACE * 1000 * speed_of(self._clock)))

    def _meet(self, specs: Iterable[HomeSpec]) -> None:
        for spec in specs:
            if self._known.get(spec.id) != spec:
                self._known[spec.id] = spec
                self._engine.set_home(spec)

    async def _meet_changed(self, session: AsyncSession) -> None:
        """Read the gateways anew when the registry changed, or one was heard for the first time."""
        registry = await _registry_mark(session)
        if registry != self._registry:
            self._meet(await specs_of(session))
            self._registry = registry

    async def step(self) -> int:
        """Judge what came since, and let time pass; gives the number of decisions."""
        made = 0
        while True:
            async with self._store.reading() as session:
                await self._meet_changed(session)
                newest = await _newest(session)
                entries = await _fresh(session, max(self._judged, self._looked))
            now = self._clock.now()
            decisions = [one for entry in entries for one in self._engine.observe(as_heard(entry))]
            if len(entries) < AT_ONCE:
                decisions += self._engine.advance(now)
                self._looked = newest
            if entries:
                self._judged = entries[-1].seq or self._judged
            await self._write(decisions, now)
            made += len(decisions)
            if len(entries) < AT_ONCE:
                return made

    async def _write(self, decisions: Sequence[Decision], now: Millis) -> None:
        due = now - self._snapshot_at >= SNAPSHOT_EVERY * speed_of(self._clock)
        if not decisions and not due:
            return
        async with self._store.writing() as session:
            await audit.in_order(session)
            policy = await rows.policy_of(session, speed=speed_of(self._clock))
            judged = [await _placed(session, decision, now) for decision in decisions]
            await opening.carry_out_all(session, judged, policy, now)
            if due:
                state = EngineState(id=ENGINE, judged=self._judged, snapshot=self._engine.snapshot())
                await session.merge(state)
        if due:
            self._snapshot_at = now
        if decisions:
            self._changed()


def listen_anew(engine: Engine, begin: Millis) -> None:
    """Count silence from `begin` where nobody is silent yet: while the centre was away it could not have heard."""
    for machine in engine.machines:
        if machine.rule.form is not Form.SILENCE:
            continue
        for home in engine.homes.values():
            for slot in machine.slots(home):
                if slot.alert is None:
                    slot.last = max(slot.last, begin)


def as_heard(entry: Entry) -> Event:
    """A gateway's fact as the centre judges it: at the time it was received, in the gateway's own "home"."""
    return Event(
        id=entry.event_id or f"{entry.gateway}:{entry.seq}",
        at=entry.received,
        heard=entry.received,
        home=entry.gateway,
        device=entry.gateway,
        kind=entry.kind,
        data=entry.body.get("data") or {},
    )


async def _registry_mark(session: AsyncSession) -> object:
    """Something that changes whenever the gateways, as `specs_of` reads them, may have changed."""
    version = select(StoreFact.value).where(StoreFact.name == VERSION).scalar_subquery()
    homes = select(func.count(col(Home.id))).scalar_subquery()
    counted = select(version, homes, func.count(col(Gateway.id)), func.count(col(Gateway.last_heard)))
    return tuple((await session.exec(counted)).one())


async def _newest(session: AsyncSession) -> int:
    """The newest line of the journal; numbers become visible in their order (`audit.in_order`)."""
    return (await session.exec(select(func.max(Entry.seq)))).first() or 0


async def _fresh(session: AsyncSession, judged: int) -> Sequence[Entry]:
    """Facts of gateways about themselves; what one says of another counts for nothing."""
    wanted = (
        select(Entry)
        .where(
            col(Entry.seq) > judged,
            Entry.type == "event",
            col(Entry.kind).startswith("gateway."),
            Entry.device == Entry.gateway,
        )
        .order_by(col(Entry.seq))
        .limit(AT_ONCE)
    )
    return (await session.exec(wanted)).all()


async def _since(session: AsyncSession, received: Millis, upto: int) -> Sequence[Entry]:
    """Facts of gateways about themselves, received from a moment on, up to an entry."""
    wanted = (
        select(Entry)
        .where(
            col(Entry.seq) <= upto,
            col(Entry.received) >= received,
            Entry.type == "event",
            col(Entry.kind).startswith("gateway."),
            Entry.device == Entry.gateway,
        )
        .order_by(col(Entry.seq))
    )
    return (await session.exec(wanted)).all()


async def specs_of(session: AsyncSession) -> list[HomeSpec]:
    """Each gateway as a home with one device. Its name in sentences: whose home it serves, or its own."""
    settings = await session.get(Municipality, 1)
    tz = str((settings.body if settings else {}).get("tz", "Europe/Oslo"))
    served: dict[str, set[str]] = {}
    for home, gateway in (await session.exec(select(Home.id, Home.gateway))).all():
        served.setdefault(gateway or "", set()).add(home)
    names: dict[str, list[str]] = {}
    for home, name in (
        await session.exec(select(Resident.home, Resident.name).order_by(col(Resident.id)))
    ).all():
        names.setdefault(home, []).append(name)
    gateways = (await session.exec(select(Gateway).order_by(col(Gateway.id)))).all()
    return [_spec(gateway, tz, served.get(gateway.id, set()), names) for gateway in gateways]


def _spec(gateway: Gateway, tz: str, homes: set[str], names: Mapping[str, list[str]]) -> HomeSpec:
    since = None if gateway.last_heard is None else gateway.since  # never heard: see hub.centre.supervision
    living = [name for home in homes for name in names.get(home, [])] if len(homes) == 1 else []
    return HomeSpec(
        id=gateway.id,
        tz=tz,
        resident={"name": " / ".join(living) or place_in(gateway.name)},
        devices={gateway.id: DeviceSpec("gateway", since=since, name=gateway.name)},
        late_ms=0,
    )


def place_in(name: str) -> str:
    """Where a box stands, out of its name: the book's sentences begin with "the gateway at" themselves.

    A box of several homes is named so and not by its residents: its alerts reach people of more than one zone.
    """
    return WORDS_FOR_THE_BOX.sub("", name.strip()) or name


async def _placed(session: AsyncSession, decision: Decision, now: Millis) -> Judged:
    """The decision with the gateway's real home, where it serves one alone; the alert's key stays the gateway."""
    judged = read(decision.as_json())
    home = await technical.only_home(session, decision.home)
    return replace(judged, home=home, device=decision.home, made=now)


def _chains(book: Book) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [{"after": step.after // 1000, "tell": step.tell} for step in steps]
        for name, steps in book.chains.items()
    }
