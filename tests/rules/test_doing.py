"""`do:` lets a rule ask a device in the home for something harmless when it raises, and for nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.catalogue import CATALOGUE
from rules import BookError, Decision, load_book
from rules.explain import explain
from rules.homes import zone
from rules.rule_test_file import load_tests
from rules.rule_tests import run_test

DOSE = """
rules:
  dose:
    when: dispenser.due
    missing: dispenser.dispensed
    same: dose
    within: 10 min
    do: {dispenser.message: "{resident}, husk medisinen kl. {due.time}"}
"""


def asked(decisions: list[Decision]) -> list[tuple[str, str, dict[str, str]]]:
    """What each decision does, and what it asks for."""
    return [(each.action, each.do, dict(each.do_args)) for each in decisions]


def test_a_raise_carries_what_is_to_be_asked(story, heard) -> None:
    """The texts are filled in as those for people are; the clear that follows asks for nothing."""
    told = story(DOSE).decisions("08:00 d dispenser.due dose=1\n08:30 d dispenser.dispensed dose=1")
    assert asked(told) == [
        ("raise", "dispenser.message", {"text": "Astrid, husk medisinen kl. 08:00"}),
        ("clear", "", {}),
    ]
    assert Decision.from_json(told[0].as_json()) == told[0]


@pytest.mark.parametrize(
    ("written", "name", "args"),
    [
        ("lock.state", "lock.state", {}),
        ('{pendant.message: "Hjelpen er på vei"}', "pendant.message", {"text": "Hjelpen er på vei"}),
        (
            '{call.page: {address: "200", text: "{resident} har falt"}}',
            "call.page",
            {"address": "200", "text": "Astrid har falt"},
        ),
    ],
)
def test_a_command_is_written_with_what_goes_with_it(story, written, name, args) -> None:
    """Alone, with its one text, or with several by name."""
    told = story(f"rules: {{r: {{when: pendant.fall, do: {written}}}}}").decisions("08:00 p pendant.fall")
    assert asked(told) == [("raise", name, args)]


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("lock.unlock", "no rule opens a door; a person does, with a reason: 'lock.unlock'"),
        ("{lock.unlock: {seconds: 5}}", "no rule opens a door; a person does, with a reason: 'lock.unlock'"),
        ("lock.unlatch", "no rule opens a door"),
        ("lock.lock", "no rule locks a door"),
        ("dispenser.dispense", "no rule gives a dose; a dispenser gives it by its own plan"),
        ("call.status", "no rule answers a call"),
        ("dispenser.mesage", "no device takes 'dispenser.mesage'; did you mean 'dispenser.message'?"),
        ("siren on", "no device takes 'siren on'; write it like 'lock.state'"),
        ("dispenser.message", "'dispenser.message' needs 'text'"),
        ("{lock.state: now}", "'lock.state' needs nothing else"),
        ("{call.page: hello}", "'call.page' needs 'address' and 'text'"),
        ("{call.page: {adress: '2', text: x}}", "'call.page' has no 'adress'; did you mean 'address'?"),
        ("{call.page: {text: x}}", "'call.page' needs 'address' and 'text'"),
        ("{lock.state: {}, door.state: {}}", "'do' asks for one thing"),
        ("[lock.state]", "'do' asks for one thing"),
        ('{dispenser.message: "{who}"}', "nothing here is called {who}"),
        ("{dispenser.message: [a]}", "one value is needed here, not a list"),
    ],
)
def test_anything_else_is_refused_when_the_book_is_read(written, sentence) -> None:
    """What could open a door or give a dose cannot be written; a slip is told with its line and a remedy."""
    with pytest.raises(BookError) as wrong:
        load_book(f"rules:\n  r:\n    when: pendant.fall\n    do: {written}\n")
    assert len(wrong.value.problems) == 1
    assert wrong.value.problems[0].startswith("line 4: r: ")
    assert sentence in wrong.value.problems[0]


def test_no_book_can_hold_a_command_that_is_left_to_people() -> None:
    """Every command that is not harmless, written in every way, is refused in the catalogue's words."""
    for spec in CATALOGUE.commands.values():
        if not spec.harmless:
            args = "".join(f"{arg}: x, " for arg in spec.args)
            for written in (spec.name, f"{{{spec.name}: x}}", f"{{{spec.name}: {{{args}}}}}"):
                with pytest.raises(BookError) as wrong:
                    load_book(f"rules: {{r: {{when: pendant.fall, do: {written}}}}}")
                assert spec.left_to_people in wrong.value.problems[0]


def test_a_rule_judged_in_the_centre_does_nothing_in_a_home() -> None:
    """The centre has no hands there."""
    with pytest.raises(
        BookError, match="gateway facts are judged in the centre, which can do nothing in a home"
    ):
        load_book("rules: {r: {missing: gateway.heartbeat, for: 5 min, do: lock.state}}")


def test_only_a_raise_asks(story, heard, clock) -> None:
    """A match within `at most once per`, one held back and one that came in too late are told and no more."""
    rules = """
rules:
  door: {while: door.leaf is open}
  fall: {when: pendant.fall, at most once per: 1 h, urgency: critical, do: lock.state}
  often: {when: pendant.pressed, not while: door, do: lock.state}
"""
    engine = story(rules, late=60_000).live()
    lines = """
        08:00 p pendant.fall
        08:10 p pendant.fall
        08:20 f door.opened
        08:30 p pendant.pressed
        09:40 p pendant.fall heard=11:00
    """
    told = [each for event in heard(lines) for each in engine.observe(event)]
    told += engine.advance(clock("12:00"))
    assert sorted({(each.rule, each.action, each.do) for each in told if each.rule != "door"}) == [
        ("fall", "raise", ""),  # the late one
        ("fall", "raise", "lock.state"),
        ("fall", "repeat", ""),
        ("late", "late", ""),
        ("often", "held", ""),
    ]


def test_what_a_new_book_raises_is_only_told(story, heard, clock) -> None:
    """An alert that has been so for an hour is no moment to act; one that begins under the new book is."""
    astrid = story("rules: {}", late=0)
    engine = astrid.live()
    history = heard("08:00 f door.opened")
    engine.feed(history)
    other = load_book("rules: {door: {while: door.leaf is open, for: 10 min, do: door.state}}")
    assert asked(engine.reload(other, clock("09:00"), history)) == [("raise", "", {})]
    engine.feed(heard("10:00 f door.closed id=a\n10:10 f door.opened id=b"))
    assert asked(engine.advance(clock("11:00")))[-1] == ("raise", "door.state", {})


def test_what_is_done_is_no_part_of_what_a_rule_means() -> None:
    """State goes on when only `do` changes, as when only words change."""
    plain, doing = (
        load_book(f"rules: {{r: {{while: door.leaf is open, for: 10 min{more}}}}}")
        for more in ("", ", do: door.state")
    )
    assert plain.rules["r"].meaning == doing.rules["r"].meaning


def test_explaining_says_what_was_asked(story) -> None:
    """In both languages, with the text."""
    (told, *_) = story(DOSE).decisions("08:00 d dispenser.due dose=1")
    said = {language: explain(told, {}, zone("Europe/Oslo"), language) for language in ("nb", "en")}
    assert "Ba om i hjemmet: Si en beskjed («Astrid, husk medisinen kl. 08:00»)." in said["nb"]
    assert 'Asked for in the home: Give a message ("Astrid, husk medisinen kl. 08:00").' in said["en"]


def test_the_example_of_the_page_does_what_it_says(story) -> None:
    """Both rules of rules/README.md load, and ask for what stands there; a rule test can expect it."""
    page = (Path(__file__).parents[2] / "rules" / "README.md").read_text("utf-8")
    (example,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if " do: " in block)
    lines = "08:00 d dispenser.due dose=1\n08:05 c call.raised place=Bad"
    told = {each.rule: (each.do, each.do_args["text"]) for each in story(example).decisions(lines)}
    assert told == {
        "remind-of-medicine": ("dispenser.message", "Husk medisinen din, Astrid"),
        "fall-in-the-bathroom": ("call.page", "Bad: Astrid"),
    }


@pytest.mark.parametrize(
    ("expected", "missing"),
    [("dispenser.message", 0), ("lock.state", 1)],
    ids=["what it asks", "another thing"],
)
def test_a_rule_test_may_expect_what_is_asked(expected, missing) -> None:
    """`do=` behind a raise is compared with what the raise asks for."""
    book = load_book(DOSE)
    text = f"""
tests:
  - name: a dose
    start: 2026-01-15 07:00
    until: "09:00"
    events: ["08:00 d dispenser.due dose=1"]
    expect: ["08:10 raise dose do={expected}"]
"""
    (test,) = load_tests(text, book)
    assert len(run_test(test, book).missing) == missing


def test_a_rule_test_names_only_commands_there_are() -> None:
    """A slip there is told like one in a book."""
    text = (
        "tests: [{name: n, start: 2026-01-15, events: [], expect: ['08:10 raise dose do=dispenser.mesage']}]"
    )
    with pytest.raises(
        BookError, match=r"no device takes .dispenser\.mesage.; did you mean .dispenser\.message.\?"
    ):
        load_tests(text, load_book(DOSE))
