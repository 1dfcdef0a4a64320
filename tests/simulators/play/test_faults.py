"""Every fault a scenario can put on a wire does what its word says, begins and ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drivers.device_type import Unit as DriverUnit
from drivers.devices.sms_pendant import DEVICE as SMS
from drivers.events import Fact, Frame
from drivers.links.dc09 import Dc09Link
from drivers.links.link import Link, Receipt
from drivers.links.sip import SipLink
from simulators.mqtt_devices.said import Said
from simulators.mqtt_devices.troubled import Troubled
from simulators.play import serial_units
from simulators.play.ble_meters import CuffUnit
from simulators.play.ble_sensors import SensorUnit
from simulators.play.ip_units import PanelUnit, PhoneUnit
from simulators.play.mqtt_units import MqttHome
from simulators.play.shared_lines import CabinetUnit, ModemUnit, StickUnit
from simulators.play.unit import Breakable
from simulators.radio import Ether
from simulators.scenario.load import read
from simulators.scenario.model import Beat, Device
from simulators.scenario.plan import Trouble
from simulators.world import World, starting_at
from tests.ports import free_port

NOW = 1_768_460_400_000
HOUR = 3_600_000


def world() -> World:
    """Astrid's morning, at the pace of the machine's clock."""
    return starting_at(NOW, 1.0)


def trouble(device: str, do: str, **data: object) -> Trouble:
    """A fault that has just begun."""
    return Trouble(device, do, NOW, NOW + HOUR, data)


def beat(device: str, kind: str, at: int = NOW, **data: object) -> Beat:
    """Something a device says."""
    return Beat(at, device, kind, "h1", data)


@asynccontextmanager
async def running(*units: Any) -> AsyncIterator[None]:
    """Units that run while the test does."""
    tasks = [asyncio.create_task(one.run()) for one in units]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Any) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


# ---------------------------------------------------------------- messages on a broker

TEN = [Said("t", str(number).encode()) for number in range(10)]


def through(way: Troubled) -> list[bytes]:
    """What is left of ten messages."""
    out: list[bytes] = []
    way.put(TEN, lambda said: out.append(said.payload))
    return out


@pytest.mark.parametrize("do", ["dropped", "doubled", "disorder", "wrong_bytes"])
def test_faults_of_messages_are_seeded_and_end(do: str) -> None:
    """The same device has the same bad luck in every run; afterwards all is as it was."""
    first, again = Troubled("door", 1.0), Troubled("door", 1.0)
    for way in (first, again):
        way.fail(trouble("door", do, chance=0.5), over=False)
    told = through(first)
    assert told == through(again)
    plain = [said.payload for said in TEN]
    expected = {
        "dropped": set(told) < set(plain),
        "doubled": len(told) > len(plain) and list(dict.fromkeys(told)) == plain,
        "disorder": told != plain and set(told) <= set(plain),
        "wrong_bytes": len(told) == 10 and told != plain,
    }
    assert expected[do]
    first.fail(trouble("door", do), over=True)
    assert through(first)[-9:] == plain[1:]


async def test_a_slow_device_says_the_same_later() -> None:
    """Nothing comes at once; all of it comes."""
    way = Troubled("door", 1000.0)
    way.fail(trouble("door", "slow", seconds=10), over=False)
    out: list[bytes] = []
    way.put(TEN, lambda said: out.append(said.payload))
    assert out == []
    await until(lambda: len(out) == 10)


def test_a_wrong_clock_stamps_what_a_native_device_says() -> None:
    """Five hours slow: the event says so; put right, it says the world's time."""
    scenario = read(
        "format: trygghub-scenario-1\nname: trial\nhomes:\n  h1: {devices: {door: {type: door}}}\n"
    )
    home = MqttHome(scenario.homes["h1"], "mqtt://127.0.0.1:1", world(), "b", lambda _: frozenset())
    home.fail(trouble("door", "clock_wrong", hours=-5), over=False)
    home.say(beat("door", "door.opened"))
    home.fail(trouble("door", "clock_wrong"), over=True)
    home.say(beat("door", "door.closed"))
    stamps = [json.loads(one.payload)["at"] for one in home.natives["door"].waiting.values()]
    assert stamps == [NOW - 5 * HOUR, NOW]


# ---------------------------------------------------------------- Bluetooth


def sensor() -> SensorUnit:
    """A contact on Astrid's door."""
    settings = {"address": "c0:00:00:00:00:01", "family": "bthome"}
    return SensorUnit(Device("door", "h1", "door", settings), Ether(seed=1), world(), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("do", "sent"), [("doubled", 2), ("dropped", 0), ("wrong_bytes", 1)])
async def test_faults_of_advertisements(do: str, sent: int) -> None:
    """A message goes out twice as it was, not at all, or damaged."""
    unit = sensor()
    out: list[bytes] = []

    async def note(data: bytes) -> None:
        out.append(data if unit._sender.damage is None else unit._sender.damage(data))

    unit._sender.send = note  # type: ignore[method-assign]
    unit._sender.last_sent = b"before"
    unit._ready = lambda: True  # type: ignore[method-assign]
    unit.fail(trouble("door", do), over=False)
    await unit._unless_gone(beat("door", "door.opened"))
    assert len(out) == sent
    plain = bytes([0x44, 0x00, 1, 0x01, 80, 0x2D, 1])
    assert {"doubled": out[:1] == [plain], "dropped": True, "wrong_bytes": out != [plain]}[do]
    unit.fail(trouble("door", do), over=True)
    await unit._unless_gone(beat("door", "door.closed"))
    assert out[-1] == bytes([0x44, 0x00, out[-1][2], 0x01, 80, 0x2D, 0])


def cuff() -> CuffUnit:
    """Astrid's cuff, in Oslo."""
    device = Device("cuff", "h1", "cuff", {"address": "c0:00:00:00:00:02"})
    return CuffUnit(device, Ether(seed=1), world(), ZoneInfo("Europe/Oslo"))  # type: ignore[arg-type]


async def measured(unit: CuffUnit, systolic: int, at: int) -> None:
    """A reading, whose facts come as two beats of one moment."""
    unit.say(beat("cuff", "vitals.blood_pressure", at, systolic=systolic, diastolic=80))
    unit.say(beat("cuff", "vitals.pulse", at, value=70))
    before = len(unit._meter.stored)
    await until(lambda: len(unit._meter.stored) > before)


async def test_a_meters_clock_and_order_can_be_wrong() -> None:
    """Seven hours ahead in its own local time; the newest reading first."""
    unit = cuff()
    async with running(unit):
        await measured(unit, 120, NOW)
        unit.fail(trouble("cuff", "clock_wrong", hours=7), over=False)
        unit.fail(trouble("cuff", "disorder"), over=False)
        await measured(unit, 130, NOW + 1)
    (_, newest), (_, oldest) = unit._meter.stored
    assert (newest[1], oldest[1]) == (130, 120)
    assert (newest[11] - oldest[11]) % 24 == 7


async def test_a_meter_stores_a_doubled_reading_twice() -> None:
    """The same bytes, two times."""
    unit = cuff()
    unit.fail(trouble("cuff", "doubled"), over=False)
    async with running(unit):
        await measured(unit, 120, NOW)
        await until(lambda: len(unit._meter.stored) == 2)
    first, second = unit._meter.stored
    assert first == second


async def test_a_meter_is_on_the_air_only_when_it_is_used() -> None:
    """A reading wakes it; without its battery it does not wake."""
    unit = cuff()
    async with running(unit):
        await until(lambda: unit._meter._air is not None and not unit._meter.on_air)
        await measured(unit, 120, NOW)
        assert unit._meter.on_air
        unit.silence("cuff", over=False)
        await until(lambda: not unit._meter.on_air)
        await unit._unless_gone(beat("cuff", "vitals.pulse", value=70))
        assert not unit._meter.on_air


# ---------------------------------------------------------------- serial lines


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardware that starts anew at once."""
    monkeypatch.setattr(serial_units, "BOOT", 0.0)


def modem(folder: Path) -> ModemUnit:
    """A modem that one mobile alarm writes to."""
    device = Device("sms", "h1", "mobile_alarm", {"address": "serial/modem#+4790000001"})
    return ModemUnit([device], folder / "modem", world(), folder)


async def test_a_bad_cable_damages_until_it_is_mended(tmp_path: Path) -> None:
    """Each fault of the cable is put on, and taken off again."""
    unit = modem(tmp_path)
    for do, name in (("wrong_bytes", "flip"), ("dropped", "drop"), ("slow", "delay")):
        unit.fail(trouble("sms", do), over=False)
        assert getattr(unit._hardware.cable.to_program, name) > 0
        unit.fail(trouble("sms", do), over=True)
        assert getattr(unit._hardware.cable.to_program, name) == 0


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("do", ["link_lost", "reboot"])
async def test_a_plug_that_is_pulled_comes_back(do: str, tmp_path: Path) -> None:
    """Who had the port open is cut off; it is there again under the same name, and the cable is whole."""
    unit = modem(tmp_path)
    async with running(unit):
        await until((tmp_path / "modem").is_symlink)
        held = os.open(tmp_path / "modem", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        unit.fail(trouble("sms", do), over=False)
        await until(lambda: cut_off(held))
        os.close(held)
        await until((tmp_path / "modem").exists)
        assert unit._hardware.cable.to_program.after is None


def cut_off(port: int) -> bool:
    """Whether the other end of an open port is gone."""
    try:
        os.write(port, b" ")
    except OSError:
        return True
    return False


async def test_messages_of_a_mobile_alarm_come_twice_or_with_a_wrong_time(tmp_path: Path) -> None:
    """What the hub reads of the card: the text and the network's stamp."""
    unit = modem(tmp_path)
    unit.fail(trouble("sms", "doubled"), over=False)
    unit.fail(trouble("sms", "clock_wrong", hours=-4), over=False)
    await unit._say(beat("sms", "pendant.fall"))
    facts = [
        fact
        for raw in unit._modem.card.values()
        for fact in SMS.decode(Frame("serial", "modem", raw, NOW), DriverUnit("modem#+4790000001"))
    ]
    assert facts == [Fact("pendant.fall", {}, NOW - 4 * HOUR)] * 2


async def test_messages_of_a_mobile_alarm_overtake_each_other(tmp_path: Path) -> None:
    """The first of two waits for the second; none is lost."""
    unit = modem(tmp_path)
    unit.fail(trouble("sms", "disorder"), over=False)
    for kind in ("pendant.pressed", "pendant.fall"):
        await unit._say(beat("sms", kind))
    kinds = [
        fact.kind
        for raw in unit._modem.card.values()
        for fact in SMS.decode(Frame("serial", "modem", raw, NOW), DriverUnit("modem#+4790000001"))
    ]
    assert kinds == ["pendant.fall", "pendant.pressed"]


async def test_a_stuck_cabinet_opens_nothing_on_command(tmp_path: Path) -> None:
    """Stuck: the board says that the lock did not open; freed, it opens."""
    unit = CabinetUnit(
        [Device("box", "h1", "cabinet", {"address": "serial/box#1"})], tmp_path, world(), tmp_path
    )
    board = unit._boards["box"]
    unlock = bytes([0x8A, 1, 3, 0x11])
    unit.fail(trouble("box", "stuck"), over=False)
    board.answer(unlock)
    assert board.open == set()
    unit.fail(trouble("box", "stuck"), over=True)
    board.answer(unlock)
    assert board.open == {3}


async def test_one_silent_sensor_leaves_the_stick_to_the_others(tmp_path: Path) -> None:
    """Two sensors share a stick; only the one with power is heard."""
    devices = [
        Device(name, "h1", "door", {"family": "enocean", "address": f"serial/stick#0180a10{number}"})
        for number, name in enumerate(("front", "back"))
    ]
    unit = StickUnit(devices, tmp_path, world(), tmp_path)
    heard: list[str] = []
    unit._radio.telegram = lambda sender, *_: heard.append(sender)  # type: ignore[method-assign]
    unit.silence("front", over=False)
    for name in ("front", "back"):
        await unit._say(beat(name, "door.opened"))
    unit.silence("front", over=True)
    await unit._say(beat("front", "door.closed"))
    assert heard == ["0180a101", "0180a100"]


# ---------------------------------------------------------------- alarm units on IP


@asynccontextmanager
async def receiving(link: Link) -> AsyncIterator[list[Frame]]:
    """The hub's receiver, writing down what it hears."""
    heard: list[Frame] = []

    async def hear(frame: Frame) -> Receipt:
        heard.append(frame)
        return Receipt(accepted=True, events=())

    task = asyncio.create_task(link.run(hear))
    await link.listening.wait()  # type: ignore[attr-defined]
    try:
        yield heard
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def panel(port: int) -> PanelUnit:
    """Astrid's alarm panel, in clear."""
    settings = {"address": "12AB", "receiver": ("127.0.0.1", port)}
    return PanelUnit(Device("panel", "h1", "alarm_panel", settings), world(), None)


@pytest.mark.parametrize("do", ["clock_wrong", "wrong_bytes", "link_lost", "reboot", "doubled"])
async def test_an_alarm_of_a_panel_arrives_whatever_its_wire_does(do: str) -> None:
    """Refused, damaged or cut off: the panel goes on until it is acknowledged."""
    link = Dc09Link("127.0.0.1", free_port(), lambda: NOW)
    async with receiving(link) as heard:
        unit = panel(link.port)
        unit._panel.now = lambda: datetime.fromtimestamp(NOW / 1000, UTC)
        unit.fail(trouble("panel", do, **({"hours": 9} if do == "clock_wrong" else {})), over=False)
        async with running(unit):
            unit.say(beat("panel", "smoke.detected"))
            await until(lambda: [one for one in heard if one.channel == "block"])
            if do == "clock_wrong":
                await until(lambda: unit._panel.answers[:2] == ["NAK", "ACK"])
    assert b"1110 00 001" in next(one for one in heard if one.channel == "block").payload


@pytest.mark.parametrize("do", ["doubled", "dropped", "wrong_bytes", "reboot"])
async def test_an_alarm_of_a_care_phone_arrives_whatever_its_wire_does(do: str) -> None:
    """The phone repeats until it holds the receiver's own answer; doubled, it is one alarm still."""
    link = SipLink("127.0.0.1", free_port(), lambda: NOW)
    async with receiving(link) as heard:
        settings = {"address": "0047550001", "receiver": ("127.0.0.1", link.port)}
        unit = PhoneUnit(Device("phone", "h1", "care_phone", settings), world())
        unit.fail(trouble("phone", do), over=False)
        async with running(unit):
            unit.say(beat("phone", "pendant.pressed"))
            await until(lambda: [one for one in heard if b"<dty>0003</dty>" in one.payload])
    assert len([one for one in heard if b"<dty>0003</dty>" in one.payload]) == 1


def test_every_unit_takes_faults() -> None:
    """What the conductor asks is true of all of them."""
    units = (MqttHome, SensorUnit, CuffUnit, ModemUnit, CabinetUnit, StickUnit, PanelUnit, PhoneUnit)
    assert all(issubclass(one, Breakable) for one in units)
    assert not issubclass(SimpleNamespace, Breakable)
