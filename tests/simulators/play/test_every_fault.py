"""Every fault of every device: what a scenario may put behind `do:` makes a difference on that device's wire.

For what speaks MQTT the messages themselves are compared with those of a healthy twin. For other wires it is the
wire's own state (the cable, the plug, the radio's damage, the job that waits); what that does to bytes is tested fault
by fault in test_faults.py and with each simulator.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from simulators.play import ble_units, foreign_units, mqtt_units
from simulators.play.foreign_units import ForeignUnit
from simulators.play.ip_units import PanelUnit, PhoneUnit
from simulators.play.mqtt_units import MqttHome
from simulators.play.shared_lines import line_units
from simulators.play.unit import Breakable
from simulators.scenario.model import Beat, Device, Home
from simulators.scenario.plan import Trouble
from simulators.scenario.words import Kind, every_kind
from simulators.world import World

NOW = 1_768_460_400_000
WORLD = World(NOW, NOW, 1000.0)

SETTINGS: Mapping[str, dict[str, Any]] = {
    "ble": {"address": "c0:00:00:00:00:01"},
    "sip": {"address": "0047550001", "receiver": ("127.0.0.1", 1)},
    "tcp": {"address": "12AB", "receiver": ("127.0.0.1", 1)},
}
SERIAL: Mapping[str, dict[str, Any]] = {
    "nurse_call": {"port": "serial/call"},
    "cabinet": {"address": "serial/box#1"},
    "door_reader": {"address": "serial/reader#1", "key": "reader.key"},
    "mobile_alarm": {"address": "serial/modem#+4790000001"},
}
PAIRS = [(type_, family, fault) for (type_, family), kind in every_kind().items() for fault in kind.faults]
MQTT = [one for one in PAIRS if every_kind()[one[0], one[1]].wire == "mqtt"]
OTHERS = [one for one in PAIRS if every_kind()[one[0], one[1]].wire != "mqtt"]


def device(type_: str, family: str, kind: Kind) -> Device:
    """One of this type and family, with what it must have."""
    own = SERIAL.get(type_) if kind.wire == "serial" else SETTINGS.get(kind.wire, {})
    if own is None or family == "enocean":
        own = {"address": "serial/stick#0180a101"}
    key = {"key": f"{type_}.key"} if "key" in kind.needs else {}
    return Device("unit", "h1", type_, {"family": family, **own, **key})


def trouble(do: str) -> Trouble:
    """A fault that has just begun."""
    return Trouble("unit", do, NOW, NOW + 3_600_000, {})


# ---------------------------------------------------------------- messages


class Wire:
    """Stands in for a broker's connection: what went out, and what broke off."""

    def __init__(self) -> None:
        self.out: list[tuple[str, bytes]] = []
        self.broken: list[tuple[str, bytes]] = []
        self.line = self

    async def publish(self, topic: str, payload: bytes, **_: bool) -> bool:
        """Taken."""
        self.out.append((topic, payload))
        return True

    def say(self, messages: Any) -> None:
        """What a foreign device says."""
        self.out += [(one.topic, one.payload) for one in messages]

    def break_off(self, topic: str, payload: bytes) -> None:
        """Half a message, and the end."""
        self.broken.append((topic, payload))


def beats(kind: Kind) -> list[Beat]:
    """Two things that a device of this kind can say, and a third that comes after the fault."""
    told = ("opened", "pressed", "locked", "unlocked", "battery")
    words = [str(one) for one in told if one in kind.says] * 3
    data = {"value": 55}
    return [Beat(NOW + n, "unit", kind.fact(word), "h1", data if word in ("battery", "temperature") else {})
            for n, word in enumerate(words[:3])]  # fmt: skip


async def told(type_: str, family: str, fault: str | None) -> tuple[Wire, list[Any]]:
    """What two beats leave on the wire of a device with or without this fault."""
    kind = every_kind()[type_, family]
    home = Home(
        "h1", "Astrid", ZoneInfo("Europe/Oslo"), 420, 1350, (), (), {"unit": device(type_, family, kind)}
    )
    wire = Wire()
    native = family == "native"
    unit: Any = (
        MqttHome(home, "mqtt://127.0.0.1:1", WORLD, "b", lambda _: frozenset())
        if native
        else ForeignUnit(home, "mqtt://127.0.0.1:1", "b", 1000.0)
    )
    unit.line = wire
    unit._wire = wire
    if fault is not None:
        unit.fail(trouble(fault), over=False)
    task = asyncio.create_task(unit.natives["unit"].run()) if native else None
    for beat in beats(kind)[:2]:
        unit.say(beat)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    at_once = list(wire.out)
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return wire, at_once


@pytest.mark.parametrize(("type_", "family", "fault"), MQTT)
async def test_a_fault_shows_in_what_is_published(
    type_: str, family: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other messages, another number of them, at another time, or a connection that ends in the middle of one."""
    monkeypatch.setattr(mqtt_units, "BOOT", 3600.0)
    monkeypatch.setattr(foreign_units, "BOOT", 3600.0)
    _, healthy = await told(type_, family, None)
    wire, ill = await told(type_, family, fault)
    expected: Mapping[str, Callable[[], bool]] = {
        "wrong_bytes": lambda: ill != healthy and bool(ill),
        "dropped": lambda: ill == [],
        "doubled": lambda: len(ill) > len(healthy),
        "disorder": lambda: ill != healthy,
        "slow": lambda: ill == [],
        "clock_wrong": lambda: (
            [json.loads(one)["at"] - 3 * 3_600_000 for _, one in ill]
            == [json.loads(one)["at"] for _, one in healthy]
        ),
        "link_lost": lambda: len(wire.broken) == 1 and wire.broken[0] == healthy[0],
        "reboot": lambda: ill == [],
    }
    assert healthy
    assert expected[fault](), (healthy, ill)


# ---------------------------------------------------------------- other wires


def unit_of(type_: str, family: str, folder: Path) -> Any:
    """The unit that plays such a device; nothing of it runs."""
    kind = every_kind()[type_, family]
    one = device(type_, family, kind)
    secrets = folder / "gateway" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / f"{type_}.key").write_text("00" * kind.key_bytes)
    if kind.wire == "ble":
        return ble_units.ble_unit(one, "tcp:127.0.0.1:1", WORLD, secrets, ZoneInfo("Europe/Oslo"))
    if kind.wire == "serial":
        return line_units([one], folder, WORLD)["unit"]
    return PhoneUnit(one, WORLD) if kind.wire == "sip" else PanelUnit(one, WORLD, None)


def state(unit: Any) -> str:
    """All of a unit that its wire depends on, as text."""
    parts = [getattr(unit, "_broken", None), unit._turn._jobs.qsize()]
    if (hardware := getattr(unit, "_hardware", None)) is not None:
        parts.append(hardware.cable.to_program)
    parts += [board.faults for board in getattr(unit, "_boards", {}).values()]
    return repr(parts)


@pytest.mark.parametrize(("type_", "family", "fault"), OTHERS)
async def test_a_fault_changes_a_wire_and_its_end_mends_it(
    type_: str, family: str, fault: str, tmp_path: Path
) -> None:
    """It begins, and is over; what happens at once waits its turn."""
    unit = unit_of(type_, family, tmp_path)
    assert isinstance(unit, Breakable)
    healthy = state(unit)
    unit.fail(trouble(fault), over=False)
    assert state(unit) != healthy
    if fault not in ("link_lost", "reboot"):
        unit.fail(trouble(fault), over=True)
        assert state(unit) == healthy


def test_every_wire_is_looked_at() -> None:
    """All devices, and the faults of the issue that are wires': the rest are facts that a device tells of itself."""
    assert {one[2] for one in PAIRS} == {
        "wrong_bytes", "dropped", "doubled", "disorder", "slow", "clock_wrong", "stuck", "link_lost", "reboot",
    }  # fmt: skip
    words = {word for kind in every_kind().values() for word in kind.incidents}
    assert {"silent", "jammed", "battery_low", "empty", "tamper"} <= words
    assert len(MQTT) > 120
    assert len(OTHERS) > 90
