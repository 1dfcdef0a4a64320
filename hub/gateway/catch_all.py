"""What the gateway itself raises when rules or drivers cannot be relied on (DESIGN.md, promise 5).

A call for help that no rule answers is raised by the engine (rules.catch_all). Here is what comes when the engine
or a driver breaks: a technical alert that names the fault, and, where a call for help is or may be behind it, an
alert to the care workers in plain words. Pure: events and frames in, decisions out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Frame, Millis
from hub.gateway.calling import may_call
from hub.gateway.roll import Assigned
from rules import Decision
from rules.catch_all import NAME as UNANSWERED

BROKEN_RULES, BROKEN_DRIVER, MAYBE_HELP = "broken-rules", "broken-driver", "unreadable-call"
NOT_UNDERSTOOD, CALL_BACK = "not-understood", "not-understood-call"
"""Names of the alerts that no book holds."""

NOT_AGAIN: Millis = 600_000
"""The same fault is told once in ten minutes; calls for help are told every time."""

NOT_UNDERSTOOD_AGAIN: Millis = 3_600_000
"""That a device sends what nobody understands is told to technicians once an hour while it goes on."""

CALL_BACK_AGAIN: Millis = 360_000
"""Care workers are told of it again after six minutes: soon enough for somebody who presses again, and never three
times within ten minutes, which would raise the urgency of a device that only chatters."""

LOOK = {"nb": "Se til beboeren", "en": "Check on the resident"}
CALL = {
    "nb": "Ring opp. Kommer ingen kontakt, så se til beboeren.",
    "en": "Call back. If nobody answers, check on the resident.",
}
REPAIR = {"nb": "Meld fra til teknisk drift", "en": "Tell technical operations"}


PATIENCE = {NOT_UNDERSTOOD: NOT_UNDERSTOOD_AGAIN, CALL_BACK: CALL_BACK_AGAIN}


@dataclass(slots=True)
class Faults:
    """Remembers which faults were told of late."""

    _told: dict[tuple[str, str], Millis] = field(default_factory=dict)

    def is_news(self, decision: Decision) -> bool:
        """Whether this fault was not told within its time, as a rule ten minutes; from now on it was."""
        place = (decision.rule, decision.key)
        last = self._told.get(place)
        if last is not None and 0 <= decision.at - last < PATIENCE.get(decision.rule, NOT_AGAIN):
            return False
        self._told[place] = decision.at
        return True

    def forget(self, key: str) -> None:
        """What was to be told of this place could not be written: it is news again."""
        for place in [place for place in self._told if place[1] == key]:
            del self._told[place]


def unjudged_call(event: Event) -> Decision:
    """The alert for a call for help on which the engine broke, in the catalogue's own words."""
    words = CATALOGUE.spec(event.kind).words
    return Decision(
        action="raise",
        rule=UNANSWERED,
        key=event.device,
        home=event.home,
        device=event.device,
        kind=event.kind,
        at=event.at,
        lag=event.heard - event.at,
        because=(event.id,),
        says={"nb": words["nb"], "en": words["en"]},
        staff_action=LOOK,
        urgency="critical",
        chain="critical",
        life_safety=True,
        reason="a call for help, and the rules broke on it",
    )


def broken_rules(event: Event | None, home: str, at: Millis, fault: str) -> Decision:
    """The technical alert for an engine that broke; event: on which, None for a deadline or a start."""
    on = f" on {event.kind} of {event.device}" if event is not None else ""
    return Decision(
        action="raise",
        rule=BROKEN_RULES,
        key=home or "rules",
        home=home,
        device=event.device if event is not None else "",
        kind=event.kind if event is not None else "",
        at=at,
        because=(event.id,) if event is not None else (),
        says={
            "nb": "Reglene i hjemmesentralen feilet; varsler kan mangle",
            "en": "The gateway's rules broke; alerts may be missing",
        },
        staff_action=REPAIR,
        urgency="critical",
        queue="technical",
        chain="critical",
        reason=f"the rule engine broke{on}: {fault:.300}",
    )


def broken_driver(device: Assigned, frame: Frame, why: str) -> list[Decision]:
    """The alerts for a driver that broke: a technical one, and one to care where a call may be behind it."""
    technical = Decision(
        action="raise",
        rule=BROKEN_DRIVER,
        key=device.id,
        home=device.home,
        device=device.id,
        at=frame.heard,
        says={
            "nb": f"Programmet som leser {_name(device)} feilet",
            "en": f"The driver that reads {_name(device)} broke",
        },
        staff_action=REPAIR,
        urgency="high",
        queue="technical",
        chain="high",
        reason=why[:400],
    )
    return [technical, _maybe_help(device, frame, why)] if _calls_for_help(device) else [technical]


def not_understood(device: Assigned, frame: Frame, why: str) -> list[Decision]:
    """The alerts for a frame of a registered device that its driver refuses.

    New firmware, a counter that began anew or a key that was changed must not swallow a press: where the device may
    call for help, care workers are told too. Not life-safety: as a rule it is none, and a call answers it.
    """
    name = _name(device)
    technical = Decision(
        action="raise",
        rule=NOT_UNDERSTOOD,
        key=device.id,
        home=device.home,
        device=device.id,
        at=frame.heard,
        says={
            "nb": f"{name} sender noe som hjemmesentralen ikke forstår",
            "en": f"{name} sends what the gateway does not understand",
        },
        staff_action=REPAIR,
        urgency="high" if may_call(device) else "moderate",
        queue="technical",
        chain="high" if may_call(device) else "moderate",
        reason=why[:400],
    )
    return [_call_back(device, frame, name, why), technical] if may_call(device) else [technical]


def _call_back(device: Assigned, frame: Frame, name: str, why: str) -> Decision:
    return Decision(
        action="raise",
        rule=CALL_BACK,
        key=device.id,
        home=device.home,
        device=device.id,
        at=frame.heard,
        says={
            "nb": f"{name} sendte noe som ikke kunne forstås. Ring opp.",
            "en": f"{name} sent something that could not be understood. Call back.",
        },
        staff_action=CALL,
        urgency="high",
        chain="high",
        reason=why[:400],
    )


def _maybe_help(device: Assigned, frame: Frame, why: str) -> Decision:
    return Decision(
        action="raise",
        rule=MAYBE_HELP,
        key=device.id,
        home=device.home,
        device=device.id,
        at=frame.heard,
        says={
            "nb": f"{_name(device)} meldte noe som ikke kunne leses; det kan være et rop om hjelp",
            "en": f"{_name(device)} reported something unreadable; it may be a call for help",
        },
        staff_action=LOOK,
        urgency="critical",
        chain="critical",
        life_safety=True,
        reason=why[:400],
    )


def _calls_for_help(device: Assigned) -> bool:
    return any(CATALOGUE.spec(kind).call_for_help for kind in device.type.emits)


def _name(device: Assigned) -> str:
    return device.part.name or device.id
