"""What BlueZ's stand-in keeps back and merges, as the kernel does, and whose monitors it activates."""

import pytest
from bumble import hci
from dbus_fast import MessageType, Variant

from simulators.bluez.monitors import MONITOR, Monitors
from simulators.bluez.scanning import Heard, KeptBack, Type
from simulators.bluez.tree import DBusFault

PENDANT, NEIGHBOUR = hci.Address("C4:7C:8D:6A:10:01"), hci.Address("C4:7C:8D:6A:10:02")
FITTING = {"Type": Variant("s", "or_patterns"), "Patterns": Variant("a(yyay)", [[0, 0x16, b"\xd2\xfc"]])}


@pytest.fixture
def told() -> list[Heard]:
    """What bluetoothd was told."""
    return []


@pytest.fixture
def kept_back(told) -> KeptBack:
    """The kernel's one place for a report."""
    return KeptBack(told.append)


def words(told: list[Heard]) -> list[bytes]:
    """The data of each."""
    return [one.data for one in told]


def test_an_advertisement_is_told_with_its_scan_response(kept_back, told):
    """Kept until the response comes, and told once, both together."""
    kept_back.report(Type.ADV_SCAN_IND, Heard(PENDANT, b"press", -60))
    assert told == []
    kept_back.report(Type.SCAN_RSP, Heard(PENDANT, b"name", -50))
    assert told == [Heard(PENDANT, b"pressname", -60)]


def test_the_next_advertisement_of_the_same_device_takes_the_place(kept_back, told):
    """Without responses a press is lost to the next one, and only the last is told when the round ends."""
    for press in (b"one", b"two", b"three"):
        kept_back.report(Type.ADV_SCAN_IND, Heard(PENDANT, press, -60))
    kept_back.let_go()
    kept_back.let_go()
    assert words(told) == [b"three"]


def test_another_device_sets_free_what_is_kept(kept_back, told):
    """Whatever kind of report the other one's is."""
    kept_back.report(Type.ADV_IND, Heard(PENDANT, b"press", -60))
    kept_back.report(Type.ADV_IND, Heard(NEIGHBOUR, b"hello", -70))
    assert words(told) == [b"press"]
    kept_back.report(Type.SCAN_RSP, Heard(PENDANT, b"late", -60))
    assert words(told) == [b"press", b"hello", b"late"]


def test_who_cannot_be_asked_is_told_at_once(kept_back, told):
    """A beacon without a scan response waits for nothing."""
    kept_back.report(Type.ADV_NONCONN_IND, Heard(NEIGHBOUR, b"beacon", -70))
    assert words(told) == [b"beacon"]


class Bus:
    """Remembers what was called."""

    def __init__(self) -> None:
        self.called: list[tuple[str, str]] = []

    def send(self, message) -> None:
        """Send a message."""
        assert message.message_type is MessageType.METHOD_CALL
        self.called.append((message.path, message.member))


def test_only_monitors_of_those_who_registered_are_activated():
    """A monitor shown below the registered path is active until its program leaves; an odd one is released."""
    monitors, bus = Monitors(), Bus()
    monitors.register(":1.7", "/app")
    with pytest.raises(DBusFault):
        monitors.register(":1.7", "/app")
    monitors.appeared(bus, ":1.8", "/app", {MONITOR: FITTING})
    monitors.appeared(bus, ":1.7", "/apple", {MONITOR: FITTING})
    monitors.appeared(bus, ":1.7", "/app/2", {"org.example.Other": {}})
    assert (bus.called, monitors.active) == ([], set())
    monitors.appeared(bus, ":1.7", "/app/1", {MONITOR: FITTING})
    monitors.appeared(bus, ":1.7", "/app/odd", {MONITOR: {**FITTING, "Type": Variant("s", "all")}})
    assert bus.called == [("/app/1", "Activate"), ("/app/odd", "Release")]
    assert monitors.active == {(":1.7", "/app/1")}
    monitors.left(":1.7")
    assert (monitors.active, monitors.registered) == (set(), set())


def test_a_program_may_take_its_monitors_away():
    """Unregistered, they are active no more; what was never registered cannot be taken away."""
    monitors = Monitors()
    monitors.register(":1.7", "/app")
    monitors.appeared(Bus(), ":1.7", "/app", {MONITOR: FITTING})
    monitors.unregister(":1.7", "/app")
    assert not monitors.active
    with pytest.raises(DBusFault):
        monitors.unregister(":1.7", "/app")
