"""What screens say about an alert: handling, steps, whom the chain tells, what a timeline line means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dashboard.look.words import Language, mark, pick, say, say_many
from hub.centre.alerts.codes import CAUSES, CLEARED, MEASURES
from rules.reasons import say_reason

CONDITIONS: Mapping[str, tuple[str, str]] = {
    "active": ("activity", mark("Still so")),
    "cleared": ("circle-check", mark("Over")),
    "unknown": ("circle-help", mark("Unknown whether it is still so")),
}
"""Condition → icon and words."""

STEPS: Mapping[str, tuple[str, str]] = {
    "calling": ("phone", mark("Calling")),
    "on_the_way": ("map-pin", mark("On the way")),
    "at_the_door": ("door-open", mark("At the door")),
}
"""Step of the person who has it → icon and words."""

TELL: Mapping[str, str] = {
    "nurse on duty": mark("nurse on duty"),
    "second nurse": mark("second nurse"),
    "whole team": mark("whole team"),
    "shift leader": mark("shift leader"),
    "alarm centre": mark("alarm centre"),
    "technician": mark("technician"),
}
"""Words of a chain's step, as the registry writes them."""

CHANNELS: Mapping[str, str] = {
    "console": mark("console"),
    "dashboard": mark("screen"),
    "sms": mark("SMS"),
    "push": mark("push"),
    "voice": mark("telephone"),
}

RESPONSES: Mapping[str, str] = {
    "person": mark("The person"),
    "home": mark("The home"),
    "system": mark("The equipment"),
}
"""Groups of causes on the resolve form."""


def tell(words: str, language: Language) -> str:
    """Whom a chain tells; a municipality's own words stay as they are."""
    return say(language, TELL[words]) if words in TELL else words


def cause(code: str, language: Language) -> str:
    """The words of a cause; `cleared` is the hub's own."""
    if code == CLEARED:
        return say(language, "Over by itself")
    return pick(CAUSES[code].says, language) if code in CAUSES else code


def measure(code: str, language: Language) -> str:
    """The words of a measure."""
    return pick(MEASURES[code].says, language) if code in MEASURES else code


def step(code: str, language: Language) -> str:
    """The words of a step."""
    return say(language, STEPS[code][1]) if code in STEPS else code


def urgency(code: str, language: Language) -> str:
    """The words of an urgency."""
    return say(language, URGENCIES[code]) if code in URGENCIES else code


URGENCIES: Mapping[str, str] = {
    "critical": mark("Critical"),
    "high": mark("Warning"),
    "moderate": mark("Notice"),
    "low": mark("Work list"),
}

Words = Callable[[Mapping[str, Any], Language], str]


def _repeat(data: Mapping[str, Any], language: Language) -> str:
    number = int(data.get("count", 2))
    return say_many(language, "Happened again (%(num)d time)", "Happened again (%(num)d times)", number)


def _joined(data: Mapping[str, Any], language: Language) -> str:
    number = len(data.get("alerts", ()))
    return say_many(language, "%(num)d home added", "%(num)d homes added", number)


def _told(data: Mapping[str, Any], language: Language) -> str:
    said = [pick(one["says"], language) for one in _people(data) if isinstance(one.get("says"), Mapping)]
    return say(
        language,
        "Told: %(who)s",
        who=", ".join(dict.fromkeys(said)) or tell(str(data.get("tell", "")), language),
    )


def _people(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    people = data.get("people")
    return [one for one in people if isinstance(one, Mapping)] if isinstance(people, list) else []


REACHED = frozenset({"sent", "shown"})
"""States of a try to tell somebody in which it has come through."""


def reached(data: Mapping[str, Any], language: Language) -> str:
    """Of a line that tells who was told: `Eva, Nils · not reached: Tor`."""
    tries = _people(data)
    names = [tell(str(one.get("name")), language) for one in tries]  # a place has words too
    got = dict.fromkeys(name for name, one in zip(names, tries, strict=True) if one.get("status") in REACHED)
    not_got = dict.fromkeys(name for name in names if name not in got)
    parts = [", ".join(got)] if got else []
    if not_got:
        parts.append(say(language, "not reached: %(names)s", names=", ".join(not_got)))
    return " · ".join(parts)


_PLAIN: Mapping[str, str] = {
    "raised": mark("The alarm was raised"),
    "opened": mark("The alarm was raised"),
    "seen": mark("Seen"),
    "taken": mark("Taken"),
    "taken_over": mark("Taken over"),
    "handed_back": mark("Handed back"),
    "resolved": mark("Closed"),
    "undone": mark("The last action was undone"),
    "lapsed": mark("No further sign: the alarm is free again"),
    "woke": mark("The snooze is over"),
    "cleared": mark("The condition is over"),
    "unknown": mark("Contact lost: unknown whether it is still so"),
    "known_again": mark("Contact is back"),
    "escalated": mark("Escalated"),
    "nobody": mark("Nobody could be told"),
    "failed": mark("Could not be reached"),
    "grouped": mark("Part of an outage of the area: people are told of that"),
    "released": mark("The outage is over: told by itself again"),
}


def _over(data: Mapping[str, Any], language: Language) -> str:
    """That it is over, and why: `came in late: 08:05, heard 11:40`."""
    reason = say_reason(str(data.get("reason") or ""), language)
    over = say(language, _PLAIN["cleared"])
    return f"{over}: {reason}" if reason else over


_WITH_DATA: Mapping[str, Words] = {
    "cleared": _over,
    "step": lambda data, language: step(str(data.get("step", "")), language),
    "cause": lambda data, language: say(
        language, "Cause: %(text)s", text=cause(str(data.get("cause", "")), language)
    ),
    "measure": lambda data, language: say(
        language, "Measure: %(text)s", text=measure(str(data.get("measure", "")), language)
    ),
    "urgency": lambda data, language: say(
        language, "Raised to %(text)s", text=urgency(str(data.get("to", "")), language)
    ),
    "snoozed": lambda data, language: say(
        language, "Snoozed: %(reason)s", reason=str(data.get("reason", ""))
    ),
    "repeat": _repeat,
    "told": _told,
    "joined": _joined,
}

LINE_ICONS: Mapping[str, str] = {
    "raised": "bell-ring",
    "opened": "bell-ring",
    "seen": "check",
    "taken": "hand",
    "taken_over": "hand",
    "handed_back": "undo-2",
    "step": "activity",
    "resolved": "circle-check",
    "cause": "list-checks",
    "measure": "list-checks",
    "snoozed": "timer",
    "woke": "timer",
    "lapsed": "timer",
    "cleared": "circle-check",
    "unknown": "circle-help",
    "repeat": "bell-ring",
    "urgency": "siren",
    "told": "bell",
    "escalated": "siren",
    "undone": "undo-2",
    "failed": "triangle-alert",
    "grouped": "router",
    "released": "router",
    "joined": "router",
    "nobody": "triangle-alert",
}


def line(what: str, data: Mapping[str, Any], language: Language) -> str:
    """One line of an alert's timeline; a word nobody here knows is shown as it is rather than left out."""
    if what in _WITH_DATA:
        return _WITH_DATA[what](data, language)
    return say(language, _PLAIN[what]) if what in _PLAIN else what.replace("_", " ")
