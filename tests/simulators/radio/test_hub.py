"""The radio is open to strangers: programs on TCP join it, break it for nobody, and may vanish."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from bumble import hci

from simulators.radio import Ether, RadioHub

RESET = bytes.fromhex("01030c00")


@pytest.fixture
async def hub(ether: Ether) -> AsyncIterator[RadioHub]:
    """A hub on a free port of loopback."""
    async with RadioHub(ether) as hub:
        yield hub


class Stranger:
    """A program that writes HCI by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def event(self) -> bytes:
        """The next HCI event, after its packet type."""
        head = await asyncio.wait_for(self.reader.readexactly(3), 30)
        assert head[0] == hci.HCI_EVENT_PACKET
        return head[1:] + await asyncio.wait_for(self.reader.readexactly(head[2]), 30)

    async def command(self, hexadecimal: str) -> bytes:
        """Send a command and return the event that answers it."""
        self.writer.write(bytes.fromhex(hexadecimal))
        return await self.event()


@pytest.fixture
async def stranger(hub: RadioHub) -> AsyncIterator[Stranger]:
    """A stranger who has joined."""
    reader, writer = await asyncio.open_connection(hub.host, hub.port)
    yield Stranger(reader, writer)
    writer.close()


async def until(condition) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_stranger_advertises_by_hand_and_is_heard(ether, station, stranger):
    """Reset, parameters, data, enable: four commands written by hand make a beacon."""
    assert (await stranger.command(RESET.hex()))[0] == 0x0E
    await stranger.command("01052006" + "ffeeddccbbca")  # LE Set Random Address CA:BB:CC:DD:EE:FF
    await stranger.command("0106200f" + "2000" + "2000" + "03" + "01" + "00" + "000000000000" + "07" + "00")
    data = bytes.fromhex("0201060516d2fc4001")
    await stranger.command("01082020" + bytes([len(data)]).hex() + data.ljust(31, b"\0").hex())
    assert (await stranger.command("010a200101"))[5] == 0
    listener = await station(1)
    heard: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    listener.device.host.once("advertising_report", heard.set_result)
    await listener.device.start_scanning(legacy=True)
    report = await asyncio.wait_for(heard, 30)
    assert str(report.address).startswith("CA:BB:CC:DD:EE:FF")
    assert report.event_type == 3
    assert bytes(report.data) == data


async def test_bumble_devices_meet_over_the_hub(hub, station):
    """Two devices on TCP and one in this process share one ether."""
    sensor, central = await station(1, hub.address), await station(2, hub.address)
    await sensor.device.start_advertising(advertising_interval_min=20, advertising_interval_max=20)
    connection = await central.device.connect(sensor.device.random_address, timeout=30)
    assert connection.handle is not None


async def test_a_killed_program_is_a_lost_link(hub, station):
    """When a program's socket closes, its peers see a supervision timeout and it advertises no more."""
    sensor, central = await station(1, hub.address), await station(2, hub.address)
    await sensor.device.start_advertising(advertising_interval_min=20, advertising_interval_max=20)
    connection = await central.device.connect(sensor.device.random_address, timeout=30)
    gone: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    connection.on("disconnection", gone.set_result)
    sensor.transport.sink.transport.abort()
    assert await asyncio.wait_for(gone, 30) == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
    await until(lambda: len(hub.members) == 1)


async def test_an_unknown_command_is_answered(stranger):
    """A vendor command nobody knows is answered with status 0x01, so that its sender does not hang."""
    await stranger.command(RESET.hex())
    answer = await stranger.command("01ffff00")
    assert answer[0] == 0x0F
    assert answer[2] == hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR


async def test_a_truncated_command_is_answered(stranger):
    """A command with too few parameters is refused with status 0x12 and the stream goes on."""
    await stranger.command(RESET.hex())
    answer = await stranger.command("0105200101")
    assert answer[2] == hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
    assert (await stranger.command(RESET.hex()))[0] == 0x0E


async def test_rubbish_costs_only_its_sender(hub, station, stranger):
    """A stranger who sends no HCI is disconnected, and the others notice nothing."""
    stranger.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await asyncio.wait_for(stranger.reader.read(), 30) == b""
    sensor = await station(1, hub.address)
    assert sensor.device.powered_on


async def test_members_have_addresses_of_their_own(hub, station):
    """Each member gets a public address, so that two strangers who set none do not collide."""
    one, two = await station(1, hub.address), await station(2, hub.address)
    assert str(one.device.public_address) != str(two.device.public_address)
    assert str(one.device.public_address).startswith("02:7A:10")
