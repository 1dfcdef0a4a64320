"""Why an alert is there, ready for a page: the rule, the events it acted on, the parameters it used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.look import event_words
from dashboard.look.moments import WORTH_TELLING_APART, Moment, moment
from dashboard.look.words import Language, mark, say
from drivers.events import Millis
from hub.store.centre_tables import Entry
from rules.reasons import say_reason, say_value

MOST_SHOWN = 12

PARAMETERS: Mapping[str, str] = {
    "for": mark("for"),
    "within": mark("within"),
    "times": mark("times"),
    "at most once per": mark("at most once per"),
    "from": mark("from"),
    "to": mark("to"),
    "resident.dose_time": mark("time to take a dose"),
    "resident.dose_reminder": mark("reminder of a dose after"),
    "resident.critical_dose_time": mark("time to take a time-critical dose"),
    "resident.taken_time": mark("time from dispensed to taken"),
    "resident.night_from": mark("night from"),
    "resident.night_to": mark("night to"),
    "resident.door_open_time": mark("door may be open for"),
    "resident.door_unlocked_time": mark("door may be unlocked for"),
    "resident.out_at_night_time": mark("may be out at night for"),
    "resident.out_of_bed_time": mark("may be out of bed for"),
    "resident.sat_up_from": mark("sitting up is told from"),
    "resident.sat_up_to": mark("sitting up is told to"),
    "resident.morning_from": mark("morning from"),
    "resident.morning_deadline": mark("up in the morning by"),
    "resident.inactive_time": mark("may be inactive for"),
    "resident.pulse_high": mark("high pulse from"),
    "resident.pulse_low": mark("low pulse from"),
    "resident.spo2_low": mark("low oxygen saturation from"),
    "resident.systolic_high": mark("high blood pressure from"),
    "resident.systolic_low": mark("low blood pressure from"),
    "resident.temperature_high": mark("high temperature from"),
    "resident.weight_high": mark("high weight from"),
    "resident.glucose_low": mark("low blood sugar from"),
    "resident.glucose_high": mark("high blood sugar from"),
}
"""Words of a rule and limits of a resident, for people; a municipality's own stay as they are written."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One event a rule acted on. heard: only where it came later than it happened. link: its timeline line."""

    words: str
    device: str
    at: Moment
    heard: Moment | None
    link: str


@dataclass(frozen=True, slots=True)
class Why:
    """rule: its name in the book. reason: of a clear or hold. more: events not shown. detail: what a program said.

    says: what the rule waits for, and what is worth knowing of this time, in sentences.
    """

    rule: str
    reason: str
    evidence: tuple[Evidence, ...]
    more: int
    params: tuple[tuple[str, str], ...]
    detail: str = ""
    says: tuple[str, ...] = ()


def why_of(
    rule: str,
    body: Mapping[str, Any],
    found: Iterable[Entry],
    *,
    device_names: Mapping[str, str],
    link: str,
    now: Millis,
    tz: str,
    language: Language,
) -> Why:
    """Explain a decision from its JSON and the journal entries of its evidence. link: prefix of a timeline."""
    entries = sorted(found, key=lambda entry: (entry.at, entry.seq or 0))
    shown = [evidence(entry, device_names, link, now, tz, language) for entry in entries[-MOST_SHOWN:]]
    params = body.get("params")
    return Why(
        rule=rule,
        reason=say_reason(str(body.get("reason") or ""), language),
        evidence=tuple(shown),
        more=max(0, len(entries) - MOST_SHOWN),
        params=tuple(parameter(str(name), str(value), language) for name, value in params.items())
        if isinstance(params, Mapping)
        else (),
        detail=str(body.get("detail") or ""),
    )


def parameter(name: str, value: str, language: Language) -> tuple[str, str]:
    """One number a rule used, in words: `within`, `10 min` → `innen`, `10 min`."""
    return (say(language, PARAMETERS[name]) if name in PARAMETERS else name), say_value(value, language)


def evidence(
    entry: Entry, device_names: Mapping[str, str], link: str, now: Millis, tz: str, language: Language
) -> Evidence:
    """One journal entry as evidence."""
    data = entry.body.get("data")
    said = event_words.values(entry.kind, data if isinstance(data, Mapping) else {}, tz, language)
    phrase = event_words.phrase(entry.kind, language)
    apart = abs(entry.heard - entry.at) > WORTH_TELLING_APART
    return Evidence(
        words=f"{phrase} ({said})" if said else phrase,
        device=device_names.get(entry.device, entry.device),
        at=moment(entry.at, now, tz, language),
        heard=moment(entry.heard, now, tz, language) if apart else None,
        link=f"{link}#e{entry.seq}" if link else "",
    )
