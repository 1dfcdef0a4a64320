"""One rule: from its words to a Rule, collecting every fault on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias, TypeVar, cast

from drivers.catalogue import CATALOGUE
from rules.book import Form, Queue, Rule, Urgency
from rules.language.clauses import form_of, unknown_words
from rules.language.commands import IN_THE_CENTRE, Command, read_command
from rules.language.expressions import Condition, compile_condition
from rules.language.phrases import names_for, phrase, unsaid
from rules.language.settings import (
    count_setting,
    mean_setting,
    names_in,
    one_of,
    one_value,
    span_setting,
    window_setting,
    yes_or_no,
)
from rules.language.texts import SILENT, Sentence
from rules.language.times import parse_times
from rules.language.types import Parameters
from rules.language.vocabulary import kinds_of, sources_of
from rules.language.yaml_tree import Node, Pairs, Text
from rules.problems import Problem, Wrong, listed, nearest

T = TypeVar("T")

Per: TypeAlias = Literal["resident", "device"]

URGENCIES = ("critical", "high", "moderate", "low")
QUEUES = ("care", "technical")
_TECHNICAL = ("battery", "battery_low", "fault", "tamper", "recovered", "heartbeat")


def read_rule(
    name: str, line: int, node: Node, parameters: Parameters, problems: list[Problem]
) -> Rule | None:
    """The rule, or None after adding to `problems` what is wrong with it."""
    if not isinstance(node, Pairs):
        problems.append(
            Problem(line, f"{name}: a rule is a list of words and values, such as 'when: pendant.fall'")
        )
        return None
    return _Reader(name, line, node, parameters, problems).read()


class _Reader:
    """Reads the words of one rule; `self.ok` falls with the first fault, reading goes on for the others."""

    def __init__(
        self, name: str, line: int, node: Pairs, parameters: Parameters, problems: list[Problem]
    ) -> None:
        self.name, self.line, self.node = name, line, node
        self.parameters, self.problems = parameters, problems
        self.ok = True

    def read(self) -> Rule | None:
        for word, sentence in unknown_words(self.node.pairs):
            self._fault(word, sentence)
        if not self.ok:
            return None
        try:
            form, foreign = form_of(self.node.pairs)
        except Wrong as wrong:
            word = next((w for w in self.node.pairs if f"{w[:40]!r}" in str(wrong)), "")
            self._fault(word, str(wrong))
            return None
        for word, sentence in foreign:
            self._fault(word, sentence)
        rule = self._rule(form)
        return rule if self.ok else None

    def _fault(self, word: str, sentence: str) -> None:
        self.ok = False
        value = self.node.pairs.get(word)
        line = self.node.lines.get(word, self.line)
        if isinstance(value, Text) and value.line > line:
            line = value.line
        self.problems.append(Problem(line, f"{self.name}: {sentence}"))

    def _take(self, word: str, read: Callable[[str], T], default: T) -> T:
        """The one value of `word` as `read` understands it."""
        return self._node(word, lambda node: read(one_value(node)), default)

    def _node(self, word: str, read: Callable[[Node], T], default: T) -> T:
        """What stands behind `word`, as `read` understands it."""
        node = self.node.pairs.get(word)
        if node is None:
            return default
        try:
            return read(node)
        except Wrong as wrong:
            self._fault(word, str(wrong))
            return default

    def _rule(self, form: Form) -> Rule:
        events, second = self._events(form)
        until = self._take("until", self._condition, None)
        condition = self._take("while", self._condition, None)
        condition, until = self._same_states(condition, until)
        names = names_for(self.node.pairs, form, events + second, condition)
        parameters = self.parameters
        rule = Rule(
            name=self.name,
            line=self.line,
            form=form,
            events=self._of_states(condition, until) if form is Form.LASTING else events,
            second=second,
            same=self._take("same", lambda text: self._field(text, events, second), ""),
            condition=condition,
            until=until,
            wait=self._take(self._wait, lambda text: span_setting(text, parameters), None),
            count=self._take("times", lambda text: count_setting(text, parameters), None),
            mean=self._take("mean of last", lambda text: mean_setting(text, condition, parameters), None),
            window=self._node("between", lambda node: window_setting(node, parameters), None),
            per=cast("Per", self._take("per", one_of("resident", "device"), "resident")),
            only=self._take("only", lambda text: parse_times(text, parameters), None),
            started=self._take("started", lambda text: parse_times(text, parameters), None),
            held_by=self._node("not while", names_in, ()),
            at_most=self._take("at most once per", lambda text: span_setting(text, parameters), None),
            urgency=cast("Urgency", self._take("urgency", one_of(*URGENCIES), "moderate")),
            queue=cast("Queue", self._take("queue", one_of(*QUEUES), _queue(form, events, condition))),
            escalate=self._take("escalate", str, ""),
            life_safety=self._take("life-safety", yes_or_no, default=_calls(form, events + second)),
            alert=self._said("alert", names, unsaid(self.name, form, events + second)),
            action=self._said("action", names, SILENT),
            do=self._command(names),
        )
        self._check_device_settings(rule)
        self._check_hands(rule)
        return rule

    @property
    def _wait(self) -> str:
        return "for" if "for" in self.node.pairs else "within"

    # -- events and conditions

    def _events(self, form: Form) -> tuple[tuple[str, ...], tuple[str, ...]]:
        none: tuple[str, ...] = ()
        if form in (Form.SILENCE, Form.DAILY):
            return self._take("missing", kinds_of, none), none
        second = "then" if form is Form.THEN else "missing"
        return self._take("when", kinds_of, none), self._take(second, kinds_of, none)

    def _condition(self, text: str) -> Condition:
        return compile_condition(text, self.parameters)

    def _same_states(
        self, condition: Condition | None, until: Condition | None
    ) -> tuple[Condition | None, Condition | None]:
        """Compile both again over all states of either, so that one list of samples serves both."""
        if condition is None or until is None or condition.states == until.states:
            return condition, until
        states = tuple(dict.fromkeys((*condition.states, *until.states)))
        again = (compile_condition(each.text, self.parameters, states) for each in (condition, until))
        return next(again), next(again)

    def _of_states(self, *conditions: Condition | None) -> tuple[str, ...]:
        states = dict.fromkeys(state for each in conditions if each for state in each.states)
        return tuple(dict.fromkeys(source.kind for state in states for source in sources_of(state)))

    def _field(self, text: str, events: tuple[str, ...], second: tuple[str, ...]) -> str:
        for kind in (*events, *second):
            names = [each.name for each in CATALOGUE.facts[kind].fields]
            if text not in names:
                raise Wrong(
                    f"{kind} has no field {text[:40]!r}; it has {listed(names) or 'none'}{nearest(text, names)}"
                )
        return text

    # -- what is said and done

    def _said(self, word: str, names: tuple[str, ...], unsaid: Sentence) -> Sentence:
        said = self._node(word, lambda node: phrase(node, names), unsaid)
        self._use(said.names)
        return said

    def _command(self, names: tuple[str, ...]) -> Command | None:
        command = self._node("do", lambda node: read_command(node, names), None)
        self._use(command.names if command else ())
        return command

    def _use(self, names: Iterable[str]) -> None:
        """Note the residents' parameters that stand in braces."""
        self.parameters.used.update(name[9:] for name in names if name.startswith("resident."))

    # -- words that do not go together

    def _check_device_settings(self, rule: Rule) -> None:
        if rule.per != "device" and any(each.of_device for each in rule.settings):
            self._fault(self._wait, "'device.silent_after' differs from device to device; add 'per: device'")

    def _check_hands(self, rule: Rule) -> None:
        far = sorted(IN_THE_CENTRE.intersection(kind.partition(".")[0] for kind in rule.kinds))
        if rule.do is not None and far:
            self._fault(
                "do", f"{far[0]} facts are judged in the centre, which can do nothing in a home by itself"
            )


def _calls(form: Form, kinds: tuple[str, ...]) -> bool:
    """Life-safety is a property of the kind: a rule that acts at once on a call for help has it."""
    at_once = form in (Form.HAPPENS, Form.THEN, Form.TIMES, Form.UNANSWERED)
    return at_once and any(CATALOGUE.facts[kind].call_for_help for kind in kinds)


def _queue(form: Form, events: tuple[str, ...], condition: Condition | None) -> str:
    """Technical for rules on battery, fault, tamper and silence; care for all others."""
    names = condition.states if condition else events
    technical = bool(names) and all(name.partition(".")[2] in _TECHNICAL for name in names)
    return "technical" if technical and form is not Form.UNANSWERED else "care"
