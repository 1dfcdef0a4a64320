"""The reasons decisions carry, in the two languages people read. Decisions hold the English."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rules.spans import Language

BY_NEW_RULE = "by new rule"
REMOVED = "the rule was removed"
CHANGED = "the rule was changed"

_SAID: Mapping[str, str] = {
    "no longer so": "ikke slik lenger",
    "it came after all": "det kom likevel",
    "a new round began": "en ny runde begynte",
    "heard again": "hørt igjen",
    "came in late": "kom for sent inn",
    BY_NEW_RULE: "etter ny regel",
    REMOVED: "regelen ble fjernet",
    CHANGED: "regelen ble endret",
    "the device was taken away": "enheten ble tatt bort",
    "no rule answered it": "ingen regel svarte på det",
    "at the same instant": "i samme øyeblikk",
}
_PARTS = (
    (re.compile(r"held back by (.+)"), r"holdt tilbake av \1"),
    (re.compile(r"at most once per (.+)"), r"høyst én gang per \1"),
    (re.compile(r"came in (.+) late"), r"kom inn \1 for sent"),
)


def say_reason(reason: str, language: Language) -> str:
    """A decision's reason in a language; one nobody translated stays as it is."""
    if language == "en" or not reason:
        return reason
    if reason in _SAID:
        return _SAID[reason]
    for pattern, norwegian in _PARTS:
        if pattern.fullmatch(reason):
            return pattern.sub(norwegian, reason)
    return reason
