"""Why an alert is there, ready for a page: the rule, the events it acted on, the parameters it used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.look import event_words
from dashboard.look.moments import WORTH_TELLING_APART, Moment, moment
from dashboard.look.words import Language
from drivers.events import Millis
from hub.store.centre_tables import Entry

MOST_SHOWN = 12


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
    """rule: its name in the book. reason: of a clear or hold. more: events not shown."""

    rule: str
    reason: str
    evidence: tuple[Evidence, ...]
    more: int
    params: tuple[tuple[str, str], ...]


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
        reason=str(body.get("reason") or ""),
        evidence=tuple(shown),
        more=max(0, len(entries) - MOST_SHOWN),
        params=tuple((str(name), str(value)) for name, value in params.items())
        if isinstance(params, Mapping)
        else (),
    )


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
