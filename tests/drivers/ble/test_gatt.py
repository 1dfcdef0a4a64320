"""Medical numbers and times as meters write them."""

from datetime import datetime

import pytest

from drivers.device_type import Unit
from drivers.devices import sig_pulse_oximeter
from drivers.events import DecodeError, Frame
from drivers.protocols import gatt
from drivers.protocols.gatt import NoNumber
from simulators.ble import medical_float

NOW = 1_768_460_400_000


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0x0061, 97.0),
        (0xF3C5, 96.5),
        (0xF16C, 36.4),
        (0x0078, 120.0),
        (0x1078, 1200.0),
        (0x0FFF, -1.0),
        (0x07FD, 2045.0),
        (0x07FF, NoNumber.NAN),
        (0x0800, NoNumber.NRES),
        (0x07FE, NoNumber.PLUS_INFINITY),
        (0x0802, NoNumber.MINUS_INFINITY),
        (0x0801, NoNumber.RESERVED),
    ],
)
def test_sfloat(raw, value):
    """Sixteen-bit medical numbers, exactly rounded, and what is no number."""
    assert gatt.sfloat(raw) == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0xFF00016C, 36.4),
        (0xFE000E38, 36.4),
        (0x0000004B, 75.0),
        (0xFDFFFFFF, -0.001),
        (0x007FFFFF, NoNumber.NAN),
        (0x00800000, NoNumber.NRES),
        (0x007FFFFE, NoNumber.PLUS_INFINITY),
        (0x00800002, NoNumber.MINUS_INFINITY),
    ],
)
def test_float(raw, value):
    """Thirty-two-bit medical numbers."""
    assert gatt.float32(raw) == value


def test_numbers_survive_the_way_from_the_simulator():
    """What the simulated meters write, written from the standard, is what we read."""
    for tenths in range(-2000, 2046, 7):
        value = tenths / 10
        assert gatt.sfloat(int.from_bytes(medical_float.sfloat(value, -1), "little")) == value
        assert gatt.float32(int.from_bytes(medical_float.float32(value, -1), "little")) == value
    assert gatt.sfloat(int.from_bytes(medical_float.sfloat(None), "little")) is NoNumber.NAN
    assert gatt.float32(int.from_bytes(medical_float.float32(None), "little")) is NoNumber.NAN


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        (datetime.fromisoformat("2026-01-15T12:00:00"), 1_768_474_800_000),
        (datetime.fromisoformat("2026-07-15T12:00:00"), 1_784_109_600_000),
        (datetime.fromisoformat("2026-10-25T02:30:00"), 1_792_888_200_000),
    ],
)
def test_a_meters_clock_is_local_time(local, utc):
    """Winter, summer, and the first of the two 02:30 in the night that summer time ends."""
    assert gatt.in_zone(local, Unit("-", settings={"tz": "Europe/Oslo"})) == utc


def test_without_a_zone_nobody_knows_what_a_meters_clock_means():
    """No setting or a wrong one gives no time rather than a wrong one."""
    at = datetime.fromisoformat("2026-01-15T12:00:00")
    assert gatt.in_zone(at, Unit("-")) is None
    assert gatt.in_zone(at, Unit("-", settings={"tz": "Mars/Olympus"})) is None
    assert gatt.in_zone(None, Unit("-", settings={"tz": "Europe/Oslo"})) is None


def test_an_endless_value_is_refused():
    """A characteristic has at most 512 bytes."""
    with pytest.raises(DecodeError, match="at most 512"):
        gatt.battery_level(bytes(600))


def test_continuous_values_are_thinned_but_no_fall_is_missed():
    """An hour of steady values a second is 60 reports; a drop of two points is reported at once."""
    unit = Unit("-")

    def shown(second: int, spo2: int) -> list[str]:
        frame = Frame("ble", "-", bytes([0, spo2, 0, 64, 0]), NOW + second * 1000, "2a5f")
        return [fact.kind for fact in sig_pulse_oximeter.DEVICE.decode(frame, unit)]

    reports = sum(bool(shown(second, 97)) for second in range(3600))
    assert reports == 60
    assert shown(3600, 97) == ["vitals.spo2", "vitals.pulse"]
    assert shown(3601, 96) == []
    assert shown(3602, 95) == ["vitals.spo2", "vitals.pulse"]
