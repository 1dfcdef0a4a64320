"""What goes wrong in a town: every kind of fault comes up, on its own device's wire only, and is over again."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from simulators.mqtt import packets
from simulators.mqtt.half_said import half_said
from simulators.mqtt_devices.said import Said
from simulators.scenario.faults import FAULTS
from simulators.scenario.model import Beat, Scenario
from simulators.scenario.plan import Trouble
from simulators.town.crowd import ForeignCrowd, NativeCrowd
from simulators.town.faults import WRONG
from simulators.town.homes import Order, town
from simulators.world import World

NOW = 1_768_460_400_000
WORLD = World(NOW, NOW, 1000.0)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A town of a hundred homes."""
    return town(Order(100, 7, ble=2, serial=1))


def test_every_kind_of_fault_comes_up() -> None:
    """All but the stuck compartment, since no home of a town has a medicine cabinet."""
    happened = Counter(one.do for one in town(Order(200, 7, ble=2, serial=1)).incidents)
    assert {one.do for one in WRONG} - set(happened) == {"stuck"}
    assert set(FAULTS) <= {one.do for one in WRONG}


def test_how_often_things_fail_can_be_said(scenario: Scenario) -> None:
    """Not at all, or ten times as often; what happens to people stays as it was."""
    never, often = town(Order(100, 7, 2, 1, trouble=0)), town(Order(100, 7, 2, 1, trouble=10))
    assert len(never.incidents) < len(scenario.incidents) < len(often.incidents) / 2
    assert {one.do for one in never.incidents}.isdisjoint(FAULTS)
    assert [one for one in scenario.incidents if one in never.incidents] == list(never.incidents)


class Wire:
    """Stands in for a crowd's connection: what goes out."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Note it."""
        self.said.append((topic, payload))
        return True


def trouble(device: str, do: str, **data: object) -> Trouble:
    """A fault that has just begun."""
    return Trouble(device, do, NOW, NOW + 3_600_000, data)


def natives(scenario: Scenario, wire: Wire) -> tuple[NativeCrowd, str, str]:
    """The town's native devices on this wire, and two of them."""
    crowd = NativeCrowd(scenario.homes.values(), "mqtt://127.0.0.1:1", "0", WORLD, "b", lambda _: frozenset())
    crowd.ways.trunk = wire  # type: ignore[assignment]
    one, other, *_ = (name for name in crowd.natives if name.endswith("door"))
    return crowd, one, other


def opened(scenario: Scenario, device: str, at: int = NOW) -> Beat:
    """A door that opens."""
    return Beat(at, device, "door.opened", scenario.devices[device].home, {})


@pytest.mark.parametrize(("do", "sent"), [("dropped", 0), ("doubled", 2), ("wrong_bytes", 1), ("slow", 0)])
async def test_a_fault_is_one_devices_alone(do: str, sent: int, scenario: Scenario) -> None:
    """Its neighbour on the same connection is heard as ever."""
    wire = Wire()
    crowd, one, other = natives(scenario, wire)
    crowd.fail(trouble(one, do), over=False)
    for name in (one, other):
        crowd.say(opened(scenario, name))
    told = Counter(topic.split("/")[3] for topic, _ in wire.said)
    assert (told[one], told[other]) == (sent, 1)
    if do == "wrong_bytes":
        assert wire.said[0][1] not in {each.payload for each in crowd.natives[one].waiting.values()}
    crowd.fail(trouble(one, do), over=True)
    crowd.say(opened(scenario, one, NOW + 1))
    assert wire.said[-1][0].split("/")[3] == one


async def test_a_clock_is_wrong_by_hours(scenario: Scenario) -> None:
    """In what the device says of the time, until it is put right."""
    wire = Wire()
    crowd, one, _ = natives(scenario, wire)
    crowd.fail(trouble(one, "clock_wrong", hours=-5), over=False)
    crowd.say(opened(scenario, one))
    crowd.fail(trouble(one, "clock_wrong"), over=True)
    crowd.say(opened(scenario, one))
    assert [json.loads(payload)["at"] - NOW for _, payload in wire.said] == [-5 * 3_600_000, 0]


async def test_a_rebooting_device_says_nothing_and_then_all(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A native device keeps what it could not say; another maker's comes back announcing itself."""
    monkeypatch.setattr("simulators.town.crowd.BOOT", 0.0)
    wire = Wire()
    crowd, one, _ = natives(scenario, wire)
    crowd.fail(trouble(one, "reboot"), over=False)
    crowd.say(opened(scenario, one))
    assert wire.said == []
    await asyncio.sleep(0.01)
    assert not crowd.natives[one].muted
    foreign = ForeignCrowd(scenario.homes.values(), "mqtt://127.0.0.1:1", "0", WORLD, "b")
    foreign.ways.trunk = wire  # type: ignore[assignment]
    door = next(name for name, one in foreign.home.stands.items() if one.device.family == "zigbee")
    foreign.fail(trouble(door, "reboot"), over=False)
    foreign.say(Beat(NOW, door, "lock.battery", "t0001", {"value": 50}))
    assert wire.said == []
    await asyncio.sleep(0.01)
    assert wire.said[0][0].endswith("/availability")


# ---------------------------------------------------------------- half a message


async def test_a_device_that_loses_its_link_is_cut_off_in_the_middle(scenario: Scenario) -> None:
    """The broker reads half a message on a connection that ends; the others' connection stays whole."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(4096)
        writer.write(b"\x20\x02\x00\x00")
        await writer.drain()
        rest = bytearray()
        try:
            while chunk := await reader.read(4096):
                rest += chunk
        except ConnectionError:
            pass
        writer.close()
        heard.put_nowait(first[:1] + bytes(rest))

    server = await asyncio.start_server(broker, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        wire = Wire()
        crowd, one, _ = natives(scenario, wire)
        crowd.ways.broker = f"mqtt://127.0.0.1:{port}"
        crowd.fail(trouble(one, "link_lost"), over=False)
        crowd.say(opened(scenario, one))
        async with asyncio.timeout(30):
            got = await heard.get()
        (waiting,) = crowd.natives[one].waiting.values()
        assert wire.said == []
        topic = f"{crowd.natives[one].root}/event"
        assert got[:1] == b"\x10"
        assert got[1:] == packets.half(topic, waiting.payload)
        assert not list(packets.Reader().feed(got[1:]))
        crowd.say(opened(scenario, one, NOW + 1))
        assert wire.said[-1] == (topic, list(crowd.natives[one].waiting.values())[-1].payload)


async def test_without_a_broker_half_a_message_is_none() -> None:
    """Nobody is there to be cut off."""
    assert not await half_said("mqtt://127.0.0.1:1", "x", "t", Said("t", b"x").payload)
