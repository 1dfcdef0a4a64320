"""What the gateway still tells when the rules may not judge it any more, because it came in too late.

An event later than its allowance touches no state of the rules (reference: rules, 5.10), so that old news cannot
upset what is known since. Some facts must reach a person all the same, however late: a dose that was not taken out
while the line was down is the very thing nurses were promised (DESIGN.md, promise 2). Critical rules and calls for
help are the engine's; here is the rest. Pure: events and decisions in, decisions out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from drivers.catalogue import CATALOGUE
from drivers.events import Event
from rules import Decision
from rules.book import Urgency
from rules.reasons import LATE
from rules.spans import MINUTE, say_span

NAME = "late-report"
"""The name of these alerts; no book holds it."""

TOLD: Mapping[str, Urgency] = MappingProxyType(
    {
        "dispenser.missed": "high",
        "dispenser.due": "moderate",
        "dispenser.unconfirmed": "moderate",
        "dispenser.out_of_medicine": "high",
        "dispenser.jammed": "high",
        "dispenser.roll_fault": "high",
        "dispenser.shut_down": "high",
        "dispenser.empty": "high",
        "dispenser.no_schedule": "high",
        "dispenser.wrong_person": "high",
        "dispenser.broken_into": "high",
        "lock.jammed": "high",
    }
)
"""Kind → urgency of the alert for a report that came too late to be judged."""

ENDS = frozenset(("dispenser.dispensed", "dispenser.taken"))
"""Kinds that end what was told late of the same dose: due or missed then, given out after it."""

CHECK = {
    "nb": "Se etter hvordan det er nå; meldingen er gammel.",
    "en": "Check how it is now; the report is old.",
}


def told_all_the_same(event: Event, decisions: Iterable[Decision]) -> list[Decision]:
    """The alert for an event that the engine only marked as late, or the end of one; empty where nothing is to be done.

    An end carries the event's own time, so that it ends what lay before it in whatever order the two come in.
    """
    late = any(one.action == "late" and event.id in one.because for one in decisions)
    if late and event.kind in ENDS and event.data.get("dose"):
        return [_over(event)]
    if not late or event.kind not in TOLD:
        return []
    words, lag = CATALOGUE.spec(event.kind).words, max(MINUTE, (event.heard - event.at) // MINUTE * MINUTE)
    urgency = TOLD[event.kind]
    return [
        Decision(
            action="raise",
            rule=NAME,
            key=_key(event),
            home=event.home,
            device=event.device,
            kind=event.kind,
            at=event.at,
            lag=event.heard - event.at,
            because=(event.id,),
            says={
                "nb": f"{words['nb']} – meldt {say_span(lag, 'nb')} for sent",
                "en": f"{words['en']} – reported {say_span(lag)} late",
            },
            staff_action=CHECK,
            urgency=urgency,
            chain=urgency,
            reason="came in too late to be judged by the rules",
        )
    ]


def _over(event: Event) -> Decision:
    return Decision(
        action="clear",
        rule=NAME,
        key=_key(event),
        home=event.home,
        device=event.device,
        kind=event.kind,
        at=event.at,
        lag=event.heard - event.at,
        because=(event.id,),
        says={str(language): words for language, words in CATALOGUE.spec(event.kind).words.items()},
        reason=LATE,
    )


def _key(event: Event) -> str:
    """One alert a dose, else one a device and kind."""
    dose = event.data.get("dose")
    return f"{event.home}/{dose}" if isinstance(dose, str) and dose else f"{event.device}/{event.kind}"
