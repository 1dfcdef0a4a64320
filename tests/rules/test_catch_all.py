"""No rule, a broken rule, a wrong value: a call for help comes through, and nothing gets out of the engine."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.catalogue import CATALOGUE
from drivers.events import LATEST, Event
from rules import DeviceSpec, Engine, HomeSpec, load_book, standard_book_text

CALLS = sorted(kind for kind, spec in CATALOGUE.facts.items() if spec.call_for_help)


@pytest.mark.parametrize("kind", CALLS)
def test_a_call_no_rule_answers_is_raised_in_the_catalogues_words(story, heard, kind) -> None:
    """With an empty book every call for help is a critical, life-safety alert in both languages."""
    engine = story("rules: {}").live(catch_all=True)
    (told,) = engine.observe(heard(f"08:00 d {kind}")[0])
    words = CATALOGUE.spec(kind).words
    assert (told.rule, told.urgency, told.life_safety, told.key) == ("catch-all", "critical", True, "d")
    assert told.says["nb"].startswith(words["nb"])
    assert told.says["en"].startswith(words["en"])
    assert engine.advance(heard(f"10:00 d {kind}")[0].at) == []


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        ("rules: {r: {when: pendant.pressed}}", "r"),
        ("rules: {r: {when: pendant.pressed, urgency: low}}", "r"),
        ("rules: {r: {when: pendant.pressed, only: between 22:00 and 06:00}}", "catch-all"),
        ("rules: {r: {when: pendant.pressed, times: 3, within: 10 min}}", "catch-all"),
        ("rules: {r: {when: pendant.pressed, then: bed.left, within: 10 min}}", "catch-all"),
        ("rules: {r: {when: pendant.pressed, at most once per: resident.nobody_said}}", "catch-all"),
        ("rules: {r: {when: pendant.pressed, missing: pendant.cancelled, within: 10 h}}", "catch-all"),
    ],
)
@pytest.mark.parametrize("late", [0, 120_000])
def test_only_a_rule_that_answers_keeps_the_catch_all_quiet(story, heard, rules, rule, late) -> None:
    """A rule that is off, asleep or still counting has not answered; one that raises has, whatever its urgency."""
    told = story(rules, late=late).live(catch_all=True).observe(heard("08:00 p pendant.pressed")[0])
    assert [each.rule for each in told] == [rule]


def test_a_short_wait_for_a_cancelling_is_an_answer(story, heard, clock) -> None:
    """A fall detector that may be cancelled within half a minute is dealt with: no second alert beside it."""
    rules = "rules: {r: {when: pendant.fall, missing: pendant.cancelled, within: 30 s}}"
    engine = story(rules, late=0).live(catch_all=True)
    assert engine.observe(heard("08:00 p pendant.fall")[0]) == []
    assert [each.rule for each in engine.advance(clock("08:01"))] == ["r"]


def test_a_repeat_and_a_held_call_are_answers(story, heard) -> None:
    """What is kept back has been seen by a rule and is told with its reason."""
    rules = "rules: {r: {when: pendant.fall, at most once per: 5 min}}"
    engine = story(rules, late=0).live(catch_all=True)
    told = [
        each.action
        for event in heard("08:00 p pendant.fall\n08:01 p pendant.fall")
        for each in engine.observe(event)
    ]
    assert told == ["raise", "repeat"]


def test_a_late_call_without_a_rule_is_raised_too(story, heard) -> None:
    """However late, and with no rule at all."""
    told = story("rules: {}").live(catch_all=True).observe(heard("08:00 p pendant.fall heard=11:00")[0])
    assert [(each.action, each.rule) for each in told] == [("late", "late"), ("raise", "catch-all")]


def test_a_broken_rule_swallows_nothing(story, heard, monkeypatch) -> None:
    """A fault in one rule of ours: the others act, the call comes through, and the fault is told once."""
    rules = "rules: {a: {when: pendant.fall}, b: {when: pendant.fall, times: 1, within: 1 min}}"
    engine = story(rules, late=0).live(catch_all=True)

    def fault(*_: object) -> None:
        raise RuntimeError("a slip of ours")

    monkeypatch.setattr(engine.by_name["a"], "match", fault)
    told = engine.observe(heard("08:00 p pendant.fall")[0])
    assert [each.rule for each in told] == ["broken-rules", "b"]
    assert told[0].queue == "technical"
    monkeypatch.setattr(engine.by_name["b"], "match", fault)
    told = engine.observe(heard("08:01 p pendant.fall id=2")[0])
    assert [each.rule for each in told] == ["catch-all"]
    told = engine.observe(heard("08:30 p pendant.fall id=3")[0])
    assert [each.rule for each in told] == ["broken-rules", "catch-all"]
    assert engine.faults == 5


def test_a_rule_that_breaks_on_arrival_swallows_nothing_either(story, heard, monkeypatch) -> None:
    """In the urgent lane as well: the fault is told, the call comes through, and once mended the rule tells both."""
    engine = story("rules: {a: {when: pendant.fall}}").live(catch_all=True)

    def fault(*_: object) -> None:
        raise RuntimeError("a slip of ours")

    with monkeypatch.context() as broken:
        broken.setattr(engine.by_name["a"], "match", fault)
        told = engine.observe(heard("08:00 p pendant.fall")[0])
    assert [each.rule for each in told] == ["broken-rules", "catch-all"]
    told = engine.observe(heard("08:10 p pendant.fall id=2")[0])
    assert [(each.rule, each.because) for each in told] == [("a", ("1",)), ("a", ("2",))]


def test_a_silent_device_is_told_by_its_own_kind(story, clock) -> None:
    """`any.heartbeat` of a bed is the bed's."""
    rules = "rules: {r: {missing: any.heartbeat, for: 15 min, per: device}}"
    astrid = story(rules, devices={"b": DeviceSpec("bed", clock("08:00"))})
    assert [each.kind for each in astrid.decisions("", "09:00")] == ["bed.heartbeat"]


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([1]), st.just(10**400)
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**9), st.integers(-10**8, 10**8), st.sampled_from([*CATALOGUE.facts, "no.such", ""]),
            st.dictionaries(st.sampled_from(["value", "dose", "code", "planned", "place"]), values, max_size=3),
        ),
        max_size=25,
    )
)  # fmt: skip
def test_no_event_breaks_the_engine(stream) -> None:
    """Whatever an event holds, the engine answers with decisions; not one rule of the shipped book breaks on it."""
    engine = Engine(load_book(standard_book_text()))
    engine.set_home(HomeSpec("h1", late_ms=0))
    for number, (at, ahead, kind, data) in enumerate(stream):
        event = Event(
            str(number), max(0, at), max(0, at + ahead), "h1" if number % 3 else "unheard-of", "d", kind, data
        )
        for each in engine.observe(event):
            assert each.as_json()
    engine.advance(2 * 10**9)
    assert engine.faults == 0


def test_the_end_of_the_calendar_breaks_nothing() -> None:
    """A clock that says 9999 is wrong, but harmless."""
    engine = Engine(load_book(standard_book_text()))
    for number, kind in enumerate(CATALOGUE.facts):
        engine.observe(Event(str(number), LATEST, LATEST, "h1", "d", kind, {}))
    engine.next_due()
    engine.snapshot()
    assert engine.faults == 0
