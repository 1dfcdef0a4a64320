"""What is raised when the book is not enough (promise 5).

A call for help that no rule answered is raised all the same, in the catalogue's own words. A rule that broke is a
technical alert of its own.
"""

from __future__ import annotations

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Millis
from rules.decision import Decision
from rules.homes import Home

NAME = "catch-all"
BROKEN = "broken-rules"
QUIET_WHEN_BROKEN: Millis = 600_000
"""The same home is told of broken rules once in ten minutes."""
NO_ANSWER = "no rule answered it"
_ASK = {
    "nb": "Ring {resident}, og dra dit hvis ingen svarer.",
    "en": "Call {resident}, and go there if nobody answers.",
}


def catch_all(home: Home, event: Event) -> Decision:
    """The decision for one call for help. Its key is the device, so that two devices that call are two alerts."""
    words = CATALOGUE.spec(event.kind).words
    return Decision(
        action="raise",
        rule=NAME,
        key=event.device,
        home=home.id,
        device=event.device,
        kind=event.kind,
        at=event.at,
        lag=event.heard - event.at,
        because=(event.id,),
        says={"nb": f"{words['nb']} hos {home.name}", "en": f"{words['en']} at {home.name}'s"},
        staff_action={language: text.format(resident=home.name) for language, text in _ASK.items()},
        urgency="critical",
        queue="care",
        chain="critical",
        life_safety=True,
        version=NAME,
        reason=NO_ANSWER,
    )


def broken_rules(home: Home, at: Millis, fault: Exception) -> Decision:
    """The technical alert for a rule of ours that broke."""
    return Decision(
        action="raise",
        rule=BROKEN,
        key=home.id,
        home=home.id,
        at=at,
        says={
            "nb": f"Reglene for {home.name} feilet; varsler kan mangle",
            "en": f"The rules for {home.name} broke; alerts may be missing",
        },
        staff_action={"nb": "Meld fra til teknisk drift.", "en": "Tell technical operations."},
        urgency="critical",
        queue="technical",
        chain="critical",
        version=BROKEN,
        reason=f"{type(fault).__name__}: {fault!s:.300}",
    )
