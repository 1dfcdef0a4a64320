"""The Bluetooth link hears registered devices over the real libraries, and recovers from what radios do."""

import asyncio
import os
import signal
import sys

import pytest
from bumble.gatt import Characteristic, Service

from drivers.device_type import BleUse, Outgoing, Unit
from drivers.devices import bthome_pendant, sig_pulse_oximeter
from drivers.links.ble.radio import BluezRadio, open_radios
from drivers.links.ble.session import Patience
from drivers.links.link import LinkDown
from drivers.protocols import gatt, gatt_plx
from simulators.ble import BthomePendant, PulseOximeter
from simulators.radio import RadioHub, join

PENDANT, STRANGER = "c4:7c:8d:6a:10:01", "c4:7c:8d:6a:10:99"
OXIMETER, SECOND = "c4:7c:8d:6a:10:02", "c4:7c:8d:6a:10:03"
KEY = bytes(range(16))
SHORT = 0.6  # seconds a message is on the air; a busy machine may not listen for half of them
BUTTON, METER = bthome_pendant.DEVICE.ble, sig_pulse_oximeter.DEVICE.ble


@pytest.fixture
async def pendant(ether):
    """Astrid's pendant, which sends only when pressed."""
    one = BthomePendant(PENDANT, key=KEY, beacon=None)
    one.burst = SHORT
    await one.start(ether)
    yield one
    await one.stop()


@pytest.fixture
async def oximeter(ether):
    """Astrid's oximeter."""
    one = PulseOximeter(OXIMETER, battery=70)
    await one.start(ether)
    yield one
    await one.stop()


async def test_a_press_becomes_one_frame(running, make_link, journal, pendant):
    """A burst of identical advertisements is one frame, which reads as one press."""
    async with running(make_link({PENDANT: BUTTON}), journal):
        await pendant.press("long_press")
    assert [(one.address, one.channel) for one in journal.frames] == [(PENDANT, "adv:fcd2")]
    facts = bthome_pendant.DEVICE.decode(journal.frames[0], Unit(PENDANT, KEY))
    assert facts[0].kind == "pendant.pressed"
    assert facts[0].data == {"press": "long"}


async def test_four_presses_are_four_frames(running, make_link, journal, pendant):
    """Presses one after the other differ in counter and packet id, and none is lost."""
    async with running(make_link({PENDANT: BUTTON}), journal):
        for _ in range(4):
            await pendant.press()
    unit = Unit(PENDANT, KEY)
    kinds = [fact.kind for frame in journal.frames for fact in bthome_pendant.DEVICE.decode(frame, unit)]
    assert kinds.count("pendant.pressed") == 4


async def test_strangers_are_counted_and_not_heard(running, make_link, journal, ether, pendant):
    """A neighbour's button costs no frame."""
    neighbour = BthomePendant(STRANGER, beacon=None)
    neighbour.burst = SHORT
    await neighbour.start(ether)
    link = make_link({PENDANT: BUTTON})
    async with running(link, journal):
        await neighbour.press()
        await pendant.press()
    assert {one.address for one in journal.frames} == {PENDANT}
    assert link.health().counters["strangers"] == 1
    await neighbour.stop()


async def test_a_measurement_comes_with_the_battery(running, make_link, journal, oximeter):
    """Connected, the battery is read and a spot check indicated, and the meter may delete it."""
    link = make_link({OXIMETER: METER})
    async with running(link, journal):
        await oximeter.measure(93, 61)
        await asyncio.wait_for(oximeter.until_stored_is_empty(), 30)
        frames = await journal.count(2)
        assert await oximeter.show(95, 62)
        frames = await journal.count(1, gatt_plx.CONTINUOUS)
        assert link.health().counters["connected"] == 1
    unit = Unit(OXIMETER)
    facts = [fact for one in journal.frames for fact in sig_pulse_oximeter.DEVICE.decode(one, unit)]
    assert {(fact.kind, fact.data.get("value")) for fact in facts} == {
        ("vitals.battery", 70),
        ("vitals.spo2", 93.0),
        ("vitals.pulse", 61.0),
        ("vitals.spo2", 95.0),
        ("vitals.pulse", 62.0),
    }
    assert frames[0].payload == bytes([0, 95, 0, 62, 0])


async def test_a_reading_taken_before_the_gateway_came_is_fetched(running, make_link, journal, oximeter):
    """What the meter stored while nobody listened is indicated when the gateway subscribes, in order."""
    for spo2 in (91, 92, 93):
        await oximeter.measure(spo2, 60)
    async with running(make_link({OXIMETER: METER}), journal):
        frames = await journal.count(3, gatt_plx.SPOT_CHECK)
    assert [one.payload[1] for one in frames] == [91, 92, 93]


async def test_a_link_lost_mid_transfer_loses_no_reading(running, make_link, journal, ether, oximeter):
    """The link breaks while stored readings flow; after the reconnect every reading has come."""
    for spo2 in range(60, 80):
        await oximeter.measure(spo2, 60)
    link = make_link({OXIMETER: METER})
    async with running(link, journal):
        await journal.count(3, gatt_plx.SPOT_CHECK)
        ether.lose_link(OXIMETER)
        await asyncio.wait_for(oximeter.until_stored_is_empty(), 30)
        await journal.until(
            lambda frames: (
                {one.payload[1] for one in frames if one.channel == gatt_plx.SPOT_CHECK} >= set(range(60, 80))
            )
        )
        assert link.health().counters["connections"] >= 2


async def test_a_device_that_leaves_and_comes_back_is_connected_anew(
    running, make_link, journal, oximeter, eventually
):
    """Battery out, battery in: the link says so, waits without trying, and subscribes again."""
    link = make_link({OXIMETER: METER})
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 1)
        await oximeter.silence()
        await eventually(lambda: link.health().counters["connected"] == 0)
        failures = link.health().counters.get("connect_failures", 0)
        await oximeter.measure(88, 90)
        await oximeter.wake()
        frames = await journal.count(1, gatt_plx.SPOT_CHECK)
        assert frames[0].payload[1] == 88
        assert link.health().counters.get("connect_failures", 0) == failures


async def test_an_absent_device_does_not_keep_the_others_out(running, make_link, journal, pendant, oximeter):
    """A registered device that is never heard costs nothing."""
    link = make_link({OXIMETER: METER, SECOND: METER, PENDANT: BUTTON})
    async with running(link, journal):
        await oximeter.measure(97, 60)
        await journal.count(1, gatt_plx.SPOT_CHECK)
        await pendant.press()
        await journal.count(1, "adv:")
    assert link.health().counters.get("connect_failures", 0) == 0


async def test_a_frame_that_nobody_wrote_down_is_counted(running, make_link, journal, pendant):
    """Bluetooth cannot wait, so a refused frame is at least seen in the counters."""
    journal.accepts = False
    link = make_link({PENDANT: BUTTON})
    async with running(link, journal):
        await pendant.press()
    assert link.health().counters["unrecorded"] == 1


async def test_an_indication_is_confirmed_after_the_commit(running, make_link, journal, oximeter, eventually):
    """On our own backend a meter may delete a reading only once it is written down."""
    journal.open.clear()
    async with running(make_link({OXIMETER: METER}), journal):
        await oximeter.measure(91, 60)
        await journal.count(1, gatt_plx.SPOT_CHECK)
        for _ in range(20):
            await asyncio.sleep(0)
        assert oximeter.stored
        journal.open.set()
        await asyncio.wait_for(oximeter.until_stored_is_empty(), 30)


async def test_an_indication_that_nobody_wrote_down_is_indicated_again(
    running, make_link, journal, oximeter, eventually
):
    """A full disk: the link ends without a confirmation, the meter keeps its reading and says it once more."""
    journal.accepts = False
    async with running(make_link({OXIMETER: METER}), journal):
        await oximeter.measure(91, 60)
        await journal.count(2, gatt_plx.SPOT_CHECK)
        assert oximeter.stored
        journal.accepts = True
        await asyncio.wait_for(oximeter.until_stored_is_empty(), 30)


async def test_truncated_and_wrong_data_reach_the_journal_as_they_are(
    running, make_link, journal, pendant, oximeter
):
    """Unreadable bytes are frames too: what to make of them is the decoder's business."""
    async with running(make_link({OXIMETER: METER, PENDANT: BUTTON}), journal):
        await pendant.press_truncated(5)
        await oximeter.send_bytes("2A5E", b"\x01\x61")
        await journal.count(1, gatt_plx.SPOT_CHECK)
    assert {one.payload for one in journal.frames} >= {b"\x01\x61"}
    assert len([one for one in journal.frames if one.address == PENDANT and len(one.payload) == 5]) == 1


async def test_a_silent_scan_is_begun_anew(running, make_link, journal, ether, radio, pendant, eventually):
    """A scan that hears nothing is replaced by a new one, said as degraded, and heals when something is heard."""
    seen = []
    link = make_link(
        {PENDANT: BUTTON}, patience=Patience(silence=0.2), on_change=lambda health: seen.append(health.state)
    )
    async with running(link, journal):
        await eventually(lambda: link.health().counters["scan_restarts"] >= 1)
        await eventually(lambda: "degraded" in seen)
        await pendant.press()
        await eventually(lambda: "up" in seen[seen.index("degraded") :])
    assert seen[-1] == "configured"
    assert len(journal.frames) == 1


async def test_two_meters_share_one_slot(running, make_link, journal, ether, oximeter):
    """With one slot a silent meter is let go when another waits, and both readings come."""
    other = PulseOximeter(SECOND)
    await other.start(ether)
    link = make_link({OXIMETER: METER, SECOND: METER}, slots=1)
    async with running(link, journal):
        await oximeter.measure(96, 60)
        await other.measure(90, 60)
        frames = await journal.until(
            lambda frames: len({one.address for one in frames if one.channel == gatt_plx.SPOT_CHECK}) == 2
        )
    assert {one.payload[1] for one in frames if one.channel == gatt_plx.SPOT_CHECK} == {96, 90}
    await other.stop()


class Buzzer:
    """A device that takes writes: what a command looks like on Bluetooth."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        props = Characteristic.Properties
        self.target = Characteristic("FFE1", props.WRITE | props.NOTIFY, 2, b"")
        self.target.on(self.target.EVENT_WRITE, lambda _connection, value: self.written.append(bytes(value)))

    async def start(self, air):
        """Come on the air."""
        self.station = await join(air, name="Buzzer", address=SECOND)
        self.station.device.add_service(Service("FFE0", [self.target]))
        await self.station.device.start_advertising(
            auto_restart=True, advertising_interval_min=20, advertising_interval_max=20
        )


async def test_what_is_sent_is_written_and_what_cannot_be_is_said(
    running, make_link, journal, ether, eventually
):
    """A connected device takes the bytes; an absent one ends in LinkDown after the time allowed."""
    channel = gatt.uuid("ffe1")
    buzzer = Buzzer()
    await buzzer.start(ether)
    link = make_link({SECOND: BleUse(subscribe=(channel,)), OXIMETER: METER})
    with pytest.raises(LinkDown, match="not yet opened"):
        await link.send(SECOND, Outgoing(channel, b"\x01"))
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        await link.send(SECOND, Outgoing(channel, b"\x01", wait=5_000))
        assert buzzer.written == [b"\x01"]
        with pytest.raises(LinkDown, match="did not take it within 20 ms"):
            await link.send(OXIMETER, Outgoing(channel, b"\x01", wait=20))
        with pytest.raises(LinkDown, match="no device that this gateway connects to"):
            await link.send(STRANGER, Outgoing(channel, b"\x01"))
    await buzzer.station.vanish()


async def test_a_greeting_is_written_and_a_refused_one_harms_nothing(running, make_link, journal, ether):
    """What the device type wants written after subscribing arrives; a device without the place is heard too."""
    channel = gatt.uuid("ffe1")
    buzzer = Buzzer()
    await buzzer.start(ether)
    use = BleUse(
        subscribe=(channel,),
        greeting=lambda visit: [
            Outgoing(gatt.uuid("2a08"), b"nobody"),
            Outgoing(channel, visit.now.to_bytes(8, "big")),
        ],
    )
    link = make_link({SECOND: use})
    async with running(link, journal):
        async with asyncio.timeout(30):
            while not buzzer.written:
                await asyncio.sleep(0.005)
        await buzzer.station.device.notify_subscribers(buzzer.target, b"heard")
        frames = await journal.count(1)
    assert buzzer.written == [(1_768_460_400_000).to_bytes(8, "big")]
    assert frames[0].payload == b"heard"
    await buzzer.station.vanish()


async def test_units_change_while_the_link_runs(running, make_link, journal, pendant, oximeter, eventually):
    """A device added to the registry is heard without a restart, a removed one no longer."""
    link = make_link({OXIMETER: METER})
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 1)
        link.set_units({PENDANT: BUTTON})
        await eventually(lambda: not oximeter.connected)
        await pendant.press()
        await journal.count(1, "adv:")
        assert link.health().counters["connected"] == 0


@pytest.fixture
async def hub(ether):
    """The radio, open on TCP."""
    async with RadioHub(ether) as one:
        yield one


async def test_the_gateway_joins_the_radio_over_tcp(running, make_link, journal, hub, pendant):
    """With the setting `tcp:HOST:PORT` the same link works on a hub in another process."""
    link = make_link({PENDANT: BUTTON}, radios=open_radios(hub.address))
    async with running(link, journal):
        await pendant.press()
        await journal.count(1)


async def test_a_hub_that_goes_and_comes_back_is_found_again(
    running, make_link, journal, ether, hub, oximeter, eventually
):
    """When the adapter goes away the link is down, says why, and recovers by itself."""
    from drivers.links.back_off import BackOff

    link = make_link({OXIMETER: METER}, radios=open_radios(hub.address), back_off=lambda: BackOff(0.01, 0.02))
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 1)
        await hub.stop()
        await eventually(lambda: link.health().state == "down")
        assert link.health().reason.startswith("tcp:127.0.0.1")
        await hub.start()
        await oximeter.measure(94, 60)
        await journal.count(1, gatt_plx.SPOT_CHECK)
        assert link.health().state == "up"


SIMULATOR = """
import asyncio, sys
from simulators.ble import PulseOximeter
async def main():
    meter = PulseOximeter(sys.argv[2])
    await meter.start(sys.argv[1])
    await meter.measure(int(sys.argv[3]), 60)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_a_killed_simulator_is_a_lost_link_and_its_successor_is_heard(
    running, make_link, journal, hub, eventually
):
    """A device process ended by SIGKILL leaves no dead link behind; started again it is connected to."""

    async def simulate(spo2: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", SIMULATOR, hub.address, OXIMETER, str(spo2)
        )

    link = make_link({OXIMETER: METER}, radios=open_radios(hub.address))
    async with running(link, journal):
        first = await simulate(81)
        await journal.until(lambda frames: any(one.payload[1:2] == bytes([81]) for one in frames), within=20)
        os.kill(first.pid, signal.SIGKILL)
        await first.wait()
        await eventually(lambda: link.health().counters["connected"] == 0)
        second = await simulate(82)
        await journal.until(lambda frames: any(one.payload[1:2] == bytes([82]) for one in frames), within=20)
        second.kill()
        await second.wait()


async def test_ending_the_link_leaves_nothing_behind(
    running, make_link, journal, ether, oximeter, eventually
):
    """After cancellation no task of the link runs and the adapter has left the air."""
    link = make_link({OXIMETER: METER})
    before = asyncio.all_tasks()
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"] == 1)
    left = {task.get_name() for task in asyncio.all_tasks() - before}
    assert not {name for name in left if name.startswith("ble ")}
    assert [member.name for member in ether.members] == ["Oximeter"]
    assert link.health().state == "configured"


@pytest.mark.parametrize(
    "setting", ["tcp:", "tcp:nowhere", "tcp:host:port", "usb:0", "BLUEZ", "", "bluez:", "bluez:hci0,"]
)
def test_a_wrong_setting_is_said_in_a_sentence(setting):
    """A typing slip names what may be written."""
    with pytest.raises(ValueError, match="off, bluez, bluez:ADAPTER, bluez:ADAPTER,ADAPTER or tcp:HOST:PORT"):
        open_radios(setting)


def test_settings_choose_the_radio():
    """Off is no radio; bluez uses bleak's own backend, on the named adapter."""
    assert open_radios("off") == []
    (plain,) = open_radios("bluez")
    assert isinstance(plain, BluezRadio)
    both = open_radios("bluez:hci0,00:1A:7D:DA:71:13")
    assert [one.name for one in both] == ["bluez:hci0", "bluez:00:1A:7D:DA:71:13"]


async def test_a_missing_bluez_is_a_link_that_is_down(running, make_link, journal, eventually, monkeypatch):
    """Without a system bus the link says so and keeps trying, and the gateway goes on."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    link = make_link({OXIMETER: METER}, radios=open_radios("bluez"), patience=Patience())
    async with running(link, journal):
        await eventually(lambda: link.health().state == "down")
        assert link.health().reason.startswith("bluez: ")
