"""The words of a timeline for those who were told."""

from __future__ import annotations

from hub.centre.alerts.codes import words
from hub.centre.telling import NOT_REACHED, Outcome, people


def test_a_person_and_the_place_that_always_answers_are_named_in_both_languages() -> None:
    """A person bears their name everywhere; the place is called what the language calls it."""
    screen, console = words("skjerm", "screen"), words("konsoll", "console")
    eva = Outcome(1, "dashboard", "eva", "Eva Haugen", "unreached", way=screen, why=NOT_REACHED)
    place = Outcome(2, "console", "phone:+47 55 50 10 00", "alarm centre", "sent", way=console)
    assert [one["says"] for one in people([eva, place])] == [
        {"nb": "Eva Haugen (skjerm, ikke nådd)", "en": "Eva Haugen (screen, not reached)"},
        {"nb": "alarmsentral (konsoll)", "en": "alarm centre (console)"},
    ]
