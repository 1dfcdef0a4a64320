"""BTHome sensors over the whole way: a state is told when it changes, however often it is repeated."""

import pytest

from drivers.device_type import Unit
from drivers.devices import bthome_climate, bthome_door, bthome_leak, bthome_motion, bthome_smoke
from simulators.ble import BthomeClimate, BthomeDoor, BthomeLeak, BthomeMotion, BthomeSmoke

ADDRESS = "c4:7c:8d:6a:30:01"
KEY = bytes(range(16))
SHORT = 0.6  # seconds a message is on the air; a busy machine may not listen for half of them
QUIET = {"heartbeat", "battery"}


@pytest.fixture
def told(running, make_link, journal, ether):
    """Play a scene on a simulated sensor; returns the kinds and values told, without signs of life."""

    async def play(type_, sensor, *scene) -> list[tuple]:
        sensor.burst = SHORT
        await sensor.start(ether)
        async with running(make_link({ADDRESS: type_.ble}), journal):
            for act in scene:
                await act()
        await sensor.stop()
        unit = Unit(ADDRESS, KEY)
        facts = [fact for frame in journal.frames for fact in type_.decode(frame, unit)]
        assert len(journal.frames) == len(scene)
        return [
            (fact.kind, *fact.data.values()) for fact in facts if fact.kind.partition(".")[2] not in QUIET
        ]

    return play


async def test_a_door(told):
    """Opened, repeated, closed, repeated: two facts, and the tampering."""
    door = BthomeDoor(ADDRESS, key=KEY, beacon=None)
    scene = (door.open, door.beacon_once, door.close, door.beacon_once, door.tamper)
    assert await told(bthome_door.DEVICE, door, *scene) == [
        ("door.opened",),
        ("door.closed",),
        ("door.tamper",),
    ]


async def test_motion(told):
    """Movement is told; stillness is no fact."""
    sensor = BthomeMotion(ADDRESS, key=KEY, beacon=None)
    assert await told(bthome_motion.DEVICE, sensor, sensor.move, sensor.rest) == [("room.motion",)]


async def test_smoke_and_carbon_monoxide(told):
    """Each danger is told when it comes and when it goes; what was never there is told quiet once."""
    detector = BthomeSmoke(ADDRESS, key=KEY, beacon=None)
    scene = (detector.smoke, detector.carbon_monoxide, detector.beacon_once, detector.clear)
    assert await told(bthome_smoke.DEVICE, detector, *scene) == [
        ("smoke.detected",),
        ("co.cleared",),
        ("co.detected",),
        ("smoke.cleared",),
        ("co.cleared",),
    ]


async def test_a_leak(told):
    """Water, then dry."""
    detector = BthomeLeak(ADDRESS, key=KEY, beacon=None)
    assert await told(bthome_leak.DEVICE, detector, detector.leak, detector.dry) == [
        ("water.detected",),
        ("water.cleared",),
    ]


async def test_a_climate_sensor(told):
    """Frost in the bedroom is told; a tenth of a degree is not."""
    sensor = BthomeClimate(ADDRESS, key=KEY, beacon=None)

    async def mild() -> None:
        await sensor.report(21.0, 40)

    async def hardly() -> None:
        await sensor.report(21.1, 41)

    async def frost() -> None:
        await sensor.report(-3.5, 60)

    assert await told(bthome_climate.DEVICE, sensor, mild, hardly, frost) == [
        ("room.temperature", 21.0),
        ("room.humidity", 40.0),
        ("room.temperature", -3.5),
        ("room.humidity", 60.0),
    ]


def test_a_fault_that_never_was_is_not_over():
    """The first packet of a healthy detector tells no recovery."""
    unit = Unit(ADDRESS)
    from drivers.events import Frame

    facts = bthome_smoke.DEVICE.decode(Frame("ble", ADDRESS, bytes.fromhex("4426002900"), 0), unit)
    assert [fact.kind for fact in facts] == ["smoke.cleared"]
