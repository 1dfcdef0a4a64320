"""A shipped day raises exactly the alerts that its author wrote down, judged by the shipped rules."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

import simulators.encoders
from drivers.events import Event, Millis
from drivers.registry import DEVICE_TYPES, device_type
from hub.registry.check import check
from hub.registry.models import RegistryFile
from rules import DeviceSpec, Engine, HomeSpec, load_book
from rules.shipped import standard_book_text
from simulators.play.foreign_units import lora_eui, nuki_id
from simulators.scenario.load import load
from simulators.scenario.model import Device, Scenario
from simulators.scenario.plan import Window, day_begin, day_plan, expected

Alert = tuple[str, str, Millis]
"""Rule, home, instant of raising."""


@pytest.fixture(scope="module", params=["demo_day", "all_links"])
def scenario(request: pytest.FixtureRequest) -> Scenario:
    """The shipped demo, and the day of every device kind."""
    return load(request.param)


@pytest.fixture(scope="module")
def registry(scenario: Scenario) -> RegistryFile:
    """The scenario's homes, as the centre would read them."""
    assert scenario.registry is not None
    return RegistryFile.model_validate(yaml.safe_load(scenario.registry.read_text("utf-8")))


def alerts(scenario: Scenario, registry: RegistryFile, first: date) -> list[Alert]:
    """What the shipped book raises over the first day, if nobody closes anything: one alert a rule and key."""
    begin = day_begin(scenario, first)
    engine = Engine(load_book(standard_book_text(), source="standard.yaml"), started=begin)
    for home in registry.homes:
        engine.set_home(home_spec(registry, home))
    told = []
    for number, beat in enumerate(day_plan(scenario, first)):
        told += engine.advance(beat.at)
        told += engine.observe(
            Event(str(number), beat.at, beat.at, beat.home, beat.device, beat.kind, beat.data)
        )
    told += engine.advance(day_begin(scenario, first, 2))
    first_raises: dict[tuple[str, str], Alert] = {}
    for one in told:
        if one.action == "raise":
            first_raises.setdefault((one.rule, one.key), (one.rule, one.home, one.at))
    return list(first_raises.values())


def within(alert: Alert, window: Window) -> bool:
    """Whether an alert is one that this window expects."""
    rule, home, at = alert
    return (rule, home) == (window.rule, window.home) and window.since <= at <= window.until


def home_spec(registry: RegistryFile, home: str) -> HomeSpec:
    """A home as the gateway's engine gets it."""
    resident = next(one for one in registry.residents.values() if one.home == home)
    devices = {
        name: DeviceSpec(one.device_class, one.since, device_type(one.type).silent_after, one.name)
        for name, one in registry.devices.items()
        if one.home == home
    }
    return HomeSpec(home, registry.homes[home].tz, {"name": resident.name, **resident.parameters}, devices)


@pytest.mark.parametrize(
    "first", [date(2026, 1, 15), date(2026, 7, 1), date(2026, 3, 28), date(2026, 10, 24)]
)
def test_the_day_raises_the_alerts_it_expects_and_no_other(
    scenario: Scenario, registry: RegistryFile, first: date
) -> None:
    """Each expected alert comes once, in its window; none comes besides. In winter, summer and on both DST nights."""
    windows = expected(scenario, first)
    raised = alerts(scenario, registry, first)
    matches = {window: [one for one in raised if within(one, window)] for window in windows}
    assert {window: found for window, found in matches.items() if len(found) != 1} == {}
    assert sorted(raised) == sorted(found[0] for found in matches.values())


def test_its_registry_has_nothing_wrong(scenario: Scenario) -> None:
    """The file imports without a complaint."""
    assert scenario.registry is not None
    assert check(Path(scenario.registry).read_bytes()).problems == ()


def test_every_simulated_device_is_registered_on_its_wire(scenario: Scenario, registry: RegistryFile) -> None:
    """Scenario and registry speak of the same devices: home, link and address agree."""
    simulated = {one.id: (one.home, one.kind.wire, address_of(one)) for one in scenario.devices.values()}
    assert simulated == {name: (one.home, one.link, one.address) for name, one in registry.devices.items()}


def address_of(device: Device) -> str:
    """Where the hub hears a simulated device."""
    makers = {
        "native": f"{device.home}/{device.id}",
        "zigbee": f"zigbee2mqtt/{device.home}/{device.id}",
        "nuki": f"nuki/{nuki_id(device.id)}",
        "lorawan": f"lorawan/{lora_eui(device.id)}",
        "announced": f"homeassistant/{device.id}",
    }
    own = device.settings.get("address") or device.settings.get("port")
    return str(own or makers[device.family])


def test_all_links_has_one_of_every_device_type_that_is_played() -> None:
    """Every driver has a simulator that a scenario can use, but those whose simulator is a mere encoder."""
    encoders = {path.stem for path in Path(simulators.encoders.__file__).parent.glob("[a-z]*.py")}
    path = load("all_links").registry
    assert path is not None
    registered = RegistryFile.model_validate(yaml.safe_load(path.read_text("utf-8"))).devices.values()
    assert sorted(one.type for one in registered) == sorted(set(DEVICE_TYPES) - encoders)


def test_the_first_alert_comes_within_a_minute(scenario: Scenario) -> None:
    """At sixty times the pace the first expected alert lies less than a minute after the day's beginning."""
    first = min(window.until for window in expected(scenario, date(2026, 1, 15)))
    assert (first - day_begin(scenario, date(2026, 1, 15))) / 60 < 60_000
