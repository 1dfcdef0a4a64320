"""Late answers in live operation: what is known before anybody was called calls nobody, and no silence is hidden."""

from __future__ import annotations

import json
import random

import pytest

from drivers.events import Event, Millis, parse_time
from rules import Decision, DeviceSpec, Engine, HomeSpec, load_book
from rules.reasons import say_reason
from rules.replay import in_order

DOSE = "rules: {dose: {when: dispenser.due, missing: dispenser.dispensed, same: dose, within: 60 min}}"
MINUTE = 60_000
BEGIN = parse_time("2026-01-15T05:00:00Z")
END = BEGIN + 12 * 60 * MINUTE
GRACE = 2 * MINUTE


def at_work(story, rules: str, *, late: Millis = GRACE, **more) -> Engine:
    """An engine as a gateway runs it."""
    told = story(rules, late=late, **more)
    engine = Engine(load_book(told.rules), catch_all=False, believe_late=True)
    engine.set_home(told.home)
    return engine


def told(decisions: list[Decision]) -> list[tuple[str, str]]:
    """Action and reason of what is more than a mark."""
    return [(each.action, each.reason) for each in decisions if each.action != "late"]


def test_a_dose_known_to_be_out_calls_nobody(story, heard, clock) -> None:
    """Heard half an hour late and before the deadline: the alert is not raised, and the record says why."""
    engine = at_work(story, DOSE)
    found = []
    lines = "08:00 d dispenser.due dose=a\n08:05 d dispenser.dispensed dose=a heard=08:40"
    for event in heard(lines):
        found += engine.observe(event)
    found += engine.advance(clock("12:00"))
    assert told(found) == [("held", "came in late: 08:05, heard 08:40")]
    assert found[-1].because == ("1", "2")


def test_a_dose_that_was_told_of_is_over_at_once(story, heard, clock) -> None:
    """Heard after the alert: it is cleared, with both times."""
    engine = at_work(story, DOSE)
    due, dispensed = heard("08:00 d dispenser.due dose=a\n08:05 d dispenser.dispensed dose=a heard=11:40")
    engine.observe(due)
    assert told(engine.advance(clock("09:03"))) == [("raise", "")]
    over = engine.observe(dispensed)
    assert told(over) == [("clear", "came in late: 08:05, heard 11:40")]
    assert (over[-1].because, over[-1].lag) == (("2",), 215 * MINUTE)


def test_of_two_doses_the_other_is_told(story, heard, clock) -> None:
    """A late answer counts for what it answers: the round that began after it is told."""
    engine = at_work(story, DOSE)
    lines = """08:00 d dispenser.due dose=a
        08:10 d dispenser.due dose=a id=7
        08:05 d dispenser.dispensed dose=a heard=08:30 id=9"""
    for event in heard(lines):
        engine.observe(event)
    raised = [each for each in engine.advance(clock("12:00")) if each.action == "raise"]
    assert [(each.at, each.because) for each in raised] == [(clock("09:10"), ("7",))]


def test_a_call_for_help_waits_as_if_nothing_had_come(story, heard, clock) -> None:
    """A late "cancelled" never keeps a press from being told."""
    rules = "rules: {r: {when: pendant.fall, missing: pendant.cancelled, within: 30 min}}"
    engine = at_work(story, rules)
    for event in heard("08:00 p pendant.fall\n08:01 p pendant.cancelled heard=08:20"):
        engine.observe(event)
    assert [each.action for each in engine.advance(clock("09:00"))] == ["raise"]


def test_silence_begins_with_the_late_sign_of_life(story, heard, clock) -> None:
    """Moved at 07:30 and heard at eight, the four hours run from 07:30, and are told."""
    engine = at_work(story, "rules: {r: {missing: room.motion, for: 4 h}}")
    for event in heard("06:00 m room.motion\n07:30 m room.motion heard=08:00"):
        engine.observe(event)
    raised = engine.advance(clock("12:00"))
    assert [(each.action, each.at) for each in raised] == [("raise", clock("11:30"))]


def test_silence_that_was_told_is_over_when_less_than_it_is_true(story, heard, clock) -> None:
    """A sign of life an hour old ends a silence of four hours, one of five hours ago does not."""
    for moved, actions in (("09:30", ["clear"]), ("06:15", [])):
        engine = at_work(story, "rules: {r: {missing: room.motion, for: 4 h}}")
        engine.observe(heard("06:00 m room.motion")[0])
        assert len(engine.advance(clock("10:10"))) == 1
        (late,) = heard(f"{moved} m room.motion heard=10:30 id=5")
        assert [each.action for each in engine.observe(late) if each.action != "late"] == actions
        again = engine.advance(clock("15:00"))
        assert [each.at for each in again] == ([clock("13:30")] if actions else [])


def test_a_morning_in_which_somebody_moved_is_not_told(story, heard, clock) -> None:
    """Known before ten, nobody is called; known after it, the alert is over; the next morning counts anew."""
    rules = "rules: {r: {missing: room.motion, between: ['06:00', '10:00']}}"
    devices = {"m": DeviceSpec("room", clock("00:00"))}
    before, after = (at_work(story, rules, devices=devices) for _ in range(2))
    before.observe(heard("07:00 m room.motion heard=09:00 id=1")[0])
    assert told(before.advance(clock("10:30"))) == []
    assert told(after.advance(clock("10:30"))) == [("raise", "")]
    over = after.observe(heard("07:00 m room.motion heard=11:00 id=1")[0])
    assert told(over) == [("clear", "came in late: 07:00, heard 11:00")]
    for engine in (before, after):
        assert [each.at for each in engine.advance(clock("+11:00"))] == [clock("+10:00")]


def test_a_replay_believes_nothing_late(story) -> None:
    """What `rules replay` shows is the reference's record: told at the deadline though it was known."""
    lines = "08:00 d dispenser.due dose=a\n08:05 d dispenser.dispensed dose=a heard=08:40"
    assert story(DOSE).told(lines, "12:00") == ["09:00:00 raise dose h1/a"]


def test_the_reason_is_norwegian_too(story, heard) -> None:
    """Clock times stand as they do there, with the day where it is another one."""
    assert (
        say_reason("came in late: 08:05, heard 11:40", "nb") == "kom for sent inn: kl. 08.05, hørt kl. 11.40"
    )
    assert (
        say_reason("came in late: 2026-01-14 22:05, heard 2026-01-15 07:00", "nb")
        == "kom for sent inn: 14.01. kl. 22.05, hørt 15.01. kl. 07.00"
    )


# ---------------------------------------------------------------- against one who hears everything in order

BOOK = """
rules:
  dose: {when: dispenser.due, missing: dispenser.dispensed, same: dose, within: 20 min}
  out: {when: door.opened, missing: room.motion, within: 15 min, not while: dark}
  still: {missing: room.motion, for: 40 min}
  chair: {missing: chair.left, for: 35 min, not while: dark}
  seen: {missing: bed.left, between: ["06:40", "07:20"]}
  dark: {missing: gateway.heartbeat, for: 50 min}
"""
ANSWERS = ("dispenser.dispensed", "room.motion", "bed.left", "chair.left")
KINDS = (*ANSWERS, "dispenser.due", "door.opened", "gateway.heartbeat")


def stream(seed: int) -> list[Event]:
    """Five hours in which only answers come in late."""
    chance = random.Random(seed)
    found = []
    for number in range(chance.randint(5, 30)):
        kind = chance.choice(KINDS)
        at = BEGIN + chance.randint(0, 600) * MINUTE // 2
        lag = chance.choice((0, 1, 2, 3, 10, 30, 90)) * MINUTE if kind in ANSWERS else 0
        data = {"dose": chance.choice("ab")} if kind.startswith("dispenser") else {}
        found.append(Event(str(number), at, at + lag, "h1", kind.partition(".")[0], kind, data))
    return in_order(found)


def engine_of(late: Millis) -> Engine:
    """Astrid's home with an allowance."""
    engine = Engine(load_book(BOOK), BEGIN, catch_all=False, believe_late=True)
    devices = {name: DeviceSpec(name, BEGIN) for name in ("room", "bed", "chair", "gateway")}
    engine.set_home(HomeSpec("h1", "Europe/Oslo", {"name": "Astrid"}, devices, late))
    return engine


def heard_by(engine: Engine, events: list[Event], *, restart: bool = False) -> tuple[list[Decision], Engine]:
    """What is told as time goes by, and to the end."""
    found: list[Decision] = []
    for event in events:
        found += engine.advance(event.heard)
        found += engine.observe(event)
        if restart:
            stored = json.loads(json.dumps(engine.snapshot()))
            engine = engine_of(GRACE)
            engine.restore(stored)
    return [*found, *engine.advance(END)], engine


def open_at(decisions: list[Decision], rule: str, key: str, at: Millis) -> bool:
    """Whether an alert stands at an instant, its own included."""
    mine = [each for each in decisions if (each.rule, each.key) == (rule, key) and each.at <= at]
    lines = sorted((each.at, each.action == "raise") for each in mine if each.action in ("raise", "clear"))
    return bool(lines) and lines[-1][1]


@pytest.mark.parametrize("seed", range(150))
def test_no_alert_is_hidden_and_none_is_told_that_was_known_to_be_wrong(seed: int) -> None:
    """One who hears everything in order tells no alert that does not stand here, and all others were told before the
    answer was heard.
    """
    events = stream(seed)
    here, _ = heard_by(engine_of(GRACE), events)
    all_in_time = engine_of(24 * 60 * MINUTE)
    in_time = [*all_in_time.feed(events), *all_in_time.finish(END - GRACE - 1)]
    right = {(each.rule, each.key, each.at) for each in in_time if each.action == "raise"}
    free = [
        each for each in right if each[0] not in ("out", "chair")
    ]  # a holder told in error moves what it holds
    assert [each for each in free if not open_at(here, *each)] == []
    last = max((e.heard for e in events if e.heard - e.at > GRACE), default=0)
    wrong = [d for d in here if d.action == "raise" and (d.rule, d.key, d.at) not in right]
    assert [d for d in wrong if d.rule not in ("out", "chair") and d.at + GRACE >= last] == []


@pytest.mark.parametrize("seed", range(40))
def test_a_restart_changes_nothing_of_it(seed: int) -> None:
    """What a late answer did is state like all other."""
    whole, _ = heard_by(engine_of(GRACE), stream(seed))
    again, _ = heard_by(engine_of(GRACE), stream(seed), restart=True)
    assert [each.identity for each in again] == [each.identity for each in whole]
