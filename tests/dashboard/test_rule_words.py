"""Rules in sentences: what a rule waits for, as the page of an alarm says it."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.look.rule_words import rule_name, rule_sentence
from rules import load_book, standard_book_text

BOOK = load_book(standard_book_text())


@pytest.mark.parametrize("language", ["nb", "en"])
@pytest.mark.parametrize("name", BOOK.rules)
def test_every_shipped_rule_can_be_said(name: str, language: Any) -> None:
    """Whole sentences in both languages, with no kind, state or parameter left in the book's own spelling."""
    text = rule_sentence(BOOK.rules[name], language)
    assert text.endswith(".")
    for left in ("%(", "resident.", "_", ": .", "«»"):
        assert left not in text, text
    assert rule_name(BOOK.rules[name], language, "Astrid")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("fall", "Regelen slår til når dette skjer: Fall oppdaget."),
        ("pulse-high", "Regelen slår til når det har vært slik i 10 min: Puls > «Høy puls fra»."),
        ("door-open-at-night", "Regelen slår til når det har vært slik i «Døren kan stå åpen i»: Dør: åpen."),
        (
            "gateway-off-mains",
            "Regelen slår til når det har vært slik i 5 min: Strøm til hjemmesentralen: borte.",
        ),
        ("area-outage", "Regelen slår til straks det er slik: Hjemmesentraler som falt ut sammen ≥ 3."),
        (
            "fall-at-the-door",
            "Regelen slår til når det ene følger det andre innen 2 min: Døren ble åpnet, så Fall oppdaget.",
        ),
    ],
)
def test_sentences_read_well(name: str, sentence: str) -> None:
    """Norwegian, with the limits by their names."""
    assert rule_sentence(BOOK.rules[name], "nb") == sentence


async def test_the_page_of_an_alarm_says_why_in_sentences(sign_in: Any, town: Any) -> None:
    """What the rule waits for, and when it acted; a rule that the book does not have is said by its time alone."""
    alert = await town.alarm("pendant.fall", rule="fall")
    nils = await sign_in("nils")
    text = (await nils.get(f"/nb/alarms/{alert.id}")).text
    assert "Regelen slår til når dette skjer: Fall oppdaget." in text
    assert "Denne gangen slo den til kl. 08:00." in text
    english = (await nils.get(f"/en/alarms/{alert.id}")).text
    assert "The rule acts when this happens: Fall detected." in english
    other = await town.alarm(home="h2", device="pendant-2")
    text = (await nils.get(f"/nb/alarms/{other.id}")).text
    assert "Regelen slår til" not in text
    assert "Denne gangen slo den til kl. 08:00." in text
