"""Records that a meter has stored: each told once and with its right time, whatever the meter or the link does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.device_type import DeviceType, Outgoing, Unit
from drivers.devices import sig_blood_pressure, sig_glucose_meter, sig_pulse_oximeter
from drivers.events import DecodeError, Fact
from drivers.links.link import Receipt
from drivers.protocols import gatt, gatt_racp
from drivers.protocols.conversation import Failed, Write
from simulators.ble import BloodPressureCuff, GlucoseMeter, PulseOximeter
from simulators.ble.record_store import ALL, COUNT, FROM, REPORT

ADDRESS = "c4:7c:8d:6a:20:01"
NOW = 1_768_460_400_000  # 08:00 on 15 January 2026 in Oslo
EIGHT = datetime(2026, 1, 15, 8, 0)  # noqa: DTZ001  local time, as meters keep it
HOUR = 3_600_000
GLUCOSE = sig_glucose_meter.DEVICE
QUIET = {"vitals.battery", "vitals.heartbeat"}


class Home:
    """The gateway's side of one meter: decodes at once, and remembers over every connection."""

    def __init__(self, type_: DeviceType) -> None:
        self.type = type_
        self.unit = Unit(ADDRESS, settings={"tz": "Europe/Oslo"})
        self.facts: list[Fact] = []

    @property
    def use(self):
        """How the link treats the meter."""
        return replace(self.type.ble, settings=self.unit.settings, memory=lambda: dict(self.unit.memory))

    async def hear(self, frame) -> Receipt:
        """Decode as the gateway does, each id once."""
        known = {one.id for one in self.facts if one.id}
        try:
            found = [one for one in self.type.decode(frame, self.unit) if one.kind not in QUIET]
        except DecodeError:
            return Receipt(accepted=True, error="unreadable")
        self.facts += [one for one in found if one.id not in known]
        return Receipt(accepted=True)

    def values(self) -> list[float]:
        """What was told of glucose, rounded."""
        return [round(float(one.data["value"]), 1) for one in self.facts if one.kind == "vitals.glucose"]


@pytest.fixture
def home() -> Home:
    """A glucose meter's."""
    return Home(GLUCOSE)


@pytest.fixture
async def meter(ether):
    """Astrid's meter, whose clock is right."""
    one = GlucoseMeter(ADDRESS)
    one.clock = EIGHT
    await one.start(ether)
    yield one
    await one.stop()


@pytest.fixture
def fetched(running, make_link, eventually):
    """One connection, from the beginning to the moment in which everything has been fetched."""

    async def fetch(home, meter, until=None):
        meter.reported.clear()
        meter.clock_writes.clear()
        link = make_link({ADDRESS: home.use})
        async with running(link, home):
            await eventually(until or (lambda: meter.clock_writes), within=30)

    return fetch


def asked(meter) -> list[tuple[int, int]]:
    """The questions put to a meter: op code and operator; forgotten afterwards."""
    found = [(one[0], one[1]) for one in meter.memory.requests]
    meter.memory.requests.clear()
    return found


async def test_only_what_is_new_is_asked_for(fetched, meter, home):
    """First everything; later from the last known record on; with nothing new the meter's newest is looked at."""
    for value in (5.1, 5.2, 5.3):
        await meter.measure(value, EIGHT)
    await fetched(home, meter)
    assert asked(meter) == [(COUNT, ALL), (REPORT, ALL)]
    await meter.measure(6.4, EIGHT)
    meter.memory.sent = 0
    await fetched(home, meter)
    assert asked(meter) == [(COUNT, ALL), (REPORT, FROM)]
    assert meter.memory.sent == 2
    await fetched(home, meter)
    assert asked(meter) == [(COUNT, ALL), (REPORT, FROM), (REPORT, gatt_racp.NEWEST)]
    assert home.values() == [5.1, 5.2, 5.3, 6.4]


@pytest.mark.parametrize("forget", [True, False])
async def test_a_changed_battery_loses_no_reading(fetched, meter, home, forget):
    """Numbers begin anew, the old records are gone or still there: what is measured next is told, and nothing twice."""
    for value in (5.1, 5.2, 5.3):
        await meter.measure(value, EIGHT)
    await fetched(home, meter)
    for value in (7.1, 7.2):
        meter.change_battery(forget=forget) if value == 7.1 else None
        meter.clock = EIGHT
        await meter.measure(value, EIGHT + timedelta(hours=1))
        await fetched(home, meter)
    assert home.values() == [5.1, 5.2, 5.3, 7.1, 7.2]


async def test_a_transfer_cut_in_the_middle_is_taken_up_again(fetched, meter, home, eventually):
    """The link breaks after each record in turn, newest first: none is lost for being older than what was told."""
    meter.memory.newest_first = True
    for number in range(6):
        await meter.measure(5 + number / 10, EIGHT)
    for cut in range(6):
        home.__init__(GLUCOSE)
        meter.memory.cut_after = cut
        await fetched(home, meter)
        assert sorted(home.values()) == [5.0, 5.1, 5.2, 5.3, 5.4, 5.5]
        assert home.unit.memory["last"][0] == 6


async def test_records_lost_on_the_way_are_asked_for_once_more(fetched, meter, home):
    """Fewer came than the meter has: everything is asked for again."""
    for value in (5.1, 5.2, 5.3):
        await meter.measure(value, EIGHT)
    meter.memory.skip = {1}
    await fetched(home, meter)
    assert asked(meter) == [(COUNT, ALL), (REPORT, ALL), (REPORT, ALL)]
    assert sorted(home.values()) == [5.1, 5.2, 5.3]


async def test_a_full_memory_in_which_the_oldest_goes(fetched, meter, home):
    """The number of records stays the same; new ones are found all the same."""
    meter.memory.capacity = 4
    for number in range(7):
        await meter.measure(5 + number / 10, EIGHT)
        await fetched(home, meter)
    assert home.values() == [5.0, 5.1, 5.2, 5.3, 5.4, 5.5, 5.6]


async def test_numbers_that_reach_their_end(fetched, meter, home):
    """After 65535 comes 1 again."""
    meter._sequence = 65_533
    for number in range(4):
        await meter.measure(5 + number / 10, EIGHT)
        await fetched(home, meter)
    assert home.values() == [5.0, 5.1, 5.2, 5.3]


@pytest.mark.parametrize(
    ("operators", "op_codes"),
    [({ALL}, {REPORT, COUNT}), ({ALL}, {REPORT}), ({ALL, FROM}, {REPORT, COUNT}), ({ALL, FROM}, {REPORT})],
)
async def test_a_meter_that_knows_little_is_asked_what_it_knows(fetched, meter, home, operators, op_codes):
    """Without counting, or without choosing: everything is fetched, told once, and it is no fault."""
    meter.memory.operators, meter.memory.op_codes = frozenset(operators), frozenset(op_codes)
    for value in (5.1, 5.2):
        await meter.measure(value, EIGHT)
        await fetched(home, meter)
    await fetched(home, meter)
    assert home.values() == [5.1, 5.2]
    assert [one.kind for one in home.facts] == ["vitals.glucose"] * 2


async def test_a_procedure_that_was_not_completed_is_asked_for_once_more(fetched, meter, home):
    """Once is a hiccup; twice is a fault that a technician hears of."""
    await meter.measure(5.1, EIGHT)
    meter.memory.refuse = [0x08]
    await fetched(home, meter)
    assert home.values() == [5.1]
    await meter.measure(5.2, EIGHT)
    meter.memory.refuse = [0x08, 0x08]
    await fetched(home, meter)
    assert home.facts[-1] == Fact(
        "vitals.fault", {"code": "stored records not delivered: procedure not completed"}
    )
    await fetched(home, meter)
    assert home.values() == [5.1, 5.2]


async def test_an_empty_meter_is_no_fault(fetched, meter, home):
    """No records: the clock is set, and nothing is told."""
    await fetched(home, meter)
    assert (home.facts, asked(meter)) == ([], [(COUNT, ALL)])


# ---------------------------------------------------------------- clocks


@pytest.mark.parametrize(
    ("clock", "measured", "at"),
    [
        (EIGHT, EIGHT - timedelta(hours=1), NOW - HOUR),
        (EIGHT - timedelta(minutes=4), EIGHT - timedelta(hours=1), NOW - HOUR),
        (EIGHT - timedelta(hours=3), EIGHT - timedelta(hours=4), NOW - HOUR),
        (EIGHT + timedelta(hours=2), EIGHT + timedelta(hours=1), NOW - HOUR),
        (datetime(2016, 1, 1, 0, 30), datetime(2016, 1, 1, 0, 10), NOW - HOUR // 3),  # noqa: DTZ001
        (None, EIGHT - timedelta(hours=1), NOW - HOUR),
    ],
    ids=["right", "four minutes slow", "hours behind", "hours ahead", "since the battery", "not set"],
)
async def test_a_reading_by_a_wrong_clock_lies_where_it_happened(fetched, meter, home, clock, measured, at):
    """The clock is read first, what was stored by it is put right, and only then it is set."""
    meter.clock = clock
    await meter.lose_link()
    await meter.measure(5.5, measured)
    await fetched(home, meter)
    (fact,) = home.facts
    assert fact.at == at
    assert meter.clock_writes == [bytes.fromhex("EA07 01 0F 08 00 00 04 00 01")]


async def test_a_clock_set_before_everything_was_fetched_does_not_move_the_rest(fetched, meter, home):
    """The cuff's clock was put right while readings by the wrong one lay in it still; new ones are right already."""
    unit = home.unit
    unit.memory["clock"] = {"wrong": "2016-01-01T00:30:00", "right": "2026-01-15T06:00:00"}
    await meter.measure(5.5, datetime(2016, 1, 1, 0, 10))  # noqa: DTZ001
    await meter.measure(6.5, EIGHT - timedelta(hours=1))
    await fetched(home, meter)
    assert [one.at for one in home.facts] == [NOW - 2 * HOUR - HOUR // 3, NOW - HOUR]


async def test_a_clock_that_may_not_be_read_is_believed(fetched, meter, home):
    """Some meters let their clock be set and not read; they are fetched all the same."""
    meter.tells_clock = False
    await meter.lose_link()
    await meter.measure(5.5, EIGHT - timedelta(hours=1))
    await fetched(home, meter)
    assert [one.at for one in home.facts] == [NOW - HOUR]


async def test_a_cuffs_stored_readings_by_a_wrong_clock(running, make_link, ether, eventually):
    """A cuff pushes what it has as soon as it is subscribed to; its clock was read before that."""
    cuff, home = BloodPressureCuff(ADDRESS), Home(sig_blood_pressure.DEVICE)
    cuff.clock = EIGHT - timedelta(days=2)
    await cuff.measure(151, 92, at=EIGHT - timedelta(days=2, hours=1))
    await cuff.start(ether)
    async with running(make_link({ADDRESS: home.use}), home):
        await eventually(lambda: cuff.clock_writes and home.facts)
    assert [(one.kind, one.at) for one in home.facts] == [("vitals.blood_pressure", NOW - HOUR)]
    await cuff.stop()


async def test_a_cuffs_readings_survive_a_link_lost_in_the_middle(running, make_link, ether, eventually):
    """Three stored readings, the link breaks with each in turn on its way: all three are told, each once."""
    for spoiled in range(3):
        cuff, home = BloodPressureCuff(ADDRESS), Home(sig_blood_pressure.DEVICE)
        await cuff.start(ether)
        async with running(make_link({ADDRESS: home.use}), home):
            for number in range(3):
                cuff.break_link = number == spoiled
                await cuff.measure(120 + number, 80, at=EIGHT - timedelta(minutes=9 - number))
                await eventually(lambda cuff=cuff: not cuff.stored)
        assert [one.data["systolic"] for one in home.facts] == [120, 121, 122]
        await cuff.stop()


# ---------------------------------------------------------------- an oximeter that keeps its spot checks


async def test_an_oximeter_hands_out_what_it_has_stored(running, make_link, ether, eventually):
    """Its spot checks come by the control point, each once, over two connections and a cut one."""
    oximeter, home = PulseOximeter(ADDRESS, keeps=True), Home(sig_pulse_oximeter.DEVICE)
    oximeter.clock = EIGHT
    for number in range(3):
        await oximeter.measure(95 + number, 60, at=EIGHT - timedelta(minutes=10 - number))
    oximeter.memory.cut_after = 1
    await oximeter.start(ether)
    for _ in range(2):
        oximeter.clock_writes.clear()
        async with running(make_link({ADDRESS: home.use}), home):
            await eventually(lambda: oximeter.clock_writes)
    spo2 = [one for one in home.facts if one.kind == "vitals.spo2"]
    assert [(one.data["value"], one.at) for one in spo2] == [
        (95 + number, NOW - (10 - number) * 60_000) for number in range(3)
    ]
    await oximeter.stop()


# ---------------------------------------------------------------- the machine alone


@settings(
    max_examples=300, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=6).map(lambda noise: (gatt_racp.CONTROL_POINT, noise)),
            st.tuples(st.just(gatt_racp.CONTROL_POINT), st.sampled_from(
                [bytes([5, 0, n, 0]) for n in range(3)]
                + [bytes([6, 0, op, code]) for op in (1, 4) for code in range(10)]
            )),
            st.just((gatt.uuid("2a18"), bytes.fromhex("02 2A 00 EA07010F071E00 63B011"))),
            st.just((gatt.uuid("2a18"), b"\x00")),
        ),
        max_size=40,
    )
)  # fmt: skip
def test_no_meter_keeps_the_machine_asking_for_ever(heard):
    """Whatever a meter says, there are few questions, and no exception."""
    machine = gatt_racp.Records(
        gatt.uuid("2a18"), sig_glucose_meter._named, last=(42, "42/2026-01-15 07:30:00"), total=3
    )
    acts = machine.begin()
    for channel, payload in heard:
        acts += machine.heard(channel, payload)
    assert sum(isinstance(one, Write) for one in acts) <= 8


def test_a_meter_takes_no_commands():
    """Whoever sends one is told so."""
    machine = gatt_racp.Records(gatt.uuid("2a18"))
    assert machine.send(1, Outgoing("x", b"")) == [Failed(1, "a meter takes no commands")]
    machine.cancel(1)
    assert (machine.lost(), machine.busy, machine.unfinished) == ([], False, False)
