"""What is wrong with a book, in Norwegian too: for whoever reads the alert and not the command's answer.

The loader speaks English; a sentence that is not known here keeps its English behind the place in Norwegian.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rules.spans import Language

SHOWN = 2
"""Slips told in one sentence; `trygghub rules check` tells them all."""

LONGEST = 220
"""Characters of one slip; a book is text of strangers."""

_TYPES = {
    "number": "et tall", "text": "en tekst", "duration": "en varighet", "clock": "et klokkeslett", "clock time":
    "et klokkeslett", "yes or no": "ja eller nei",
}  # fmt: skip

_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"no device sends (.+)", "ingen enhet sender {0}"),
    (r"no device has a state (.+)", "ingen enhet har en tilstand {0}"),
    (r"(\S+) is an event, not a state; open the rule with (.+)",
     "{0} er en hendelse og ingen tilstand; åpne regelen med {1}"),
    (r"(\S+) is a state, not an event; use it with 'while', or .+",
     "{0} er en tilstand og ingen hendelse; bruk den med 'while', eller nevn hendelsen som endrer den"),
    (r"(.+) is not a time span; write it like '10 min', '90 s' or '1 h 30 min'",
     "{0} er ingen varighet; skriv den som '10 min', '90 s' eller '1 h 30 min'"),
    (r"(.+) is not a clock time; write it like '22:00'", "{0} er ikke et klokkeslett; skriv det som '22:00'"),
    (r"(.+) is not a part of the day; (.+)", "{0} er ingen del av døgnet; {1}"),
    (r"(.+) is longer than a year", "{0} er lengre enn et år"),
    (r"(\S+) is never (.+?); it is (.+)", "{0} er aldri {1}; den er {2:list}"),
    (r"a rule opens with (.+)", "en regel begynner med {0:list}"),
    (r"a rule has no word (.+)", "en regel har ikke ordet {0}"),
    (r"a rule is a list of words and values, such as (.+)", "en regel er en liste med ord og verdier, som {0}"),
    (r"a book has no part (.+)", "en regelbok har ingen del {0}"),
    (r"a book begins with 'rules:'", "en regelbok begynner med 'rules:'"),
    (r"(\S+) does not go with 'while'; a rule has one opening",
     "{0} går ikke sammen med 'while'; en regel har én åpning"),
    (r"(\S+) does not go with (\S+); a rule goes on with one of them",
     "{0} går ikke sammen med {1}; en regel fortsetter med ett av dem"),
    (r"(\S+) does not go with (.+)", "{0} går ikke sammen med {1}"),
    (r"'missing' needs either 'for' \(how long\) or 'between' \(from when to when\)(?:, not both)?",
     "'missing' trenger enten 'for' (hvor lenge) eller 'between' (fra når til når)"),
    (r"(\S+) needs (.+)", "{0} trenger {1}"),
    (r"an? (.+) is needed here, this is an? (.+)", "her må det stå {0:type}, dette er {1:type}"),
    (r"an? (.+) is needed here, not (.+)", "her må det stå {0:type}, ikke {1}"),
    (r"one value is needed here, not a list", "her må det stå én verdi, ingen liste"),
    (r"'escalate' names no chain: (.+)", "'escalate' nevner ingen varslingskjede: {0}"),
    (r"'not while' names no rule: (.+)", "'not while' nevner ingen regel: {0}"),
    (r"'not while' goes in a circle: (.+); each would wait for the other",
     "'not while' går i ring: {0}; de ville vente på hverandre"),
    (r"(.+) is written twice; the first stands in line (.+)", "{0} er skrevet to ganger, først i linje {1}"),
    (r"(\S+) has no field (.+); it has (.+)", "{0} har ikke feltet {1}; den har {2:list}"),
    (r"nothing here is called (.+)", "ingenting her heter {0}"),
    (r"not readable as YAML: (.+); check indentation, and put texts with (.+) in quotes",
     "kan ikke leses som YAML ({0}); se på innrykkene, og sett tekster med {1:list} i anførselstegn"),
    (r"not readable as YAML: a tab, or .+",
     "kan ikke leses som YAML: en tabulator, eller et tegn som @ eller `; rykk inn med mellomrom, bruk anførselstegn"),
    (r"not readable as YAML text", "kan ikke leses som YAML-tekst"),
)  # fmt: skip

_PLACE = re.compile(r"line (\d+): (.*)", re.DOTALL)
_RULE = re.compile(r"((?:rule '[^']{1,80}'|chain '[^']{1,80}'|[\w-]{1,80}): )(.+)", re.DOTALL)
_MEANT = re.compile(r"; did you mean ('[^']*')\?$")
_SAID = tuple((re.compile(pattern, re.DOTALL), norwegian) for pattern, norwegian in _PATTERNS)


class _Part(str):
    """A piece of an English sentence; `{0:type}` says a type of value, `{0:list}` one of several things."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if spec == "list":
            return self.replace(" or ", " eller ")
        name, quote, rest = self.partition(": ")
        return _TYPES.get(name, name) + quote + rest if spec == "type" else str(self)


def say_slip(problem: str, language: Language) -> str:
    """`line 4: a: no device sends 'x'; did you mean 'y'?` in a language, cut to a bounded length."""
    problem = problem if len(problem) <= LONGEST else problem[: LONGEST - 1] + "…"
    if language == "en":
        return problem
    place = _PLACE.fullmatch(problem)
    text = place[2] if place else problem
    named = _RULE.fullmatch(text)
    owner, text = (named[1], named[2]) if named and _norwegian(text) is None else ("", text)
    owner = owner.replace("rule ", "regel ", 1).replace("chain ", "kjede ", 1)
    said = owner + (_norwegian(text) or f"«{text}»")
    return f"linje {place[1]}: {said}" if place else said


def say_slips(problems: Sequence[str], language: Language) -> str:
    """The first few of them in one line, and how many more there are."""
    said = "; ".join(say_slip(each, language) for each in problems[:SHOWN])
    more = len(problems) - SHOWN
    if more <= 0:
        return said
    return f"{said}; og {more} til" if language == "nb" else f"{said}; and {more} more"


def _norwegian(text: str) -> str | None:
    meant = _MEANT.search(text)
    bare = text[: meant.start()] if meant else text
    for pattern, norwegian in _SAID:
        if found := pattern.fullmatch(bare):
            said = norwegian.format(*(_Part(each or "") for each in found.groups()))
            return f"{said}; mente du {meant[1]}?" if meant else said
    return None
