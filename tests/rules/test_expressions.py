"""CONDITIONs: what they mean, what they refuse, and that nothing gets out of them."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.language.expression_tree import MAX_CHARACTERS
from rules.language.expressions import compile_condition
from rules.language.types import Parameters
from rules.problems import Wrong

PULSE = [
    ("vitals.pulse < 15", 14, True),
    ("vitals.pulse < 15", 15, False),
    ("40 < vitals.pulse < 60", 50, True),
    ("40 < vitals.pulse < 60", 60, False),
    ("vitals.pulse > resident.pulse_high - 10", 111, True),
    ("vitals.pulse * 2 + 1 >= 101", 50, True),
    ("-vitals.pulse < -100", 101, True),
    ("vitals.pulse in [60, 61]", 61, True),
    ("vitals.pulse not in [60, 61]", 61, False),
    ("not (vitals.pulse > 100)", 99, True),
    ("vitals.pulse > 100 and vitals.pulse < 110 or vitals.pulse == 50", 50, True),
    ("abs(vitals.pulse - 80) > 30", 40, True),
    ("max(vitals.pulse, 70) == 70", 60, True),
    ("min(vitals.pulse, 70, 65) == 60", 60, True),
    ("round(vitals.pulse / 7, 1) == 8.6", 60, True),
    ("vitals.pulse / (vitals.pulse - 60) > 0", 60, None),
    ("vitals.pulse > 100", None, None),
]


@pytest.mark.parametrize(("text", "value", "expected"), PULSE)
def test_a_condition_on_one_number(text, value, expected) -> None:
    """Arithmetic and comparison mean what they mean in school; what cannot be known is unknown."""
    assert compile_condition(text, Parameters()).holds(value, {"pulse_high": 120}) is expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("door.leaf is open", "open", True),
        ("door.leaf is not open", "open", False),
        ("lock.bolt in ['unlocked', 'jammed']", "jammed", True),
        ("starts(lock.bolt, 'un')", "unlocked", True),
        ("door.leaf == 'open'", "closed", False),
    ],
)
def test_a_condition_on_a_word(text, value, expected) -> None:
    """States that are words are compared with `is`, `in` and `==`."""
    assert compile_condition(text, Parameters()).holds(value, {}) is expected


@pytest.mark.parametrize(
    ("pulse", "spo2", "expected"),
    [
        (130, 95, True),
        (130, None, True),
        (None, 85, True),
        (100, None, None),
        (None, None, None),
        (100, 95, False),
    ],
)
def test_unknown_goes_through_or_as_a_third_value(pulse, spo2, expected) -> None:
    """`a or b` is true when one is, false when neither is, else unknown."""
    condition = compile_condition("vitals.pulse > 120 or vitals.spo2 < 90", Parameters())
    assert condition.holds([pulse, spo2], {}) is expected


@pytest.mark.parametrize(
    ("pulse", "spo2", "expected"), [(130, 85, True), (100, None, False), (130, None, None), (None, 95, False)]
)
def test_unknown_goes_through_and_and_not(pulse, spo2, expected) -> None:
    """`a and b` is false when one is; the opposite of unknown is unknown."""
    both = compile_condition("vitals.pulse > 120 and vitals.spo2 < 90", Parameters())
    neither = compile_condition("not (vitals.pulse > 120 and vitals.spo2 < 90)", Parameters())
    assert both.holds([pulse, spo2], {}) is expected
    assert neither.holds([pulse, spo2], {}) is (None if expected is None else not expected)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("vitals.puls > 3", "no device has a state 'vitals.puls'; did you mean 'vitals.pulse'?"),
        ("pulse > 3", "'pulse' is no name here; did you mean 'vitals.pulse'?"),
        ("door.opened is open", "'door.opened' is an event, not a state; open the rule with 'when: door.opened'"),
        ("door.leaf is ajar", "'door.leaf' is never 'ajar'; it is open or closed"),
        ("vitals.pulse < 'x'", "a number is needed here, this is a text: ''x'' (column 16)"),
        ("vitals.pulse > 10 min", "a number is needed here, this is a duration: '10 min' (column 16)"),
        ("vitals.pulse > resident.dose_time", "a number is needed here, this is a duration: 'resident.dose_time'"),
        ("door.leaf > 3", "a number is needed here, this is a text"),
        ("vitals.pulse ** 9 > 1", "not part of the language"),
        ("vitals.pulse", "say what 'vitals.pulse' is"),
        ("len(door.leaf) > 1", "there is no such function; there are abs, min, max, round and starts"),
        ("vitals.pulse.real > 1", "two parts"),
        ("[vitals.pulse for x in y]", "not part of the language"),
        ("lambda: vitals.pulse > 1", "not part of the language"),
        ("vitals.pulse > 1 if 1 else 2", "not part of the language"),
        ("vitals.pulse[0] > 1", "not part of the language"),
        ("f'{vitals.pulse}' == 'x'", "not part of the language"),
        ("__import__('os') == 1", "no such function"),
        ("__import__('os').system('x') == 1", "no such function"),
        ("vitals.pulse > 1e999", "a number up to"),
        ("resident.pulse_high > 3", "at least one state"),
        ("vitals.pulse >", "is not a condition"),
        ("", "is not a condition"),
        ("vitals.pulse > 1" + " and vitals.pulse > 1" * 60, "at most"),
        ("(" * 240 + "vitals.pulse" + ")" * 240, "is not a condition"),
        ("vitals.pulse > 1\nor 1", "one line of ordinary characters"),
        ("vitals.pulse > 1 \x00", "one line of ordinary characters"),
        ("door.leaf is open is closed", "'is' and 'in' stand alone"),
        ("vitals.pulse in 3", "after 'in' comes a list"),
    ],
)  # fmt: skip
def test_a_slip_is_said_with_its_place_and_a_remedy(text, sentence) -> None:
    """Every refusal is one sentence."""
    with pytest.raises(Wrong) as refused:
        compile_condition(text, Parameters())
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("letter", ["é", "ſ", "１", "\u0301", "¹"])
def test_a_span_with_a_foreign_letter_behind_it_is_no_span(letter) -> None:
    """Python folds such letters into names, so one could otherwise stand for a span that nobody wrote."""
    with pytest.raises(Wrong):
        compile_condition(f"vitals.pulse / 2 min > 1 min{letter} + 3 min", Parameters())


def test_the_source_we_write_can_be_shown() -> None:
    """What runs is our own source, written from checked parts."""
    condition = compile_condition("vitals.pulse > resident.pulse_high - 10", Parameters())
    assert condition.source == "lambda v, p: (v > (p['pulse_high'] - 10))"


names = st.sampled_from(
    ["vitals.pulse", "door.leaf", "any.battery", "resident.x", "resident.dose_time", "__class__", "x", "open", "os",
     "().__class__", "vitals.pulse.__class__", "1", "9" * 60, "1e308", "'a'", "10 min", "True", "None", "[]", "abs",
     "starts", "eval", "print('x')", "lambda: 0", "{}", "...", "*", "**", "(", ")", "[", "]", "and", "or", "not", "is",
     "in", "+", "-", "/", "<", ">", "==", ",", ":=", "if", "else", "for", "await", "yield", "ᚠ0", "é", "5dé", "5dſ",
     "\\"]
)  # fmt: skip
fuzz = settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@fuzz
@given(
    st.one_of(
        st.text(max_size=60),
        st.text(string.printable, max_size=120),
        st.lists(names, max_size=14).map(" ".join),
    )
)
def test_no_input_gets_out_of_the_compiler(text) -> None:
    """Whatever the text, it compiles to something that answers true, false or unknown, or is refused by Wrong alone."""
    begun = time.process_time()
    try:
        condition = compile_condition(text, Parameters())
    except Wrong:
        pass
    else:
        samples = [1, 0, -1e14, "open", None]
        for sample in samples:
            whole = sample if len(condition.states) == 1 else [sample] * len(condition.states)
            parameters = dict.fromkeys(condition.parameters, 3)
            assert condition.holds(whole, parameters) in (True, False, None)
    assert time.process_time() - begun < 1


@fuzz
@given(st.integers(1, MAX_CHARACTERS // 4), st.sampled_from(["9*", "-", "(", "not ", "abs(", "[", "1<"]))
def test_long_inputs_end_quickly(count, piece) -> None:
    """Repeating any piece up to the length that is read neither runs long nor overflows anything."""
    begun = time.process_time()
    try:
        compiled = compile_condition(f"vitals.pulse > {piece * count}1", Parameters())
        compiled.holds(1, {})
    except Wrong:
        pass
    assert time.process_time() - begun < 1
