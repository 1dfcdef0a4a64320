"""The BTHome codec agrees with an independent decoder, and guards what that one forgets."""

import random
from typing import Any

import pytest
from bluetooth_data_tools import monotonic_time_coarse
from bthome_ble.const import MEAS_TYPES
from bthome_ble.parser import BTHomeBluetoothDeviceData
from habluetooth import BluetoothServiceInfoBleak

from drivers.device_type import Unit
from drivers.devices import bthome_pendant
from drivers.events import DecodeError, Frame
from drivers.protocols import bthome
from simulators.ble import bthome_frame

ADDRESS = "54:48:e6:8f:80:a5"
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
NOW = 1_768_460_400_000
UUID = "0000fcd2-0000-1000-8000-00805f9b34fb"
BUTTON = {0x01: "press", 0x02: "double_press", 0x03: "triple_press", 0x04: "long_press", 0x80: "hold_press"}


def oracle(payload: bytes, key: bytes | None = None) -> Any:
    """What bthome-ble makes of service data."""
    parser = BTHomeBluetoothDeviceData(bindkey=key)
    heard = BluetoothServiceInfoBleak(
        name="SBBT-002C", address=ADDRESS.upper(), rssi=-60, manufacturer_data={}, service_data={UUID: payload},
        service_uuids=[UUID], source="", device=None, advertisement=None, connectable=False,
        time=monotonic_time_coarse(), tx_power=None,
    )  # fmt: skip
    return parser.update(heard)


def frame(payload: bytes, heard: int = NOW) -> Frame:
    """A frame of the pendant."""
    return Frame("ble", ADDRESS, payload, heard, bthome.CHANNEL)


def presses(payload: bytes, unit: Unit, heard: int = NOW) -> list[str]:
    """The kinds of press read out of service data."""
    facts = bthome_pendant.DEVICE.decode(frame(payload, heard), unit)
    return [str(fact.data["press"]) for fact in facts if fact.kind == "pendant.pressed"]


def sealed(objects: str, counter: int, key: bytes = KEY) -> bytes:
    """Encrypted service data, built by the simulator from the specification."""
    return bthome_frame.encrypted(bytes.fromhex(objects), key=key, address=ADDRESS, counter=counter)


def test_the_published_example_is_read():
    """bthome.io's encryption example: 25.06 °C and 50.55 %, counter 33221100."""
    packet = bthome.parse(bytes.fromhex("41a47266c95f730011223378237214"), ADDRESS, KEY)
    assert packet.numbers("temperature") == [25.06]
    assert packet.numbers("humidity") == [50.55]
    assert packet.counter == 0x33221100


@pytest.mark.parametrize("number", sorted(set(bthome.OBJECTS) - bthome.EVENTS - {0x00}))
def test_every_number_is_read_as_by_the_independent_decoder(number):
    """Length, sign and factor of each object id agree with bthome-ble's, for small, large and negative bits."""
    measure = bthome.OBJECTS[number]
    theirs = MEAS_TYPES[number]
    assert measure.size == theirs.data_length
    draw = random.Random(number)
    for raw in (bytes(measure.size), b"\xff" * measure.size, draw.randbytes(measure.size)):
        packet = bthome.parse(bytes([0x40, number]) + raw, ADDRESS, None)
        value = packet.readings[0].value
        signed = theirs.data_format == "signed_integer"
        expected = int.from_bytes(raw, "little", signed=signed) * theirs.factor
        assert value == pytest.approx(expected, abs=theirs.factor / 1000)


def test_we_know_every_object_the_independent_decoder_knows():
    """No published object id is missing."""
    assert set(MEAS_TYPES) <= set(bthome.OBJECTS)


@pytest.mark.parametrize("code", sorted(BUTTON))
@pytest.mark.parametrize("key", [None, KEY])
def test_presses_of_the_simulator_mean_the_same_to_both(code, key):
    """A press made by the simulated pendant is one press to us and to bthome-ble, encrypted or not."""
    objects = bytes([0x00, 7, 0x01, 90, 0x3A, code])
    payload = (
        bthome_frame.plain(objects)
        if key is None
        else bthome_frame.encrypted(objects, key=key, address=ADDRESS, counter=5)
    )
    theirs = [event.event_type for event in oracle(payload, key).events.values()]
    assert theirs == [BUTTON[code]]
    assert presses(payload, Unit(ADDRESS, key)) == [bthome_pendant.PRESSES[code]]


def test_a_burst_is_one_press():
    """The same encrypted bytes heard again are no news."""
    unit = Unit(ADDRESS, KEY)
    assert presses(sealed("3a01", 10), unit) == ["short"]
    assert bthome_pendant.DEVICE.decode(frame(sealed("3a01", 10)), unit) == []


def test_a_replayed_press_is_refused_also_after_a_restart():
    """The counter is remembered in the unit's memory, which outlives the process."""
    unit = Unit(ADDRESS, KEY)
    for counter in (10, 11):
        presses(sealed("3a01", counter), unit)
    restarted = Unit(ADDRESS, KEY, memory=dict(unit.memory))
    with pytest.raises(DecodeError, match="counter went back from 11 to 10"):
        bthome_pendant.DEVICE.decode(frame(sealed("3a01", 10)), restarted)
    assert presses(sealed("3a01", 12), restarted) == ["short"]


def test_a_device_that_encrypts_cannot_be_impersonated_in_the_clear():
    """A press without encryption under a known device's address is refused and changes nothing."""
    unit = Unit(ADDRESS, KEY)
    presses(sealed("3a01", 10), unit)
    before = dict(unit.memory)
    with pytest.raises(DecodeError, match="not encrypted"):
        bthome_pendant.DEVICE.decode(frame(bytes.fromhex("443a01")), unit)
    assert unit.memory == before


def test_the_counter_goes_on_after_its_highest_value():
    """32 bits wrap to 0 without refusing the press."""
    unit = Unit(ADDRESS, KEY)
    assert presses(sealed("3a01", 0xFFFF_FFFF), unit) == ["short"]
    assert presses(sealed("3a01", 0), unit) == ["short"]


def test_a_new_key_starts_a_new_count():
    """After pairing anew the counter begins again and is believed."""
    unit = Unit(ADDRESS, KEY)
    presses(sealed("3a01", 5000), unit)
    other = bytes(range(16))
    unit.key = other
    assert presses(sealed("3a01", 1, other), unit) == ["short"]


def test_a_restarted_counter_is_believed_only_where_the_unit_allows_it():
    """Some buttons count from 1 again after a battery change; that is a setting, since it opens a replay."""
    strict, lenient = Unit(ADDRESS, KEY), Unit(ADDRESS, KEY, settings={"counter_restarts": True})
    for unit in (strict, lenient):
        presses(sealed("3a01", 5000), unit)
    with pytest.raises(DecodeError):
        presses(sealed("3a01", 3), strict)
    assert presses(sealed("3a01", 3), lenient) == ["short"]


def test_packet_ids_filter_repetitions_without_encryption():
    """The same or an earlier packet id within four seconds is a repetition, later it is news."""
    unit = Unit(ADDRESS)
    assert presses(bytes.fromhex("4400053a01"), unit) == ["short"]
    assert presses(bytes.fromhex("4400053a01"), unit, NOW + 1000) == []
    assert presses(bytes.fromhex("4400043a01"), unit, NOW + 1000) == []
    assert presses(bytes.fromhex("4400063a01"), unit, NOW + 1000) == ["short"]
    assert presses(bytes.fromhex("4400063a01"), unit, NOW + 10_000) == ["short"]


def test_two_gateways_give_one_press_one_id():
    """The id comes from key and counter, so a press heard twice in the house counts once."""
    here, there = Unit(ADDRESS, KEY), Unit(ADDRESS, KEY)
    ids = {
        bthome_pendant.DEVICE.decode(frame(sealed("3a01", 77), heard), unit)[0].id
        for unit, heard in ((here, NOW), (there, NOW + 40))
    }
    assert len(ids) == 1
    assert None not in ids


def test_the_address_inside_the_message_is_used_for_the_nonce():
    """A device whose radio address is not its own may send its own address along."""
    own = bytes.fromhex("5448e68f80a5")
    device = bytes([0x43])
    nonce = own + bytes.fromhex("d2fc") + device + (9).to_bytes(4, "little")
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    text = AESCCM(KEY, tag_length=4).encrypt(nonce, bytes.fromhex("3a01"), None)
    payload = device + own[::-1] + text[:-4] + (9).to_bytes(4, "little") + text[-4:]
    assert bthome.parse(payload, "c0:00:00:00:00:01", KEY).events("button") == [1]


def test_a_heartbeat_comes_at_most_every_quarter_of_an_hour():
    """A beacon that says nothing new is a sign of life, but not a hundred an hour."""
    unit = Unit(ADDRESS)
    kinds = []
    for minute in range(60):
        at = NOW + minute * 60_000
        facts = bthome_pendant.DEVICE.decode(frame(bytes([0x44, 0x00, minute, 0x01, 80]), at), unit)
        kinds += [fact.kind for fact in facts]
    assert kinds[0] == "pendant.battery"
    assert kinds[1:] == ["pendant.heartbeat"] * 4


def test_a_low_battery_is_said_once_until_it_is_changed():
    """Between 15 and 30 % nothing flutters; a new battery makes the next low one news again."""
    unit = Unit(ADDRESS)
    said = []
    for number, percent in enumerate((40, 15, 14, 20, 10, 90, 12)):
        at = NOW + number * 3_600_000
        facts = bthome_pendant.DEVICE.decode(frame(bytes([0x44, 0x00, number, 0x01, percent]), at), unit)
        said += [percent for fact in facts if fact.kind == "pendant.battery_low"]
    assert said == [15, 12]
