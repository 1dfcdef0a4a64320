"""The catalogue says enough of every fact, in both languages, and lets nothing through that it does not know."""

import math
import re

import pytest

from drivers.catalogue import CATALOGUE, GENERIC
from drivers.catalogue_doc import PAGE, page
from drivers.events import DecodeError
from drivers.registry import DEVICE_TYPES

DESIGNED = {
    "dispenser": "due reminded dispensed taken missed secured early_request jammed low_stock empty no_schedule "
    "pouch_unreadable wrong_person drawer_full opened broken_into tilted refilled message_read message_unread "
    "mains_lost mains_back "
    "unconfirmed out_of_medicine short_for_trip plan_changed roll_fault roll_handled shut_down",
    "lock": "locked unlocked jammed refused unknown",
    "door": "opened closed",
    "pendant": "pressed fall cancelled out_of_range",
    "call": "raised cleared",
    "smoke": "detected cleared",
    "heat": "detected cleared",
    "gas": "detected cleared",
    "co": "detected cleared",
    "water": "detected cleared",
    "room": "motion vibration presence temperature humidity",
    "bed": "left entered sat_up wet",
    "chair": "left entered sat_up wet",
    "vitals": "pulse spo2 blood_pressure temperature weight glucose",
    "gateway": "started mains_lost mains_back clock path disk adapter",
    "area": "counted",
}


def test_every_designed_fact_is_there_and_nothing_else() -> None:
    """The kinds are those of the design, the rest of VKP's dispenser alerts, and every class's life and health."""
    wanted = {f"{name}.{fact}" for name, facts in DESIGNED.items() for fact in facts.split()}
    wanted |= {f"{name}.{fact}" for name in DESIGNED for fact in GENERIC if name != "area"}
    assert set(CATALOGUE.facts) == wanted


def test_any_means_what_stands_in_homes() -> None:
    """A rule on any device is no rule on the box, nor on what the centre counts over many boxes."""
    assert {"gateway.heartbeat", "area.heartbeat"}.isdisjoint(CATALOGUE.expand("any.heartbeat"))


def test_only_people_and_detectors_call_for_help() -> None:
    """Seven detectors and buttons call for help, and no other fact does."""
    calls = {kind for kind, spec in CATALOGUE.facts.items() if spec.call_for_help}
    assert calls == {
        "pendant.pressed", "pendant.fall", "call.raised", "smoke.detected", "heat.detected", "gas.detected",
        "co.detected", "water.detected",
    }  # fmt: skip
    assert {CATALOGUE.facts[kind].lane for kind in calls} == {"alarm"}


@pytest.mark.parametrize("kind", CATALOGUE.facts)
def test_every_fact_has_words_in_both_languages_and_a_meaning(kind: str) -> None:
    """Nothing reaches a screen in one language only."""
    spec = CATALOGUE.facts[kind]
    assert spec.words["nb"]
    assert spec.words["en"]
    assert spec.words["nb"] != spec.words["en"]
    assert spec.meaning.endswith(".")
    assert spec.device_class in CATALOGUE.classes


@pytest.mark.parametrize("kind", CATALOGUE.facts)
def test_every_state_that_a_fact_sets_exists_and_can_hold_the_value(kind: str) -> None:
    """A fact sets only known states, to known values or from its own fields."""
    spec = CATALOGUE.facts[kind]
    for name, value in spec.sets.items():
        state = CATALOGUE.states[name]
        if not value.startswith("="):
            assert value in state.values
            continue
        field = spec.field(value[1:])
        assert field is not None
        expected = {"number": (), "flag": ("yes", "no"), "text": field.values}[field.type]
        assert set(state.values) == set(expected)


def test_every_state_can_be_reached() -> None:
    """Each value of each state is set by some fact; `unknown` is a fact of the lock, not a guess."""
    reached = {(name, value) for spec in CATALOGUE.facts.values() for name, value in spec.sets.items()}
    for state in CATALOGUE.states.values():
        if state.name.startswith("any."):
            continue
        copied = any(name == state.name and value.startswith("=") for name, value in reached)
        assert copied or {(state.name, value) for value in state.values} <= reached, state.name


def test_screen_words_are_unique_among_the_facts_of_a_class() -> None:
    """Two facts of one class never read the same."""
    for language in ("nb", "en"):
        seen = [(s.device_class, s.words[language]) for s in CATALOGUE.facts.values()]
        assert len(seen) == len(set(seen))


def test_any_means_every_class_but_the_gateway() -> None:
    """`any.heartbeat` stands for the heartbeat of every device and never for the gateway's own."""
    kinds = CATALOGUE.expand("any.heartbeat")
    assert "pendant.heartbeat" in kinds
    assert "gateway.heartbeat" not in kinds
    assert set(kinds) <= set(CATALOGUE.facts)
    assert CATALOGUE.expand("door.opened") == ("door.opened",)


def test_any_refuses_what_not_every_device_sends() -> None:
    """`any.fall` is no word, and the sentence says what is."""
    with pytest.raises(DecodeError, match=r"not every device sends 'any\.fall'; all send heartbeat"):
        CATALOGUE.expand("any.fall")


def test_a_misspelt_kind_names_its_neighbour() -> None:
    """A typing slip is an error with a remedy."""
    with pytest.raises(DecodeError, match=r"did you mean 'dispenser\.taken'"):
        CATALOGUE.spec("dispenser.taken_")


@pytest.mark.parametrize(
    ("kind", "data", "sentence"),
    [
        ("room.temperature", {}, "needs the field 'value'"),
        ("room.temperature", {"value": "warm"}, "field 'value' is a number, not 'warm'"),
        ("room.temperature", {"value": True}, "is a number, not True"),
        ("room.temperature", {"value": math.nan}, "is a number, not nan"),
        ("vitals.spo2", {"value": 101}, "a number between 0 and 100, not 101"),
        ("vitals.spo2", {"value": 97, "finger": "left"}, "no field 'finger'; it has value"),
        ("room.presence", {"value": 1}, "true or false, not 1"),
        ("dispenser.due", {"dose": "x" * 501}, "a text of at most 500 characters"),
        ("dispenser.due", {"dose": "a", "planned": 1.5}, "whole milliseconds"),
        ("gateway.path", {"value": "pigeon"}, "one of fixed, mobile, none"),
    ],
)
def test_wrong_data_is_refused_in_a_sentence(kind: str, data: dict, sentence: str) -> None:
    """What was expected and what came are both in the message."""
    with pytest.raises(DecodeError, match=sentence):
        CATALOGUE.check(kind, data)


def test_right_data_passes() -> None:
    """A dose with its planned time is fine, and so is a fact without data."""
    CATALOGUE.check("dispenser.due", {"dose": "2026-01-15/1", "planned": 1_768_460_400_000})
    CATALOGUE.check("pendant.fall", {})


def test_the_page_is_what_the_catalogue_says() -> None:
    """CATALOGUE.md is fresh; `python -m drivers.catalogue_doc` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_command_of_a_device_type_is_declared() -> None:
    """Under one of the classes a unit may be registered as, with every argument it takes."""
    for known in DEVICE_TYPES.values():
        for name, args in known.commands.items():
            declared = [CATALOGUE.commands.get(f"{each}.{name}") for each in known.classes]
            takes = {arg for spec in declared if spec for arg in spec.args}
            assert any(declared), (known.id, name)
            assert takes >= set(args), (known.id, name)


def test_no_rule_moves_a_bolt_or_gives_a_dose() -> None:
    """What opens, locks or lets a dose out is left to people, by name and without exception (promises 6, 7)."""
    moving = re.compile(r"lock|latch|open|release|dispense|give|advance|reset")
    dangerous = [spec for spec in CATALOGUE.commands.values() if moving.search(spec.name.partition(".")[2])]
    assert {spec.name for spec in dangerous} == {
        "lock.lock", "lock.unlock", "lock.unlatch", "dispenser.dispense"
    }  # fmt: skip
    assert [spec for spec in dangerous if spec.harmless] == []
    harmless = {spec.name for spec in CATALOGUE.commands.values() if spec.harmless}
    speaking = {name for name in harmless if not name.endswith(".state")}
    assert speaking == {"call.page", "dispenser.message", "pendant.message"}
