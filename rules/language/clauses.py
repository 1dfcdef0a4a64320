"""Which words go with which: the grammar of a rule as tables."""

from __future__ import annotations

from collections.abc import Mapping

from rules.book import Form
from rules.problems import Wrong, listed, nearest

OPENINGS = ("when", "while", "missing")

BESIDE = (
    "alert", "action", "do", "urgency", "queue", "escalate", "life-safety",
    "per", "only", "not while", "at most once per",
)  # fmt: skip
"""Words that go with every rule."""

CONTINUES: Mapping[Form, tuple[str, ...]] = {
    Form.HAPPENS: ("when",),
    Form.THEN: ("when", "then", "within"),
    Form.TIMES: ("when", "times", "within"),
    Form.UNANSWERED: ("when", "missing", "within", "same"),
    Form.LASTING: ("while", "for", "until", "mean of last", "started"),
    Form.SILENCE: ("missing", "for"),
    Form.DAILY: ("missing", "between"),
}

NEEDS: Mapping[Form, tuple[str, ...]] = {
    Form.THEN: ("within",),
    Form.TIMES: ("within",),
    Form.UNANSWERED: ("within",),
}

WORDS = (*BESIDE, *dict.fromkeys(word for words in CONTINUES.values() for word in words))


def unknown_words(words: Mapping[str, object]) -> list[tuple[str, str]]:
    """(word, sentence) for each word that no rule has."""
    return [
        (word, f"a rule has no word {word[:40]!r}{nearest(word, WORDS)}")
        for word in words
        if word not in WORDS
    ]


def form_of(words: Mapping[str, object]) -> tuple[Form, list[tuple[str, str]]]:
    """The form a rule's words make, and (word, sentence) for each word that does not belong.

    Raises Wrong where no form can be told.
    """
    opening = _opening(words)
    form = _form(opening, words)
    foreign = [
        (word, f"{word!r} does not go with {_named(form, opening)!r}")
        for word in words
        if word not in BESIDE and word not in CONTINUES[form]
    ]
    lacking = [
        (opening, f"'{opening}' with '{_middle(form)}' needs {word!r} (how long)")
        for word in NEEDS.get(form, ())
        if word not in words
    ]
    return form, foreign + lacking


def _opening(words: Mapping[str, object]) -> str:
    found = [word for word in OPENINGS if word in words]
    if not found:
        raise Wrong(f"a rule opens with {listed(map(repr, OPENINGS))}")
    if "while" in found and len(found) > 1:
        other = next(word for word in found if word != "while")
        raise Wrong(f"{other!r} does not go with 'while'; a rule has one opening")
    return found[0]


def _form(opening: str, words: Mapping[str, object]) -> Form:
    if opening == "while":
        return Form.LASTING
    if opening == "missing":
        return _silence(words)
    going_on = [word for word in ("then", "times", "missing") if word in words]
    if len(going_on) > 1:
        raise Wrong(f"{going_on[1]!r} does not go with {going_on[0]!r}; a rule goes on with one of them")
    forms = {"then": Form.THEN, "times": Form.TIMES, "missing": Form.UNANSWERED}
    return forms[going_on[0]] if going_on else Form.HAPPENS


def _silence(words: Mapping[str, object]) -> Form:
    if ("for" in words) == ("between" in words):
        which = "not both" if "for" in words else ""
        need = "'missing' needs either 'for' (how long) or 'between' (from when to when)"
        raise Wrong(f"{need}, {which}" if which else need)
    return Form.SILENCE if "for" in words else Form.DAILY


def _middle(form: Form) -> str:
    return form.value.rpartition(" ")[2]


def _named(form: Form, opening: str) -> str:
    return (
        opening if form in (Form.HAPPENS, Form.LASTING) else form.value.replace("…", "").replace("  ", " … ")
    )
