"""The shipped book: complete, in both languages, tested rule by rule."""

from __future__ import annotations

import pytest

from drivers.catalogue import CATALOGUE
from rules import load_book, standard_book_text, standard_tests_text
from rules.book import Form
from rules.rule_test_file import load_tests
from rules.rule_tests import run_test

BOOK = load_book(standard_book_text(), "standard.yaml")
TESTS = load_tests(standard_tests_text(), BOOK, "standard.tests.yaml")


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_a_rule_test_of_the_shipped_book_holds(test) -> None:
    """Exactly the expected alerts come."""
    outcome = run_test(test, BOOK)
    assert outcome.passed, (outcome.missing, outcome.extra)


def test_every_rule_is_expected_by_a_test() -> None:
    """No rule is shipped that nobody has seen raise."""
    expected = {each.rule for test in TESTS for each in test.expected if each.action == "raise"}
    assert expected == set(BOOK.rules)


@pytest.mark.parametrize("name", BOOK.rules)
def test_a_rule_speaks_both_languages_and_says_what_to_do(name) -> None:
    """Staff read bokmål or English, and are told what to do."""
    rule = BOOK.rules[name]
    assert rule.alert.nb != rule.alert.en
    assert rule.action.nb != rule.action.en
    assert "".join(rule.action.nb).strip()


def test_every_call_for_help_has_a_rule_that_acts_at_once() -> None:
    """The catch-all is for other people's books."""
    answered = {kind for rule in BOOK.rules.values() if rule.form is Form.HAPPENS for kind in rule.events}
    calls = {kind for kind, spec in CATALOGUE.facts.items() if spec.call_for_help}
    assert calls <= answered
    assert all(BOOK.rules[name].life_safety for name in ("fall", "smoke", "pendant-pressed", "nurse-call"))


def test_every_vkp_alert_a_dispenser_can_report_has_a_rule() -> None:
    """VKP 1.x: each code of the catalogue's dispenser facts is judged by a rule of the book."""
    kinds = {kind for rule in BOOK.rules.values() for kind in rule.kinds}
    coded = {
        kind
        for kind, s in CATALOGUE.facts.items()
        if s.device_class == "dispenser" and s.vkp.startswith("alert-code#1")
    }
    assert len(coded) >= 17
    assert coded <= kinds
    assert "dispenser.heartbeat" in kinds


def test_only_rules_that_ask_for_a_residents_consent_are_off_by_default() -> None:
    """Advice on the book is nothing but the three rules a resident is signed up for."""
    assert sorted(problem.text.split(":")[0] for problem in BOOK.advice) == [
        "dose-not-confirmed",
        "no-motion-for-long",
        "out-at-night",
    ]


def test_dispensed_is_never_called_taken() -> None:
    """A missed dose is judged by what left the machine (VKP 1.1)."""
    assert BOOK.rules["missed-dose"].second == ("dispenser.dispensed",)
