"""Words, moments and drawings: what is shown, in both languages and through both changes of the clock."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import dashboard
from dashboard import translations, vendored
from dashboard.look import alarm_words, event_words, moments, people, priority
from dashboard.look.icons import icon
from dashboard.look.words import LANGUAGES, preferred, say, say_many
from drivers.catalogue import CATALOGUE

PACKAGE = Path(dashboard.__file__).parent
OSLO = "Europe/Oslo"


def at(text: str) -> int:
    """A moment in ms."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_every_text_is_translated() -> None:
    """No text of template or code is missing, empty, doubtful or left over in the Norwegian catalogue."""
    found = [problem for language in translations.LANGUAGES for problem in translations.problems(language)]
    assert not found, "\n".join(found)


def test_the_check_notices_a_missing_text() -> None:
    """Texts are found wherever they stand: nested in calls and f-strings."""
    nested = """say(lang, words.get(x, mark("inner"))) + f"{say(lang, 'in an f-string')}" """
    source = nested + '\nsay_many(l, "one", "many", 2)'
    assert set(translations.texts_in(ast.parse(source))) == {"inner", "in an f-string", ("one", "many")}


def test_plurals_follow_the_number() -> None:
    """One alarm, two alarms; en alarm, to alarmer."""
    shown = [
        say_many(language, "%(num)d alarm", "%(num)d alarms", number)
        for language in LANGUAGES
        for number in (1, 2)
    ]
    assert shown == ["1 alarm", "2 alarmer", "1 alarm", "2 alarms"]


def test_vendored_files_are_as_locked() -> None:
    """Nobody has changed a file of others by hand, and none lies there without being in the lock."""
    assert list(vendored.differences()) == []


def test_every_drawing_that_is_named_exists() -> None:
    """Each icon named in code is vendored; those in templates fail when their page is rendered."""
    named = {*priority.ICONS.values(), *alarm_words.LINE_ICONS.values(), *event_words.ICONS.values()}
    named |= {*event_words.FACT_ICONS.values(), *(drawing for drawing, _ in alarm_words.CONDITIONS.values())}
    for name in sorted(named):
        assert icon(name).startswith("<svg")
    for template in (PACKAGE / "templates").glob("*.html"):
        for part in template.read_text("utf-8").split('icon("')[1:]:
            assert icon(part.split('"')[0])


def test_every_kind_has_words_and_a_drawing() -> None:
    """Whatever the catalogue knows can be shown in both languages."""
    for kind in CATALOGUE.facts:
        assert icon(event_words.icon_of(kind))
        assert all(event_words.phrase(kind, language) != kind for language in LANGUAGES)


def test_an_unknown_word_is_shown_rather_than_hidden() -> None:
    """A line, cause, kind or step that nobody here knows stands as it came."""
    assert alarm_words.line("moved_to_mars", {}, "nb") == "moved to mars"
    assert alarm_words.cause("flu", "nb") == "flu"
    assert alarm_words.step("swimming", "en") == "swimming"
    assert event_words.phrase("robot.danced", "nb") == "robot.danced"


def test_times_are_short_today_and_dated_otherwise() -> None:
    """`14:02` today, `ons. 18. nov. 14:02` on another day."""
    now = at("2026-11-22T12:00:00+01:00")
    assert moments.clock(at("2026-11-22T06:07:00+01:00"), now, OSLO, "nb") == "06:07"
    assert moments.clock(at("2026-11-18T14:02:00+01:00"), now, OSLO, "nb") == "ons. 18. nov. 14:02"
    assert moments.clock(at("2026-11-18T14:02:00+01:00"), now, OSLO, "en") == "Wed 18. Nov 14:02"


@pytest.mark.parametrize(
    ("utc", "shown"),
    [
        ("2026-10-24T23:30:00+00:00", "01:30"),
        ("2026-10-25T00:30:00+00:00", "02:30 +02:00"),
        ("2026-10-25T01:30:00+00:00", "02:30 +01:00"),
        ("2026-10-25T02:30:00+00:00", "03:30"),
        ("2026-03-29T00:59:00+00:00", "01:59"),
        ("2026-03-29T01:00:00+00:00", "03:00"),
    ],
)
def test_the_hour_that_comes_twice_shows_its_offset(utc: str, shown: str) -> None:
    """Half past two happens twice on the last Sunday of October; both are told apart."""
    moment = at(utc)
    assert moments.clock(moment, moment, OSLO, "nb") == shown
    assert moments.moment(moment, moment, OSLO, "nb").time == shown


def test_ages_in_words() -> None:
    """Now, minutes, hours, days; an event from the future is now."""
    now = at("2026-11-22T12:00:00+00:00")
    seconds = {-5: "nå", 59: "nå", 60: "1 min", 3599: "59 min", 3600: "1 t", 86_399: "23 t", 86_400: "1 d"}
    for passed, words in seconds.items():
        assert moments.age(now - passed * 1000, now, "nb") == words


def test_names_at_three_levels() -> None:
    """In full, as initials, not at all; a couple shares a home."""
    couple = ["Astrid Berg", "Olav Berg"]
    assert people.shown(couple, "full", "nb") == "Astrid Berg og Olav Berg"
    assert people.shown(couple, "initials", "en") == "A. B. and O. B."
    assert people.shown(couple, "technical", "nb") == ""


def test_the_key_of_a_row_is_its_place() -> None:
    """Fixed width, so that the order of texts is the order of the list, up to the largest numbers."""
    late = round(datetime(9999, 1, 1, tzinfo=UTC).timestamp() * 1000)
    keys = [
        priority.list_key("critical", "care", "new", 1, 7),
        priority.list_key("critical", "technical", "seen", 2, 6),
        priority.list_key("critical", "technical", "new", 1, 8, grouped=True),
        priority.list_key("critical", "care", "taken", 1, 5),
        priority.list_key("critical", "care", "snoozed", 1, 5),
        priority.list_key("high", "care", "new", 1, 4),
        priority.list_key("moderate", "care", "new", 1, 3),
        priority.list_key("high", "technical", "new", 1, 2),
        priority.list_key("moderate", "technical", "new", late, 10**12 - 1),
    ]
    assert keys == sorted(keys)
    assert len({len(key) for key in keys}) == 1


def test_an_urgency_nobody_knows_is_shown_as_critical() -> None:
    """Better too loud than unseen."""
    assert priority.tier_of("apocalyptic", "care") == "p1"


def test_the_browser_s_language_decides_where_the_address_does_not() -> None:
    """English for English, Norwegian for Scandinavians and everybody else."""
    wishes = {"en-GB,en;q=0.9": "en", "nn-NO": "nb", "sv": "nb", "de,en;q=0.5": "en", "fr": "nb", "": "nb"}
    assert {wish: preferred(wish) for wish in wishes} == wishes
    assert say("nb", "Take the alarm") == "Ta alarmen"


def test_who_was_told_and_who_was_not_reached() -> None:
    """One name for each person, however many channels were tried."""
    people: list[dict[str, Any]] = [
        {"name": "Eva", "channel": "dashboard", "status": "unreached"},
        {"name": "Eva", "channel": "console", "status": "sent"},
        {"name": "Nils", "channel": "console", "status": "sent"},
        {"name": "Tor", "channel": "sms", "status": "failed"},
    ]
    assert alarm_words.line("told", {"tell": "whole team", "people": people}, "nb") == "Varslet: hele laget"
    assert alarm_words.reached({"people": people}, "nb") == "Eva, Nils · ikke nådd: Tor"
    assert alarm_words.reached({}, "nb") == ""
    place = {"people": [{"name": "alarm centre", "channel": "console", "status": "sent"}]}
    assert alarm_words.reached(place, "nb") == "alarmsentral"
    assert alarm_words.reached(place, "en") == "alarm centre"
    people[0] |= {"status": "shown", "says": {"nb": "Eva (skjerm)", "en": "Eva (screen)"}}
    people[2] |= {"says": {"nb": "Nils (konsoll)", "en": "Nils (console)"}}
    told = alarm_words.line("told", {"tell": "whole team", "people": people}, "nb")
    assert told == "Varslet: Eva (skjerm), Nils (konsoll)"
    assert alarm_words.reached({"people": [people[0]]}, "nb") == "Eva"


def test_a_raw_dose_id_is_never_on_screen() -> None:
    """Of `08:00-1795330800000` the planned time is told, once."""
    raw, planned = "08:00-1795330800000", at("2026-01-15T08:00:00+01:00")
    assert event_words.values("dispenser.due", {"dose": raw, "planned": planned}, OSLO, "nb") == "08:00"
    assert event_words.values("dispenser.jammed", {"dose": raw}, OSLO, "nb") == "08:00"
    assert event_words.values("dispenser.jammed", {"dose": "d-77"}, OSLO, "nb") == ""


def test_every_choice_of_the_catalogue_has_words() -> None:
    """A field with a list of values is never told in code words."""
    choices = {value for spec in CATALOGUE.facts.values() for field in spec.fields for value in field.values}
    assert choices <= event_words.CHOICES.keys()


def test_an_event_s_data_is_told_in_words() -> None:
    """Numbers with unit, planned times on the home's clock, known code words; ids and the rest stay in the details."""
    planned = at("2026-01-15T08:00:00+01:00")
    told = event_words.values("dispenser.missed", {"dose": "d-77", "planned": planned}, OSLO, "nb")
    assert told == "08:00"
    assert event_words.values("lock.unlocked", {"by": "Mette", "how": "tag"}, OSLO, "nb") == "Mette, brikke"
    assert event_words.values("pendant.pressed", {"press": "short"}, OSLO, "nb") == "kort trykk"
    assert event_words.values("lock.unlocked", {"how": "automatic"}, OSLO, "nb") == "av seg selv"
    assert event_words.values("lock.unlocked", {"how": "telepathy"}, OSLO, "nb") == "telepathy"
    assert event_words.values("gateway.adapter", {"name": "ble", "state": "down"}, OSLO, "nb") == "ble, nede"
    assert event_words.values("room.temperature", {"value": 21.5}, OSLO, "nb") == "21,5 °C"
    assert event_words.values("robot.danced", {"x": 1}, OSLO, "nb") == ""
