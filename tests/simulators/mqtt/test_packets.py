"""MQTT on the wire: packets are cut out of a stream however it arrives, and rubbish ends the connection."""

from __future__ import annotations

import pytest

from simulators.mqtt import packets
from simulators.mqtt.packets import Heard, Packet, Reader, WrongPacket

PUBLISHED = packets.publish("homes/h1/x", b"{}" * 100, number=258, retain=True)


def test_packets_are_as_the_standard_writes_them() -> None:
    """MQTT 3.1.1, sections 2.2.3 (a length of two bytes), 3.1 and 3.3."""
    assert PUBLISHED[:3] == b"\x33\xd6\x01"
    assert PUBLISHED[3:17] == b"\x00\x0ahomes/h1/x\x01\x02"
    assert (
        packets.connect("c", "u", "p", 30)
        == b"\x10\x13\x00\x04MQTT\x04\xc2\x00\x1e\x00\x01c\x00\x01u\x00\x01p"
    )
    assert packets.subscribe(1, [("a/+", 1)]) == b"\x82\x08\x00\x01\x00\x03a/+\x01"
    assert packets.puback(258) == b"\x40\x02\x01\x02"


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_stream_may_be_cut_anywhere(size: int) -> None:
    """Whole, or a byte at a time."""
    stream = PUBLISHED + b"\xd0\x00" + PUBLISHED
    reader = Reader()
    found = [one for at in range(0, len(stream), size) for one in reader.feed(stream[at : at + size])]
    assert [one.kind for one in found] == [packets.PUBLISH, packets.PINGRESP, packets.PUBLISH]
    assert packets.heard(found[2]) == Heard("homes/h1/x", b"{}" * 100, 258)


def test_a_message_at_qos_0_has_no_number() -> None:
    """Nothing is acknowledged that nobody waits for."""
    (packet,) = Reader().feed(packets.publish("a", b"x"))
    assert packets.heard(packet) == Heard("a", b"x", 0)


@pytest.mark.parametrize("raw", [b"\x30\xff\xff\xff\xff\x01", b"\x30\xff\xff\xff\x7f"])
def test_a_length_nobody_can_mean_is_refused(raw: bytes) -> None:
    """A broker that sends rubbish is not listened to."""
    with pytest.raises(WrongPacket):
        list(Reader().feed(raw))


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x02ab", b"\x00\x02\xff\xfe\x00\x01"])
def test_a_publish_that_cannot_be_read_is_refused(body: bytes) -> None:
    """Without topic or number, or not text."""
    with pytest.raises(WrongPacket):
        packets.heard(Packet(packets.PUBLISH, 2, body))
