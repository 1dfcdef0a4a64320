"""A scenario file is read strictly: every slip is said with its line, what was expected and what came."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.scenario.faults import FAULTS
from simulators.scenario.load import load, read
from simulators.scenario.text import ScenarioError, clock, parse, span
from simulators.scenario.words import every_kind

HEAD = """\
format: trygghub-scenario-1
name: trial
homes:
  h1:
    resident: Astrid
    devices:
      h1-door: {type: door}
      h1-dispenser: {type: dispenser, doses: ["08:00"]}
"""


def problems(text: str) -> list[str]:
    """What the reader says of this text."""
    with pytest.raises(ScenarioError) as wrong:
        read(text)
    return wrong.value.problems


def test_the_shipped_scenario_is_sound() -> None:
    """The demo's day reads without a complaint and has three homes."""
    assert list(load("demo_day").homes) == ["h1", "h2", "h3"]


def test_a_minimal_scenario_is_enough() -> None:
    """Format, name and homes suffice; everything else has a default."""
    scenario = read(HEAD)
    assert scenario.start == 7 * 60
    assert scenario.homes["h1"].devices["h1-dispenser"].settings["doses"] == (8 * 60,)


@pytest.mark.parametrize(
    ("incident", "sentence"),
    [
        (
            "at: '09:00', device: h1-dor, do: opened",
            "an incident: 'device': 'h1-dor' is none of h1-door, h1-dispenser; did you mean 'h1-door'?",
        ),
        (
            "at: 9, device: h1-door, do: opened",
            "an incident: 'at': a clock time is written like 07:05, not '9'",
        ),
        ("at: '09:00', device: h1-door, do: silent", "'silent' needs 'for' (how long)"),
        (
            "at: '09:00', device: h1-door, do: closed, for: 3 min",
            "'for' does not go with 'closed': nothing a door says ends it",
        ),
        (
            "at: '09:00', device: h1-door, do: opened, for: soon",
            "an incident: 'for': a time span is written like '10 min', '90 s' or '1 h 30 min', not 'soon'",
        ),
        (
            "at: '09:00', device: h1-dispenser, do: miss",
            "'miss' needs the clock time of one of the doses of 'h1-dispenser' as its 'at'",
        ),
        ("device: h1-door, do: opened", "an incident needs 'at'"),
    ],
)
def test_a_slip_in_an_incident_is_said_with_its_line(incident: str, sentence: str) -> None:
    """One sentence with the line, what stands there, and the likely remedy."""
    assert problems(f"{HEAD}incidents:\n  - {{{incident}}}\n") == [f"line 10: {sentence}"]


def test_a_misspelt_incident_is_said_once() -> None:
    """What follows from a slip is not said beside it."""
    (said,) = problems(f"{HEAD}incidents:\n  - {{at: '09:00', device: h1-door, do: opend, for: 3 min}}\n")
    assert said.startswith("line 10: an incident: 'do': 'opend' is none of opened, closed, ")
    assert said.endswith("; did you mean 'opened'?")


@pytest.mark.parametrize(
    ("addition", "sentence"),
    [
        ("incidents: {at: '09:00'}", "line 9: 'incidents' is a list; begin each line with '- '"),
        (
            "expect:\n  - {rule: fall, home: h2, between: ['09:00', '09:10']}",
            "line 10: an expected alert: 'home': 'h2' is none of h1, area",
        ),
        (
            "expect:\n  - {rule: fall, home: h1}",
            "line 10: an expected alert needs 'between': [from, to], two clock times",
        ),
        ("seeds: 3", "line 9: a scenario knows no 'seeds'; did you mean 'seed'?"),
        ("seed: 1\nseed: 2", "line 10: 'seed' stands here twice (first on line 9)"),
        (
            "tz: Europe/Oslow",
            "line 9: a scenario: 'tz': 'Europe/Oslow' is no time zone; write one like Europe/Oslo",
        ),
        ("start: [1]", "line 9: a scenario: 'start' is a single value, this is a list"),
    ],
)
def test_a_slip_is_said_with_its_line(addition: str, sentence: str) -> None:
    """The same for the rest of the file."""
    assert problems(f"{HEAD}{addition}\n") == [sentence]


def test_a_file_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    """What stands before the sentence names the file; the sentence names it no second time."""
    with pytest.raises(ScenarioError) as wrong:
        load(str(tmp_path / "gone.yaml"))
    assert wrong.value.problems == ["line 1: it cannot be read: No such file or directory"]


def test_an_unknown_device_type_is_said() -> None:
    """The sentence lists the types there are."""
    (one,) = problems(HEAD.replace("{type: door}", "{type: dor}"))
    assert one.startswith("line 7: device 'h1-door': 'type': 'dor' is none of ")
    assert one.endswith("did you mean 'door'?")


def test_a_setting_of_another_type_is_said() -> None:
    """A door has no doses."""
    (one,) = problems(HEAD.replace("{type: door}", "{type: door, doses: ['08:00']}"))
    assert one == "line 7: device 'h1-door' knows no 'doses'"


def test_one_device_cannot_stand_in_two_homes() -> None:
    """Ids of devices are unique over all homes."""
    second = "  h2:\n    devices:\n      h1-door: {type: door}\n"
    assert problems(HEAD + second) == [
        "line 11: device 'h1-door' stands in home 'h1' already; ids are unique"
    ]


def devices(*written: str) -> str:
    """A home with these devices, the first on line 6."""
    lines = "".join(f"      {one}\n" for one in written)
    return f"format: trygghub-scenario-1\nname: trial\nhomes:\n  h1:\n    devices:\n{lines}"


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (
            "d: {type: door, family: bthome}",
            "line 6: device 'd': a door of the family 'bthome' needs 'address'",
        ),
        ("d: {type: door_reader}", "line 6: device 'd': a door_reader needs 'address' and 'key'"),
        (
            "d: {type: bed, family: bthome}",
            "line 6: the family 'bthome' has no bed; it has door, motion, smoke, water, climate",
        ),
        (
            "d: {type: cuff, address: c0-7a}",
            "line 6: device 'd': 'address': a Bluetooth address is written like c0:7a:10:00:00:11, not 'c0-7a'",
        ),
        (
            "d: {type: cabinet, address: /etc/passwd}",
            (
                "line 6: device 'd': 'address': a place on a serial line is written port#unit, "
                "like serial/stick#0180a1b2, not '/etc/passwd'"
            ),
        ),
        (
            "d: {type: care_phone, address: '1', receiver: here}",
            "line 6: device 'd': 'receiver': a receiver is written host:port, like 127.0.0.1:15060, not 'here'",
        ),
        (
            "d: {type: alarm_panel, address: x, receiver: '127.0.0.1:1'}",
            "line 6: device 'd': 'address': a panel's address is its account, 3 to 16 of 0-9 and A-F, not 'x'",
        ),
    ],
)
def test_what_a_device_needs_is_said(written: str, sentence: str) -> None:
    """Address, key and receiver are asked for where the wire needs them."""
    assert problems(devices(written)) == [sentence]


def test_an_address_that_is_taken_is_said() -> None:
    """Two devices under one Bluetooth address would be one."""
    one, two = (f"{name}: {{type: scale, address: 'c0:00:00:00:00:01'}}" for name in ("a", "b"))
    assert problems(devices(one, two)) == [
        "line 7: device 'b': c0:00:00:00:00:01 is the address of 'a' already"
    ]


@pytest.mark.parametrize(
    "other",
    [
        "b: {type: cabinet, address: 'serial/x#2'}",
        "b: {type: door_reader, address: 'serial/x#2', key: k}",
        "b: {type: nurse_call, port: serial/x}",
    ],
)
def test_one_line_speaks_one_protocol(other: str) -> None:
    """A cabinet and a stick cannot share a port."""
    stick = "a: {type: door, family: enocean, address: 'serial/x#1'}"
    assert problems(devices(stick, other)) == [
        "line 7: device 'b': the line serial/x is that of 'a'; name another port"
    ]


def test_sensors_may_share_a_stick() -> None:
    """A key card and a contact are heard by the same stick."""
    stick = "a: {type: door, family: enocean, address: 'serial/x#1'}"
    assert len(read(devices(stick, "b: {type: key_card, address: 'serial/x#2'}")).devices) == 2


@pytest.mark.parametrize(
    ("incident", "sentence"),
    [
        ("do: doubled", "'doubled' needs 'for' (how long)"),
        ("do: reboot, for: 3 min", "'for' does not go with 'reboot': nothing a door says ends it"),
        (
            "do: slow, for: 3 min, data: {second: 3}",
            "'slow' knows no data 'second'; did you mean 'seconds'?",
        ),
        (
            "do: dropped, for: 3 min, data: {chance: 2}",
            "data 'chance': a chance lies between 0 and 1, not at '2'",
        ),
        ("do: link_lost, data: {hours: 2}", "'link_lost' knows no data 'hours'; it takes none"),
    ],
)
def test_a_slip_in_a_fault_is_said_with_its_line(incident: str, sentence: str) -> None:
    """A fault says what it takes."""
    text = f"{HEAD}incidents:\n  - {{at: '09:00', device: h1-door, {incident}}}\n"
    assert problems(text) == [f"line 10: {sentence}"]


@pytest.mark.parametrize(("type_", "family"), every_kind())
def test_every_device_can_be_written_with_all_its_faults(type_: str, family: str) -> None:
    """What the tables offer, the reader takes."""
    kind = every_kind()[type_, family]
    places = {"ble": "c0:00:00:00:00:01", "serial": "serial/x#1", "sip": "47", "tcp": "12AB"}
    more = {
        "address": places.get(kind.wire, ""), "key": "k", "receiver": "127.0.0.1:15060", "port": "serial/x",
    }  # fmt: skip
    settings = "".join(f", {key}: '{more[key]}'" for key in kind.needs)
    lasting = {one: ", for: 5 min" if FAULTS[one].lasts else "" for one in kind.faults}
    incidents = "".join(
        f"  - {{at: '09:00', device: d, do: {one}{lasts}}}\n" for one, lasts in lasting.items()
    )
    text = devices(f"d: {{type: {type_}, family: {family}{settings}}}") + (
        f"incidents:\n{incidents}" if incidents else ""
    )
    assert {one.do for one in read(text).incidents} == set(kind.faults)


def test_all_slips_are_said_at_once() -> None:
    """A tester need not run it three times to see three slips."""
    assert len(problems(HEAD + "start: 25:00\nseed: x\ntz: Nowhere\n")) == 3


def test_clock_times_may_stand_without_quotes() -> None:
    """YAML's habit of reading 22:00 as 1320 does not reach a scenario."""
    assert read(HEAD + "start: 22:00\n").start == 22 * 60


@pytest.mark.parametrize(
    "text",
    ["", "- a\n- b\n", "just text", "a: [1, 2", "\t", "a: &x {b: 1}\nc: *x\n", "a: " + "[" * 40 + "]" * 40],
)
def test_what_is_no_scenario_is_refused(text: str) -> None:
    """Whatever stands in the file, the answer is a complaint with a line and nothing else."""
    assert all(one.startswith("line ") for one in problems(text))


def test_a_huge_file_is_refused() -> None:
    """A recording put there by mistake is not read to its end."""
    assert problems("a" * 2_000_000) == ["line 1: the file has 2000000 characters, at most 1000000 are read"]


def test_a_quoted_value_in_data_stays_text() -> None:
    """Room "201" is a name and not a number; 84 is a number; true is a flag."""
    (incident,) = read(
        HEAD
        + 'incidents:\n  - {at: "09:00", device: h1-door, do: fault, data: {code: "201", n: 84, b: true}}\n'
    ).incidents
    assert incident.data == {"code": "201", "n": 84, "b": True}


def test_a_scenario_nobody_ships_is_named() -> None:
    """A slip in the name of a shipped scenario is answered with the likely one."""
    with pytest.raises(ScenarioError, match=r"no scenario is called 'demo_dya'; did you mean 'demo_day'\?"):
        load("demo_dya")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90 s", 90), ("1 h 30 min", 5400), ("250 ms", 0.25), ("1.5 h", 5400)]
)
def test_spans(text: str, seconds: float) -> None:
    """Spans are written as people write them."""
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["24:00", "7:00", "07:60", "0700", "²2:00", ""])
def test_what_is_no_clock_time(text: str) -> None:
    """Only HH:MM is a clock time."""
    with pytest.raises(ValueError, match="a clock time is written like 07:05"):
        clock(text)


def test_lines_count_from_one() -> None:
    """The line of a complaint is the one an editor shows."""
    spot = parse("a: 1\nb:\n  c: 2\n")
    assert isinstance(spot.value, dict)
    inner = spot.value["b"].value
    assert isinstance(inner, dict)
    assert inner["c"].line == 3
