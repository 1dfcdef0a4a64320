"""What decisions say of themselves is said in Norwegian as a whole, or in English as a whole."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hub.gateway import late_reports
from rules import Engine, load_book
from rules.decision import Decision
from rules.explain import explain
from rules.reasons import say_reason, say_value

ROOT = Path(__file__).parents[2]
PLACES = (
    re.compile(r"(?:self\.clear|technical\.over)\([^()]*(?:\([^()]*\)[^()]*)*?\"([a-z][a-z ]+)\"\s*\)"),
    re.compile(r"reason=\"([a-z][a-z ,]+)\""),
    re.compile(r"self\.again\([^()]*\"([a-z ]+)\"\)"),
)
ENGLISH = re.compile(r"\d (?:h|d)\b|\b(?:hours?|minutes?|days?|late|once|yes|no|the)\b")


def reasons() -> list[str]:
    """Every fixed reason written in the rules and the hub."""
    texts = [path.read_text("utf-8") for part in ("rules", "hub") for path in (ROOT / part).rglob("*.py")]
    return sorted({found for text in texts for place in PLACES for found in place.findall(text)})


def test_every_fixed_reason_has_its_norwegian() -> None:
    """Whoever writes a new reason is told to translate it."""
    found = reasons()
    assert {"heard again", "the missing entries came", "at the same instant"} <= set(found)
    assert [each for each in found if say_reason(each, "nb") == each] == []


@pytest.mark.parametrize(
    ("english", "norwegian"),
    [
        ("at most once per 1 h 30 min", "høyst én gang per 1 t 30 min"),
        ("at most once per 1 d", "høyst én gang per 1 døgn"),
        ("came in 2 h 5 min late", "kom inn 2 t 5 min for sent"),
        ("came in 40 s late", "kom inn 40 s for sent"),
        ("held back by gateway-silent", "holdt tilbake av gateway-silent"),
        ("the resident has no parameter 'limit'", "beboeren mangler verdien 'limit'"),
        (
            "resident.dose_time: 'soon' is not a time span; write it like '10 min', '90 s' or '1 h 30 min'",
            "resident.dose_time: 'soon' er ikke en varighet; skriv den som '10 min', '90 s' eller '1 h 30 min'",
        ),
        (
            "resident.pulse_high: a number is needed here, not 'x'",
            "resident.pulse_high: her må det stå et tall, ikke 'x'",
        ),
    ],
)
def test_reasons_with_spans_are_norwegian_throughout(english: str, norwegian: str) -> None:
    """Hours are `t` and days `døgn`; English stays as it is."""
    assert say_reason(english, "nb") == norwegian
    assert say_reason(english, "en") == english


def test_numbers_a_rule_rested_on_are_said_in_the_language() -> None:
    """Spans, decimal commas, yes and no; a clock time and a word are the same in both."""
    said = {text: say_value(text, "nb") for text in ("1 h 30 min", "38.5", "yes", "120", "22:00", "E7")}
    assert said == {
        "1 h 30 min": "1 t 30 min", "38.5": "38,5", "yes": "ja", "120": "120", "22:00": "22:00", "E7": "E7",
    }  # fmt: skip
    assert say_value("1 h", "en") == "1 h"


def test_what_an_event_says_in_a_sentence_follows_the_language(story, heard) -> None:
    """A flag is yes or ja, a number has its point or comma, also after a restart."""
    rules = """
rules:
  r:
    alert: {nb: "hjelp: {dispensed.assisted}", en: "help: {dispensed.assisted}"}
    when: dispenser.dispensed
  t:
    alert: {nb: "{temperature.value} grader", en: "{temperature.value} degrees"}
    when: vitals.temperature
    missing: vitals.pulse
    within: 1 h
"""
    (event,) = heard("08:00 d dispenser.dispensed dose=a")
    engine = story(rules, late=0).live()
    assisted = replace(event, data={"dose": "a", "assisted": True})
    (told,) = [*engine.observe(assisted), *engine.advance(event.at + 1)]
    assert told.says == {"nb": "hjelp: ja", "en": "help: yes"}
    (warm,) = heard("08:10 v vitals.temperature value=38.5 id=warm")
    engine.observe(warm)
    again = Engine(load_book(rules))
    again.set_home(story(rules, late=0).home)
    again.restore(engine.snapshot())
    (told,) = again.advance(warm.at + 3_600_001)
    assert told.says == {"nb": "38,5 grader", "en": "38.5 degrees"}


def test_an_explanation_in_norwegian_has_no_english_spans(story, heard, clock) -> None:
    """Numbers, lateness and evidence of an alert, in one language."""
    (event,) = heard(f"08:00 d dispenser.due dose=a planned={clock('08:00')} id=e1")
    decision = Decision(
        action="repeat", rule="r", key="h1", home="h1", at=event.at, lag=2 * 3_600_000, because=("e1",),
        says={"nb": "Noe skjedde", "en": "Something happened"}, reason="at most once per 2 h",
        params={"within": "1 h", "at most once per": "2 h", "resident.temperature_high": "38.5"},
    )  # fmt: skip
    lines = explain(decision, {"e1": event}, ZoneInfo("Europe/Oslo"), "nb")
    said = "\n".join(line.partition("  [")[0] for line in lines)
    assert "innen 1 t, høyst én gang per 2 t, resident.temperature_high 38,5" in said
    assert "planned 15. jan. kl. 08.00.00" in said
    assert not ENGLISH.search(said), said


def test_a_late_report_says_hours_as_hours(heard) -> None:
    """Ten hours are `10 t` in Norwegian, not 600 min."""
    (event,) = heard("08:00 d dispenser.jammed heard=18:05")
    late = Decision(action="late", rule="late", key="d", home="h1", at=event.at, because=(event.id,))
    (told,) = late_reports.told_all_the_same(event, [late])
    assert told.says["nb"].endswith("– meldt 10 t 5 min for sent")
    assert told.says["en"].endswith("– reported 10 h 5 min late")
    assert say_reason(told.reason, "nb") != told.reason
