"""Several adapters: each with its own scan and slots, each device through the one that hears it best."""

import asyncio

import pytest
from bleak.backends.device import BLEDevice
from bumble.transport.common import AsyncPipeSink, Transport

from drivers.devices import bthome_pendant, sig_pulse_oximeter
from drivers.links.back_off import BackOff
from drivers.links.ble.bumble_radio import BumbleRadio
from drivers.links.ble.radio import BumblePort
from drivers.links.ble.sightings import FRESH, Sightings
from drivers.protocols import gatt_plx
from simulators.ble import BthomePendant, PulseOximeter
from simulators.radio import RadioController

PENDANT, FIRST, SECOND = "c4:7c:8d:6a:10:01", "c4:7c:8d:6a:10:02", "c4:7c:8d:6a:10:03"
METER, BUTTON = sig_pulse_oximeter.DEVICE.ble, bthome_pendant.DEVICE.ble


class Dongle:
    """An adapter that can be pulled out. plugged: whether it is there."""

    def __init__(self, ether, name: str, address: str) -> None:
        self.ether, self.name, self.plugged = ether, name, True
        self.port = BumblePort(name, BumbleRadio(self.open, address=address))

    async def open(self) -> Transport:
        """Open it as a driver does; OSError while it is out."""
        if not self.plugged:
            raise OSError(f"{self.name} is not there")
        controller = RadioController(self.name, self.ether)

        class Sink(AsyncPipeSink):
            def close(self) -> None:
                controller.vanish()

        return Transport(controller, Sink(controller))

    def pull_out(self) -> None:
        """Without a farewell."""
        self.plugged = False
        self.port.gone.set()


@pytest.fixture
def dongles(ether) -> list[Dongle]:
    """Two adapters."""
    return [Dongle(ether, f"dongle {n}", f"F0:7A:10:00:01:0{n}") for n in range(2)]


@pytest.fixture
def link(make_link, dongles):
    """A link on both, with one connection each."""
    units = {FIRST: METER, SECOND: METER, PENDANT: BUTTON}
    radios = [one.port for one in dongles]
    return make_link(units, radios=radios, slots=1, back_off=lambda: BackOff(0.01, 0.02))


@pytest.fixture
async def meters(ether):
    """Two oximeters."""
    both = [PulseOximeter(address) for address in (FIRST, SECOND)]
    for one in both:
        await one.start(ether)
    yield both
    for one in both:
        await one.stop()


async def test_two_adapters_keep_two_links(running, link, journal, meters, eventually):
    """Where the first adapter is full, a meter goes through the second."""
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 2)
        assert link.health().counters["adapters"] == 2
        for one in meters:
            await one.measure(95, 60)
        frames = await journal.count(2, gatt_plx.SPOT_CHECK)
    assert {one.address for one in frames} == {FIRST, SECOND}


async def test_a_press_that_both_hear_is_one_frame(running, link, journal, ether, eventually):
    """The same advertisement at two adapters is one thing that happened."""
    pendant = BthomePendant(PENDANT, beacon=None)
    pendant.burst = 0.1
    await pendant.start(ether)
    async with running(link, journal):
        await eventually(lambda: link.health().counters["adapters"] == 2)
        await pendant.press()
    assert len(journal.frames) == 1
    assert link.health().counters["repeats"] >= 1
    await pendant.stop()


async def test_one_adapter_pulled_out_leaves_the_other(running, link, journal, dongles, meters, eventually):
    """The link is degraded and says which; what went through it comes through the other; put back, all is well."""
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 2)
        dongles[0].pull_out()
        await eventually(lambda: link.health().state == "degraded")
        assert link.health().reason.startswith("dongle 0")
        for one in meters:
            await one.measure(91, 60)
        await journal.until(
            lambda frames: (
                {one.address for one in frames if one.channel == gatt_plx.SPOT_CHECK} == {FIRST, SECOND}
            )
        )
        dongles[0].plugged = True
        await eventually(lambda: link.health().counters["adapters"] == 2)
        await eventually(lambda: link.health().state == "up")


async def test_without_any_adapter_the_link_is_down(running, link, journal, dongles, eventually):
    """Both out: down, with both reasons."""
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        for one in dongles:
            one.pull_out()
        await eventually(lambda: link.health().state == "down")
        await eventually(lambda: "dongle 0" in link.health().reason and "dongle 1" in link.health().reason)


def test_a_strong_old_sighting_loses_to_a_weak_fresh_one():
    """Lately before long ago, strong before weak; an adapter that is gone is forgotten."""
    heard = Sightings()
    device = BLEDevice(FIRST.upper(), None, {})
    heard.saw(device, "near", -40, 0.0)
    heard.saw(device, "far", -80, 5.0)
    assert heard.by_strength(FIRST, 10.0) == ["near", "far"]
    assert heard.by_strength(FIRST, FRESH + 1) == ["far", "near"]
    heard.forget("near")
    assert heard.by_strength(FIRST, 10.0) == ["far"]
    assert heard.newest(FIRST, "near") is None


async def test_whoever_waits_wakes_only_for_a_device_that_is_there():
    """When the last adapter that heard a device is gone, waiting goes on."""
    heard = Sightings()
    heard.saw(BLEDevice(FIRST.upper(), None, {}), "only", -40, 0.0)
    heard.forget("only")
    waiting = asyncio.ensure_future(heard.heard(FIRST))
    await asyncio.sleep(0)
    assert not waiting.done()
    heard.saw(BLEDevice(FIRST.upper(), None, {}), "only", -40, 1.0)
    await asyncio.wait_for(waiting, 30)
