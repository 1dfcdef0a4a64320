"""The bumble backend behaves as bleak's users expect of a backend."""

import asyncio

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble.gatt import Characteristic, Descriptor, Service

from simulators.radio import join

ECHO = "0000ffe1-0000-1000-8000-00805f9b34fb"
LOCKED = "0000ffe2-0000-1000-8000-00805f9b34fb"
ADDRESS = "C0:00:00:00:00:01"
P = Characteristic.Properties
FAST = {"advertising_interval_min": 20, "advertising_interval_max": 20, "auto_restart": True}
NAME_IN_RESPONSE = bytes([5, 9]) + b"Echo"
SERVICE_DATA = bytes.fromhex("020106" + "0616d2fc440152" + "0303e0ff")


class Echo:
    """A peripheral with a characteristic to read, write and subscribe to, and one that needs pairing."""

    def __init__(self) -> None:
        self.value = Characteristic(
            "FFE1", P.READ | P.WRITE | P.NOTIFY | P.WRITE_WITHOUT_RESPONSE, 3, b"hello",
            [Descriptor("2901", Descriptor.READABLE, b"echo")],
        )  # fmt: skip
        self.locked = Characteristic(
            "FFE2", P.READ, Characteristic.Permissions.READ_REQUIRES_ENCRYPTION, b"secret"
        )
        self.station = None

    async def start(self, air) -> None:
        """Come on the air."""
        self.station = await join(air, name="Echo", address=ADDRESS)
        self.station.device.add_service(Service("FFE0", [self.value, self.locked]))
        await self.station.device.start_advertising(
            advertising_data=SERVICE_DATA, scan_response_data=NAME_IN_RESPONSE, **FAST
        )


@pytest.fixture
async def echo(ether):
    """An echo peripheral on the air."""
    one = Echo()
    await one.start(ether)
    yield one
    await one.station.vanish()


@pytest.fixture
async def opened(radio):
    """The adapter, powered on."""
    await radio.open()
    yield radio
    await radio.close()


async def found(radio):
    """The echo peripheral, found by a scan."""
    device = await BleakScanner.find_device_by_address(ADDRESS, timeout=30, **radio.scanner)
    assert device is not None
    return device


async def test_a_scan_merges_advertisement_and_scan_response(opened, echo):
    """Name from the response, service data and UUIDs from the advertisement, strength from the radio."""
    ready = asyncio.Event()
    heard = {}

    def on_detected(device, data) -> None:
        heard[device.address] = (device, data)
        if data.local_name:
            ready.set()

    async with BleakScanner(on_detected, **opened.scanner):
        await asyncio.wait_for(ready.wait(), 30)
    device, data = heard[ADDRESS]
    assert device.name == data.local_name == "Echo"
    assert data.service_data == {"0000fcd2-0000-1000-8000-00805f9b34fb": bytes.fromhex("440152")}
    assert data.service_uuids == ["0000ffe0-0000-1000-8000-00805f9b34fb"]
    assert -63 <= data.rssi <= -57


async def test_a_service_filter_hides_the_others(opened, echo):
    """A scan for another service does not show the peripheral."""
    options = {**opened.scanner, "service_uuids": ["00001822-0000-1000-8000-00805f9b34fb"]}
    assert await BleakScanner.find_device_by_address(ADDRESS, timeout=0.15, **options) is None


async def test_connect_read_write_and_descriptors(opened, echo):
    """The whole GATT round: read, write with and without response, a descriptor, the MTU."""
    async with BleakClient(await found(opened), **opened.client) as client:
        assert client.is_connected
        assert client.name == "Echo"
        assert client.mtu_size > 23
        assert await client.read_gatt_char(ECHO) == b"hello"
        await client.write_gatt_char(ECHO, b"with", response=True)
        assert await client.read_gatt_char(ECHO) == b"with"
        await client.write_gatt_char(ECHO, b"without", response=False)
        assert await client.read_gatt_char(ECHO) == b"without"
        characteristic = client.services.get_characteristic(ECHO)
        assert set(characteristic.properties) == {"read", "write", "notify", "write-without-response"}
        names = [one for one in characteristic.descriptors if one.uuid.startswith("00002901")]
        assert await client.read_gatt_descriptor(names[0].handle) == b"echo"
    assert not client.is_connected


async def test_notifications_come_once_each_and_in_order(opened, echo):
    """A thousand notifications arrive, none twice; after stop_notify none arrives."""
    got: list[bytes] = []
    done = asyncio.Event()

    def on_value(_characteristic, value: bytearray) -> None:
        got.append(bytes(value))
        if len(got) == 1000:
            done.set()

    async with BleakClient(await found(opened), **opened.client) as client:
        await client.start_notify(ECHO, on_value)
        sent = [n.to_bytes(2, "big") for n in range(1000)]
        for value in sent:
            await echo.station.device.notify_subscribers(echo.value, value)
        await asyncio.wait_for(done.wait(), 30)
        assert got == sent
        await client.stop_notify(ECHO)
        await echo.station.device.notify_subscribers(echo.value, b"late")
        assert await client.read_gatt_char(ECHO) == b"hello"
        assert len(got) == 1000


async def test_a_refused_read_is_a_protocol_error_and_pairing_cures_it(opened, echo):
    """An encrypted characteristic is refused before pairing and read after it, also on a bonded reconnect."""
    device = await found(opened)
    async with BleakClient(device, **opened.client) as client:
        with pytest.raises(BleakGATTProtocolError) as refused:
            await client.read_gatt_char(LOCKED)
        assert refused.value.args[0] in {0x05, 0x0F}
        await client.pair()
        assert await client.read_gatt_char(LOCKED) == b"secret"
    async with BleakClient(await found(opened), **opened.client) as client:
        assert await client.read_gatt_char(LOCKED) == b"secret"


async def test_a_link_lost_mid_request_is_a_bleak_error_and_tells_the_callback(ether, opened, echo):
    """The caller gets a BleakError, never its own cancellation, and the disconnected callback runs once."""
    gone: list[str] = []
    client = BleakClient(await found(opened), lambda one: gone.append(one.address), **opened.client)
    await client.connect()
    reading = asyncio.ensure_future(client.read_gatt_char(ECHO))
    await asyncio.sleep(0)
    ether.lose_link(ADDRESS)
    with pytest.raises(BleakError, match="lost before the answer"):
        await reading
    assert gone == [ADDRESS]
    assert not client.is_connected
    with pytest.raises(BleakError, match="not connected"):
        await client.read_gatt_char(ECHO)
    await client.disconnect()
    await client.connect()
    assert await client.read_gatt_char(ECHO) == b"hello"
    await client.disconnect()
    assert gone == [ADDRESS] * 2


async def test_an_absent_device_times_out_and_frees_the_adapter(ether, opened, echo):
    """Connecting to a device that left ends in TimeoutError, and another connection works at once."""
    device = await found(opened)
    ether.silence(ADDRESS)
    with pytest.raises(TimeoutError):
        await BleakClient(device, **opened.client).connect(timeout=0.05)
    ether.hear_again(ADDRESS)
    async with BleakClient(device, **opened.client) as client:
        assert await client.read_gatt_char(ECHO) == b"hello"


async def test_a_cancelled_connect_frees_the_adapter(ether, opened, echo):
    """A task cancelled while connecting leaves the adapter able to connect."""
    device = await found(opened)
    ether.silence(ADDRESS)
    attempt = asyncio.create_task(BleakClient(device, **opened.client).connect())
    await asyncio.sleep(0.02)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    ether.hear_again(ADDRESS)
    async with BleakClient(device, **opened.client) as client:
        assert client.is_connected


async def test_an_address_nobody_heard_is_not_found(opened):
    """The error of bleak names a device that no scan has seen."""
    with pytest.raises(BleakDeviceNotFoundError):
        await BleakClient("C0:00:00:00:00:99", **opened.client).connect()


async def test_an_adapter_that_went_away_says_so(opened, echo):
    """With the transport gone every call ends in a BleakError."""
    client = BleakClient(await found(opened), **opened.client)
    await client.connect()
    await opened.close()
    with pytest.raises(BleakError):
        await client.read_gatt_char(ECHO)
    with pytest.raises(BleakError, match="adapter is not there"):
        await BleakScanner(**opened.scanner).start()
