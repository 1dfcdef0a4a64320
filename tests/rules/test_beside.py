"""A municipality's own rules beside the shipped ones."""

from __future__ import annotations

import pytest

from rules import BookError, load_book, standard_book_text

SHIPPED = load_book(standard_book_text())
OWN = """
besides: standard
without: [fever]
rules:
  night-walks: {when: bed.left, times: 3, within: 2 h}
  smoke: {when: smoke.detected, urgency: high}
defaults: {pulse_high: 110, own_limit: 3}
"""


def test_own_rules_stand_beside_the_shipped_ones() -> None:
    """What is not named stays as shipped; own rules and defaults come over it, and `without` takes away."""
    book = load_book(OWN)
    assert set(book.rules) == {*SHIPPED.rules, "night-walks"} - {"fever"}
    assert (book.rules["smoke"].urgency, SHIPPED.rules["smoke"].urgency) == ("high", "critical")
    assert book.rules["gas"].meaning == SHIPPED.rules["gas"].meaning
    assert (book.defaults["pulse_high"], book.defaults["pulse_low"]) == (110, SHIPPED.defaults["pulse_low"])
    assert book.borrowed == set(SHIPPED.rules) - {"fever", "smoke"}


def test_advice_is_given_on_own_rules_only() -> None:
    """Nobody is told what to change in a book that is not his."""
    book = load_book("besides: standard\nrules:\n  r:\n    while: vitals.pulse > 130\n")
    assert [str(each).partition(":")[0] for each in book.advice] == ["line 3"]
    assert load_book("besides: standard\n").advice == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "besides: standerd\nrules: {}",
            "line 1: 'besides' names the book that comes with trygghub: standard",
        ),
        (
            "rules: {}\nwithout: [smoke]",
            "line 2: 'besides' names the book that comes with trygghub: standard",
        ),
        (
            "besides: standard\nwithout:\n  - smoek",
            "line 3: 'without' lists shipped rules, and 'smoek' is none; did you mean 'smoke'?",
        ),
        ("besides: standard\nwithout: {a: b}", "line 2: 'without' lists shipped rules, and '' is none"),
        (
            "besides: standard\ndefaults:\n  night_from: 30 min",
            "line 3: defaults: night_from: a clock is needed here, this is a duration: '30 min'",
        ),
        (
            "besides: standard\nwithout: gateway-silent",
            "line 1: rule 'device-silent': 'not while' names no rule: 'gateway-silent'",
        ),
        ("besides: standard\nrules: [a]", "line 2: 'rules' holds a name and then the words of each rule"),
    ],
)
def test_a_slip_is_said_with_its_line(text: str, said: str) -> None:
    """What was expected, what stands there, and the likely remedy."""
    with pytest.raises(BookError) as wrong:
        load_book(text)
    assert any(each.startswith(said) for each in wrong.value.problems), wrong.value.problems


def test_a_rule_on_silence_without_words_does_not_say_sign_of_life() -> None:
    """Without `alert` it speaks in its own name; one on an event in the catalogue's words."""
    book = load_book(
        "rules: {bed-lost: {missing: any.heartbeat, for: 1 h, per: device}, f: {when: pendant.fall}}"
    )
    assert book.rules["bed-lost"].alert.say("en", {"resident": "Astrid"}) == "bed lost: Astrid"
    assert book.rules["f"].alert.say("en", {"resident": "Astrid"}) == "Fall detected: Astrid"
