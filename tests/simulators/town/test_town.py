"""A town is a pure function of homes and seed, imports cleanly, and every word of it is understood on its wire."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from drivers.device_type import Unit
from drivers.events import Fact, Frame
from drivers.protocols import mqtt_topics
from drivers.registry import DEVICE_TYPES
from hub.registry.check import check
from simulators.__main__ import main
from simulators.mqtt.native import Native
from simulators.mqtt_devices.said import Said
from simulators.play.foreign_units import ForeignHome, is_foreign
from simulators.scenario.model import Beat, Scenario
from simulators.scenario.plan import home_day
from simulators.scenario.words import FAMILIES
from simulators.town.homes import DAYS, Order, incidents_on, town
from simulators.town.registry import registry

DAY = date(2026, 1, 15)
ORDER = Order(120, 7, ble=2, serial=1)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A town of 120 homes."""
    return town(ORDER)


@pytest.fixture(scope="module")
def registered(scenario: Scenario) -> dict[str, Any]:
    """Its devices as its registry file has them."""
    devices: dict[str, Any] = yaml.safe_load(registry(scenario))["devices"]
    return devices


def day_of(scenario: Scenario, number: int) -> Iterator[Beat]:
    """What the whole town says on a day."""
    for home in scenario.homes.values():
        own = [one for one in scenario.incidents if one.home == home.id]
        yield from home_day(scenario, home, incidents_on(own, number), DAY, number)


def test_the_same_order_is_the_same_town(scenario: Scenario) -> None:
    """Another seed is another town."""
    assert town(ORDER) == scenario
    assert town(Order(120, 8)).homes != scenario.homes


def test_a_home_is_the_same_in_a_town_of_any_size(scenario: Scenario) -> None:
    """A tester who finds something in home 17 of a thousand can look at it in a town of twenty."""
    small = town(Order(20, 7, ble=2))
    assert small.homes["t0017"] == scenario.homes["t0017"]
    assert [one for one in small.incidents if one.home == "t0017"] == [
        one for one in scenario.incidents if one.home == "t0017"
    ]


def test_every_family_lives_there(scenario: Scenario) -> None:
    """Native devices, every maker's family, the air and a serial line."""
    assert {one.family for one in scenario.devices.values()} == {"native", *FAMILIES}
    assert Counter(one.kind.wire for one in scenario.devices.values())["ble"] == 2
    assert Counter(one.kind.wire for one in scenario.devices.values())["serial"] == 1
    assert all(one.devices for one in scenario.homes.values())


def test_calls_for_help_peak_in_the_morning() -> None:
    """From 08 to 11 more than twice as many an hour as over the day (SINTEF's peak); few are falls."""
    calls = [one for one in town(Order(600, 3)).incidents if one.do in ("pressed", "fall")]
    morning = [one for one in calls if 8 * 60 <= one.at < 11 * 60]
    assert len(morning) / 3 > 2 * len(calls) / 24
    assert 0.01 < sum(one.do == "fall" for one in calls) / len(calls) < 0.12
    assert 0.1 < len(calls) / 600 / DAYS < 0.3


def test_what_goes_wrong_comes_round_every_two_weeks(scenario: Scenario) -> None:
    """A town can be played for ever."""
    own = [one for one in scenario.incidents if one.home == scenario.incidents[0].home]
    assert incidents_on(own, 1) == incidents_on(own, DAYS + 1)
    assert sum(len(incidents_on(own, day)) for day in range(1, DAYS + 1)) == len(own)


def test_its_registry_file_has_nothing_wrong(scenario: Scenario) -> None:
    """It imports without a complaint, on one gateway or on many."""
    assert check(registry(scenario).encode()).problems == ()
    spread = yaml.safe_load(registry(scenario, homes_per_gateway=50))
    assert list(spread["gateways"]) == ["gw1", "gw2", "gw3"]
    assert check(registry(scenario, homes_per_gateway=50).encode()).problems == ()


def test_every_device_is_registered_as_what_it_is(scenario: Scenario, registered: dict[str, Any]) -> None:
    """Its type is one of ours, on its link, and can be of its class."""
    assert set(registered) == set(scenario.devices)
    for name, entry in registered.items():
        type_ = DEVICE_TYPES[entry["type"]]
        assert (entry["link"], entry["class"] in type_.classes) == (type_.link, True), name


async def voiced(beats: list[Beat], scenario: Scenario) -> list[tuple[Beat, list[Said]]]:
    """Each beat with the messages it becomes on its device's wire."""
    foreign = ForeignHome(one for one in scenario.devices.values() if is_foreign(one))
    told: list[tuple[Beat, list[Said]]] = []

    async def nowhere(_topic: str, _payload: bytes) -> bool:
        return False

    for beat in beats:
        if scenario.devices[beat.device].family != "native":
            told.append((beat, list(foreign.say(beat))))
        else:
            native = Native(beat.home, beat.device, nowhere, "x")
            native.say(beat)
            told.append(
                (beat, [Said(f"{native.root}/event", one.payload) for one in native.waiting.values()])
            )
    return told


def frame_of(said: Said, address: str) -> Frame:
    """As the link hears it, live: the broker marks as retained only what it tells a newcomer."""
    place = mqtt_topics.read(said.topic)
    if address.startswith(mqtt_topics.ADOPTED):
        return Frame("mqtt", address, said.payload, 0, said.topic)
    return Frame("mqtt", place.address, said.payload, 0, place.channel)


async def test_every_word_of_a_day_is_understood_on_its_wire(
    scenario: Scenario, registered: dict[str, Any]
) -> None:
    """Voiced in each maker's protocol and decoded with the registry's settings, a beat means itself.

    What a device repeats is no news, so over the day each kind comes as often as it was said or less, and every
    call for help, every door and every bolt comes exactly.
    """
    beats = sorted(one for one in day_of(scenario, 2) if scenario.devices[one.device].kind.wire == "mqtt")
    units = {k: Unit(v["address"], settings=v.get("settings", {})) for k, v in registered.items()}
    meant: Counter[tuple[str, str]] = Counter()
    heard: Counter[tuple[str, str]] = Counter()
    for beat, messages in await voiced(beats, scenario):
        meant[beat.device, beat.kind] += 1
        for said in messages:
            frame = frame_of(said, registered[beat.device]["address"])
            assert frame.address == registered[beat.device]["address"]
            for one in DEVICE_TYPES[registered[beat.device]["type"]].decode(frame, units[beat.device]):
                if isinstance(one, Fact):
                    heard[beat.device, one.kind] += 1
    exact = ("pressed", "fall", "detected", "opened", "due", "dispensed", "motion", "left")
    for (device, kind), count in meant.items():
        word = kind.partition(".")[2]
        if word in exact:
            assert heard[device, kind] == count, (device, kind)
        elif word not in ("heartbeat", "battery"):
            assert heard[device, kind] >= 1, (device, kind)


# ---------------------------------------------------------------- the command


def test_a_town_writes_its_registry_and_stops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a broker there is nothing else to do."""
    path = tmp_path / "town.yaml"
    assert main(["town", "--homes", "4", "--seed", "9", "--registry", str(path)]) == 0
    assert "4 homes" in capsys.readouterr().out
    assert check(path.read_bytes()).problems == ()


def test_a_town_can_be_named_where_only_a_name_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`trygghub run --demo --scenario town-6-2` asks it to describe itself, and finds the registry file there."""
    assert main(["town-6-2", "--describe", "--data", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert check(Path(told["registry"]).read_bytes()).problems == ()
    assert told["wires"] == ["ble", "mqtt", "serial"]
    assert len(told["keys"]) == 3


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["town", "--homes", "0"], "a town has 1 to 1000 homes, not 0"),
        (["town", "--homes", "many"], "--homes is a whole number up to 1000, not 'many'"),
        (["town-5000-1"], "a town has 1 to 1000 homes, not 5000"),
        (["town", "--seed", "-1"], "--seed is a whole number"),
        (["replay"], "name the journal"),
    ],
)
def test_a_wrong_order_is_one_sentence(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2."""
    assert main(argv) == 2
    assert says in capsys.readouterr().err
