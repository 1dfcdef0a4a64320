"""Rule tests: events with clock times and the alerts expected, judged by a book."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.events import Event, Millis
from rules.book import Book
from rules.decision import Decision
from rules.homes import HomeSpec, zone
from rules.local_time import shown
from rules.replay import TOLD, in_order, judge

HOME = "home"
"""The id of the one home of a test."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One line of `expect`; key, and do: what it asks for in the home, are empty where the test does not say."""

    line: int
    at: Millis
    action: str
    rule: str
    key: str
    do: str = ""

    def fits(self, decision: Decision) -> bool:
        """Whether a decision is the one meant."""
        same = (self.at, self.action, self.rule) == (decision.at, decision.action, decision.rule)
        return same and self.key in ("", decision.key) and self.do in ("", decision.do)


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test, read."""

    line: int
    name: str
    home: HomeSpec
    start: Millis
    until: Millis
    events: tuple[Event, ...] = ()
    expected: tuple[Expected, ...] = ()
    rules: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """missing: expected and not there; extra: there and not expected, as sentences."""

    test: RuleTest
    missing: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether exactly what was expected came."""
        return not self.missing and not self.extra


def run_test(test: RuleTest, book: Book) -> Outcome:
    """Judge a test's events with a book."""
    events = in_order(test.events)
    decisions, engine = judge(book, [test.home], events, until=test.until, started=test.start)
    told = [each for each in decisions if each.action in TOLD and (not test.rules or each.rule in test.rules)]
    missing = []
    for expected in test.expected:
        found = next((each for each in told if expected.fits(each)), None)
        if found is None:
            off = engine.home(HOME).off.get(expected.rule, "")
            why = f": the rule is off, {off}" if off else ""
            missing.append(f"line {expected.line}: {_said(expected, test.home.tz)} did not come{why}")
        else:
            told.remove(found)
    return Outcome(test, tuple(missing), tuple(_came(each, test.home.tz) for each in told))


def _said(expected: Expected, tz: str) -> str:
    words = (expected.action, expected.rule, expected.key, expected.do and f"do={expected.do}")
    return " ".join([f"{shown(expected.at, zone(tz)):%d %b %H:%M:%S}", *filter(None, words)])


def _came(decision: Decision, tz: str) -> str:
    at = f"{shown(decision.at, zone(tz)):%d %b %H:%M:%S}"
    return f"{at} {decision.action} {decision.rule} {decision.key} was not expected"
