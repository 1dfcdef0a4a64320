"""The sentences people read: `alert:` and `action:`, with what may stand in braces.

{resident} {device} {home}                 who and what
{value}                                    the state as it was when the rule raised
{for} {within} {times} {between.from}      what the rule says
{resident.pulse_high}                      a resident's parameter
{due.time} {due.dose} {raised.place}       time and data of an event of the rule, by the event's last word
{time}                                     the local clock at that instant
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drivers.catalogue import CATALOGUE
from rules.problems import Wrong, nearest
from rules.spans import Language

MAX_CHARACTERS = 500
ALWAYS = ("resident", "device", "home", "time")
_PART = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One text in both languages, cut into fixed pieces and names. plain: written once, for both."""

    nb: tuple[str, ...]
    en: tuple[str, ...]
    plain: bool

    @property
    def names(self) -> frozenset[str]:
        """What stands in braces."""
        return frozenset((*self.nb[1::2], *self.en[1::2]))

    def say(self, language: Language, values: Mapping[str, str]) -> str:
        """The sentence with its values; what is not known is a question mark, what was left out leaves no gap."""
        parts = self.nb if language == "nb" else self.en
        words = [values.get(part, "?") if odd % 2 else part for odd, part in enumerate(parts)]
        return "".join(words) if all(words[1::2]) else " ".join("".join(words).split()).rstrip(":, ")


SILENT = Sentence(("",), ("",), plain=True)


def parse_sentence(texts: Mapping[str, str] | str, allowed: Iterable[str]) -> Sentence:
    """Cut a text, or a pair {nb, en}, into pieces. Raises Wrong for a name in braces that means nothing here."""
    names = set(allowed)
    if isinstance(texts, str):
        parts = _cut(texts, names)
        return Sentence(parts, parts, plain=True)
    extra = set(texts) - {"nb", "en"}
    if extra or not texts:
        raise Wrong(f"texts are given as nb and en, not {', '.join(sorted(extra)) or 'empty'}")
    nb, en = texts.get("nb", texts.get("en", "")), texts.get("en", texts.get("nb", ""))
    return Sentence(_cut(nb, names), _cut(en, names), plain=False)


def _cut(text: str, names: set[str]) -> tuple[str, ...]:
    if not text.strip():
        raise Wrong("a sentence for people is missing")
    if len(text) > MAX_CHARACTERS:
        raise Wrong(f"a sentence has at most {MAX_CHARACTERS} characters, this one {len(text)}")
    parts = _PART.split(text)
    for name in parts[1::2]:
        if name not in names and not name.startswith("resident."):
            raise Wrong(f"nothing here is called {{{name[:40]}}}{nearest(name, names)}")
    if any(brace in part for part in parts[::2] for brace in "{}"):
        raise Wrong("a brace { or } stands alone; names stand in pairs of them, such as {resident}")
    return tuple(parts)


def names_of_event(kinds: Iterable[str]) -> Iterable[str]:
    """What a text may say of an event of these kinds: `due.time` and `due.<field>`."""
    for kind in kinds:
        word = kind.partition(".")[2]
        yield f"{word}.time"
        for each in CATALOGUE.facts[kind].fields:
            yield f"{word}.{each.name}"
