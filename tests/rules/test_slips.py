"""A slip in a book, said to whoever reads the alert: in both languages, with its line, and never long."""

from __future__ import annotations

import pytest

from rules import BookError, load_book
from rules.slips import LONGEST, SHOWN, say_slip, say_slips

SLIPS = {
    "rules: {a: {when: dispenser.taken_}}": "ingen enhet sender 'dispenser.taken_'; mente du 'dispenser.taken'?",
    "rules: {a: {while: door.leaf is open, for: 1 hour}}": "'1 hour' er ingen varighet; skriv den som '10 min'",
    "rules: {a: {while: door.leaf is ajar}}": "'door.leaf' er aldri 'ajar'; den er open eller closed",
    "rules: {a: {missing: room.motion}}": "'missing' trenger enten 'for' (hvor lenge) eller 'between'",
    "rules: {a: {when: pendant.fall, for: 5 min}}": "'for' går ikke sammen med 'when'",
    "rules: {a: {for: 5 min}}": "en regel begynner med 'when', 'while' eller 'missing'",
    "rules: {a: {when: pendant.fall, wenn: b}}": "en regel har ikke ordet 'wenn'; mente du 'when'?",
    "rules: {a: {when: pendant.fall, not while: b}}": "'not while' nevner ingen regel: 'b'",
    "rules: {a: {when: pendant.fall, only: at noon}}": "'at noon' er ingen del av døgnet",
    "rules: {a: {while: vitals.pulse > resident.x, for: resident.x}}": "her må det stå",
    "rules: {a: @}": "kan ikke leses som YAML",
    "rules: {a: {when: pendant.fall, when: pendant.fall}}": "er skrevet to ganger, først i linje 1",
}


@pytest.mark.parametrize("book", SLIPS)
def test_common_slips_are_said_in_norwegian(book: str) -> None:
    """With the line before them, and nothing left in English."""
    with pytest.raises(BookError) as wrong:
        load_book(book)
    said = say_slip(wrong.value.problems[0], "nb")
    assert said.startswith("linje 1: ")
    assert SLIPS[book] in said
    assert "«" not in said


def test_what_nobody_translated_is_quoted() -> None:
    """The place is Norwegian, the sentence stays as the check says it."""
    assert say_slip("line 4: a: something else is wrong", "nb") == "linje 4: a: «something else is wrong»"
    assert say_slip("line 4: a: something else is wrong", "en") == "line 4: a: something else is wrong"


@pytest.mark.parametrize("language", ["nb", "en"])
def test_a_hostile_book_is_said_in_bounds(language: str) -> None:
    """A hundred slips of great length are two short ones and a number."""
    problems = [f"line {number}: {'x' * 5000} needs {'; did you mean ' * 500}" for number in range(100)]
    said = say_slips(problems, language)  # type: ignore[arg-type]
    assert len(said) < SHOWN * (LONGEST + 60)
    assert said.endswith("og 98 til" if language == "nb" else "and 98 more")
