"""What `trygghub rules what-if` answers, for people and for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from drivers.events import iso

if TYPE_CHECKING:
    from rules import Decision, HomeSpec
    from rules.spans import Language
    from rules.what_if import Difference, Moved

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {"gone": "gone", "new": "new", "moved": "moved", "later": "later", "earlier": "earlier",
           "sum": "{gone} gone, {new} new, {moved} moved; {same} come as before, of the rules that differ"},
    "nb": {"gone": "borte", "new": "ny", "moved": "flyttet", "later": "senere", "earlier": "tidligere",
           "sum": "{gone} borte, {new} nye, {moved} flyttet; {same} kommer som før, av reglene som er ulike"},
}  # fmt: skip


def as_json(difference: Difference) -> bytes:
    """One JSON object, a line."""
    body = {
        "same": difference.same,
        "gone": [_short(each) for each in difference.gone],
        "new": [_short(each) for each in difference.new],
        "moved": [
            {**_short(each.before), "to": iso(each.after.at), "by": each.by} for each in difference.moved
        ],
    }
    return orjson.dumps(body) + b"\n"


def _short(decision: Decision) -> dict[str, Any]:
    return {"at": iso(decision.at), "home": decision.home, "rule": decision.rule, "key": decision.key}


def as_lines(difference: Difference, homes: Iterable[HomeSpec], language: Language) -> Iterator[str]:
    """One line an alert, and the sum."""
    words = WORDS[language]
    zones = {home.id: ZoneInfo(home.tz) for home in homes}
    for word, found in (("gone", difference.gone), ("new", difference.new)):
        yield from (f"{words[word]:7}  {_line(each, zones, language)}" for each in found)
    yield from (_moved(each, zones, language) for each in difference.moved)
    yield words["sum"].format(
        gone=len(difference.gone),
        new=len(difference.new),
        moved=len(difference.moved),
        same=difference.same,
    )


def _moved(moved: Moved, zones: Mapping[str, ZoneInfo], language: Language) -> str:
    from rules.spans import say_span

    words = WORDS[language]
    how = f"{say_span(abs(moved.by), language)} {words['later' if moved.by > 0 else 'earlier']}"
    return f"{words['moved']:7}  {_line(moved.before, zones, language)}: {how}"


def _line(decision: Decision, zones: Mapping[str, ZoneInfo], language: Language) -> str:
    from rules.explain import say_instant

    at = say_instant(decision.at, zones.get(decision.home, ZoneInfo("UTC")), language)
    return f"{at}  {decision.home}  {decision.rule}  {decision.says[language]}"


def tell(difference: Difference, homes: Iterable[HomeSpec], language: Language, *, json: bool) -> None:
    """Print it."""
    if json:
        sys.stdout.buffer.write(as_json(difference))
        sys.stdout.buffer.flush()
        return
    for line in as_lines(difference, homes, language):
        sys.stdout.write(f"{line}\n")
