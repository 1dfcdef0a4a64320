"""A book is read whole before it complains; every fault has its line and a remedy."""

# ruff: noqa: E501  (one case of a table stands on one line)

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules import BookError, load_book, standard_book_text
from rules.book import Form

FAULTS = [
    ("rules: {a: {when: dispenser.due, missing: dispenser.taken_, within: 1 h}}",
     "line 1: a: no device sends 'dispenser.taken_'; did you mean 'dispenser.taken'?"),
    ("rules:\n  a:\n    when: dispenser.due\n    missing: dispenser.taken\n    within: 1 hour",
     "line 5: a: '1 hour' is not a time span; write it like '10 min', '90 s' or '1 h 30 min'"),
    ("rules:\n  c:\n    while: door.leaf is ajar\n    for: 10 min", "line 3: c: 'door.leaf' is never 'ajar'; it is open or closed"),
    ("rules:\n  d:\n    missing: room.motion",
     "line 3: d: 'missing' needs either 'for' (how long) or 'between' (from when to when)"),
    ("rules:\n  e:\n    when: pendant.fall\n    for: 3 min", "line 4: e: 'for' does not go with 'when'"),
    ("rules:\n  f:\n    while: vitals.pulse > resident.dose_time", "line 3: f: a number is needed here, this is a duration"),
    ("rules:\n  a:\n    when: pendant.fall\n    escalate: helpnow\nchains:\n  help-now: [{after: 0 s, tell: nurse on duty}]",
     "line 2: rule 'a': 'escalate' names no chain: 'helpnow'; did you mean 'help-now'?"),
    ("rules: {a: {when: pendant.fall, while: door.leaf is open}}", "line 1: a: 'when' does not go with 'while'"),
    ("rules: {a: {then: pendant.fall}}", "line 1: a: a rule opens with 'when', 'while' or 'missing'"),
    ("rules: {a: {when: pendant.fall, then: door.opened}}", "line 1: a: 'when' with 'then' needs 'within' (how long)"),
    ("rules: {a: {when: pendant.fall, times: 0, within: 1 min}}", "'0' is not a whole number from 1 to 1000"),
    ("rules: {a: {when: pendant.fall, urgent: yes}}", "a rule has no word 'urgent'; did you mean 'urgency'?"),
    ("rules: {a: {when: pendant.fall, urgency: hihg}}", "'hihg' is not one of critical, high, moderate or low; did you mean 'high'?"),
    ("rules: {a: {when: pendant.fall, only: at night}}", "'at night' is not a part of the day"),
    ("rules: {a: {when: pendant.fall, only: between 22:00 and 25:00}}", "'25:00' is not a clock time"),
    ("rules: {a: {missing: room.motion, between: [22:00]}}", "'between' takes two clock times"),
    ("rules: {a: {missing: room.motion, between: ['06:00', '06:00']}}", "begins and ends at the same time"),
    ("rules: {a: {when: pendant.fall, alert: '{residnt} fell'}}", "nothing here is called {residnt}; did you mean 'resident'?"),
    ("rules: {a: {when: pendant.fall, alert: 'a } b'}}", "a brace { or } stands alone"),
    ("rules: {a: {when: pendant.fall, not while: b}}", "'not while' names no rule: 'b'"),
    ("rules: {a: {when: pendant.fall, not while: b}, b: {when: bed.left, not while: a}}", "'not while' goes in a circle: a → b → a"),
    ("rules: {a: {when: dispenser.due, missing: dispenser.taken, same: doze, within: 1 h}}",
     "dispenser.due has no field 'doze'; it has dose or planned; did you mean 'dose'?"),
    ("rules: {a: {while: lock.bolt is jammed, mean of last: 3}}", "'mean of last' needs a condition about one number"),
    ("rules: {a: {missing: any.heartbeat, for: device.silent_after}}", "'device.silent_after' differs from device to device; add 'per: device'"),
    ("rules:\n  a: {when: pendant.fall}\n  a: {when: bed.left}", "line 3: 'a' is written twice; the first stands in line 2"),
    ("rules:\n\ta:\n\t\twhen: pendant.fall", "line 2: not readable as YAML: a tab, or a sign such as @ or `; indent with spaces"),
    ("rules: {a: {when: &x pendant.fall}}", "'&' and '*' references are not used here"),
    ("rules:\n  a:\n    alert: {resident} fell\n    when: pendant.fall", "not readable as YAML"),
    ("rules: []", "'rules' holds a name and then the words of each rule"),
    ("rulez: {}", "a book has no part 'rulez'; did you mean 'rules'?"),
    ("just words", "a book begins with 'rules:'"),
    ("", "a book begins with 'rules:'"),
    ("rules: {catch-all: {when: pendant.fall}}", "'catch-all' cannot be a rule's name"),
    ("rules: {}\ndefaults: {dose_time: 30}", "a duration is needed here, this is a number: '30'"),
    ("rules: {}\nchains: {a: [{after: 3 min, tell: x}, {after: 0 s, tell: y}]}", "steps stand in order of time"),
    ("a: 1\n--- \nb: 2", "one file holds one book"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), FAULTS)
def test_a_fault_is_said_with_line_and_remedy(text, sentence) -> None:
    """One sentence, with the line it is about."""
    with pytest.raises(BookError) as refused:
        load_book(text)
    assert any(sentence in problem for problem in refused.value.problems), refused.value.problems
    assert all(re.match(r"line \d+: ", problem) for problem in refused.value.problems)


def test_all_faults_are_told_at_once() -> None:
    """Nobody has to mend a book one error at a time."""
    with pytest.raises(BookError) as refused:
        load_book(
            "rules:\n  a: {when: x.y}\n  b: {whn: pendant.fall}\n  c: {while: door.leaf is ajar, for: 1 hour}"
        )
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        "line 2",
        "line 3",
        "line 4",
        "line 4",
    ]


def test_all_slips_of_one_kind_are_told_at_once() -> None:
    """Two unknown words of a rule, and two keys written twice, are told together."""
    with pytest.raises(BookError) as refused:
        load_book("rules:\n  a:\n    wen: pendant.fall\n    urgencyy: low")
    assert [problem.split(";")[1] for problem in refused.value.problems] == [
        " did you mean 'when'?",
        " did you mean 'urgency'?",
    ]
    with pytest.raises(BookError) as refused:
        load_book("rules:\n  a:\n    when: bed.left\n    when: bed.wet\n  a: {when: bed.left}")
    assert [problem.split(";")[0] for problem in refused.value.problems] == [
        "line 4: 'when' is written twice",
        "line 5: 'a' is written twice",
    ]


def test_yaml_traps_are_no_traps() -> None:
    """An unquoted 22:00, `on`, `yes` and `no` are what they look like."""
    book = load_book(
        "rules:\n  a: {missing: room.motion, between: [22:00, 06:00]}\n  b: {while: smoke.alarm is on, life-safety: yes}\n"
        "  c: {while: room.presence is no}\n"
    )
    assert [setting.value for setting in book.rules["a"].window or ()] == [1320, 360]
    assert book.rules["b"].life_safety
    assert book.rules["c"].condition is not None


def test_a_parameter_may_stand_for_any_number_span_or_time() -> None:
    """Every setting of a rule can be the resident's own."""
    book = load_book(
        "rules:\n"
        "  a: {when: pendant.pressed, times: resident.presses, within: resident.span, at most once per: resident.quiet}\n"
        "  b: {while: vitals.pulse > resident.limit, mean of last: resident.samples, for: resident.span}\n"
        "  c: {missing: room.motion, between: [resident.morning_from, resident.morning_deadline]}\n"
    )
    assert book.types["presses"] == "number"
    assert book.types["span"] == "duration"
    assert book.rules["c"].parameters == {"morning_from", "morning_deadline"}


def test_urgency_queue_and_chain_have_defaults() -> None:
    """Moderate, care, the urgency's chain; technical for battery, fault, tamper and silence."""
    book = load_book(
        "rules:\n  a: {when: bed.wet}\n  b: {missing: any.heartbeat, for: 1 h, per: device}\n"
        "  c: {while: any.battery < 15, per: device}\n  d: {when: any.fault, urgency: high}\n  e: {when: pendant.fall}\n"
    )
    assert [(r.urgency, r.queue, r.chain) for r in book.rules.values()] == [
        ("moderate", "care", "moderate"),
        ("moderate", "technical", "moderate"),
        ("moderate", "technical", "moderate"),
        ("high", "technical", "high"),
        ("moderate", "care", "moderate"),
    ]
    assert book.rules["e"].life_safety
    assert book.rules["e"].critical


def test_the_meaning_of_a_rule_is_all_but_its_words_and_what_follows() -> None:
    """Other words, urgency or chain: the same meaning. Another span: another."""
    base = "rules: {a: {when: pendant.fall, then: bed.left, within: 5 min%s}}"
    same = [
        load_book(base % extra).rules["a"].meaning
        for extra in ("", ", urgency: high", ", alert: 'x', action: 'y'")
    ]
    other = load_book((base % "").replace("5 min", "6 min")).rules["a"].meaning
    assert len(set(same)) == 1
    assert other not in same
    assert load_book((base % "").replace("5 min", "300 s")).rules["a"].meaning == same[0]


def test_advice_on_what_is_allowed_but_hardly_meant() -> None:
    """Noisy limits, slow holders, mixed devices, waits of nothing, rules that are off for everybody."""
    book = load_book(
        "rules:\n"
        "  noisy: {while: vitals.pulse > 120, for: 1 min}\n"
        "  slow: {missing: gateway.heartbeat, for: 15 min}\n"
        "  held: {missing: door.heartbeat, for: 10 min, not while: slow}\n"
        "  mixed: {missing: any.heartbeat, for: 1 h}\n"
        "  latched: {missing: bed.heartbeat, for: 1 h, not while: fall}\n"
        "  fall: {when: pendant.fall}\n"
        "  off: {when: pendant.fall, then: bed.left, within: resident.never_named}\n"
        "  still: {missing: room.motion, for: 12 h, not while: whisper, urgency: high}\n"
        "  whisper: {while: door.leaf is open, urgency: low}\n"
        "  call: {when: pendant.pressed, not while: whisper, urgency: critical}\n"
        "  asked: {missing: bed.heartbeat, for: resident.bed_span, not while: slow}\n"
        "  at-once: {missing: bed.heartbeat, for: 0 s}\n"
        "defaults: {bed_span: 5 min}\n"
    )
    told = "\n".join(map(str, book.advice))
    for words in ("noisy: 'while' on the number", "held: it waits 10 min", "mixed: one device", "latched: 'fall' stays open",
                  "off: it is off for every resident", "still: 'whisper' is low, so nobody is called while it holds",
                  "call: a critical rule is held back by 'whisper'", "asked: it waits 5 min and is held back by 'slow'",
                  "at-once: it waits no time at all"):  # fmt: skip
        assert words in told


def test_roles_share_a_book() -> None:
    """The centre judges what gateways say of themselves; a gateway never holds back what only the centre can know."""
    book = load_book(
        "rules:\n  g: {missing: gateway.heartbeat, for: 10 min}\n"
        "  d: {missing: door.heartbeat, for: 15 min, not while: g}\n"
    )
    assert list(book.judged_by("centre").rules) == ["g"]
    assert list(book.judged_by("gateway").rules) == ["d"]
    assert book.judged_by("gateway").rules["d"].held_by == ()
    assert book.judged_by("gateway").rules["d"].form is Form.SILENCE


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_text_breaks_the_loader(data) -> None:
    """The shipped book with pieces cut out, doubled or replaced is read or refused by BookError, and nothing else."""
    text = standard_book_text()[:6000]
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        piece = data.draw(
            st.sampled_from(
                ["", "{", "}", "[", ":", "- ", "\n", "  ", "'", '"', "&a", "*a", "\t", "\x00", "é", "[" * 60]
            )
        )
        text = text[:place] + piece + text[place + data.draw(st.integers(0, 12)) :]
    with contextlib.suppress(BookError):
        load_book(text)
