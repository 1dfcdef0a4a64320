"""What only BlueZ's stand-in can be asked to do: errors at a chosen moment, questions to our agent."""

import asyncio
from dataclasses import replace

import pytest
from bleak.exc import BleakError

from drivers.devices import bthome_pendant, sig_pulse_oximeter
from drivers.links.ble import bluez_monitor
from drivers.links.ble.bluez_adapter import Adapter, chosen
from drivers.links.ble.bluez_agent import address_of
from drivers.links.ble.radio import BluezRadio
from drivers.links.ble.session import Patience
from drivers.protocols import gatt_plx
from simulators.ble import BthomePendant, PulseOximeter
from simulators.bluez.monitors import Monitors
from simulators.bluez.remote import Remote

PENDANT, OXIMETER = "c4:7c:8d:6a:10:01", "c4:7c:8d:6a:10:02"
METER = sig_pulse_oximeter.DEVICE.ble
BUTTON = bthome_pendant.DEVICE.ble
IMPATIENT = Patience(
    connect=30,
    answer=10,
    let_go=10,
    linger=0.05,
    silence=60,
    retry=0.01,
    longest_retry=0.05,
    revisit=0.05,
    idle=0.1,
)


@pytest.fixture
async def oximeter(ether):
    """Astrid's oximeter."""
    one = PulseOximeter(OXIMETER, battery=70)
    await one.start(ether)
    yield one
    await one.stop()


@pytest.fixture
async def pendant(ether):
    """Astrid's pendant."""
    one = BthomePendant(PENDANT, beacon=None)
    await one.start(ether)
    yield one
    await one.stop()


async def test_in_progress_is_tried_again(running, bluez_link, journal, bluez, oximeter, eventually):
    """BlueZ's most famous error costs an attempt, not the device."""
    bluez.faults.append(("Connect", "org.bluez.Error.InProgress"))
    bluez.faults.append(("Connect", "org.bluez.Error.Failed"))
    link = bluez_link({OXIMETER: METER})
    async with running(link, journal):
        await oximeter.measure(95, 60)
        await journal.count(1, gatt_plx.SPOT_CHECK)
    assert not bluez.faults


async def test_the_agent_answers_only_for_commissioned_devices(bluez):
    """A number for the device it belongs to, a rejection for everybody else."""
    radio = BluezRadio(passkeys={OXIMETER: 123456})
    await radio.open()
    assert bluez.agent is not None
    assert await bluez.ask_agent("RequestPasskey", OXIMETER) == 123456
    assert await bluez.ask_agent("RequestPasskey", PENDANT) is None
    assert await bluez.ask_agent("RequestAuthorization", PENDANT) is None
    await radio.close()
    async with asyncio.timeout(30):
        while bluez.agent is not None:
            await asyncio.sleep(0.005)


QUICK = replace(IMPATIENT, silence=0.1)


async def test_a_hung_adapter_is_switched_off_and_on(
    running, bluez_link, journal, bluez, ether, pendant, eventually
):
    """It hears nothing: first a new scanner, then power off and on, and the next press is heard."""
    states = []
    link = bluez_link(
        {PENDANT: BUTTON},
        patience=QUICK,
        on_change=lambda health: states.append((health.state, health.reason)),
    )
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        bluez.hung = True
        await eventually(lambda: bluez.power_cycles == 1)
        assert link.health().counters["scan_restarts"] >= 2
        await eventually(lambda: link.health().counters["adapters"])
        await pendant.press()
        await journal.count(1, "adv:")
        assert link.health().state == "up"
        assert link.health().counters["adapter_resets"] == 1
    assert ("degraded", "bluez: nothing heard for 0.1 s") in states


async def test_an_adapter_that_stays_deaf_is_reset_and_then_called_down(
    running, bluez_link, journal, bluez, eventually, monkeypatch
):
    """After the power cycle comes the reset by the kernel; where that fails, too, the link says that it is deaf."""
    asked = []

    async def recover(number, address, *, gone_silent):
        asked.append((number, address, gone_silent))
        return False

    monkeypatch.setattr("bluetooth_auto_recovery.recover_adapter", recover)
    link = bluez_link({PENDANT: BUTTON}, patience=QUICK)
    async with running(link, journal):
        await eventually(lambda: asked)
        assert bluez.power_cycles == 1
        assert asked[0] == (0, "f0:7a:10:00:00:02", True)
        await eventually(lambda: link.health().state == "down")
        assert "nothing is heard any more" in link.health().reason
        assert "NET_ADMIN" in link.health().reason


async def new_scans(link, number, eventually):
    """Wait until the scanner was renewed so often and the device is connected."""
    before = link.health().counters["scan_restarts"]
    await eventually(
        lambda: (
            link.health().counters["connected"] and link.health().counters["scan_restarts"] >= before + number
        )
    )


async def test_a_live_connection_keeps_the_adapter_from_being_reset(
    running, bluez_link, journal, bluez, oximeter, eventually
):
    """Where the only device is connected and therefore silent on the air, nothing but the scanner is renewed."""
    link = bluez_link({OXIMETER: METER}, patience=QUICK)
    async with running(link, journal):
        await new_scans(link, 2, eventually)  # what was begun before there was a connection is over
        before = bluez.power_cycles
        await new_scans(link, 4, eventually)
        assert bluez.power_cycles == before
        assert link.health().counters["connected"]


async def test_an_adapter_without_power_is_switched_on(
    running, bluez_link, journal, bluez, pendant, eventually
):
    """Somebody switched it off, at the start or in between: the link switches it on and listens."""
    await bluez.switch(on=False)
    link = bluez_link({PENDANT: BUTTON})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        await bluez.switch(on=False)
        await eventually(lambda: bluez.power_cycles == 2)
        await eventually(lambda: link.health().state == "up")
        await pendant.press()
        await journal.count(1, "adv:")


async def test_an_adapter_pulled_out_and_put_back(running, bluez_link, journal, bluez, pendant, eventually):
    """The link is down and says which adapters there are; put back, it is switched on and listened on."""
    link = bluez_link({PENDANT: BUTTON})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        await bluez.unplug()
        await eventually(lambda: "BlueZ has no adapter; there is none" in link.health().reason)
        bluez.plug_in()
        await eventually(lambda: link.health().state == "up")
        await pendant.press()
        await journal.count(1, "adv:")


async def test_an_adapter_that_refuses_to_scan_is_reset(running, bluez_link, journal, bluez, eventually):
    """A discovery that will not start ends with a power cycle, not with the patience of people."""
    bluez.faults.extend([("StartDiscovery", "org.bluez.Error.Failed")] * 3)
    link = bluez_link({PENDANT: BUTTON})
    async with running(link, journal):
        await eventually(lambda: bluez.power_cycles == 1)
        await eventually(lambda: link.health().state == "up")


async def test_a_read_that_never_returns_ends_by_our_own_deadline(
    running, bluez_link, journal, bluez, oximeter, eventually, monkeypatch
):
    """BlueZ may never answer one request; it is given up after a while, and the device is heard all the same."""
    never = asyncio.Event()

    async def read(_self, _path):
        await never.wait()

    monkeypatch.setattr("simulators.bluez.remote.Remote.read", read)
    link = bluez_link({OXIMETER: METER}, patience=replace(IMPATIENT, answer=0.2, silence=60))
    async with running(link, journal):
        await oximeter.measure(95, 60)
        await journal.count(1, gatt_plx.SPOT_CHECK)
        await eventually(lambda: link.health().counters["connected"] == 1)
    assert not [one for one in journal.frames if "2a19" in one.channel]


async def test_a_stale_table_of_services_is_forgotten(
    running, bluez_link, journal, bluez, oximeter, eventually
):
    """A table without what we need, as after an update: the cache is cleared and the next connection finds it."""
    real = Remote._add_service

    async def nothing(self, client, service):
        """The table as it was before the update."""

    Remote._add_service = nothing
    try:
        link = bluez_link({OXIMETER: METER})
        async with running(link, journal):
            await eventually(lambda: link.health().counters.get("connect_failures", 0) >= 1)
            Remote._add_service = real
            await oximeter.measure(95, 60)
            await journal.count(1, gatt_plx.SPOT_CHECK)
    finally:
        Remote._add_service = real


async def test_the_agent_is_there_before_the_first_scan(running, bluez_link, journal, bluez, eventually):
    """An encrypted device heard first must not meet a BlueZ without an agent."""
    order = []
    for call in (("org.bluez.AgentManager1", "RegisterAgent"), ("org.bluez.Adapter1", "StartDiscovery")):

        async def noted(message, real=bluez._methods[call]):
            order.append(message.member)
            return await real(message)

        bluez._methods[call] = noted
    link = bluez_link({PENDANT: BUTTON})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
    assert order[:2] == ["RegisterAgent", "StartDiscovery"]


def test_an_adapter_is_chosen_by_name_or_address():
    """What the setting names, the first one for an empty setting, and a sentence for one that is not there."""
    there = [
        Adapter("hci0", "/0", "00:00:00:00:00:01", True),
        Adapter("hci1", "/1", "00:1a:7d:da:71:13", True),
    ]
    assert chosen(there, "").name == "hci0"
    assert chosen(there, "hci1").name == "hci1"
    assert chosen(there, "00:1A:7D:DA:71:13").name == "hci1"
    with pytest.raises(BleakError, match=r"no adapter hci2; there is hci0 \(00:00:00:00:00:01\), hci1"):
        chosen(there, "hci2")


def test_an_object_path_names_its_address():
    """BlueZ speaks of paths, the registry of addresses."""
    assert address_of("/org/bluez/hci0/dev_C4_7C_8D_6A_10_01") == PENDANT


async def test_a_monitor_that_bluez_refuses_is_gone_without(
    running, bluez_link, journal, bluez, pendant, eventually
):
    """The link hears all the same, is degraded, and tells why."""
    bluez.faults.append(("RegisterMonitor", "org.bluez.Error.Failed"))
    link = bluez_link({PENDANT: BUTTON})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "degraded")
        assert "refuses RegisterMonitor: org.bluez.Error.Failed" in link.health().reason
        await pendant.press()
        await journal.count(1, "adv:")


async def test_a_monitor_that_is_never_activated_is_not_waited_for(
    running, bluez_link, journal, bluez, pendant, eventually, monkeypatch
):
    """BlueZ takes it and the kernel does not: after a moment the link goes on and says so."""
    monkeypatch.setattr(bluez_monitor, "ACTIVE_WITHIN", 0.05)
    monkeypatch.setattr(Monitors, "appeared", lambda *_: None)
    link = bluez_link({PENDANT: BUTTON})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "degraded")
        assert "did not activate our advertisement monitor" in link.health().reason


def test_a_released_monitor_is_told_of():
    """BlueZ may let go of it at any time; from then on something may be missed."""
    unfiltered = bluez_monitor.Unfiltered()
    unfiltered._monitor.active.set()
    assert unfiltered.caution == ""
    unfiltered._monitor.active.clear()
    assert "BlueZ has let go" in unfiltered.caution
