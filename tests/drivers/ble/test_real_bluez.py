"""What only the real BlueZ and the real kernel can show; collected in the emulated machine alone (tests/bluez)."""

import asyncio
import socket
from dataclasses import replace
from itertools import pairwise

import pytest
from bleak import BleakScanner
from bleak.exc import BleakError

from drivers.devices import bthome_pendant, sig_pulse_oximeter
from drivers.links.ble.radio import open_radios
from drivers.links.ble.session import Patience
from drivers.protocols import gatt_plx
from simulators.ble import BthomePendant, NukiLock, PulseOximeter

pytestmark = pytest.mark.bluez

PENDANT = "c4:7c:8d:6a:10:01"
METERS = [f"c4:7c:8d:6a:20:{number:02x}" for number in range(4)]
METER, BUTTON = sig_pulse_oximeter.DEVICE.ble, bthome_pendant.DEVICE.ble
HALF_A_MINUTE = 30.0
SLOW = Patience(connect=60, answer=30, let_go=12, linger=600, silence=600, retry=0.5, longest_retry=2)


async def test_the_kernel_resets_the_adapter(running, bluez_link, journal, bluez, ether, eventually):
    """The hard reset goes through the kernel's management socket; afterwards the adapter hears again.

    A Python built without Bluetooth sockets cannot, and the reason is said.
    """
    pendant = BthomePendant(PENDANT, beacon=None)
    await pendant.start(ether)
    (radio,) = open_radios("bluez")
    await radio.open()
    if hasattr(socket, "BTPROTO_HCI"):
        await radio.reset(hard=True)
        assert radio.gone.is_set()
    else:
        with pytest.raises(BleakError, match="Bluetooth sockets"):
            await radio.reset(hard=True)
    await radio.close()
    link = bluez_link({PENDANT: BUTTON})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        await pendant.press()
        await journal.count(1, "adv:")
    await pendant.stop()


async def test_a_power_cycle_needs_nothing_but_bluez(running, bluez_link, journal, bluez, ether, eventually):
    """Switched off and on while it listens, the link hears the next press."""
    pendant = BthomePendant(PENDANT, beacon=None)
    await pendant.start(ether)
    link = bluez_link({PENDANT: BUTTON})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        await bluez.power(on=False)
        await eventually(bluez_is(link, "up"))
        await pendant.press()
        await journal.count(1, "adv:")
    await pendant.stop()


def bluez_is(link, state):
    """Whether a link has left a state and come back to it, from the first `False` on."""
    left = []

    def so() -> bool:
        if link.health().state != state:
            left.append(link.health().state)
        return bool(left) and link.health().state == state

    return so


@pytest.mark.parametrize("slots", [2])
@pytest.mark.parametrize("adapters", [2])
async def test_two_adapters_keep_more_links_than_one(
    running, bluez_link, journal, bluez, ether, slots, adapters, eventually
):
    """Four meters on two adapters of two slots each are connected at once, and a press heard twice is one frame."""
    meters = [PulseOximeter(address) for address in METERS]
    pendant = BthomePendant(PENDANT, beacon=None)
    for one in (*meters, pendant):
        await one.start(ether)
    names = ",".join(path.rpartition("/")[2] for path in bluez.paths)
    units = dict.fromkeys(METERS, METER) | {PENDANT: BUTTON}
    link = bluez_link(units, setting=f"bluez:{names}", slots=2, patience=SLOW)
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 4)
        assert link.health().counters["adapters"] == 2
        at = {path.partition("/dev_")[0] for path in await bluez.devices(Connected=True)}
        assert at == set(bluez.paths)
        for meter in meters:
            await meter.measure(95, 60)
        await journal.count(4, gatt_plx.SPOT_CHECK)
        await pendant.press()
        await asyncio.sleep(0)
        await journal.count(1, "adv:")
    assert len([one for one in journal.frames if one.address == PENDANT]) == 1
    for one in (*meters, pendant):
        await one.stop()


@pytest.mark.parametrize("duplicates", ["data", "address"])
async def test_no_press_of_a_pendant_alone_on_the_air_is_held_back(
    running, bluez_link, journal, bluez, ether, eventually
):
    """Forty presses of a second each and nothing else on the air: all are heard, by whatever a controller filters."""
    pendant = BthomePendant(PENDANT, beacon=None)
    await pendant.start(ether)
    pendant.burst = 1.0
    link = bluez_link({PENDANT: BUTTON}, patience=replace(SLOW, silence=600))
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        assert link.health().reason == ""
        for _ in range(40):
            await pendant.press()
        await asyncio.wait_for(journal.count(40), 30)
    assert len({one.payload for one in journal.frames}) == 40
    await pendant.stop()


@pytest.mark.parametrize("experimental", [False])
@pytest.mark.parametrize("duplicates", ["data", "address"])
async def test_neighbours_do_not_replace_the_monitor(
    running, bluez_link, journal, bluez, ether, eventually, duplicates
):
    """Without it, devices next door that always say the same set free little."""
    pendant, neighbours = BthomePendant(PENDANT, beacon=None), [PulseOximeter(one) for one in METERS[:2]]
    for one in (pendant, *neighbours):
        await one.start(ether)
    pendant.burst = 1.0
    link = bluez_link({PENDANT: BUTTON}, patience=replace(SLOW, silence=600))
    async with running(link, journal):
        await eventually(lambda: link.health().state == "degraded")
        for _ in range(20):
            await pendant.press()
        assert len(journal.frames) < 10
    for one in (pendant, *neighbours):
        await one.stop()


async def test_a_lock_that_always_says_the_same_is_heard_again_and_again(bluez, ether):
    """An unchanging beacon, alone on the air: heard at least every other second for half a minute, across rounds."""
    lock = NukiLock(METERS[0])
    await lock.start(ether)
    (radio,) = open_radios("bluez")
    await radio.open()
    loop = asyncio.get_running_loop()
    heard: list[float] = []

    def on_advertisement(device, data) -> None:
        if device.address.lower() == METERS[0] and radio.is_advertisement(data):
            heard.append(loop.time())

    async with BleakScanner(on_advertisement, **radio.scanner):
        begun = loop.time()
        while loop.time() < begun + HALF_A_MINUTE:
            await asyncio.sleep(0.05)
    await radio.close()
    gaps = [after - before for before, after in pairwise([begun, *heard, begun + HALF_A_MINUTE])]
    assert max(gaps) < 2.0 * 1.5, f"{len(heard)} times heard, longest silence {max(gaps):.1f} s"
    await lock.stop()
