"""The shipped book: complete, in both languages, tested rule by rule."""

from __future__ import annotations

import pytest

from drivers.catalogue import CATALOGUE
from drivers.catalogue.vkp import DISPENSER_ALERTS, SILENCE
from drivers.devices import native_dispenser
from rules import load_book, standard_book_text, standard_tests_text, vkp
from rules.book import Form
from rules.rule_test_file import load_tests
from rules.rule_tests import run_test
from simulators.scenario.words import kind_of as simulated

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


def test_vkp_has_23_dispenser_alerts() -> None:
    """The table walks the national list whole, and the catalogue names no code beside it."""
    assert list(DISPENSER_ALERTS) == [f"1.{number}" for number in range(1, 24)]
    assert list(vkp.ANSWERED) == list(DISPENSER_ALERTS)
    coded = {spec.vkp for spec in CATALOGUE.facts.values() if spec.vkp.startswith("alert-code#1.")}
    assert coded == {f"alert-code#{code}" for code in DISPENSER_ALERTS if code != SILENCE}


@pytest.mark.parametrize("code", DISPENSER_ALERTS)
def test_a_vkp_dispenser_alert_is_told(code: str) -> None:
    """A dispenser can report it, a rule tells of it with words and action, and a rule test has seen it raise."""
    facts, rules = vkp.facts_of(code), [BOOK.rules[name] for name in vkp.ANSWERED[code]]
    if code == SILENCE:  # nobody reports his own silence
        assert rules[0].form is Form.SILENCE
        facts = ("dispenser.heartbeat",)
    assert facts
    assert set(facts) <= native_dispenser.DEVICE.emits
    assert {kind.partition(".")[2] for kind in facts} <= set(simulated("dispenser").says)
    for fact in facts:
        assert any(fact in rule.kinds for rule in rules), fact
    raised = {each.rule for test in TESTS for each in test.expected if each.action == "raise"}
    assert {rule.name for rule in rules} <= raised


def test_the_page_on_vkp_is_what_book_and_catalogue_say() -> None:
    """VKP.md is fresh; `python -m rules.vkp` writes it."""
    assert vkp.PAGE.read_text(encoding="utf-8") == vkp.page()


def test_only_rules_that_ask_for_a_residents_consent_are_off_by_default() -> None:
    """Advice on the book is nothing but the rules a resident is signed up for."""
    assert sorted(problem.text.split(":")[0] for problem in BOOK.advice) == [
        "dose-not-confirmed",
        "missed-critical-dose",
        "no-motion-for-long",
        "out-at-night",
        "sat-up-in-bed",
        "weight-high",
    ]


def test_dispensed_is_never_called_taken() -> None:
    """A missed dose is judged by what left the machine (VKP 1.1)."""
    assert BOOK.rules["missed-dose"].second == ("dispenser.dispensed",)
