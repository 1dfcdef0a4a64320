"""What a rule says to people: its sentences, what may stand in their braces, and its words where none are given."""

from __future__ import annotations

from collections.abc import Container

from drivers.catalogue import CATALOGUE
from rules.book import Form
from rules.language.expressions import Condition
from rules.language.settings import one_value
from rules.language.texts import ALWAYS, Sentence, names_of_event, parse_sentence
from rules.language.yaml_tree import Node, Pairs


def phrase(node: Node, names: tuple[str, ...]) -> Sentence:
    """One text for both languages, or one each. names: what may stand in braces. Raises Wrong."""
    if isinstance(node, Pairs):
        return parse_sentence({key: one_value(each) for key, each in node.pairs.items()}, names)
    return parse_sentence(one_value(node), names)


def unsaid(name: str, form: Form, kinds: tuple[str, ...]) -> Sentence:
    """A rule without a sentence speaks in the catalogue's words, else in its own name."""
    silence = form in (Form.SILENCE, Form.DAILY)  # "sign of life" would say the opposite
    if kinds and not silence:
        words = CATALOGUE.facts[kinds[0]].words
        return Sentence(
            (words["nb"] + ": ", "resident", ""), (words["en"] + ": ", "resident", ""), plain=False
        )
    plain = name.replace("-", " ").replace("_", " ")
    return Sentence((plain + ": ", "resident", ""), (plain + ": ", "resident", ""), plain=False)


def names_for(
    words: Container[str], form: Form, kinds: tuple[str, ...], condition: Condition | None
) -> tuple[str, ...]:
    """What the sentences of a rule with these words may name."""
    found = [word for word in ("for", "within", "times") if word in words]
    if form is Form.DAILY:
        found += ["between.from", "between.to"]
    if condition is not None or any(CATALOGUE.facts[kind].field("value") for kind in kinds):
        found.append("value")
    return (*ALWAYS, *found, *names_of_event(kinds))
