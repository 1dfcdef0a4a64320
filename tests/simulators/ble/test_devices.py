"""Simulated Bluetooth devices speak as their specifications say, to software that is not ours."""

import asyncio
from datetime import UTC, datetime

import pytest
from bthome_ble.parser import BTHomeBluetoothDeviceData
from bumble import core
from habluetooth import BluetoothServiceInfoBleak

from simulators.ble import BthomePendant, PulseOximeter

PENDANT, OXIMETER = "c4:7c:8d:6a:10:01", "c4:7c:8d:6a:10:02"
KEY = bytes(range(16))
BATTERY_LEVEL = core.UUID("2A19")
UUID = "0000fcd2-0000-1000-8000-00805f9b34fb"


async def heard(central, wanted: int) -> list[bytes]:
    """The first different service data of the pendant that a scanner hears."""
    found: dict[bytes, None] = {}
    enough = asyncio.Event()

    def on_report(report) -> None:
        data = bytes(report.data)
        if report.event_type != 4 and b"\x16\xd2\xfc" in data:
            found[data.partition(b"\x16\xd2\xfc")[2]] = None
            if len(found) >= wanted:
                enough.set()

    central.device.host.on("advertising_report", on_report)
    await central.device.start_scanning(legacy=True)
    await asyncio.wait_for(enough.wait(), 30)
    await central.device.stop_scanning(legacy=True)
    return list(found)


async def test_an_independent_decoder_understands_the_pendant(ether, central):
    """bthome-ble decrypts the press and the battery level."""
    pendant = BthomePendant(PENDANT, key=KEY, battery=77, beacon=None)
    await pendant.start(ether)
    _, (payload,) = await asyncio.gather(pendant.press("double_press"), heard(central, 1))
    parser = BTHomeBluetoothDeviceData(bindkey=KEY)
    update = parser.update(
        BluetoothServiceInfoBleak(
            name="SBBT-002C",
            address=PENDANT.upper(),
            rssi=-60,
            manufacturer_data={},
            service_data={UUID: payload},
            service_uuids=[],
            source="",
            device=None,
            advertisement=None,
            connectable=False,
            time=0.0,
            tx_power=None,
        )
    )
    assert parser.bindkey_verified
    assert [event.event_type for event in update.events.values()] == ["double_press"]
    assert 77 in [value.native_value for value in update.entity_values.values()]
    await pendant.stop()


async def test_a_beacon_is_sent_in_the_time_it_is_given(ether, central):
    """Signs of life follow the scenario's clock, not the wall's."""
    waits: asyncio.Queue[float] = asyncio.Queue()

    async def no_wait(seconds: float) -> None:
        waits.put_nowait(seconds)
        await asyncio.sleep(0)

    pendant = BthomePendant(PENDANT, beacon=3600, sleep=no_wait)
    await pendant.start(ether)
    payloads = await heard(central, 2)
    assert len({payload[2] for payload in payloads}) == 2
    assert await waits.get() == 3600
    await pendant.stop()


async def test_the_oximeter_keeps_a_reading_until_it_is_confirmed(ether, central, subscribe):
    """A spot check waits in the store, is indicated on subscription and deleted after the confirmation."""
    oximeter = PulseOximeter(OXIMETER)
    await oximeter.start(ether)
    await oximeter.measure(96, 58, datetime(2026, 1, 15, 12, 30, 5, tzinfo=UTC))
    assert len(oximeter.stored) == 1
    _, listener = await subscribe(central, OXIMETER, "2A5E")
    value = await listener.next()
    assert value == bytes.fromhex("03 6000 3A00 EA07 01 0F 0C 1E 05 0001")
    await asyncio.wait_for(oximeter.until_stored_is_empty(), 30)
    await oximeter.stop()


async def test_continuous_values_reach_subscribers_only(ether, central, subscribe):
    """Shown to nobody they are gone; shown to a subscriber they arrive."""
    oximeter = PulseOximeter(OXIMETER)
    await oximeter.start(ether)
    assert not await oximeter.show(97, 60)
    _, listener = await subscribe(central, OXIMETER, "2A5F")
    assert await oximeter.show(97, 60)
    assert await listener.next() == bytes.fromhex("00 6100 3C00")
    assert await oximeter.finger_out()
    assert await listener.next() == bytes.fromhex("0C FF07 FF07 0020 000800")
    await oximeter.stop()


async def test_a_silent_device_remembers(ether, central, subscribe):
    """Battery out and in again: counter, stored readings and battery level are as they were."""
    oximeter = PulseOximeter(OXIMETER, battery=33)
    await oximeter.start(ether)
    await oximeter.silence()
    await oximeter.measure(90, 70)
    assert not oximeter.on_air
    await oximeter.wake()
    peer, listener = await subscribe(central, OXIMETER, "2A5E")
    assert (await listener.next())[1] == 90
    (level,) = peer.get_characteristics_by_uuid(BATTERY_LEVEL)
    assert await level.read_value() == bytes([33])
    await oximeter.stop()


async def test_an_address_that_cannot_be_is_refused(ether):
    """A static random address begins with C0 or higher."""
    with pytest.raises(ValueError, match="begins with C0"):
        await BthomePendant("38:39:8f:00:00:01").start(ether)
    with pytest.raises(ValueError, match="tcp:HOST:PORT"):
        await BthomePendant(PENDANT).start("udp:nowhere")
