"""The virtual radio behaves as radios do, also where bumble's stock controller does not."""

import asyncio
from typing import Any

import pytest
from bumble import core, hci
from bumble.device import AdvertisingType, Peer
from bumble.gatt import Characteristic, Service

from simulators.radio import Ether, RadioController, Station
from simulators.radio.airlink import Advertisement
from simulators.radio.ether import plain

NAMED = bytes.fromhex("020106") + bytes([5, 0x09]) + b"cuff"
ANSWER = bytes([4, 0x09]) + b"two"
SPEED = {"advertising_interval_min": 20, "advertising_interval_max": 20}


async def reports(listener: Station, wanted: int, *, active: bool = True) -> list[Any]:
    """The first advertising reports a listener gets."""
    heard: list[Any] = []
    enough = asyncio.Event()

    def on_report(report: Any) -> None:
        heard.append(report)
        if len(heard) >= wanted:
            enough.set()

    listener.device.host.on("advertising_report", on_report)
    await listener.device.start_scanning(legacy=True, active=active)
    await asyncio.wait_for(enough.wait(), 30)
    await listener.device.stop_scanning(legacy=True)
    listener.device.host.remove_listener("advertising_report", on_report)
    return heard


async def advertise(
    station: Station, kind: AdvertisingType = AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE
) -> None:
    """Advertise with a name in the advertisement and another in the scan response."""
    await station.device.start_advertising(
        kind, advertising_data=NAMED, scan_response_data=ANSWER, auto_restart=True, **SPEED
    )


async def test_only_an_active_scanner_gets_scan_responses(station):
    """A passive scanner hears the advertisement alone, an active one its scan response too."""
    sensor, listener = await station(1), await station(2)
    await advertise(sensor)
    passive = await reports(listener, 3, active=False)
    assert {bytes(one.data) for one in passive} == {NAMED}
    active = await reports(listener, 4, active=True)
    assert {(one.event_type, bytes(one.data)) for one in active} == {(0, NAMED), (4, ANSWER)}


@pytest.mark.parametrize(("compares", "told"), [("data", 3), ("address", 1)])
async def test_what_a_filter_of_duplicates_compares_is_the_makers_choice(ether, station, compares, told):
    """New words of the same device are news to a filter that compares data, and not to one that compares addresses."""
    sensor, listener = await station(1), await station(2)
    (filtering,) = [one for one in ether.members if plain(one.random_address) == "c0:00:00:00:00:02"]
    filtering.duplicates = compares
    heard: list[bytes] = []
    listener.device.host.on("advertising_report", lambda report: heard.append(bytes(report.data)))
    await listener.device.start_scanning(legacy=True, active=False, filter_duplicates=True)
    words = [NAMED, ANSWER, NAMED + ANSWER]
    for said in words:
        filtering.on_advertisement(
            Advertisement(ether.find("c0:00:00:00:00:01"), sensor.device.random_address, 0, said, b"")
        )
        filtering.on_advertisement(
            Advertisement(ether.find("c0:00:00:00:00:01"), sensor.device.random_address, 0, said, b"")
        )
    await listener.device.stop_scanning(legacy=True)
    assert heard == words[:told]


def test_a_filter_that_compares_something_else_is_refused(ether):
    """The two kinds there are, in a sentence."""
    with pytest.raises(ValueError, match="data or address"):
        RadioController("odd", ether, duplicates="colour")


@pytest.mark.parametrize(
    ("kind", "event_type"),
    [
        (AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE, 0),
        (AdvertisingType.UNDIRECTED_SCANNABLE, 2),
        (AdvertisingType.UNDIRECTED, 3),
    ],
)
async def test_event_types_are_right(station, kind, event_type):
    """A beacon that cannot be connected to is reported as such."""
    sensor, listener = await station(1), await station(2)
    await advertise(sensor, kind)
    heard = await reports(listener, 1, active=False)
    assert heard[0].event_type == event_type


async def test_signal_strength_is_per_device(ether, station):
    """Each device is heard with its own strength, give or take 3 dB."""
    near, far, listener = await station(1), await station(2), await station(3)
    ether.rssi = {near.address: -40, far.address: -90}
    await advertise(near)
    await advertise(far)
    heard = await reports(listener, 12, active=False)
    strengths = {str(one.address).partition("/")[0].lower(): one.rssi for one in heard}
    assert abs(strengths[near.address] + 40) <= 3
    assert abs(strengths[far.address] + 90) <= 3


async def test_a_cancelled_connection_frees_the_controller(station):
    """Connecting to an absent device ends in a timeout, and the next connection works."""
    sensor, central = await station(1), await station(2)
    with pytest.raises(core.TimeoutError):
        await central.device.connect("C0:00:00:00:00:99", timeout=0.02)
    await advertise(sensor)
    connection = await central.device.connect(sensor.device.random_address, timeout=30)
    assert connection.handle is not None


async def test_a_beacon_cannot_be_connected_to(station):
    """A connection request to a non-connectable advertiser is not taken."""
    sensor, central = await station(1), await station(2)
    await advertise(sensor, AdvertisingType.UNDIRECTED_SCANNABLE)
    with pytest.raises(core.TimeoutError):
        await central.device.connect(sensor.device.random_address, timeout=0.1)


async def test_data_flows_both_ways_and_large_values_are_fragmented(station):
    """A value longer than one packet is written and read back whole."""
    value = bytes(range(256)) + bytes(200)
    written: list[bytes] = []
    stored = Characteristic(
        "2A00", Characteristic.Properties.READ | Characteristic.Properties.WRITE, 3, value
    )
    sensor, central = await station(1), await station(2)
    stored.on(stored.EVENT_WRITE, lambda _connection, got: written.append(bytes(got)))
    sensor.device.add_service(Service("180A", [stored]))
    await advertise(sensor)
    connection = await central.device.connect(sensor.device.random_address)
    client = connection.gatt_client
    await client.request_mtu(517)
    assert await client.read_value(stored.handle) == value
    await client.write_value(stored.handle, value[::-1], with_response=True)
    assert written == [value[::-1]]


async def test_a_lost_link_is_a_supervision_timeout_at_both_ends(ether, station):
    """Interference ends the link with reason 0x08 on both sides, and advertising begins again."""
    sensor, central = await station(1), await station(2)
    await advertise(sensor)
    ends: list[int] = []
    sensor.device.on("connection", lambda c: c.on("disconnection", ends.append))
    connection = await central.device.connect(sensor.device.random_address)
    gone = asyncio.Event()
    connection.on("disconnection", lambda reason: (ends.append(reason), gone.set()))
    ether.lose_link(sensor.address)
    await asyncio.wait_for(gone.wait(), 30)
    await asyncio.sleep(0)
    assert ends == [hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR] * 2
    again = await central.device.connect(sensor.device.random_address, timeout=30)
    assert again.handle is not None


async def test_a_silenced_device_is_not_heard_and_its_links_time_out(ether, station):
    """Out of range: the link ends by supervision timeout, and only coming back makes it heard again."""
    sensor, other, central = await station(1), await station(2), await station(3)
    await advertise(sensor)
    connection = await central.device.connect(sensor.device.random_address)
    gone: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    connection.on("disconnection", gone.set_result)
    for end in sensor.controller.air_links():
        end.timeout = 0.01
    ether.silence(sensor.address)
    assert await asyncio.wait_for(gone, 30) == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
    await advertise(other)
    heard = await reports(central, 4)
    assert {str(one.address).partition("/")[0].lower() for one in heard} == {other.address}
    ether.hear_again(sensor.address)
    again = await central.device.connect(sensor.device.random_address, timeout=30)
    assert again.handle is not None


async def test_slots_are_limited(station):
    """A central out of slots is refused with status 0x09 at once."""
    first, second, central = await station(1), await station(2), await station(3, max_connections=1)
    await advertise(first)
    await advertise(second)
    await central.device.connect(first.device.random_address)
    with pytest.raises(core.ProtocolError) as refused:
        await central.device.connect(second.device.random_address, timeout=30)
    assert refused.value.error_code == hci.HCI_ErrorCode.CONNECTION_LIMIT_EXCEEDED_ERROR


async def test_a_reset_quiets(station):
    """After an HCI reset nothing is advertised and peers have lost their links."""
    sensor, central = await station(1), await station(2)
    await advertise(sensor)
    connection = await central.device.connect(sensor.device.random_address)
    gone: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    connection.on("disconnection", gone.set_result)
    await sensor.device.host.send_sync_command(hci.HCI_Reset_Command())
    assert await asyncio.wait_for(gone, 30) == hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
    assert not sensor.controller.advertiser.enabled
    assert not list(sensor.controller.air_links())


async def test_two_that_reach_for_one_device_do_not_both_get_it(station):
    """A sensor takes one connection; the other central stays waiting until it gives up."""
    sensor, *centrals = await station(1), await station(2), await station(3)
    await advertise(sensor)
    address = sensor.device.random_address
    reaching = {asyncio.ensure_future(one.device.connect(address, timeout=60)): one for one in centrals}
    (first,), (waiting,) = await asyncio.wait(reaching, return_when=asyncio.FIRST_COMPLETED)
    await Peer(first.result()).discover_services()
    assert not waiting.done()
    await reaching[waiting].device.cancel_connection()
    with pytest.raises(core.ConnectionError):
        await waiting


async def test_latency_keeps_the_order(station):
    """With 1 ms a hop, a hundred writes still arrive in order."""
    slow = Ether(latency=0.001)
    sensor, central = await station(1, slow), await station(2, slow)
    got: list[bytes] = []
    stored = Characteristic("2A00", Characteristic.Properties.WRITE, 2, b"")
    stored.on(stored.EVENT_WRITE, lambda _connection, value: got.append(bytes(value)))
    sensor.device.add_service(Service("180A", [stored]))
    await advertise(sensor)
    connection = await central.device.connect(sensor.device.random_address)
    sent = [bytes([n]) for n in range(100)]
    for value in sent:
        await connection.gatt_client.write_value(stored.handle, value)
    await connection.gatt_client.write_value(stored.handle, b"last", with_response=True)
    assert got == [*sent, b"last"]


async def test_a_duplicate_filter_reports_each_advertisement_once(station):
    """With the filter on, the same data is reported once, and new data again."""
    sensor, listener = await station(1), await station(2)
    heard: list[bytes] = []
    changed = asyncio.Event()

    def on_report(report: Any) -> None:
        heard.append(bytes(report.data))
        if report.data == ANSWER:
            changed.set()

    await sensor.device.start_advertising(advertising_data=NAMED, **SPEED)
    listener.device.host.on("advertising_report", on_report)
    await listener.device.start_scanning(legacy=True, active=False, filter_duplicates=True)
    while not heard:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    await sensor.device.start_advertising(advertising_data=ANSWER, **SPEED)
    await asyncio.wait_for(changed.wait(), 30)
    assert heard == [NAMED, ANSWER]
