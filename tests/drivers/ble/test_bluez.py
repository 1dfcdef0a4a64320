"""The setting `bluez`: bleak's own BlueZ backend, unchanged, against BlueZ on a private bus.

These tests run twice: on BlueZ's stand-in with every `make test`, and on the real bluetoothd and the real kernel in
`make test-bluez`. So they use only what both have.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDBusError

from drivers.device_type import Command, Unit
from drivers.devices import (
    bthome_pendant,
    nuki_ble,
    sig_blood_pressure,
    sig_glucose_meter,
    sig_pulse_oximeter,
)
from drivers.links.ble.commission import find as find_device
from drivers.links.ble.commission import pair_nuki
from drivers.links.ble.radio import open_radios
from drivers.protocols import gatt_plx
from simulators.ble import BloodPressureCuff, BthomePendant, GlucoseMeter, NukiLock, PulseOximeter
from simulators.ble.nuki_lock import LOCK, UNLOCK

pytestmark = pytest.mark.bluez

PENDANT, OXIMETER, CUFF = "c4:7c:8d:6a:10:01", "c4:7c:8d:6a:10:02", "c4:7c:8d:6a:10:03"
METER = sig_pulse_oximeter.DEVICE.ble
BURST = 1.0 if "TRYGGHUB_BLUETOOTHD" in os.environ else 0.09
"""Seconds a press is on the air."""
MORNING = datetime(2026, 1, 15, 7, 30, tzinfo=UTC)
NOW = 1_768_460_400_000


@pytest.fixture
async def oximeter(ether):
    """Astrid's oximeter."""
    one = PulseOximeter(OXIMETER, battery=70)
    await one.start(ether)
    yield one
    await one.stop()


@pytest.fixture
async def cuff(ether):
    """Astrid's blood-pressure cuff."""
    one = BloodPressureCuff(CUFF)
    await one.start(ether)
    yield one
    await one.stop()


@pytest.fixture
def find(bluez):
    """Find a device by a scan of bleak's own."""

    async def at(address: str):
        found = await BleakScanner.find_device_by_address(address.upper(), timeout=20)
        assert found is not None
        return found

    return at


async def test_a_press_and_a_measurement(running, bluez_link, journal, bluez, ether, oximeter):
    """Advertisements and indications arrive as over the other backend, byte for byte."""
    pendant = BthomePendant(PENDANT, beacon=None)
    await pendant.start(ether)
    link = bluez_link({PENDANT: bthome_pendant.DEVICE.ble, OXIMETER: METER})
    async with running(link, journal):
        await oximeter.measure(93, 61)
        await journal.count(1, gatt_plx.SPOT_CHECK)
        await pendant.press("long_press")
        (advert,) = await journal.count(1, "adv:")
        assert link.health().state == "up"
        assert link.health().counters["connected"] == 1
    facts = bthome_pendant.DEVICE.decode(advert, Unit(PENDANT))
    assert facts[0].data == {"press": "long"}
    (spot,) = [one for one in journal.frames if one.channel == gatt_plx.SPOT_CHECK]
    assert spot.address == OXIMETER
    assert spot.payload[1:5] == bytes([93, 0, 61, 0])
    await pendant.stop()


async def test_stored_readings_of_a_cuff_come_whole_and_in_order(
    running, bluez_link, journal, bluez, cuff, eventually
):
    """What the cuff measured while nobody listened is indicated once each, and the cuff may forget it."""
    for systolic in (131, 142, 153):
        await cuff.measure(systolic, 80, 66, at=MORNING)
    async with running(bluez_link({CUFF: sig_blood_pressure.DEVICE.ble}), journal):
        frames = await journal.count(3, "2a35")
        await asyncio.wait_for(cuff.until_stored_is_empty(), 20)
        await eventually(lambda: cuff.clock_writes)  # its clock is set on the way
    assert [one.payload[1] for one in frames] == [131, 142, 153]


async def test_a_device_that_leaves_comes_back(running, bluez_link, journal, bluez, oximeter, eventually):
    """After a lost link the device is found and subscribed to anew, once."""
    link = bluez_link({OXIMETER: METER})
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 1)
        await oximeter.silence()
        await eventually(lambda: link.health().counters["connected"] == 0)
        await oximeter.measure(88, 90)
        await oximeter.wake()
        await journal.count(1, gatt_plx.SPOT_CHECK)
        await eventually(lambda: link.health().counters["connected"] == 1)
        await oximeter.show(87, 91)
        await journal.count(1, gatt_plx.CONTINUOUS)
    assert len([one for one in journal.frames if one.channel == gatt_plx.CONTINUOUS]) == 1


async def test_a_meter_that_left_is_not_tried_again(
    running, bluez_link, journal, bluez, ether, oximeter, eventually
):
    """It handed its reading over and switched off; the end of its connection is no sign that it is on the air."""
    pendant = BthomePendant(PENDANT, beacon=None)
    await pendant.start(ether)
    link = bluez_link({OXIMETER: METER, PENDANT: bthome_pendant.DEVICE.ble})
    async with running(link, journal):
        await oximeter.measure(93, 61)
        await asyncio.wait_for(oximeter.until_stored_is_empty(), 60)
        await eventually(lambda: link.health().counters["connected"] == 1)
        await oximeter.switch_off()
        await eventually(lambda: link.health().counters["connected"] == 0)
        await pendant.press()
        await journal.count(1, "adv:")
        session = link._sessions[OXIMETER]
        assert session.ear is None
        assert link.health().counters.get("connect_failures", 0) == 0
    await pendant.stop()


async def test_lost_links_leak_no_descriptors(
    running, bluez_link, journal, bluez, ether, oximeter, eventually
):
    """Ten lost links leave as many open files as before: the link always disconnects its client."""
    link = bluez_link({OXIMETER: METER})

    def connections() -> int:
        return link.health().counters.get("connections", 0)

    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 1)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for number in range(2, 12):
            ether.lose_link(OXIMETER)
            await eventually(lambda n=number: connections() >= n and link.health().counters["connected"])
        after = len(list(Path("/proc/self/fd").iterdir()))
    assert after <= before + 1


async def test_a_bluez_restart_is_noticed_and_survived(
    running, bluez_link, journal, bluez, ether, eventually
):
    """When the daemon restarts, scan and agent are dead without a word; the link begins both anew."""
    meter = GlucoseMeter(OXIMETER)
    await meter.measure(5.5, MORNING)
    pendant = BthomePendant(PENDANT, beacon=None)
    await pendant.start(ether)
    link = bluez_link({OXIMETER: sig_glucose_meter.DEVICE.ble, PENDANT: bthome_pendant.DEVICE.ble})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        await bluez.restart()
        await eventually(lambda: link.health().state == "up")
        await pendant.press()
        await journal.count(1, "adv:")
        await meter.start(ether)  # wants a bond, which needs the agent
        await journal.count(1, "2a52")
    await meter.stop()
    await pendant.stop()


async def test_a_stopped_bluez_is_a_link_that_is_down(running, bluez_link, journal, bluez, eventually):
    """Without the daemon the link is down and says so; with it, up again."""
    link = bluez_link({OXIMETER: METER})
    async with running(link, journal):
        await eventually(lambda: link.health().state in {"up", "degraded"})
        await bluez.stop()
        await eventually(lambda: link.health().state == "down")
        assert link.health().reason.startswith("bluez: ")
        await bluez.start()
        await eventually(lambda: link.health().state in {"up", "degraded"})


async def test_the_agent_lets_a_meter_bond(running, bluez_link, journal, bluez, ether):
    """A glucose meter that wants a bond gets it through our agent, and delivers its records."""
    meter = GlucoseMeter(OXIMETER)
    await meter.measure(5.5, MORNING)
    await meter.start(ether)
    link = bluez_link({OXIMETER: sig_glucose_meter.DEVICE.ble})
    async with running(link, journal):
        await journal.count(1, "2a52")
    assert len([one for one in journal.frames if "2a18" in one.channel]) == 1
    await meter.stop()


@pytest.mark.parametrize("known", [True, False])
async def test_a_passkey_comes_from_commissioning(
    running, bluez_link, journal, bluez, ether, eventually, known
):
    """A meter with a number printed on it bonds when that number was commissioned, and not otherwise."""
    meter = GlucoseMeter(OXIMETER, passkey=246813)
    await meter.measure(6.1, MORNING)
    await meter.start(ether)
    link = bluez_link({OXIMETER: sig_glucose_meter.DEVICE.ble}, {OXIMETER: 246813 if known else 999999})
    async with running(link, journal):
        if known:
            await journal.count(1, "2a18")
        else:
            await eventually(lambda: link.health().counters.get("connect_failures", 0) >= 1)
            assert not [one for one in journal.frames if "2a18" in one.channel]
    await meter.stop()


async def test_without_an_agent_pairing_fails_at_once(bluez, find, ether):
    """What the agent is for: BlueZ without one refuses every bond."""
    meter = GlucoseMeter(OXIMETER)
    await meter.start(ether)
    async with BleakClient(await find(OXIMETER)) as client:
        with pytest.raises(BleakDBusError, match="AuthenticationFailed"):
            await client.pair()
    await meter.stop()


GATEWAY = """
import asyncio, sys
from bleak import BleakClient, BleakScanner
async def main():
    device = await BleakScanner.find_device_by_address(sys.argv[1].upper(), timeout=20)
    client = BleakClient(device)
    await client.connect()
    print("connected", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_a_link_that_outlived_a_killed_gateway_is_taken_over(
    running, bluez_link, journal, bluez, cuff, eventually
):
    """The gateway was killed and BlueZ kept the link: the device does not advertise, and is heard all the same."""
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GATEWAY, CUFF, stdout=asyncio.subprocess.PIPE
    )
    assert await asyncio.wait_for(gateway.stdout.readline(), 60) == b"connected\n"
    os.kill(gateway.pid, signal.SIGKILL)
    await gateway.wait()
    assert cuff.connected
    link = bluez_link({CUFF: sig_blood_pressure.DEVICE.ble})
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 1)
        await cuff.measure(140, 90)
        await journal.count(1, "2a35")
    assert len(journal.frames) == len({(one.channel, one.payload) for one in journal.frames})


@pytest.mark.skipif(
    "TRYGGHUB_BLUETOOTHD" in os.environ,
    reason="passes there or crashes that kernel (hci_chan_del, Linux 6.1)",
)
@pytest.mark.parametrize("slots", [1])
async def test_with_all_slots_taken_the_others_wait_their_turn(
    running, bluez_link, journal, bluez, cuff, oximeter, slots, eventually
):
    """The adapter keeps fewer links than the link believes: connects fail, and the second meter has its turn."""
    meters = {OXIMETER: oximeter, CUFF: cuff}
    await oximeter.measure(96, 60)
    await cuff.measure(120, 80)
    link = bluez_link({OXIMETER: METER, CUFF: sig_blood_pressure.DEVICE.ble})
    async with running(link, journal):
        await eventually(lambda: not all(meter.stored for meter in meters.values()))
        await eventually(lambda: link.health().counters.get("connect_failures", 0))
        first, last = sorted(meters.values(), key=lambda meter: len(meter.stored))
        await first.switch_off()
        await asyncio.wait_for(last.until_stored_is_empty(), 90)
        frames = readings(await journal.until(lambda frames: len(readings(frames)) >= 2))
    assert len({one.address for one in frames}) == len(frames) == 2


def readings(frames):
    """What the meters measured, without their batteries."""
    return [one for one in frames if one.channel == gatt_plx.SPOT_CHECK or "2a35" in one.channel]


async def test_a_nuki_lock_is_paired_locked_and_unlocked(
    running, bluez_link, journal, bluez, ether, eventually
):
    """Pairing with its own keys, then an unlock and a lock, each moved once and told as done."""
    lock = NukiLock(PENDANT)
    await lock.start(ether)
    (radio,) = open_radios("bluez")
    await radio.open()
    await lock.hold_button()
    secret = await pair_nuki(radio, await find_device(radio, PENDANT), "trygghub")
    await radio.close()
    unit = Unit(PENDANT, secret)
    outcomes = Outcomes(journal, unit)
    link = bluez_link({PENDANT: replace(nuki_ble.DEVICE.ble, secret=secret)})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        for name in ("unlock", "lock"):
            outgoing = nuki_ble.DEVICE.encode(Command(name, name, {}, NOW + 60_000), unit)
            await link.send(PENDANT, replace(outgoing, wait=60_000))
            await eventually(lambda name=name: outcomes.of(name))
            assert outcomes.of(name) == ["done"]
    assert lock.moves == [UNLOCK, LOCK]
    await lock.stop()


@pytest.fixture
async def alone(ether):
    """A pendant with nothing else on the air."""
    pendant = BthomePendant(PENDANT, beacon=None)
    await pendant.start(ether)
    pendant.burst = BURST
    yield pendant
    await pendant.stop()


async def test_no_press_of_a_pendant_alone_on_the_air_is_held_back(
    running, bluez_link, journal, bluez, alone, eventually
):
    """Our monitor sees to it: five presses, one after the other, are five frames."""
    link = bluez_link({PENDANT: bthome_pendant.DEVICE.ble})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        assert link.health().reason == ""
        for _ in range(5):
            await alone.press()
        await journal.count(5, "adv:")
    assert len(journal.frames) == 5


async def test_our_monitor_outlives_a_power_cycle(bluez, alone, eventually):
    """A deaf adapter is switched off and on; afterwards presses are held back as little as before."""
    (radio,) = open_radios("bluez")
    await radio.open()
    await radio.reset(hard=False)
    assert radio.caution == ""
    heard: set[bytes] = set()
    async with BleakScanner(lambda _, data: heard.update(data.service_data.values()), **radio.scanner):
        for _ in range(5):
            await alone.press()
        await eventually(lambda: len(heard) == 5)
    await radio.close()


@pytest.mark.parametrize("experimental", [False])
async def test_without_monitors_presses_are_held_back_and_the_link_says_so(
    running, bluez_link, journal, bluez, alone, eventually, caplog
):
    """What the monitor is for: BlueZ without it passes on few of ten presses; the reason tells, and the log once."""
    link = bluez_link({PENDANT: bthome_pendant.DEVICE.ble})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "degraded")
        assert "--experimental" in link.health().reason
        for _ in range(10):
            await alone.press()
        assert len(journal.frames) <= 3
        await bluez.restart()
        await eventually(lambda: link.health().state != "degraded")
        await eventually(lambda: link.health().state == "degraded")
    assert caplog.text.count("--experimental") == 1


class Outcomes:
    """What became of commands, read out of the frames one after the other as the gateway does."""

    def __init__(self, journal, unit: Unit) -> None:
        self.journal, self.unit = journal, unit
        self.read = 0
        self.told: list[tuple[str, str]] = []

    def of(self, command: str) -> list[str]:
        """The outcomes told of one command so far."""
        frames, self.read = self.journal.frames[self.read :], len(self.journal.frames)
        facts = [one for frame in frames for one in nuki_ble.DEVICE.decode(frame, self.unit)]
        self.told += [(one.command, one.outcome) for one in facts if hasattr(one, "outcome")]
        return [outcome for name, outcome in self.told if name == command]
