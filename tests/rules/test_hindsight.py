"""Looking back: what-if, explain, why-not, rule tests, decisions as JSON."""

# ruff: noqa: E501  (one case of a table stands on one line)

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest

from rules import BookError, Decision, DeviceSpec, load_book
from rules.explain import explain
from rules.replay import in_order, judge, line
from rules.rule_test_file import load_tests
from rules.rule_tests import run_test
from rules.what_if import affected, what_if
from rules.why_not import Unasked, why_not

BOOK = """
rules:
  dose: {when: dispenser.due, missing: dispenser.dispensed, same: dose, within: resident.dose_time}
  pulse: {while: vitals.pulse > resident.pulse_high, for: 10 min}
  door: {while: door.leaf is open, for: %s}
  often: {when: pendant.pressed, times: 3, within: 10 min}
  pair: {when: door.opened, then: pendant.fall, within: 2 min}
  silent: {missing: bed.heartbeat, for: 1 h}
  device: {missing: door.heartbeat, for: 2 h, not while: silent}
  still: {missing: room.motion, between: ["06:00", "10:00"]}
  fall: {when: pendant.fall, at most once per: 5 min}
defaults: {dose_time: 60 min, pulse_high: 100}
"""
DAY = """
08:00 d dispenser.due dose=a
08:05 f door.opened
08:12 f door.closed
09:00 f door.opened
09:30 f door.closed
10:00 o vitals.pulse value=110
10:30 o vitals.pulse value=90
11:00 p pendant.pressed
"""


def difference(story, heard, clock, *, other="20 min", parameters=None):
    """What another book or other parameters would have changed on Astrid's day."""
    before, after = load_book(BOOK % "5 min"), load_book(BOOK % other)
    stream = in_order(heard(DAY))
    return what_if([story(BOOK).home], stream, before, after, parameters=parameters, until=clock("23:00"))


def test_what_if_tells_gone_new_and_moved(story, heard, clock) -> None:
    """A longer span lets the short opening go and moves the long one."""
    found = difference(story, heard, clock)
    assert [(each.rule, each.at) for each in found.gone] == [("door", clock("08:10"))]
    assert found.new == []
    assert [(each.before.at, each.by) for each in found.moved] == [(clock("09:05"), 15 * 60_000)]


def test_what_if_asks_about_parameters(story, heard, clock) -> None:
    """With half the time the dose is told half an hour earlier; with a higher limit the pulse is not told."""
    found = difference(
        story, heard, clock, other="5 min", parameters={"dose_time": "30 min", "pulse_high": 130}
    )
    assert [(each.before.rule, each.by) for each in found.moved] == [("dose", -30 * 60_000)]
    assert [each.rule for each in found.gone] == ["pulse"]


def test_the_same_book_changes_nothing(story, heard, clock) -> None:
    """Other words are no difference."""
    found = difference(story, heard, clock, other="5 min")
    assert (found.gone, found.new, found.moved) == ([], [], [])


def test_only_rules_that_could_differ_are_judged() -> None:
    """A changed holder takes with it what it holds, and nothing else."""
    before = load_book(BOOK % "5 min")
    after = load_book((BOOK % "5 min").replace("bed.heartbeat, for: 1 h", "bed.heartbeat, for: 30 min"))
    assert affected(before, after) == {"silent", "device"}
    assert affected(before, before, frozenset({"dose_time"})) == {"dose"}


def test_a_shortcut_gives_the_same_answer_as_judging_everything(story, heard, clock) -> None:
    """Leaving the other rules out changes no alert of those that are judged."""
    stream = in_order(heard(DAY))
    whole, _ = judge(load_book(BOOK % "20 min"), [story(BOOK).home], stream, until=clock("23:00"))
    part, _ = judge(
        load_book(BOOK % "20 min").only(frozenset({"door"})), [story(BOOK).home], stream, until=clock("23:00")
    )
    assert [each.as_json() for each in whole if each.rule == "door"] == [each.as_json() for each in part]


@pytest.mark.parametrize(
    ("rule", "at", "said"),
    [
        ("dose", "08:30", "h1/a: waiting since 15 Jan 08:00:00 for: A dose was dispensed (dispenser.dispensed); due 15 Jan 09:00:00."),
        ("pulse", "10:05", "h1: so since 15 Jan 10:00:00 (last 110); due 15 Jan 10:10:00."),
        ("pulse", "11:00", "h1: last was 90, needs vitals.pulse > resident.pulse_high (resident.pulse_high = 100)."),
        ("door", "09:10", "h1: raised 15 Jan 09:05:00, and the alert is open."),
        ("often", "11:30", "h1: 1 of 3 counted: 15 Jan 11:00:00."),
        ("pair", "09:01", "h1: the first came 15 Jan 09:00:00; needs"),
        ("silent", "09:30", "h1: raised 15 Jan 09:00:00, and the alert is open."),
        ("device", "10:30", "h1: held back by silent since 15 Jan 10:00:00."),
        ("still", "12:00", "Nothing of what it waits for has been heard from here"),
        ("fall", "12:00", "Nothing of what it waits for has been heard from here: "),
    ],
)  # fmt: skip
def test_why_not_is_answered_from_the_state(story, heard, clock, rule, at, said) -> None:
    """What it waits for, since when, until when, what holds it."""
    devices = {"b": DeviceSpec("bed", clock("08:00")), "f": DeviceSpec("door", clock("08:00"))}
    _, engine = judge(
        load_book(BOOK % "5 min"), [story(BOOK, devices=devices).home], in_order(heard(DAY)), until=clock(at)
    )
    assert why_not(engine, rule, "h1")[0].startswith(said)
    assert why_not(engine, rule, "h1", "nb")[0] != why_not(engine, rule, "h1")[0]


def test_why_not_says_that_a_rule_is_off_and_names_what_is_missing(story, heard) -> None:
    """A rule without its parameter is off for that resident; a rule or home that is not there is named."""
    book = load_book("rules: {r: {while: vitals.pulse > resident.limit}}")
    _, engine = judge(book, [story("rules: {}").home], heard(DAY))
    assert why_not(engine, "r", "h1") == [
        "The rule is off for Astrid: the resident has no parameter 'limit'."
    ]
    with pytest.raises(Unasked, match="did you mean 'r'"):
        why_not(engine, "rr", "h1")
    with pytest.raises(Unasked, match="no home 'h7'"):
        why_not(engine, "r", "h7")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("press", ["h1: not told 15 Jan 12:00:00, as the rule acts only between 22:00 and 06:00."]),
        ("often", ["h1: not told 15 Jan 12:10:00, as the rule acts only when away.", "h1: 0 of 2 counted: none."]),
        ("quiet", ["h1: not told 15 Jan 14:00:00, as the rule acts only on weekends.", "h1: last heard 15 Jan 12:00:00."]),
        ("dose", ["h1: not told 15 Jan 12:30:00, as the rule acts only on weekends.", "h1: nothing waits for an answer now."]),
    ],
)  # fmt: skip
def test_why_not_tells_of_a_match_outside_the_rules_times(story, heard, clock, rule, said) -> None:
    """What came, but not when the rule acts, is not called unheard or answered."""
    book = load_book("""
rules:
  press: {when: pendant.pressed, only: between 22:00 and 06:00}
  often: {when: pendant.fall, times: 2, within: 1 h, only: when away}
  quiet: {missing: room.motion, for: 2 h, only: on weekends}
  dose: {when: dispenser.due, missing: dispenser.dispensed, within: 30 min, only: on weekends}
""")
    lines = heard("""
        12:00 p pendant.pressed
        12:00 r room.motion
        12:00 d dispenser.due
        12:05 p pendant.fall
        12:10 p pendant.fall
    """)
    _, engine = judge(book, [story("rules: {}").home], lines, until=clock("18:00"))
    assert why_not(engine, rule, "h1") == said
    assert "gjelder bare" in why_not(engine, rule, "h1", "nb")[0]


def test_why_not_names_the_state_nobody_knows(story, heard) -> None:
    """Of a condition over several states each is said; a good reading is not called unusable for another's sake."""
    rules = "rules: {r: {while: vitals.pulse > 100 and vitals.spo2 < 92}}"
    _, engine = judge(load_book(rules), [story(rules).home], heard("08:00 o vitals.pulse value=110"))
    assert why_not(engine, "r", "h1") == [
        "h1: last was vitals.pulse 110, vitals.spo2 ?, needs vitals.pulse > 100 and vitals.spo2 < 92."
    ]
    engine.feed(heard("08:01 o vitals.spo2 value=x id=b"))
    engine.finish(heard("09:00 o vitals.pulse value=1")[0].at)
    assert why_not(engine, "r", "h1")[1] == "h1: 1 reading could not be used and counts as unknown."


def test_why_not_ends_with_the_last_decisions(story, heard, clock) -> None:
    """What was decided of that key, sixteen at most, oldest first."""
    lines = "\n".join(f"08:{n:02d} p pendant.fall" for n in range(20))
    book = load_book("rules: {fall: {when: pendant.fall}}")
    _, engine = judge(book, [story("rules: {}").home], heard(lines))
    told = why_not(engine, "fall", "h1")
    assert told[1] == "Last decisions:"
    assert told[2].endswith("15 Jan 08:04:00  h1  raise")
    assert len(told) == 18


def test_explain_names_rule_numbers_and_evidence(story, heard) -> None:
    """The sentence, the rule with its version, its numbers, and the events with their own words."""
    stream = heard("10:00 o vitals.pulse value=110 id=e1\n10:30 o vitals.pulse value=90")
    decisions, _ = judge(load_book(BOOK % "5 min"), [story(BOOK).home], stream)
    raised = next(each for each in decisions if each.rule == "pulse")
    evidence = {event.id: event for event in stream}
    said = "\n".join(explain(raised, evidence, ZoneInfo("Europe/Oslo")))
    for words in ("The rule 'pulse' (version ", "raised 15 Jan 10:10:00", "for 10 min, resident.pulse_high 100",
                  "15 Jan 10:00:00  o: Pulse measured (110 /min)  [e1]"):  # fmt: skip
        assert words in said
    assert "Regelen «pulse»" in "\n".join(explain(raised, evidence, ZoneInfo("Europe/Oslo"), "nb"))


def test_a_decision_survives_json(story, heard) -> None:
    """What a gateway sends up is what the centre reads."""
    decisions = story(BOOK % "5 min").decisions(DAY)
    assert decisions
    for each in decisions:
        assert Decision.from_json(json.loads(json.dumps(each.as_json()))) == each


def test_a_replayed_line_has_exactly_the_fields_of_the_interface(story) -> None:
    """One text in the book is one text here; a pair is a pair."""
    plain = story("rules: {r: {when: pendant.fall, alert: '{resident} fell'}}").decisions(
        "08:00 p pendant.fall id=x"
    )[0]
    both = story("rules: {r: {when: pendant.fall, alert: {nb: '{resident} falt', en: '{resident} fell'}}}").decisions(
        "08:00 p pendant.fall")[0]  # fmt: skip
    assert line(plain) == {
        "at": "2026-01-15T07:00:00.000Z", "action": "raise", "rule": "r", "key": "h1", "home": "h1", "because": ["x"],
        "says": "Astrid fell",
    }  # fmt: skip
    assert line(both)["says"] == {"nb": "Astrid falt", "en": "Astrid fell"}


TEST_FILE = """
tests:
  - name: a fall is told
    start: 2026-01-15 08:00
    events: [08:10 p pendant.fall]
    until: "09:00"
    expect: [08:10 raise fall]
"""


def test_a_rule_test_tells_what_is_missing_and_what_is_extra() -> None:
    """A wrong expectation fails with both sides named."""
    book = load_book("rules: {fall: {when: pendant.fall}, other: {when: bed.left}}")
    (fine,) = load_tests(TEST_FILE, book)
    assert run_test(fine, book).passed
    (wrong,) = load_tests(TEST_FILE.replace("08:10 raise fall", "08:11 raise other"), book)
    outcome = run_test(wrong, book)
    assert outcome.missing == ("line 7: 15 Jan 08:11:00 raise other did not come",)
    assert outcome.extra == ("15 Jan 08:10:00 raise fall home was not expected",)


def test_a_rule_test_says_that_a_rule_was_off() -> None:
    """A resident's span that cannot be read is why nothing came, and is said."""
    book = load_book("rules: {door: {while: door.leaf is open, for: resident.door_open_time}}")
    text = TEST_FILE.replace("p pendant.fall", "f door.opened").replace("raise fall", "raise door")
    resident = text.replace("until:", "resident: {door_open_time: 1 hour}\n    until:")
    (test,) = load_tests(resident, book)
    (missing,) = run_test(test, book).missing
    assert "did not come: the rule is off, resident.door_open_time: '1 hour' is not a time span" in missing


@pytest.mark.parametrize(
    ("wrong", "right", "sentence"),
    [
        (
            "pendant.fell",
            "pendant.fall",
            "line 5: no device sends 'pendant.fell'; did you mean 'pendant.fall'?",
        ),
        ("raise fell", "raise fall", "line 7: the book has no rule 'fell'; did you mean 'fall'?"),
        ("events: [8 p", "events: [08:10 p", "does not begin with a clock time"),
        ("stat:", "start:", "a test has no word 'stat'; did you mean 'start'?"),
        ("2026-13-15", "2026-01-15", "is not a start"),
        ("pendant.fall x=1", "pendant.fall", "pendant.fall has no field 'x'"),
        (
            "events: 08:10 p pendant.fall",
            "events: [08:10 p pendant.fall]",
            "line 5: 'events' is a list; begin each line with '- '",
        ),
        (
            'tz: Europe/Olso\n    until: "09:00"',
            'until: "09:00"',
            "line 6: 'Europe/Olso' is no time zone; write one like Europe/Oslo",
        ),
        (
            'resident: Astrid\n    until: "09:00"',
            'until: "09:00"',
            "line 6: 'resident' holds names and values",
        ),
        (
            'rules: fell\n    until: "09:00"',
            'until: "09:00"',
            "line 6: the book has no rule 'fell'; did you mean 'fall'?",
        ),
        ("until: soon", 'until: "09:00"', "line 6: 'soon' does not begin with a clock time"),
    ],
)
def test_a_slip_in_a_test_file_is_told_with_its_line(wrong, right, sentence) -> None:
    """The same strictness as in a book."""
    book = load_book("rules: {fall: {when: pendant.fall}}")
    with pytest.raises(BookError) as refused:
        load_tests(TEST_FILE.replace(right, wrong, 1), book)
    assert any(sentence in problem for problem in refused.value.problems), refused.value.problems
