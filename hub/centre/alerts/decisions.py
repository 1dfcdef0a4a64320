"""What a decision of the rules means for alerts, read from its JSON (hub.uplink.messages, type `decision`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from drivers.events import Millis, TimeError, parse_time
from hub.centre.alerts.codes import Words, words
from hub.centre.alerts.standing import URGENCIES

ACTIONS = frozenset({"raise", "clear", "repeat", "held", "late"})
OPENING = frozenset({"raise", "repeat"})
LONGEST_KEY = 200
LONGEST_TEXT = 1000
MOST_EVIDENCE = 500
LONGEST_LAG: Millis = 366 * 86_400_000


class DecisionError(ValueError):
    """A decision that cannot be read; says what was expected and what came."""


NOTHING_TO_DO = words("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One decision, whoever made it. Its identity is (rule, key, at, action): twice received, it counts once.

    at: the instant of the decision, ms UTC. lag: ms from the causing event to its hearing. because: event ids.
    made: when it was made, which is later than `at` where a deadline is settled; None where its maker does not say.
    body: the whole decision, for "why". zone: whose it is where no home is; empty: the home's own.
    """

    action: str
    rule: str
    key: str
    home: str
    at: Millis
    device: str = ""
    zone: str = ""
    kind: str = ""
    lag: Millis = 0
    made: Millis | None = None
    because: tuple[str, ...] = ()
    says: Words = field(default_factory=lambda: NOTHING_TO_DO)
    staff_action: Words = field(default_factory=lambda: NOTHING_TO_DO)
    urgency: str = "moderate"
    queue: str = "care"
    chain: str = ""
    life_safety: bool = False
    reason: str = ""
    body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), compare=False)


def read(body: Mapping[str, Any]) -> Judged:
    """Read a decision from its JSON body. Raises DecisionError with a sentence."""
    return Judged(
        action=_one_of(body, "action", ACTIONS),
        rule=_text(body, "rule"),
        key=_text(body, "key"),
        home=_text(body, "home", empty=True),
        at=_time(body),
        device=_text(body, "device", empty=True),
        kind=_text(body, "kind", empty=True),
        lag=_lag(body),
        made=_made(body),
        because=_ids(body.get("because", ())),
        says=_words(body, "says"),
        staff_action=_words(body, "staff_action"),
        urgency=_one_of(body, "urgency", frozenset(URGENCIES), default="moderate"),
        queue=_one_of(body, "queue", frozenset({"care", "technical"}), default="care"),
        chain=_text(body, "chain", empty=True),
        life_safety=body.get("life_safety") is True,
        reason=str(body.get("reason") or "")[:LONGEST_TEXT],
        body=body,
    )


def _one_of(body: Mapping[str, Any], name: str, known: frozenset[str], default: str = "") -> str:
    value = body.get(name) or default
    if value not in known:
        raise DecisionError(f"{name} of a decision is one of {', '.join(sorted(known))}, not {value!r:.80}")
    return str(value)


def _text(body: Mapping[str, Any], name: str, *, empty: bool = False) -> str:
    value = body.get(name)
    if value is None and empty:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_KEY or not (value or empty):
        raise DecisionError(
            f"{name} of a decision is a text of 1 to {LONGEST_KEY} characters, not {value!r:.80}"
        )
    return value


def _time(body: Mapping[str, Any]) -> Millis:
    try:
        return parse_time(body.get("at"))
    except TimeError as wrong:
        raise DecisionError(f"at of a decision: {wrong}") from None


def _lag(body: Mapping[str, Any]) -> Millis:
    value = body.get("lag", 0)
    if isinstance(value, bool) or not isinstance(value, int):
        raise DecisionError(f"lag of a decision is whole milliseconds, not {value!r:.80}")
    return min(max(value, 0), LONGEST_LAG)  # a device's clock may run ahead of the gateway's


def _made(body: Mapping[str, Any]) -> Millis | None:
    """What a gateway writes beside the decision's own instant; unreadable is unsaid, for the alert counts more."""
    try:
        return parse_time(body.get("judged"))
    except TimeError:
        return None


def _ids(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise DecisionError(f"because of a decision is a list of event ids, not {value!r:.80}")
    return tuple(value[:MOST_EVIDENCE])


def _words(body: Mapping[str, Any], name: str) -> Words:
    """Both languages; where only one is given, it stands for both: an alert without words helps nobody."""
    value = body.get(name)
    if isinstance(value, str):
        value = {"nb": value, "en": value}
    if not isinstance(value, Mapping):
        value = {}
    nb, en = value.get("nb"), value.get("en")
    return words(str(nb or en or "")[:LONGEST_TEXT], str(en or nb or "")[:LONGEST_TEXT])
