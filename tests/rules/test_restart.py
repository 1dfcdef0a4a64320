"""State is kept, timers are derived: what a restart, another book or a deaf hour may and may not change."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rules import DeviceSpec, Engine, load_book
from rules.reload import horizon

RULES = """
rules:
  door: {while: door.leaf is open, for: 10 min, alert: "{resident}'s door stands open"}
  fall: {when: pendant.fall, at most once per: 5 min}
  silent: {missing: door.heartbeat, for: 15 min}
"""


def reborn(engine: Engine, story) -> Engine:
    """The engine after being killed and started again from what was stored."""
    stored = json.loads(json.dumps(engine.snapshot()))
    again = Engine(load_book(story.rules))
    again.set_home(story.home)
    again.restore(stored)
    return again


def test_a_deadline_that_passed_while_down_fires_with_its_own_instant(story, heard, clock) -> None:
    """Ended at 08:05, started at noon: the door was open at ten past eight."""
    astrid = story(RULES, late=0)
    engine = astrid.live()
    engine.observe(heard("08:00 f door.opened")[0])
    told = reborn(engine, astrid).advance(clock("12:00"))
    assert [(each.rule, each.at) for each in told] == [("door", clock("08:10"))]


def test_what_was_told_is_not_told_again(story, heard, clock) -> None:
    """An open alert stays open over a restart, and clears once."""
    astrid = story(RULES, late=0)
    engine = astrid.live()
    engine.observe(heard("08:00 f door.opened")[0])
    assert len(engine.advance(clock("09:00"))) == 1
    engine = reborn(engine, astrid)
    assert engine.advance(clock("10:00")) == []
    assert [each.action for each in engine.observe(heard("10:30 f door.closed id=9")[0])] == ["clear"]


def test_the_state_may_be_read_before_the_homes_are_known(story, heard, clock) -> None:
    """Restore and set_home in either order lead to the same."""
    astrid = story(RULES, late=0)
    engine = astrid.live()
    engine.observe(heard("08:00 f door.opened")[0])
    stored = engine.snapshot()
    again = Engine(load_book(RULES))
    again.restore(json.loads(json.dumps(stored)))
    again.set_home(astrid.home)
    (told,) = again.advance(clock("09:00"))
    assert told.says["en"] == "Astrid's door stands open"


def test_events_that_have_not_settled_are_kept(story, heard, clock) -> None:
    """What waits for its allowance when the gateway dies is judged after it."""
    astrid = story(RULES)
    engine = astrid.live()
    engine.observe(heard("08:00 f door.opened")[0])
    told = reborn(engine, astrid).advance(clock("09:00"))
    assert [(each.rule, each.at) for each in told] == [("door", clock("08:10"))]


def test_a_call_told_on_arrival_is_not_told_again_after_a_restart(story, heard, clock) -> None:
    """The urgent lane remembers what it told."""
    astrid = story(RULES)
    engine = astrid.live()
    assert len(engine.observe(heard("08:00 p pendant.fall")[0])) == 1
    assert reborn(engine, astrid).advance(clock("09:00")) == []


@pytest.mark.parametrize("broken", [{}, {"format": 1}, {"format": 2}, {"format": 2, "homes": 3, "rules": {}}])
def test_an_unreadable_state_is_refused_in_a_sentence(story, broken) -> None:
    """A snapshot of another make is a ValueError, nothing else."""
    with pytest.raises(ValueError, match=r"snapshot|needed"):
        story(RULES).live().restore(broken)


def test_homes_may_be_set_together_with_the_state(story, heard, clock) -> None:
    """A start that hands the registry's homes over with the snapshot is where one that sets them first is."""
    rules = "rules: {r: {missing: any.heartbeat, for: 15 min, per: device}}"
    astrid = story(
        rules, devices={"f": DeviceSpec("door", clock("08:00")), "b": DeviceSpec("bed", clock("08:02"))}
    )
    engine = astrid.live()
    engine.observe(heard("08:01 f door.heartbeat")[0])
    stored = engine.snapshot()
    moved = replace(astrid.home, devices={"f": DeviceSpec("door", clock("08:00"))})
    first, together = Engine(engine.book, started=clock("08:05")), Engine(engine.book, started=clock("08:05"))
    first.set_home(moved)
    first.restore(stored)
    together.restore(stored, [moved])
    assert together.snapshot() == first.snapshot()
    assert together.advance(clock("09:00")) == first.advance(clock("09:00")) != []


def test_silence_while_we_were_deaf_is_nobodys_silence(story, heard, clock) -> None:
    """After an hour without ears, watching begins anew."""
    astrid = story(RULES, late=0)
    engine = astrid.live()
    engine.observe(heard("08:00 f door.heartbeat")[0])
    engine = reborn(engine, astrid)
    engine.heard_nothing(clock("09:00"))
    assert engine.advance(clock("09:15")) == []
    assert [each.at for each in engine.advance(clock("10:00"))] == [clock("09:15")]


def test_a_device_taken_away_ends_what_was_said_of_it(story, clock) -> None:
    """A sensor that was moved to another home is not silent here."""
    rules = "rules: {r: {missing: any.heartbeat, for: 15 min, per: device}}"
    astrid = story(rules, devices={"f": DeviceSpec("door", clock("08:00"))}, late=0)
    engine = astrid.live()
    assert [each.action for each in engine.advance(clock("09:00"))] == ["raise"]
    astrid.devices = {}
    engine.set_home(astrid.home)
    assert [(each.action, each.reason) for each in engine.advance(clock("09:30"))] == [
        ("clear", "the device was taken away")
    ]


def test_a_limit_that_is_changed_moves_the_deadline(story, heard, clock) -> None:
    """The doctor shortens the time for a dose while it runs: the deadline is derived, so it moves."""
    rules = "rules: {r: {when: dispenser.due, missing: dispenser.dispensed, same: dose, within: resident.dose_time}}"
    astrid = story(rules, resident={"dose_time": "60 min"}, late=0)
    engine = astrid.live()
    engine.observe(heard("08:00 d dispenser.due dose=a")[0])
    astrid.resident = {"dose_time": "30 min"}
    engine.set_home(astrid.home)
    assert [each.at for each in engine.advance(clock("08:45"))] == [clock("08:30")]


# ---------------------------------------------------------------- another book


def test_a_restart_with_another_book_ends_what_it_does_not_uphold(story, heard, clock) -> None:
    """Started again without the rule, or with another span, its open alert closes; a fall waits for a person."""
    engine = story(RULES, late=0).live()
    for event in heard("08:00 f door.opened\n08:01 p pendant.fall"):
        engine.observe(event)
    engine.advance(clock("08:30"))
    stored = json.loads(json.dumps(engine.snapshot()))
    removed, changed = "the rule was removed", "the rule was changed"
    without = "rules: {silent: {missing: door.heartbeat, for: 15 min}}"
    longer = RULES.replace("open, for: 10 min", "open, for: 1 h").replace("per: 5 min", "per: 9 min")
    others = {without: {("door", removed), ("fall", removed)}, longer: {("door", changed)}}
    for book, expected in others.items():
        again = Engine(load_book(book), clock("09:00"))
        again.set_home(story(book, late=0).home)
        again.restore(stored)
        told = again.advance(clock("09:00"))
        assert {(each.rule, each.reason) for each in told if each.action == "clear"} == expected
        assert all(each.at == clock("09:00") for each in told)


def test_other_words_keep_the_state(story, heard, clock) -> None:
    """A book with another sentence and urgency goes on counting where the old one was."""
    engine = story(RULES, late=0).live()
    engine.observe(heard("08:00 f door.opened")[0])
    assert (
        engine.reload(
            load_book(RULES.replace("stands", "has stood").replace("10 min,", "10 min, urgency: high,")),
            clock("08:05"),
        )
        == []
    )
    (told,) = engine.advance(clock("09:00"))
    assert (told.at, told.urgency, told.says["en"]) == (
        clock("08:10"),
        "high",
        "Astrid's door has stood open",
    )


def test_a_changed_rule_is_judged_over_its_horizon_in_silence(story, heard, clock) -> None:
    """What is open by the new rule is raised once, saying so; the old rule's deadline is gone."""
    engine = story(RULES, late=0).live()
    stream = heard("08:00 f door.opened\n08:00 f door.heartbeat id=2")
    for event in stream:
        engine.observe(event)
    new = load_book(RULES.replace("open, for: 10 min", "open, for: 3 min"))
    assert horizon(engine.book, new) == 3 * 60_000
    told = engine.reload(new, clock("08:05"), stream)
    assert [(each.rule, each.action, each.reason, each.at) for each in told] == [
        ("door", "raise", "by new rule", clock("08:03"))
    ]
    assert [each.rule for each in engine.advance(clock("08:14"))] == []


def test_an_alert_that_holds_under_both_books_is_the_same_alert(story, heard, clock) -> None:
    """Changing the span of a rule whose alert is open neither ends nor repeats it."""
    engine = story(RULES, late=0).live()
    stream = heard("08:00 f door.opened")
    engine.observe(stream[0])
    assert len(engine.advance(clock("08:11"))) == 1
    assert (
        engine.reload(
            load_book(RULES.replace("open, for: 10 min", "open, for: 5 min")), clock("08:12"), stream
        )
        == []
    )
    assert [each.action for each in engine.observe(heard("08:13 f door.closed id=7")[0])] == ["clear"]


def test_a_removed_rules_alerts_close_with_that_reason(story, heard, clock) -> None:
    """Nobody answers for a rule that is no longer in force."""
    engine = story(RULES, late=0).live()
    engine.observe(heard("08:00 f door.opened")[0])
    engine.advance(clock("08:11"))
    told = engine.reload(
        load_book("rules: {fall: {when: pendant.fall, at most once per: 5 min}}"), clock("08:12")
    )
    assert [(each.rule, each.action, each.reason) for each in told] == [
        ("door", "clear", "the rule was removed")
    ]


def test_a_rule_put_back_tells_of_what_still_stands(story, heard, clock) -> None:
    """Its alert was closed when it was taken out; the same instant would pass for the alert that is closed."""
    engine = story(RULES, late=0).live()
    stream = heard("08:00 f door.opened")
    engine.observe(stream[0])
    (first,) = engine.advance(clock("08:11"))
    engine.reload(load_book("rules: {}"), clock("08:12"))
    (again,) = engine.reload(load_book(RULES), clock("08:15"), stream)
    assert (again.rule, again.action, again.reason, again.at) == (
        "door",
        "raise",
        "by new rule",
        clock("08:15"),
    )
    assert again.identity != first.identity
    (over,) = engine.observe(heard("08:16 f door.closed id=9")[0])
    assert (over.action, over.at) == ("clear", clock("08:16"))


def test_an_alert_the_changed_rule_does_not_uphold_is_cleared(story, heard, clock) -> None:
    """Ten minutes were too short, an hour it is: the alert of the ten is over."""
    engine = story(RULES, late=0).live()
    stream = heard("08:00 f door.opened")
    engine.observe(stream[0])
    engine.advance(clock("08:11"))
    told = engine.reload(
        load_book(RULES.replace("open, for: 10 min", "open, for: 1 h")), clock("08:12"), stream
    )
    assert [(each.rule, each.action, each.reason) for each in told] == [
        ("door", "clear", "the rule was changed")
    ]
    assert [each.at for each in engine.advance(clock("09:30"))] == [clock("09:00")]


def test_past_calls_for_help_are_not_raised_by_a_new_rule(story, heard, clock) -> None:
    """A new rule on falls speaks of falls to come."""
    engine = story("rules: {x: {when: bed.left}}", late=0).live()
    stream = heard("08:00 p pendant.fall")
    engine.observe(stream[0])
    assert engine.reload(load_book("rules: {fall: {when: pendant.fall}}"), clock("08:01"), stream) == []
    assert [each.rule for each in engine.observe(heard("08:02 p pendant.fall id=5")[0])] == ["fall"]


HELD = """
rules:
  empty: {while: bed.occupied is no, for: 5 min, not while: dark}
  dark: {missing: door.heartbeat, for: 3 min}
"""


def test_what_a_changed_rule_held_back_is_let_go(story, heard, clock) -> None:
    """The alert that hid it is gone with the old book, so Astrid's empty bed has a new wait, and not none."""
    engine = story(HELD, late=0).live()
    stream = heard("08:00 f door.heartbeat\n08:01 b bed.left")
    for event in stream:
        engine.observe(event)
    assert [d.action for d in engine.advance(clock("08:10"))] == ["raise", "held"]
    stored, longer = engine.snapshot(), load_book(HELD.replace("3 min", "60 min"))
    assert [d.action for d in engine.reload(longer, clock("08:10"), stream)] == ["clear"]
    again = Engine(longer, clock("08:10"))
    again.restore(stored, [story(HELD, late=0).home])
    for one in (engine, again):
        raised = [d for d in one.advance(clock("08:30")) if d.action == "raise"]
        assert [(d.rule, d.at) for d in raised] == [("empty", clock("08:15"))]


def test_an_end_by_another_book_is_no_events_end(story, heard, clock) -> None:
    """With events still to settle, the old alert ends before the new one begins, and each end has its own instant."""
    rules = "rules: {door: {while: door.leaf is open, for: 5 min}}"
    engine = story(rules).live()
    stream = heard("08:00 f door.opened id=1")
    engine.observe(stream[0])
    assert [d.action for d in engine.advance(clock("08:12:31"))] == ["raise"]
    (ended,) = engine.reload(load_book(rules.replace("5 min", "11 min")), clock("08:12:31"), stream)
    found = [ended, *engine.observe(heard("08:12:31 f door.closed id=2 heard=08:12:40")[0])]
    found += engine.advance(clock("08:20"))
    assert [d.action for d in found] == ["clear", "raise", "clear"]
    assert [d.at for d in found] == [clock("08:10:31"), clock("08:11"), clock("08:12:31")]
    assert len({d.identity for d in found}) == 3


def test_two_ends_at_one_instant_are_told_apart(story, heard, clock) -> None:
    """Closed and opened at once, and the rule taken out at that very instant: two alerts ended, so two are told."""
    rules = "rules: {door: {while: door.leaf is open}}"
    engine = story(rules, late=0).live()
    for event in heard("08:00 f door.opened\n08:01 f door.closed id=2\n08:01 f door.opened id=3"):
        found = engine.observe(event)
    assert [d.action for d in engine.advance(clock("08:01") + 1)] == ["raise"]
    found = engine.reload(load_book("rules: {}"), clock("08:01"))
    assert [(d.action, d.at) for d in found] == [("clear", clock("08:01") + 1)]
