"""The shipped incidents, from the wire to the alert: each raises exactly the alerts its author expects.

A scenario's dry timeline is voiced as its devices would say it on their wires, decoded by the device types its
registry file names, stamped as the gateway stamps, and judged by the shipped book: each gateway's events by an
engine of its own, what gateways say of themselves by the centre's, and what that says of an area by a third. Time is
the scenario's own; nothing is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from drivers.device_type import Unit
from drivers.events import Event, Fact, Frame, Millis, parse_time
from drivers.protocols import mqtt_topics
from drivers.registry import device_type
from hub.centre.areas.counting import Change, Ledger, Town, signs_of
from hub.gateway.moments import moment
from hub.registry.check import check
from hub.registry.models import DevicePart, RegistryFile
from rules import Book, Decision, DeviceSpec, Engine, HomeSpec, load_book, standard_book_text
from simulators.__main__ import dry
from simulators.mqtt.native import Native
from simulators.mqtt_devices.said import Said
from simulators.play.foreign_units import ForeignHome, is_foreign
from simulators.scenario.load import SHIPPED, load
from simulators.scenario.model import AREA, Beat, Scenario
from simulators.scenario.plan import Window, day_begin, expected, troubles
from simulators.town.registry import registry

INCIDENTS = ("eight_presses", "silent_upgrade", "power_cut", "mobile_outage", "dst_spring", "dst_autumn")
LATE: Millis = 120_000
"""How late a native device's own time may come in, as the gateway tells its engine."""


@dataclass(frozen=True, slots=True, order=True)
class Alert:
    """An alert as a tester expects it."""

    rule: str
    home: str
    at: Millis


@dataclass(slots=True)
class Voice:
    """Says the scenario's beats as its devices would, and hears them as the gateway would."""

    scenario: Scenario
    devices: Mapping[str, DevicePart]
    units: dict[str, Unit] = field(default_factory=dict)
    natives: dict[str, Native] = field(default_factory=dict)
    foreign: ForeignHome = field(init=False)
    unread: int = 0

    def __post_init__(self) -> None:
        self.foreign = ForeignHome(one for one in self.scenario.devices.values() if is_foreign(one))

    def events(self, line: Mapping[str, Any]) -> Iterator[Event]:
        """What one line of the timeline becomes in the gateway's journal."""
        at, heard = parse_time(line["at"]), parse_time(line["heard"])
        beat = Beat(at, line["device"], line["kind"], line["home"], line["data"])
        part = self.devices[beat.device]
        type_ = device_type(part.type)
        unit = self.units.setdefault(
            beat.device, Unit(part.address, settings=part.settings, device_class=part.device_class)
        )
        for number, said in enumerate(self._said(beat)):
            for place, one in enumerate(type_.decode(self._frame(said, part.address, heard), unit)):
                if isinstance(one, Fact):
                    when = moment(one, heard, own_clock=type_.own_clock).at
                    own = one.id or f"{line['id']}-{number}-{place}"
                    yield Event(
                        f"{beat.device}:{own}", when, heard, beat.home, beat.device, one.kind, one.data
                    )

    def _said(self, beat: Beat) -> list[Said]:
        if is_foreign(self.scenario.devices[beat.device]):
            return list(self.foreign.say(beat))
        native = self.natives.setdefault(beat.device, Native(beat.home, beat.device, _nowhere, "t"))
        native.say(beat)
        said = [Said(f"{native.root}/event", one.payload) for one in native.waiting.values()]
        native.waiting.clear()
        return said

    def _frame(self, said: Said, address: str, heard: Millis) -> Frame:
        place = mqtt_topics.read(said.topic)
        if address.startswith(mqtt_topics.ADOPTED):
            return Frame("mqtt", address, said.payload, heard, said.topic)
        assert place.address == address
        return Frame("mqtt", address, said.payload, heard, place.channel)


async def _nowhere(_topic: str, _payload: bytes) -> bool:
    return False


@dataclass(slots=True)
class World:
    """A municipality: an engine in each gateway, and the centre's for the gateways and for their areas."""

    scenario: Scenario
    registry: RegistryFile
    book: Book
    gateways: dict[str, Engine] = field(default_factory=dict)
    centre: Engine = field(init=False)
    areas: Engine = field(init=False)
    told: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.scenario.first_day is not None
        begin = day_begin(self.scenario, self.scenario.first_day)
        self.centre = Engine(self.book.judged_by("centre"), started=begin)
        own = self.book.judged_by("gateway")
        for name, home in self.registry.homes.items():
            assert home.gateway is not None
            self.gateways[name] = Engine(own, started=begin)
            self.gateways[name].set_home(self._home(name))
            device = {home.gateway: DeviceSpec("gateway", since=0)}
            self.centre.set_home(HomeSpec(home.gateway, home.tz, {"name": name}, device, late_ms=0))
        self.areas = Engine(self.book.judged_by("area"), started=begin)
        for zone in self.registry.zones:
            self.areas.set_home(HomeSpec(zone, "Europe/Oslo", {"name": zone}, late_ms=0))

    def live(self, voice: Voice) -> list[Decision]:
        """The scenario's first day, from begin to end."""
        first = self.scenario.first_day
        assert first is not None
        lasting = troubles(self.scenario, first)
        down = sorted((one.until, one.since, one.device) for one in lasting if one.do == "silent")
        for line in dry(self.scenario, first, 1):
            heard = parse_time(line["heard"])
            while down and down[0][0] <= heard:
                self._back(*down.pop(0))
            if str(line["kind"]).startswith("gateway."):
                self._centre_hears(line, heard)
            else:
                self._gateway_hears(str(line["home"]), heard, voice.events(line))
        end = day_begin(self.scenario, first, 2)
        for engine in (*self.gateways.values(), self.centre):
            self.told += engine.advance(end)
        self._judge_areas()
        return self.told

    def _judge_areas(self) -> None:
        """One level up: what was decided about gateways, in its order (hub.centre.areas.judging)."""
        signs, ledger = signs_of(self.book), Ledger(900_000)
        zones = {home.gateway or "": (home.zone,) for home in self.registry.homes.values()}
        about = [one for one in self.told if one.rule in signs and one.action in ("raise", "clear")]
        for one in sorted(about, key=lambda each: each.at):
            change = Change(one.rule, one.home, one.at, one.action == "raise")
            for zone in ledger.take(change, signs[one.rule], Town(zones)):
                event = ledger.counted(zone, Town(zones), change, one.at)
                self.told += [*self.areas.observe(event), *self.areas.advance(one.at + 1)]

    def _back(self, until: Millis, since: Millis, gateway: str) -> None:
        """A gateway is back: its own deafness is nobody's silence (hub.gateway.judging does the same)."""
        for name, home in self.registry.homes.items():
            if home.gateway == gateway:
                self.told += self.gateways[name].advance(since)
                self.gateways[name].heard_nothing(until)

    def _centre_hears(self, line: Mapping[str, Any], heard: Millis) -> None:
        """At the time of hearing, since silence means that no alarm would get through (hub.centre.judging)."""
        self.told += self.centre.advance(heard)
        name = line["device"]
        self.told += self.centre.observe(
            Event(f"{name}:{line['id']}", heard, heard, name, name, line["kind"], line["data"])
        )

    def _gateway_hears(self, home: str, heard: Millis, events: Iterator[Event]) -> None:
        self.told += self.gateways[home].advance(heard)
        for event in events:
            self.told += self.gateways[home].observe(event)

    def _home(self, name: str) -> HomeSpec:
        residents = [one for one in self.registry.residents.values() if one.home == name]
        devices = {
            key: DeviceSpec(
                one.device_class, one.since, device_type(one.type).silent_after, one.name,
                late_ms=LATE if device_type(one.type).own_clock else 0,
            )
            for key, one in self.registry.devices.items()
            if one.home == name
        }  # fmt: skip
        resident = {"name": residents[0].name, **residents[0].parameters}
        return HomeSpec(name, self.registry.homes[name].tz, resident, devices, late_ms=0)

    def alerts(self) -> list[Alert]:
        """One alert a rule and key: what is raised while it is open adds to it."""
        home_of: dict[str | None, str] = {home.gateway: name for name, home in self.registry.homes.items()}
        home_of |= dict.fromkeys(self.registry.zones, AREA)
        opened: dict[tuple[str, str], Alert] = {}
        for one in self.told:
            if one.action == "raise":
                alert = Alert(one.rule, home_of.get(one.home, one.home), one.at)
                opened.setdefault((one.rule, one.key), alert)
        return sorted(opened.values())


@pytest.fixture(scope="module")
def book() -> Book:
    """The shipped rules."""
    return load_book(standard_book_text(), source="standard.yaml")


def lived(name: str, book: Book) -> World:
    """A scenario, lived through."""
    scenario = load(name)
    whole = RegistryFile.model_validate(yaml.safe_load(registry(scenario)))
    world = World(scenario, whole, book)
    world.live(Voice(scenario, whole.devices))
    return world


def local(at: Millis) -> str:
    """An instant for people who read a failing test."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%m-%dT%H:%M:%SZ}"


def fits(alert: Alert, window: Window) -> bool:
    """Whether an alert is one that this window expects."""
    return (alert.rule, alert.home) == (window.rule, window.home) and window.since <= alert.at <= window.until


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_raises_the_alerts_it_expects_and_no_other(name: str, book: Book) -> None:
    """Each expected alert comes once, in its window; none comes besides."""
    world = lived(name, book)
    first = world.scenario.first_day
    assert first is not None
    windows, alerts = expected(world.scenario, first), world.alerts()
    unexpected = [f"{one.rule} {one.home} {local(one.at)}" for one in alerts
                  if not any(fits(one, window) for window in windows)]  # fmt: skip
    missing = [f"{one.rule} {one.home} {local(one.since)}" for one in windows
               if sum(fits(alert, one) for alert in alerts) != 1]  # fmt: skip
    assert (unexpected, missing) == ([], [])


def raised(world: World, rule: str, home: str) -> list[Decision]:
    """The raises of a rule in a home."""
    return [one for one in world.told if (one.action, one.rule, one.home) == ("raise", rule, home)]


def test_no_press_of_eight_is_lost(book: Book) -> None:
    """Each of them is evidence of the alert that nobody answers, and the count is an alert of its own."""
    world = lived("eight_presses", book)
    presses = {event for one in raised(world, "pendant-pressed", "h1") for event in one.because}
    assert len(presses) == 8
    assert raised(world, "calls-for-help-often", "h1")
    assert not [one for one in world.told if one.action == "clear" and one.rule == "pendant-pressed"]


def test_what_a_pendant_said_while_its_gateway_was_down_is_told_with_its_own_time(book: Book) -> None:
    """Fourteen hours late, as of 04:12; and the deaf gateway takes nobody's silence for silence."""
    world = lived("silent_upgrade", book)
    (press,) = raised(world, "pendant-pressed", "h2")
    assert press.lag > 13 * 3_600_000
    assert not [one for one in world.told if one.rule == "device-silent"]
    cleared = [one for one in world.told if (one.action, one.rule) == ("clear", "gateway-silent")]
    assert len(cleared) == 2


def test_an_area_without_power_is_one_alert_while_it_lasts(book: Book) -> None:
    """Raised with the third home, over when fewer than two are left: the one whose battery died holds nothing up."""
    told = [one for one in lived("power_cut", book).told if one.rule == "area-outage"]
    assert [(one.action, local(one.at)[6:11]) for one in told] == [("raise", "17:15"), ("clear", "23:10")]


def test_a_home_without_network_is_judged_at_once(book: Book) -> None:
    """The press at 03:20 waits for nobody, though the centre hears of it hours later."""
    (press,) = raised(lived("mobile_outage", book), "pendant-pressed", "h1")
    assert press.lag == 0


@pytest.mark.parametrize(
    ("name", "due"), [("dst_spring", "2026-03-29T01:30:00Z"), ("dst_autumn", "2026-10-25T00:30:00Z")]
)
def test_a_dose_at_half_past_two_is_due_once_on_the_night_of_the_change(name: str, due: str) -> None:
    """Never twice and never left out; one resident's is taken out, the other's is missed an hour later."""
    scenario = load(name)
    assert scenario.first_day is not None
    lines = list(dry(scenario, scenario.first_day, 1))
    night = [one for one in lines if one["kind"] == "dispenser.due" and "20:30" not in str(one["data"])]
    assert [(one["home"], parse_time(one["at"])) for one in night] == [
        ("h1", parse_time(due)), ("h2", parse_time(due))]  # fmt: skip
    gone = [one for one in lines if one["kind"] in ("dispenser.dispensed", "dispenser.missed")]
    assert [(one["home"], str(one["kind"])[10:]) for one in gone] == [
        ("h1", "dispensed"), ("h1", "dispensed"), ("h2", "missed")]  # fmt: skip


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incidents_homes_can_be_registered(name: str) -> None:
    """`trygghub simulate NAME --registry FILE` writes what the centre takes without a complaint."""
    assert check(registry(load(name)).encode()).problems == ()


def test_every_shipped_incident_is_tested() -> None:
    """A file that means a certain night is in the list above."""
    shipped = {path.stem for path in Path(SHIPPED).glob("*.yaml") if not path.stem.endswith("_registry")}
    assert {name for name in shipped if load(name).first_day is not None} == set(INCIDENTS)
