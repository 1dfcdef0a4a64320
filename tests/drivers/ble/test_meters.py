"""Meters over the whole way: simulated device, radio, bleak, link, decoder."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from drivers.device_type import DeviceType, Unit, Visit
from drivers.devices import (
    sig_blood_pressure,
    sig_glucose_meter,
    sig_heart_rate,
    sig_thermometer,
    sig_weight_scale,
)
from drivers.events import Fact
from drivers.protocols import gatt_glucose, meters
from simulators.ble import BloodPressureCuff, GlucoseMeter, HeartRateStrap, Thermometer, WeightScale

ADDRESS = "c4:7c:8d:6a:20:01"
OSLO = {"tz": "Europe/Oslo"}
MORNING = datetime(2026, 1, 15, 7, 30, tzinfo=ZoneInfo("Europe/Oslo"))
AT = 1_768_458_600_000


def read(type_: DeviceType, journal, unit: Unit) -> list[Fact]:
    """All facts of all frames heard, without batteries."""
    facts = [fact for frame in journal.frames for fact in type_.decode(frame, unit)]
    return [fact for fact in facts if fact.kind not in {"vitals.battery", "vitals.heartbeat"}]


@pytest.fixture
def unit() -> Unit:
    """Astrid's meter at home in Oslo."""
    return Unit(ADDRESS, settings=OSLO)


async def test_a_cuffs_stored_readings_come_with_their_own_time(running, make_link, journal, ether, unit):
    """Two readings taken while nobody listened are told in order, with the time they were taken."""
    cuff = BloodPressureCuff(ADDRESS)
    await cuff.start(ether)
    await cuff.measure(151, 92, 77, at=MORNING)
    await cuff.measure(148, 90, at=MORNING.replace(minute=45))
    type_ = sig_blood_pressure.DEVICE
    async with running(make_link({ADDRESS: type_.ble}), journal):
        await journal.count(2, "2a35")
    facts = read(type_, journal, unit)
    assert [(fact.kind, fact.data, fact.at) for fact in facts] == [
        ("vitals.blood_pressure", {"systolic": 151, "diastolic": 92}, AT),
        ("vitals.pulse", {"value": 77}, AT),
        ("vitals.blood_pressure", {"systolic": 148, "diastolic": 90}, AT + 15 * 60_000),
    ]
    await cuff.stop()


async def test_a_reading_sent_again_after_a_lost_link_has_the_same_id(
    running, make_link, journal, ether, unit, eventually
):
    """The confirmation is lost, the cuff repeats: the journal gets the same event, not a second one."""
    cuff = BloodPressureCuff(ADDRESS)
    await cuff.start(ether)
    type_ = sig_blood_pressure.DEVICE
    async with running(make_link({ADDRESS: type_.ble}), journal):
        await cuff.measure(151, 92, at=MORNING)
        await journal.count(1, "2a35")
        await cuff.measure(151, 92, at=MORNING)
        await journal.count(2, "2a35")
    assert len({fact.id for fact in read(type_, journal, unit)}) == 1
    await cuff.stop()


async def test_a_meters_clock_is_set_to_the_homes_time(running, make_link, journal, ether, eventually):
    """After connecting the meter is told local time, weekday included, in the home's zone."""
    cuff = BloodPressureCuff(ADDRESS)
    await cuff.start(ether)
    use = sig_blood_pressure.DEVICE.ble
    from dataclasses import replace

    link = make_link({ADDRESS: replace(use, settings=OSLO)})
    async with running(link, journal):
        await eventually(lambda: cuff.clock_writes)
    # The link's clock in these tests stands at 2026-01-15T07:00:00Z, a Thursday; 08:00 in Oslo.
    assert cuff.clock_writes == [bytes.fromhex("EA07 01 0F 08 00 00 04 00 01")]
    await cuff.stop()


async def test_a_failed_measurement_is_no_value(running, make_link, journal, ether, unit):
    """A cuff that gives up sends no numbers, and none are invented."""
    cuff = BloodPressureCuff(ADDRESS)
    await cuff.start(ether)
    await cuff.fail()
    type_ = sig_blood_pressure.DEVICE
    async with running(make_link({ADDRESS: type_.ble}), journal):
        await journal.count(1, "2a35")
    assert read(type_, journal, unit) == []
    await cuff.stop()


async def test_a_glucose_meter_bonds_and_delivers_its_records(running, make_link, journal, ether, unit):
    """The control point answers bonded centrals only; control solution is left out, "too high" is said."""
    meter = GlucoseMeter(ADDRESS)
    await meter.measure(5.5, MORNING)
    await meter.measure(6.1, MORNING, control=True)
    await meter.measure(12.2, MORNING)
    await meter.exceed(MORNING)
    await meter.start(ether)
    type_ = sig_glucose_meter.DEVICE
    async with running(make_link({ADDRESS: type_.ble}), journal):
        await journal.count(2, "2a52")
    facts = read(type_, journal, unit)
    assert [(fact.kind, fact.data.get("value"), fact.at) for fact in facts[:2]] == [
        ("vitals.glucose", pytest.approx(5.5, abs=0.01), AT),
        ("vitals.glucose", pytest.approx(12.2, abs=0.06), AT),
    ]
    assert facts[2:] == [Fact("vitals.fault", {"code": "result too high for the meter"})]
    await meter.stop()


async def test_records_told_before_are_not_told_again(running, make_link, journal, ether, unit):
    """A gateway that remembers nothing is sent all records at every connection; only the new one is news."""
    meter = GlucoseMeter(ADDRESS)
    await meter.measure(5.5, MORNING)
    await meter.start(ether)
    type_ = sig_glucose_meter.DEVICE
    async with running(make_link({ADDRESS: type_.ble}), journal):
        await journal.count(2, "2a52")
        await meter.measure(7.5, MORNING.replace(hour=12))
        await meter.lose_link()
        await journal.count(4, "2a52")
    assert len([frame for frame in journal.frames if "2a18" in frame.channel]) == 3
    told = [fact.data["value"] for fact in read(type_, journal, unit)]
    assert told == [pytest.approx(5.5, abs=0.01), pytest.approx(7.5, abs=0.01)]
    await meter.stop()


async def test_a_meter_that_lost_its_bond_is_not_silently_believed(
    running, make_link, journal, ether, unit, eventually
):
    """A meter that forgot its pairing could be another one: the link refuses it and says why it cannot connect."""
    meter = GlucoseMeter(ADDRESS)
    await meter.start(ether)
    link = make_link({ADDRESS: sig_glucose_meter.DEVICE.ble})
    async with running(link, journal):
        await journal.count(1, "2a52")
        await meter.lose_bonds()
        await eventually(lambda: link.health().counters.get("connect_failures", 0))
        assert link.health().counters["connected"] == 0
        assert link.health().counters["failing"] == 1
    await meter.stop()


async def test_a_control_point_that_never_answers_keeps_nothing_else_back(
    running, make_link, journal, ether, unit
):
    """The request is written and unanswered; battery and later values are heard all the same."""
    meter = GlucoseMeter(ADDRESS, battery=11)
    meter.answer_requests = False
    await meter.start(ether)
    link = make_link({ADDRESS: sig_glucose_meter.DEVICE.ble})
    async with running(link, journal):
        await journal.count(1, "2a19")
        await meter.set_battery(9)
        await journal.count(2, "2a19")
    await meter.stop()


@pytest.mark.parametrize(
    ("type_", "make", "value", "kind"),
    [
        (sig_thermometer.DEVICE, Thermometer, 38.6, "vitals.temperature"),
        (sig_weight_scale.DEVICE, WeightScale, 71.235, "vitals.weight"),
    ],
)
async def test_one_number_meters(running, make_link, journal, ether, unit, type_, make, value, kind):
    """A thermometer and a scale tell their value with its time."""
    meter = make(ADDRESS)
    await meter.start(ether)
    await meter.measure(None)
    await meter.measure(value, at=MORNING)
    async with running(make_link({ADDRESS: type_.ble}), journal):
        await journal.count(2, "2a1c" if make is Thermometer else "2a9d")
    facts = read(type_, journal, unit)
    assert [(fact.kind, fact.data, fact.at) for fact in facts] == [(kind, {"value": value}, AT)]
    await meter.stop()


async def test_a_heart_rate_strap(running, make_link, journal, ether, unit, eventually):
    """The pulse is told while it touches skin."""
    strap = HeartRateStrap(ADDRESS)
    await strap.start(ether)
    type_ = sig_heart_rate.DEVICE
    link = make_link({ADDRESS: type_.ble})
    async with running(link, journal):
        await eventually(lambda: link.health().counters["connected"])
        await strap.show(64)
        await strap.show(190, contact=False)
        await strap.show(120)
        await journal.count(3, "2a37")
    assert [fact.data["value"] for fact in read(type_, journal, unit)] == [64, 120]
    await strap.stop()


def test_the_memory_of_records_is_bounded():
    """A meter that counts on for years does not fill the gateway's memory."""
    unit = Unit(ADDRESS, settings=OSLO)
    from drivers.events import Frame

    for number in range(1500):
        record = bytes([0x02]) + number.to_bytes(2, "little") + bytes.fromhex("EA07010F071E00 63B011")
        sig_glucose_meter.DEVICE.decode(Frame("ble", ADDRESS, record, AT, gatt_glucose.MEASUREMENT), unit)
    assert len(unit.memory["records"]) == 1000


def test_a_wrong_zone_sets_the_clock_to_utc():
    """A typing slip in the settings gives a known time, not a crash in the middle of a connection."""
    for settings in ({"tz": "Mars/Olympus"}, {"tz": 7}, {}):
        current, date = meters.set_clock(Visit(now=AT, settings=settings))
        assert current.payload[:7] == date.payload == bytes.fromhex("EA07 01 0F 06 1E 00")
