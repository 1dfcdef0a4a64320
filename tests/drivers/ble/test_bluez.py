"""The setting `bluez`: bleak's own BlueZ backend, unchanged, against `org.bluez` on a private bus."""

import asyncio
import os
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDBusError

from drivers.device_type import BleUse, Unit
from drivers.devices import bthome_pendant, sig_blood_pressure, sig_glucose_meter, sig_pulse_oximeter
from drivers.links.back_off import BackOff
from drivers.links.ble.bluez_agent import address_of
from drivers.links.ble.radio import BluezRadio, open_radio
from drivers.protocols import gatt_plx
from simulators.ble import BloodPressureCuff, BthomePendant, GlucoseMeter, PulseOximeter
from simulators.bluez import FakeBluez, PrivateBus
from simulators.bluez.bus import BusMissing

PENDANT, OXIMETER = "c4:7c:8d:6a:10:01", "c4:7c:8d:6a:10:02"
METER = sig_pulse_oximeter.DEVICE.ble
SOON = BackOff(0.01, 0.05)


@pytest.fixture
async def bus(monkeypatch):
    """A private bus that bleak takes for the system's."""
    one = PrivateBus()
    try:
        await one.start()
    except BusMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", one.address)
    yield one
    await one.stop()


@pytest.fixture
async def bluez(bus, ether):
    """BlueZ on that bus, with an adapter on the ether."""
    one = FakeBluez(ether, bus.address)
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def oximeter(ether):
    """Astrid's oximeter."""
    one = PulseOximeter(OXIMETER, battery=70)
    await one.start(ether)
    yield one
    await one.stop()


@pytest.fixture
def bluez_link(make_link):
    """A link with the setting `bluez`."""

    def make(units: dict[str, BleUse], **passkeys: int):
        radio = open_radio(
            "bluez", passkeys={key.replace("_", ":"): value for key, value in passkeys.items()}
        )
        return make_link(units, radio=radio, back_off=BackOff(0.01, 0.05))

    return make


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
    running, bluez_link, journal, bluez, oximeter, eventually
):
    """When the daemon restarts, scan and agent are dead without a word; the link begins both anew."""
    link = bluez_link({OXIMETER: METER})
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 1)
        await bluez.restart()
        await eventually(lambda: link.health().counters["connected"] == 0)
        await eventually(lambda: link.health().counters["connected"] == 1)
        assert bluez.agent is not None
        await oximeter.measure(94, 60)
        await journal.count(1, gatt_plx.SPOT_CHECK)


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


async def test_in_progress_is_tried_again(running, bluez_link, journal, bluez, oximeter, eventually):
    """BlueZ's most famous error costs an attempt, not the device."""
    bluez.faults.append(("Connect", "org.bluez.Error.InProgress"))
    bluez.faults.append(("Connect", "org.bluez.Error.Failed"))
    link = bluez_link({OXIMETER: METER})
    async with running(link, journal):
        await oximeter.measure(95, 60)
        await journal.count(1, gatt_plx.SPOT_CHECK)
    assert not bluez.faults


async def test_the_agent_lets_a_meter_bond(running, bluez_link, journal, bluez, ether):
    """A glucose meter that wants a bond gets it through our agent, and delivers its records."""
    meter = GlucoseMeter(OXIMETER)
    from datetime import UTC, datetime

    await meter.measure(5.5, datetime(2026, 1, 15, 7, 30, tzinfo=UTC))
    await meter.start(ether)
    link = bluez_link({OXIMETER: sig_glucose_meter.DEVICE.ble})
    async with running(link, journal):
        await journal.count(1, "2a52")
    assert len([one for one in journal.frames if "2a18" in one.channel]) == 1
    await meter.stop()


async def test_without_an_agent_pairing_fails_at_once(bluez, ether):
    """What the agent is for: BlueZ without one refuses every bond."""
    meter = GlucoseMeter(OXIMETER)
    await meter.start(ether)
    device = await BleakScanner.find_device_by_address(OXIMETER.upper(), timeout=3)
    async with BleakClient(device) as client:
        with pytest.raises(BleakDBusError, match="AuthenticationFailed"):
            await client.pair()
    await meter.stop()


async def test_a_link_that_outlived_us_is_taken_over(running, bluez_link, journal, bluez, ether, eventually):
    """The gateway was killed and BlueZ kept the link: the device does not advertise, and is heard all the same."""
    cuff = BloodPressureCuff(OXIMETER)
    await cuff.start(ether)
    device = await BleakScanner.find_device_by_address(OXIMETER.upper(), timeout=3)
    await bluez._remotes[device.details["path"]].connect()
    link = bluez_link({OXIMETER: sig_blood_pressure.DEVICE.ble})
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 1)
        await cuff.measure(140, 90)
        await journal.count(1, "2a35")
    await cuff.stop()


async def test_the_agent_answers_only_for_commissioned_devices(bluez):
    """A number for the device it belongs to, a rejection for everybody else."""
    radio = BluezRadio(passkeys={OXIMETER: 123456})
    await radio.open()
    assert bluez.agent is not None
    assert await bluez.ask_agent("RequestPasskey", OXIMETER) == 123456
    assert await bluez.ask_agent("RequestPasskey", PENDANT) is None
    assert await bluez.ask_agent("RequestAuthorization", PENDANT) is None
    await radio.close()
    async with asyncio.timeout(2):
        while bluez.agent is not None:
            await asyncio.sleep(0.005)


def test_an_object_path_names_its_address():
    """BlueZ speaks of paths, the registry of addresses."""
    assert address_of("/org/bluez/hci0/dev_C4_7C_8D_6A_10_01") == PENDANT
