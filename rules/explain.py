"""Why an alert is there: rule, numbers and evidence, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from drivers.catalogue import CATALOGUE, FactSpec
from drivers.events import Event, Millis
from rules.decision import Decision
from rules.local_time import shown
from rules.reasons import say_params, say_reason, say_value
from rules.spans import Language, say_span

_ACTION = {
    "nb": {
        "raise": "varslet",
        "clear": "avsluttet",
        "repeat": "kom igjen",
        "held": "holdt tilbake",
        "late": "kom for sent",
    },
    "en": {
        "raise": "raised",
        "clear": "cleared",
        "repeat": "came again",
        "held": "held back",
        "late": "came late",
    },
}


def say_instant(at: Millis, tz: ZoneInfo, language: Language = "en") -> str:
    """`15 Jan 22:14:05` on the resident's clock, in Norwegian `15. jan. kl. 22.14.05`."""
    now: datetime = shown(at, tz)
    if language == "nb":
        return f"{now.day}. {_MONTHS[now.month - 1]} kl. {now:%H.%M.%S}"
    return f"{now.day} {now:%b %H:%M:%S}"


_MONTHS = ("jan.", "feb.", "mars", "april", "mai", "juni", "juli", "aug.", "sep.", "okt.", "nov.", "des.")


def explain(
    decision: Decision, evidence: Mapping[str, Event], tz: ZoneInfo, language: Language = "en"
) -> list[str]:
    """Sentences that say why this decision was made. evidence: its events by id, as far as they are known."""
    nb = language == "nb"
    lines = [decision.says.get(language, "")]
    when = say_instant(decision.at, tz, language)
    word = _ACTION[language][decision.action]
    version = f" ({'utgave' if nb else 'version'} {decision.version})" if decision.version else ""
    lines.append(
        f"Regelen «{decision.rule}»{version} {word} {when}, for {decision.key}."
        if nb
        else f"The rule '{decision.rule}'{version} {word} {when}, for {decision.key}."
    )
    if decision.params:
        numbers = say_params(decision.params, language)
        lines.append(f"{'Verdiene den bygger på' if nb else 'It rests on'}: {numbers}.")
    if decision.lag > 0:
        lag = say_span(decision.lag, language)
        lines.append(
            f"Hendelsen ble hørt {lag} etter at den skjedde."
            if nb
            else f"It was heard {lag} after it happened."
        )
    if decision.reason:
        lines.append(f"{'Merknad' if nb else 'Note'}: {say_reason(decision.reason, language)}.")
    lines.append(_asked(decision, language))
    lines.append("Grunnlag:" if nb else "Evidence:")
    lines += [_evidence(each, evidence.get(each), tz, language) for each in decision.because] or [
        "  ingenting hørt siden enheten ble tildelt" if nb else "  nothing heard since the assignment"
    ]
    return [line for line in lines if line]


def _asked(decision: Decision, language: Language) -> str:
    """What it asked of devices in the home; nothing where it asked for nothing."""
    spec = CATALOGUE.commands.get(decision.do)
    if spec is None:
        return ""
    quoted = "«{}»" if language == "nb" else '"{}"'
    texts = ", ".join(quoted.format(text) for text in decision.do_args.values())
    head = "Ba om i hjemmet" if language == "nb" else "Asked for in the home"
    return f"{head}: {spec.words[language]}{f' ({texts})' if texts else ''}."


def _evidence(event_id: str, event: Event | None, tz: ZoneInfo, language: Language) -> str:
    if event is None:
        return f"  {event_id}"
    spec = CATALOGUE.facts.get(event.kind)
    words = spec.words[language] if spec else event.kind
    values = ((name, _said(spec, name, value, tz, language)) for name, value in event.data.items())
    data = ", ".join(text if name == "value" else f"{name} {text}" for name, text in values)
    said = f"{words} ({data})" if data else words
    return f"  {say_instant(event.at, tz, language)}  {event.device}: {said}  [{event_id}]"


def _said(spec: FactSpec | None, name: str, value: object, tz: ZoneInfo, language: Language) -> str:
    """One value of an event's data: a time on the resident's clock, a number with its unit, a text as it came."""
    field = spec.field(name) if spec else None
    if field is not None and field.type == "time" and isinstance(value, int):
        return say_instant(value, tz, language)
    if isinstance(value, bool):
        return say_value("yes" if value else "no", language)
    if isinstance(value, int | float):
        unit = field.unit if field is not None else ""
        return f"{say_value(value, language)} {unit}".rstrip()
    return str(value)
