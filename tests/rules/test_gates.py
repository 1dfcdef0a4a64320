"""Part of the day, once per, and being held back by another rule."""

from __future__ import annotations

import pytest

from rules import DeviceSpec

HELD = """
rules:
  device-offline: {missing: any.heartbeat, per: device, for: 15 min, not while: gateway-silent}
  gateway-silent: {missing: gateway.heartbeat, for: 10 min}
"""


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("21:59:59", False),
        ("22:00", True),
        ("23:30", True),
        ("06:00", True),
        ("06:00:01", False),
        ("12:00", False),
    ],
)
def test_only_asks_the_clock_on_the_wall_both_ends_in(story, when, told) -> None:
    """A night from 22:00 to 06:00 includes both."""
    astrid = story("rules: {r: {when: bed.left, only: between 22:00 and 06:00}}")
    assert bool(astrid.told(f"{when} b bed.left")) is told


def test_started_is_asked_of_the_beginning(story) -> None:
    """A door opened just before the night is not the night's, however long it stands open."""
    astrid = story("rules: {r: {while: door.leaf is open, for: 10 min, started: between 22:00 and 06:00}}")
    assert astrid.told("21:59 f door.opened\n22:30 f door.opened") == []
    assert astrid.told("22:00 f door.opened") == ["22:10:00 raise r h1"]


def test_only_on_some_days_and_only_at_home(story) -> None:
    """15 January 2026 is a Thursday; a resident who is away is not looked for."""
    rules = "rules: {r: {when: bed.left, only: between 07:00 and 10:00 on weekdays when at home}}"
    assert story(rules).told("08:00 b bed.left") == ["08:00:00 raise r h1"]
    assert story(rules).told("++08:00 b bed.left", "+++08:00") == []
    assert story(rules, resident={"away": "yes"}).told("08:00 b bed.left") == []


def test_a_resident_has_a_night_of_their_own(story) -> None:
    """The ends of a part of the day may be the resident's; YAML's 1320 for 22:00 is understood."""
    rules = "rules: {r: {when: bed.left, only: between resident.night_from and resident.night_to}}"
    astrid = story(rules, resident={"night_from": 1320, "night_to": "05:00"})
    assert astrid.told("22:30 b bed.left") == ["22:30:00 raise r h1"]
    assert astrid.told("05:30 b bed.left") == []
    assert story(rules).told("22:30 b bed.left") == []


def test_at_most_once_keeps_what_it_does_not_raise(story) -> None:
    """Within the quiet time a further call is a repeat with its own evidence, never nothing."""
    astrid = story("rules: {r: {when: pendant.fall, at most once per: 5 min}}")
    lines = "08:00 p pendant.fall id=a\n08:04:59 p pendant.fall id=b\n08:05 p pendant.fall id=c"
    found = [(each.action, each.because) for each in astrid.decisions(lines, "09:00")]
    assert found == [("raise", ("a",)), ("repeat", ("b",)), ("raise", ("c",))]


def test_a_silent_gateway_holds_its_devices_back(story, clock) -> None:
    """While the gateway is silent no device is told silent; when it is heard again they have a new T."""
    devices = {"g": DeviceSpec("gateway", clock("08:00")), "f": DeviceSpec("door", clock("08:00"))}
    astrid = story(HELD, devices=devices)
    assert astrid.told("09:00 g gateway.heartbeat\n09:05 g gateway.heartbeat", "09:14") == [
        "08:10:00 raise gateway-silent h1",
        "09:00:00 clear gateway-silent h1",
    ]
    beats = "\n".join(f"09:{n:02d} g gateway.heartbeat" for n in range(0, 30, 5))
    assert "09:15:00 raise device-offline f" in astrid.told(beats, "09:30")


def test_what_is_held_says_so(story, clock) -> None:
    """A held alert is a decision of its own that names what holds it."""
    devices = {"g": DeviceSpec("gateway", clock("08:00")), "f": DeviceSpec("door", clock("08:00"))}
    held = [each for each in story(HELD, devices=devices).decisions("", "09:00") if each.action == "held"]
    assert [(each.rule, each.reason) for each in held] == [("device-offline", "held back by gateway-silent")]


def test_what_stood_open_before_stays_open(story, clock) -> None:
    """A holder that comes later takes nothing back."""
    devices = {"g": DeviceSpec("gateway", clock("08:10")), "f": DeviceSpec("door", clock("08:00"))}
    told = story(HELD, devices=devices).told("", "09:00")
    assert told == ["08:15:00 raise device-offline f", "08:20:00 raise gateway-silent h1"]


def test_at_one_instant_the_holder_comes_first(story, clock) -> None:
    """Due at the same moment, the gateway is told and the device is held."""
    devices = {"g": DeviceSpec("gateway", clock("08:05")), "f": DeviceSpec("door", clock("08:00"))}
    assert story(HELD, devices=devices).told("", "08:15") == ["08:15:00 raise gateway-silent h1"]


def test_a_sign_of_life_ends_being_held(story, clock) -> None:
    """A held device that speaks is not told when the gateway is heard again."""
    devices = {"g": DeviceSpec("gateway", clock("08:00")), "f": DeviceSpec("door", clock("08:00"))}
    lines = (
        "08:55 f door.heartbeat\n09:00 g gateway.heartbeat\n09:08 f door.heartbeat\n09:09 g gateway.heartbeat"
    )
    assert [line for line in story(HELD, devices=devices).told(lines, "09:15") if "device" in line] == []


def test_a_held_call_is_told_when_its_holder_is_over(story) -> None:
    """A rule that acts at once has no T: what was held is raised at the moment it is let go, with all its evidence."""
    rules = """
rules:
  call: {when: pendant.pressed, not while: jam}
  jam: {while: lock.bolt is jammed}
"""
    lines = (
        "08:00 l lock.jammed\n08:01 p pendant.pressed id=a\n08:02 p pendant.pressed id=b\n08:10 l lock.locked"
    )
    raised = [
        each
        for each in story(rules).decisions(lines, "09:00")
        if each.rule == "call" and each.action == "raise"
    ]
    assert [(story(rules).line(each), each.because) for each in raised] == [
        ("08:10:00 raise call h1", ("a", "b"))
    ]


def test_an_alert_a_person_closed_holds_nothing(story, heard, clock) -> None:
    """What latches stays open until a person closes it, and holds until then."""
    rules = """
rules:
  fall: {when: pendant.fall}
  door: {while: door.leaf is open, for: 1 min, not while: fall}
"""
    engine = story(rules, late=0).live()
    for event in heard("08:00 p pendant.fall\n08:01 f door.opened"):
        engine.observe(event)
    assert [each.action for each in engine.advance(clock("08:30"))] == ["held"]
    engine.close("h1", "fall", "h1", clock("08:40"))
    assert [(each.action, each.at) for each in engine.advance(clock("09:00"))] == [("raise", clock("08:41"))]
