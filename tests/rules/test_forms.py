"""Each form of rule, by tables of what happens and what is told."""

from __future__ import annotations

import pytest

from rules import DeviceSpec

UNANSWERED = "rules: {r: {when: dispenser.due, missing: dispenser.dispensed, same: dose, within: 60 min}}"
THEN = "rules: {r: {when: door.opened, then: pendant.fall, within: 2 min}}"
TIMES = "rules: {r: {when: pendant.pressed, times: 3, within: 10 min}}"
LASTING = "rules: {r: {while: door.leaf is open, for: 10 min}}"
LIMIT = "rules: {r: {while: vitals.pulse > 100, for: 10 min, until: vitals.pulse < 90}}"
MEAN = "rules: {r: {while: vitals.pulse > 100, mean of last: %s}}"
SILENCE = "rules: {r: {missing: any.heartbeat, for: 15 min, per: device}}"
DAILY = 'rules: {r: {missing: room.motion, between: ["06:00", "10:00"]}}'


def pulses(*readings: str) -> str:
    """Lines of an oximeter: clock time and beats a minute."""
    return "\n".join("{} o vitals.pulse value={}".format(*reading.split()) for reading in readings)


CASES = {
    "it happens, each time anew": (
        "rules: {r: {when: pendant.fall}}",
        "08:00 p pendant.fall\n08:01 p pendant.fall",
        ["08:00:00 raise r h1", "08:01:00 raise r h1"],
    ),
    "an answer at the very deadline is in time": (
        UNANSWERED, "08:00 d dispenser.due dose=a\n09:00 d dispenser.dispensed dose=a", []),
    "an answer a moment after it is not": (
        UNANSWERED,
        "08:00 d dispenser.due dose=a\n09:00:01 d dispenser.dispensed dose=a",
        ["09:00:00 raise r h1/a", "09:00:01 clear r h1/a"],
    ),
    "an answer to another dose answers nothing": (
        UNANSWERED,
        "08:00 d dispenser.due dose=a\n08:30 d dispenser.dispensed dose=b",
        ["09:00:00 raise r h1/a"],
    ),
    "an answer at the very instant of the question does not count": (
        UNANSWERED, "08:00 d dispenser.due dose=a\n08:00 d dispenser.dispensed dose=a", ["09:00:00 raise r h1/a"]),
    "asked twice, the first deadline holds": (
        UNANSWERED, "08:00 d dispenser.due dose=a\n08:30 d dispenser.due dose=a", ["09:00:00 raise r h1/a"]),
    "a new round ends the alert of the old": (
        UNANSWERED,
        "08:00 d dispenser.due dose=a\n10:00 d dispenser.due dose=a",
        ["09:00:00 raise r h1/a", "10:00:00 clear r h1/a", "11:00:00 raise r h1/a"],
    ),
    "first this, then that, in time": (
        THEN, "08:00 f door.opened\n08:02 p pendant.fall", ["08:02:00 raise r h1"]),
    "first this, then that, too late": (THEN, "08:00 f door.opened\n08:02:01 p pendant.fall", []),
    "the latest first counts, once": (
        THEN,
        "08:00 f door.opened\n08:01 f door.opened\n08:02 p pendant.fall\n08:02:30 p pendant.fall",
        ["08:02:00 raise r h1"],
    ),
    "the first of two is too long ago, the latest is not": (
        THEN, "08:00 f door.opened\n08:03 f door.opened\n08:04 p pendant.fall", ["08:04:00 raise r h1"]),
    "that without this": (THEN, "08:00 p pendant.fall\n08:01 f door.opened", []),
    "so many, just in time": (
        TIMES, "08:00 p pendant.pressed\n08:05 p pendant.pressed\n08:10 p pendant.pressed", ["08:10:00 raise r h1"]),
    "so many, too far apart": (
        TIMES, "08:00 p pendant.pressed\n08:05 p pendant.pressed\n08:10:01 p pendant.pressed", []),
    "what was counted is spent": (
        TIMES,
        "\n".join(f"08:0{n} p pendant.pressed" for n in range(6)),
        ["08:02:00 raise r h1", "08:05:00 raise r h1"],
    ),
    "it stays so, though nothing comes": (LASTING, "08:00 f door.opened", ["08:10:00 raise r h1"]),
    "it ends at the very deadline": (LASTING, "08:00 f door.opened\n08:10 f door.closed", []),
    "it goes on from the first sample": (
        LASTING, "08:00 f door.opened\n08:09 f door.opened", ["08:10:00 raise r h1"]),
    "it ends and begins again": (
        LASTING,
        "08:00 f door.opened\n08:05 f door.closed\n08:06 f door.opened\n08:20 f door.closed",
        ["08:16:00 raise r h1", "08:20:00 clear r h1"],
    ),
    "without 'for' it is told at once": (
        "rules: {r: {while: lock.bolt is jammed}}",
        "08:00 l lock.jammed\n08:05 l lock.locked",
        ["08:00:00 raise r h1", "08:05:00 clear r h1"],
    ),
    "hysteresis: open until the second limit": (
        LIMIT,
        pulses("08:00 120", "08:15 95", "08:20 110", "08:25 89"),
        ["08:10:00 raise r h1", "08:25:00 clear r h1"],
    ),
    "between the limits before it is told: it ends": (
        LIMIT, "08:00 o vitals.pulse value=120\n08:05 o vitals.pulse value=95", []),
    "the mean of the last three": (
        MEAN % 3,
        pulses("08:00 60", "08:01 90", "08:02 120", "08:03 120"),
        ["08:03:00 raise r h1"],
    ),
    "the mean of the last five minutes, both ends in": (
        MEAN % "5 min",
        "08:00 o vitals.pulse value=60\n08:05 o vitals.pulse value=130\n08:05:01 o vitals.pulse value=130",
        ["08:05:01 raise r h1"],
    ),
    "silence from the first sign of life": (
        SILENCE,
        "08:00 f door.heartbeat\n08:15 f door.heartbeat\n08:40 f door.heartbeat",
        ["08:30:00 raise r f", "08:40:00 clear r f", "08:55:00 raise r f"],
    ),
    "the gateway is no device of 'any.'": (SILENCE, "08:00 g gateway.heartbeat", []),
    "nothing by ten": (
        DAILY, "05:00 m room.motion\n05:59 m room.motion\n11:00 m room.motion",
        ["10:00:00 raise r h1", "11:00:00 clear r h1"],
    ),
    "both ends of the window belong to it": (DAILY, "05:00 m room.motion\n06:00 m room.motion", []),
    "the last moment of the window belongs to it": (DAILY, "05:00 m room.motion\n10:00 m room.motion", []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_rule_tells_exactly_this(name, story) -> None:
    """What is written in the table happens, no more and no less."""
    rules, lines, expected = CASES[name]
    assert story(rules).told(lines, "12:00") == expected


def test_silence_is_counted_from_the_assignment(story, clock) -> None:
    """A device that never spoke is silent T after it was assigned, with no evidence."""
    astrid = story(SILENCE, devices={"f": DeviceSpec("door", clock("08:00"))})
    assert astrid.told("", "09:00") == ["08:15:00 raise r f"]
    assert astrid.decisions("", "09:00")[0].because == ()


def test_silence_may_be_the_device_types_own(story, clock) -> None:
    """`device.silent_after` differs from device to device; a device without one is not watched."""
    rules = "rules: {r: {missing: any.heartbeat, for: device.silent_after, per: device}}"
    devices = {
        "f": DeviceSpec("door", clock("08:00"), 600),
        "b": DeviceSpec("bed", clock("08:00"), 1200),
        "p": DeviceSpec("pendant", clock("08:00"), None),
    }
    assert story(rules, devices=devices).told("", "12:00") == ["08:10:00 raise r f", "08:20:00 raise r b"]


def test_a_window_over_midnight_belongs_to_the_day_it_begins_on(story) -> None:
    """Nothing between 22:00 and 02:30 is told at 02:30."""
    rules = 'rules: {r: {missing: room.motion, between: ["22:00", "02:30"]}}'
    assert story(rules).told("12:00 m room.motion", "+03:00") == ["02:30:00 raise r h1"]


def test_a_window_that_was_not_watched_whole_is_not_judged(story, clock) -> None:
    """A sensor assigned at nine says nothing about the morning since six."""
    astrid = story(DAILY, devices={"m": DeviceSpec("room", clock("09:00"))})
    assert astrid.told("", "+09:00") == []
    assert astrid.told("", "+11:00") == ["10:00:00 raise r h1"]


def test_one_alert_stands_however_many_days_pass(story) -> None:
    """`between` is not raised again while the alert is open."""
    assert story(DAILY).told("05:00 m room.motion", "+++12:00") == ["10:00:00 raise r h1"]


def test_several_states_make_one_condition(story) -> None:
    """A condition over two states is asked of the last of each; one not known yet is not met."""
    rules = "rules: {r: {while: door.leaf is open and bed.occupied is no, for: 1 min}}"
    lines = "08:00 f door.opened\n08:05 b bed.left\n08:10 f door.closed"
    assert story(rules).told(lines, "09:00") == ["08:06:00 raise r h1", "08:10:00 clear r h1"]


def test_either_of_two_states_is_enough_though_the_other_is_unknown(story) -> None:
    """`or` is true when one side is, whatever the other may be."""
    rules = "rules: {r: {while: vitals.pulse > 120 or vitals.spo2 < 90}}"
    assert story(rules).told("08:00 o vitals.spo2 value=85", "09:00") == ["08:00:00 raise r h1"]


def test_two_devices_are_two_keys_where_the_rule_says_so(story) -> None:
    """`per: device` keeps the doors apart; without it the home has one door."""
    lines = "08:00 front door.opened\n08:05 back door.opened\n08:06 back door.closed"
    apart = "rules: {r: {while: door.leaf is open, for: 10 min, per: device}}"
    assert story(apart).told(lines, "09:00") == ["08:10:00 raise r front"]
    assert story(LASTING).told(lines, "09:00") == []


def test_evidence_is_exact(story) -> None:
    """An alert names the events it rests on, a clear the event that ended it."""
    pairs = [
        (THEN, "08:00 f door.opened id=o\n08:01 p pendant.fall id=f", [("o", "f")]),
        (TIMES, "08:00 p pendant.pressed id=1\n08:01 p pendant.pressed id=2\n08:02 p pendant.pressed id=3",
         [("1", "2", "3")]),
        (LASTING, "08:00 f door.opened id=o\n08:05 f door.opened id=x\n08:30 f door.closed id=c", [("o",), ("c",)]),
        (UNANSWERED, "08:00 d dispenser.due dose=a id=q\n10:00 d dispenser.dispensed dose=a id=z", [("q",), ("z",)]),
    ]  # fmt: skip
    for rules, lines, expected in pairs:
        assert [each.because for each in story(rules).decisions(lines, "12:00")] == expected
