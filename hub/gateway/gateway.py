"""One gateway, put together: boots in phases, runs, and stops in order.

Storage, registry, state, rules, due deadlines, links, network: each phase stands on the one before, and none
waits for the outside world (failure modes RT-2, TR-7). What matters is on the disk before anybody is told, so a
SIGKILL at any moment loses nothing that was acknowledged; stopping in order only saves time at the next start.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from drivers.device_type import DeviceType
from drivers.events import Frame
from drivers.registry import DEVICE_TYPES
from hub.book_watch import BookFileError, BookWatch
from hub.clock import Clock, SystemClock
from hub.gateway import box, catch_all, memory, registry_copy, rule_book
from hub.gateway.box_watch import BoxWatch
from hub.gateway.clock_watch import ClockWatch
from hub.gateway.commands import Commands
from hub.gateway.hearing import Committed, Hearing
from hub.gateway.home_assistant import HomeAssistant
from hub.gateway.home_specs import home_specs
from hub.gateway.journal import Line, Noted, health_line
from hub.gateway.judging import Judge, Judging, decision_line, engine_at_work
from hub.gateway.link_plans import Ports, plans_for, unheard
from hub.gateway.link_watch import Links, LinkWatch
from hub.gateway.local_action import LocalAction
from hub.gateway.own_facts import OwnFacts
from hub.gateway.problems import Problem
from hub.gateway.registry_copy import Copy, PartError
from hub.gateway.reserve import Reserve
from hub.gateway.roll import Assigned, Roll, call_the_roll, stored_memory
from hub.gateway.steady_clock import SteadyClock
from hub.gateway.storage import Storage
from hub.gateway.store_watch import StoreWatch
from hub.gateway.switchboard import Plan, Switchboard
from hub.gateway.upkeep import Upkeep
from hub.gateway.uplink import Uplink
from hub.settings import GatewaySettings
from hub.store.errors import StoreError
from hub.store.writer import FINAL
from hub.uplink.messages import LaneName, Part
from rules import Book, Decision, HomeSpec

SHOWN = 3
"""Problems of the set-up that its alert names; the others are counted, and stand on /readyz."""

AGAIN = (1.0, 5.0)
"""Seconds before a part of the gateway that broke is started again, drawn from this span."""

CLOSE_WITHIN = 3.0
"""Seconds for an orderly end; the supervisor gives five."""

say = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Gateway:
    """A gateway on an opened storage. types: the device types it knows; make_engine: how its rule engine is made.

    passed: seconds that passed whatever anybody sets, where the clock is not the machine's own.
    """

    settings: GatewaySettings
    storage: Storage
    base_clock: Clock
    types: Mapping[str, DeviceType] = field(default_factory=lambda: DEVICE_TYPES)
    make_engine: Callable[[Book, int], Judge] = engine_at_work
    make_plans: Callable[[Roll, Ports], Mapping[str, Plan]] = plans_for
    passed: Callable[[], float] | None = None
    phase: str = "storage"
    clock: SteadyClock = field(init=False)
    copy: Copy = field(init=False)
    roll: Roll = field(init=False)
    own: OwnFacts = field(init=False)
    hearing: Hearing = field(init=False)
    judging: Judging = field(init=False)
    commands: Commands = field(init=False)
    switchboard: Switchboard = field(init=False)
    upkeep: Upkeep = field(init=False)
    uplink: Uplink = field(init=False)
    watch: StoreWatch = field(init=False)
    link_watch: LinkWatch = field(init=False)
    box_watch: BoxWatch = field(init=False)
    book_watch: BookWatch = field(init=False)
    home_assistant: HomeAssistant | None = None
    _faults: catch_all.Faults = field(default_factory=catch_all.Faults)
    _homes: set[str] = field(default_factory=set)
    problems: tuple[Problem, ...] = ()
    _told: dict[str, tuple[Problem, ...]] = field(default_factory=dict)
    _at_boot: tuple[Problem, ...] = ()
    _book_trouble: tuple[Problem, ...] = ()
    _part_trouble: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        settings, writer = self.settings, self.storage.writer
        own_clock = isinstance(self.base_clock, SystemClock)
        self.clock = SteadyClock(
            self.base_clock, self.storage.last_heard, self.passed or (box.passed if own_clock else None)
        )
        self.copy = registry_copy.nothing_yet(settings.id)
        self.roll = Roll(self.copy.part)
        self.own = OwnFacts(
            settings.id,
            writer,
            self.clock,
            self._own_home,
            self._nudge,
            self._own_fact,
            every=settings.heartbeat,
        )
        self.hearing = Hearing(
            writer,
            lambda: self.roll,
            self._heard,
            self._driver_broke,
            self._driver_refused,
            lambda device: self._faults.forget(device.id),
            self.clock.brought_over,
        )
        self.switchboard = Switchboard(self.hearing.hear, self.own.link_changed)
        self.link_watch = LinkWatch(settings.id, writer, self.clock, self._links_now, self._nudge)
        self.box_watch = BoxWatch(writer, self.clock, self.own, own_clock)
        self.commands = Commands(
            writer, self.clock, lambda: self.roll, self.switchboard.send, self._nudge, self._own_fact
        )
        self.upkeep = Upkeep(writer, self.clock, self.own)
        self.watch = StoreWatch(writer, self.clock, self.own, self.upkeep, Reserve(self.folder / "reserve"))
        self.uplink = Uplink(
            settings.uplink,
            settings.id,
            writer,
            self.commands.take,
            self.take_part,
            self._epoch_began,
            self._centre_lost,
        )

        if settings.home_assistant is not None:
            self.home_assistant = HomeAssistant(
                settings.device_broker, settings.home_assistant, settings.id, lambda: self.roll, self.clock
            )

    @property
    def folder(self) -> Path:
        """Where this gateway keeps what is its own."""
        return self.settings.folder

    @property
    def is_ready(self) -> bool:
        """Whether it hears, judges and writes."""
        return self.phase == "running" and self.storage.writer.state.condition == "ok"

    # ------------------------------------------------------------ boot

    async def boot(self) -> None:
        """Everything up to the point where links and network may start. Raises StoreError."""
        self.phase = "registry"
        troubles = self._first_copy()
        self._call_the_roll(self.copy)
        self.phase = "state"
        memory.hand_out(self.roll, await self.storage.writer.write(memory.stored))
        self.phase = "rules"
        self.book_watch = BookWatch(self.settings.rules, self._use_book, self._book_in_trouble)
        chosen = rule_book.choose(self.settings.rules)
        self.judging = Judging(
            self.storage.writer,
            self.clock,
            chosen.book,
            self.make_engine,
            self._home_specs,
            self._nudge,
            self.hearing.oldest_under_way,
            LocalAction(lambda: self.roll, self.commands.carry_out),
        )
        await self.commands.start()
        await self.judging.start()
        await self.own.started()
        self.phase = "due deadlines"
        await self.judging.turn()
        await self.uplink.start()
        self._part_trouble, self._at_boot = tuple(troubles), tuple(self._boot_troubles())
        self._book_trouble = () if chosen.trouble is None else (rule_book.not_read(chosen.trouble),)
        await self._tell_troubles()
        self.phase = "links"

    async def run(self) -> None:
        """Work until cancelled. Raises when only a new process can help; the supervisor starts one."""
        await self._change_links()
        self.phase = "running"
        say.info("gateway is at work", homes=len(self.roll.part.homes), devices=len(self.roll.devices))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.judging.run(), name="judging")
            tasks.create_task(self.switchboard.watch(), name="links")
            tasks.create_task(self.watch.run(), name="store")
            for name, part in (
                ("uplink", self.uplink.run),
                ("heartbeat", self.own.beat),
                ("upkeep", self.upkeep.run),
                ("outages", self.link_watch.run),
                ("box", self.box_watch.run),
                ("rule book", self.book_watch.run),
                ("clock", self._clock_watch().run),
            ):
                tasks.create_task(always(name, part), name=name)
            if self.home_assistant is not None:
                tasks.create_task(always("home assistant", self.home_assistant.run), name="home assistant")

    async def stop(self) -> None:
        """Leave in order: a last snapshot of the rules' state, then the database is closed."""
        self.phase = "stopping"
        writer = self.storage.writer
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self.commands.close()
                if writer.state.condition not in FINAL and hasattr(self, "judging"):
                    await self.judging.close()
        except (TimeoutError, StoreError) as error:
            say.warning("the last snapshot was not stored; the journal stands in for it", why=str(error))
        await writer.close()
        self.storage.lock.release()

    # ------------------------------------------------------------ registry

    async def take_part(self, message: Part) -> None:
        """A part of the registry from the centre: checked, kept, taken over without a restart."""
        if self.settings.registry is not None or (message.hash and message.hash == self.copy.hash):
            return
        try:
            new = registry_copy.read(message, self.settings.id)
            why = registry_copy.may_replace(self.copy, new)
        except PartError as wrong:
            why = str(wrong)
        if why:
            say.error("a registry part was refused", why=why)
            nb = "Registeret fra sentralen kunne ikke tas i bruk; det gamle gjelder"
            en = "The registry from the centre could not be taken over; the old one holds"
            self._part_trouble = (Problem(nb, en, why),)
            await self._tell_troubles()
            return
        await asyncio.to_thread(registry_copy.save, self._copy_path(), message)
        await self._take_over(new)

    async def _take_over(self, new: Copy) -> None:
        self._call_the_roll(new)
        memory.hand_out(self.roll, await self.storage.writer.write(lambda db: memory.missing(db, self.roll)))
        self.judging.set_homes()
        await self._change_links()
        if self.home_assistant is not None:
            self.home_assistant.changed()
        self._part_trouble = ()
        await self._tell_troubles()
        say.info("registry taken over", hash=new.hash, devices=len(self.roll.devices))

    async def _change_links(self) -> None:
        """Links that fit the roll. None before the first registry: a device that is not answered says it again,
        one that is told "nobody knows you" does not.
        """
        if self.roll.part.homes:
            await self.switchboard.change(self._plans())
        else:
            say.info("waiting for the registry; no device is heard yet")

    def _links_now(self) -> Links | None:
        """How every link is, and which devices of today are behind it; None before the first registry."""
        if not self.roll.part.homes:
            return None
        now, carried = self.clock.now(), self.switchboard.carried()
        return {
            name: (
                health,
                [
                    one
                    for one in self.roll.devices.values()
                    if one.id in carried[name] and one.is_assigned(now)
                ],
            )
            for name, health in self.switchboard.health().items()
        }

    def _plans(self) -> Mapping[str, Plan]:
        return self.make_plans(self.roll, self._ports())

    def _first_copy(self) -> list[Problem]:
        """The registry at boot: a file of our own, the copy kept, or nothing yet."""
        given = self.settings.registry
        try:
            found = (
                registry_copy.from_file(given, self.settings.id)
                if given
                else registry_copy.load(self._copy_path(), self.settings.id)
            )
        except PartError as wrong:
            if given:
                raise
            say.error("the copy of the registry cannot be used; waiting for the centre", why=str(wrong))
            nb = "Kopien av registeret kan ikke leses; hjemmesentralen venter på sentralen"
            return [
                Problem(nb, "The copy of the registry cannot be read; waiting for the centre", str(wrong))
            ]
        if found is not None:
            self.copy = found
        return []

    def _call_the_roll(self, copy: Copy) -> None:
        self.copy = copy
        self.roll = call_the_roll(copy.part, self.types, self.folder / "secrets", self.roll)
        for problem in self.roll.problems:
            say.error("a device on the roll has a problem", problem=str(problem))

    def _copy_path(self) -> Path:
        return self.folder / "registry.json"

    def _home_specs(self) -> Sequence[HomeSpec]:
        """The homes served now; those no longer served are told to the rules as empty."""
        specs = home_specs(self.roll, self.clock.now())
        gone = self._homes - {spec.id for spec in specs}
        self._homes |= {spec.id for spec in specs}
        return [*specs, *(HomeSpec(home) for home in sorted(gone))]

    def _own_home(self) -> str:
        return min(self.roll.part.homes, default=self.settings.id)

    def _ports(self) -> Ports:
        settings = self.settings
        return Ports(
            gateway=settings.id,
            devices=settings.device_broker,
            own_topics=settings.device_topics == "own",
            ble=settings.ble,
            serial=settings.serial_folder,
            folder=self.folder,
            now=self.clock.now,
            memory=lambda device: stored_memory(self.roll, device),
        )

    # ------------------------------------------------------------ what the parts tell each other

    def _heard(self, committed: Committed) -> None:
        self.judging.take(committed.events)
        for command in committed.answered:
            self.commands.answered(command)
        self._nudge(committed.lanes)
        if self.home_assistant is not None:
            self.home_assistant.take(committed.events)

    def _own_fact(self, noted: Noted) -> None:
        self.judging.take((noted,))

    def _nudge(self, lanes: Iterable[LaneName]) -> None:
        self.uplink.nudge(lanes)

    def _driver_broke(self, device: Assigned, frame: Frame, why: str) -> Sequence[Line]:
        return self._alerts(catch_all.broken_driver(device, frame, why), frame)

    def _driver_refused(self, device: Assigned, frame: Frame, why: str) -> Sequence[Line]:
        return self._alerts(catch_all.not_understood(device, frame, why), frame)

    def _alerts(self, decisions: Sequence[Decision], frame: Frame) -> Sequence[Line]:
        return [decision_line(one, frame.heard) for one in decisions if self._faults.is_news(one)]

    async def _epoch_began(self, why: str) -> None:
        await self.own.note(_epoch_line(why, self.clock.now()))

    async def _centre_lost(self, count: int) -> None:
        await self.own.note(_lost_line(count, self.clock.now()))

    # ------------------------------------------------------------ troubles and time

    async def _use_book(self, book: Book) -> None:
        self.judging.use(book.judged_by("gateway"))

    async def _book_in_trouble(self, why: BookFileError | None) -> None:
        self._book_trouble = () if why is None else (rule_book.kept(why),)
        await self._tell_troubles()

    def _boot_troubles(self) -> list[Problem]:
        troubles = []
        if self.storage.set_aside is not None:
            aside = self.storage.set_aside.name
            nb = f"Databasen var skadet og er lagt til side som {aside}"
            troubles.append(Problem(nb, f"The database was damaged and was set aside as {aside}"))
        return troubles

    async def _tell_troubles(self) -> None:
        """Tell what is wrong with the set-up, and that it is over when it is: each matter is an alert of its own."""
        ports = self._ports()
        cannot = unheard(self.roll, ports, self._plans()) if self.roll.part.homes else []
        groups = {
            "registry": self._part_trouble,
            "rule book": self._book_trouble,
            "database": self._at_boot,
            "set-up": (*self.roll.problems, *cannot),
        }
        self.problems = tuple(problem for group in groups.values() for problem in group)
        news = {what: group for what, group in groups.items() if self._told.get(what) != group}
        self._told = groups
        now = self.clock.now()
        await self.own.note(*(_trouble_line(what, group, now) for what, group in news.items()))

    def _clock_watch(self) -> ClockWatch:
        return ClockWatch(self.clock, self.hearing, self.judging, self.box_watch)


async def always(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a part of the gateway for ever; when it breaks, say so and start it again (TR-15)."""
    while True:
        try:
            await run()
        except Exception:
            say.exception("a part of the gateway broke and is started again", part=name)
        await asyncio.sleep(random.uniform(*AGAIN))


def _trouble_line(what: str, problems: Sequence[Problem], now: int) -> Line:
    if not problems:
        return health_line(
            what, "Oppsettet er i orden", "The set-up is in order", now, troubles=[], over=True
        )
    shown = problems[:SHOWN]
    more = len(problems) - len(shown)
    nb = "; ".join(["Feil i oppsettet av hjemmesentralen: " + shown[0].nb, *(one.nb for one in shown[1:])])
    en = "; ".join(["The gateway's set-up has faults: " + shown[0].en, *(one.en for one in shown[1:])])
    if more:
        nb, en = f"{nb}; og {more} til", f"{en}; and {more} more"
    told = [one.as_json() for one in problems[:20]]
    return health_line(what, nb[:900], en[:900], now, troubles=told, over=False)


def _epoch_line(why: str, now: int) -> Line:
    return health_line(
        "old copy",
        "Databasen i hjemmesentralen er en gammel kopi; hendelser kan mangle",
        "The gateway's database is an old copy; events may be missing",
        now,
        why=why,
    )


def _lost_line(count: int, now: int) -> Line:
    return health_line(
        "lost at the centre",
        f"Sentralen er gjenopprettet, og {count} meldinger den hadde, finnes ikke lenger i hjemmesentralen",
        f"The centre was restored, and {count} entries that it once had are no longer in the gateway",
        now,
        count=count,
        urgency="low",
        staff_action={
            "nb": "De er borte fra journalen. Finnes det en nyere sikkerhetskopi av sentralen?",
            "en": "They are gone from the journal. Is there a newer backup of the centre?",
        },
    )
