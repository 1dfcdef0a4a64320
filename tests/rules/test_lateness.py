"""Order, lateness, repeats, clocks ahead, the urgent lane."""

from __future__ import annotations

from dataclasses import replace

from drivers.events import Event
from rules import DeviceSpec

THEN = "rules: {r: {when: door.opened, then: pendant.fall, within: 2 min, urgency: critical}}"
DOSE = "rules: {r: {when: dispenser.due, missing: dispenser.dispensed, same: dose, within: 60 min}}"


def test_ids_order_what_happens_at_one_instant(story) -> None:
    """At one instant number 9 comes before number 10, and numbers before words."""
    assert story(THEN).told("08:00 f door.opened id=9\n08:00 p pendant.fall id=10") == ["08:00:00 raise r h1"]
    assert story(THEN).told("08:00 f door.opened id=10\n08:00 p pendant.fall id=9") == []
    assert story(THEN).told("08:00 f door.opened id=10\n08:00 p pendant.fall id=a") == ["08:00:00 raise r h1"]


def test_the_same_id_counts_once(story) -> None:
    """An event told again, even much later, is the same event."""
    rules = "rules: {r: {when: pendant.pressed, times: 2, within: 10 min}}"
    assert story(rules).told("08:00 p pendant.pressed id=a\n08:00 p pendant.pressed id=a heard=08:01") == []


def test_a_call_told_again_long_after_is_not_told_twice(story) -> None:
    """Twenty falls, then the first comes in once more, and the second once more as if it were new."""
    falls = "\n".join(f"08:{n:02d} p pendant.fall id={n}" for n in range(20))
    again = "08:00 p pendant.fall id=0 heard=08:30\n09:30 p pendant.fall id=1"
    rules = "rules: {r: {when: pendant.fall, urgency: critical}}"
    assert story(rules).told(f"{falls}\n{again}") == [f"08:{n:02d}:00 raise r h1" for n in range(20)]


def test_two_homes_may_use_the_same_id(story, heard) -> None:
    """Ids are compared within a home."""
    engine = story("rules: {r: {when: pendant.fall}}", late=0).live()
    (event,) = heard("08:00 p pendant.fall id=1")
    other = Event("1", event.at, event.heard, "h2", "p", "pendant.fall", {})
    assert [len(engine.observe(each)) for each in (event, other, event, other)] == [1, 1, 0, 0]


def test_an_event_late_within_its_allowance_finds_its_place(story) -> None:
    """Heard two minutes late it is judged as if it had come in time."""
    lines = "08:00 d dispenser.due dose=a\n09:00 d dispenser.dispensed dose=a heard=09:02"
    assert story(DOSE).told(lines, "10:00") == []


def test_an_answer_later_than_that_clears_with_its_reason(story) -> None:
    """A dose reported much too late ends the alert that was told without it."""
    lines = "08:00 d dispenser.due dose=a\n08:30 d dispenser.dispensed dose=a heard=09:30"
    found = [each for each in story(DOSE).decisions(lines, "10:00") if each.rule == "r"]
    assert [(each.action, each.reason) for each in found] == [("raise", ""), ("clear", "came in late")]


def test_what_comes_too_late_is_marked_and_touches_nothing(story) -> None:
    """A late sample neither begins nor ends anything; a decision says that it was late."""
    rules = "rules: {r: {while: door.leaf is open, for: 10 min}}"
    lines = "08:00 f door.opened\n08:05 f door.closed heard=08:20"
    found = story(rules).decisions(lines, "09:00")
    assert [(each.action, each.reason) for each in found] == [("late", "came in 15 min late"), ("raise", "")]


def test_a_call_for_help_is_raised_however_late(story) -> None:
    """A fall that comes in an hour late is raised, and says so."""
    found = story("rules: {r: {when: pendant.fall}}").decisions("08:00 p pendant.fall heard=09:00", "10:00")
    assert [(e.action, e.reason) for e in found if e.rule == "r"] == [("raise", "came in 1 h late")]


def test_a_late_call_past_a_gate_is_raised_too(story) -> None:
    """Past hours, holders and limits: what a person asked cannot be gated for having come late."""
    rules = "rules: {r: {when: pendant.fall, only: between 22:00 and 06:00}}"
    found = story(rules).decisions("12:00 p pendant.fall heard=13:00", "14:00")
    assert [each.action for each in found if each.rule == "r"] == ["raise"]


def test_a_clock_ahead_of_ours_is_held_back_to_the_time_of_hearing(story) -> None:
    """A device from tomorrow does not silence the rule that watches it."""
    rules = "rules: {r: {missing: door.heartbeat, for: 15 min}}"
    assert story(rules).told("23:00 f door.heartbeat heard=08:00", "09:00") == ["08:15:00 raise r h1"]


def test_a_clock_ahead_stands_where_it_was_heard_and_goes_by_its_id(story) -> None:
    """Heard at one instant, the one from the future is of that instant too, so their ids decide."""
    lines = "09:00 f door.opened id=1 heard=08:00\n08:00 p pendant.fall id=2"
    for late in (0, 120_000):
        assert story(THEN, late=late).told(lines) == ["08:00:00 raise r h1"]


def test_critical_rules_act_on_arrival(story, heard) -> None:
    """With two minutes' allowance a fall is told when it is heard, and is not told again when it settles."""
    engine = story("rules: {r: {when: pendant.fall}}").live()
    (fall,) = heard("08:00 p pendant.fall")
    assert [each.action for each in engine.observe(fall)] == ["raise"]
    assert engine.advance(fall.at + 600_000) == []


def test_the_urgent_lane_sees_what_has_not_settled(story, heard) -> None:
    """Door and fall in disorder: the pair is told as soon as both are heard."""
    engine = story(THEN).live()
    fall, door = heard("08:01 p pendant.fall id=2\n08:00 f door.opened id=1 heard=08:01:30")
    assert [each.rule for each in engine.observe(fall)] == []
    assert [(each.rule, each.because) for each in engine.observe(door)] == [("r", ("1", "2"))]
    assert [each.action for each in engine.advance(fall.at + 600_000)] == []


def test_a_told_critical_alert_is_never_taken_back(story, heard) -> None:
    """Counted on arrival, three presses are told though a fourth, earlier one would have made other threes."""
    rules = "rules: {r: {when: pendant.pressed, times: 2, within: 1 min}}"
    engine = story(rules).live()
    lines = "08:01 p pendant.pressed id=b\n08:01:30 p pendant.pressed id=c\n08:00:30 p pendant.pressed id=a heard=08:02"
    told = [each for event in heard(lines) for each in engine.observe(event)]
    told += engine.advance(heard(lines)[0].at + 3_600_000)
    raised = [(each.because) for each in told if each.action == "raise"]
    assert raised[0] == ("b", "c")
    assert not [each for each in told if each.action == "clear"]


def test_rules_that_wait_fire_late_in_the_world_but_with_their_own_instant(story, heard, clock) -> None:
    """Two minutes behind the clock on the wall, the deadline is still the deadline."""
    engine = story("rules: {r: {while: door.leaf is open, for: 10 min}}").live()
    engine.observe(heard("08:00 f door.opened")[0])
    assert engine.next_due() == clock("08:02") + 1
    assert engine.advance(clock("08:02") + 1) == []
    assert engine.next_due() == clock("08:12") + 1
    assert engine.advance(clock("08:12")) == []
    assert [each.at for each in engine.advance(clock("08:12") + 1)] == [clock("08:10")]


def test_the_allowance_may_be_a_devices_own(story, heard) -> None:
    """A device whose clock nobody trusts is stamped by the gateway and has no allowance."""
    devices = {"f": DeviceSpec("door", late_ms=0), "d": DeviceSpec("dispenser")}
    engine = story("rules: {r: {when: bed.left}}", devices=devices).live()
    (late,) = heard("08:00 f door.opened heard=08:01")
    assert [each.action for each in engine.observe(late)] == ["late"]
    (fine,) = heard("08:00 d dispenser.due dose=a heard=08:01")
    assert engine.observe(fine) == []


def test_deadlines_wait_for_events_of_the_same_millisecond(story, heard, clock) -> None:
    """`advance` to the deadline itself does nothing yet: what comes at that instant would be in time."""
    engine = story("rules: {r: {missing: door.heartbeat, for: 15 min}}", late=0).live()
    engine.observe(heard("08:00 f door.heartbeat")[0])
    assert engine.advance(clock("08:15")) == []
    engine.observe(heard("08:15 f door.heartbeat id=2")[0])
    assert engine.advance(clock("08:29")) == []
    assert engine.next_due() == clock("08:30") + 1


def test_ids_heard_on_a_clock_that_was_ahead_are_forgotten_in_time(story, heard, clock) -> None:
    """A clock a year ahead for a moment does not make the engine remember every id for a year."""
    engine = story("rules: {r: {when: pendant.fall}}", late=0).live()
    engine.observe(replace(heard("08:00 p pendant.fall")[0], heard=clock("08:00") + 366 * 86_400_000))
    for number in range(60):
        engine.advance(clock("09:00") + number * 60_000)
        engine.observe(heard(f"09:{number:02d} p pendant.pressed id=x{number}")[0])
    assert len(engine.seen.young) + len(engine.seen.old) < 20
