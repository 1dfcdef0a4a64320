"""One rule: from its words to a Rule, collecting every fault on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

from drivers.catalogue import CATALOGUE
from rules.book import Form, Queue, Rule, Urgency
from rules.language.clauses import form_of
from rules.language.expressions import Condition, compile_condition
from rules.language.texts import ALWAYS, SILENT, Sentence, names_of_event, parse_sentence
from rules.language.times import Times, clock_setting, different, parse_times
from rules.language.types import Parameters, Setting
from rules.language.vocabulary import kinds_of, sources_of
from rules.language.yaml_tree import Items, Node, Pairs, Text
from rules.problems import Problem, Wrong, listed, nearest
from rules.spans import parse_span

T = TypeVar("T")

URGENCIES = ("critical", "high", "moderate", "low")
_TECHNICAL = ("battery", "battery_low", "fault", "tamper", "recovered", "heartbeat")
MOST_TIMES = 1000


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
        """The value of `word` as `read` understands it."""
        node = self.node.pairs.get(word)
        if node is None:
            return default
        try:
            return read(_text(node))
        except Wrong as wrong:
            self._fault(word, str(wrong))
            return default

    def _rule(self, form: Form) -> Rule:
        events, second = self._events(form)
        until = self._take("until", self._condition, None)
        condition = self._take("while", self._condition, None)
        condition, until = self._same_states(condition, until)
        rule = Rule(
            name=self.name,
            line=self.line,
            form=form,
            events=self._of_states(condition, until) if form is Form.LASTING else events,
            second=second,
            same=self._take("same", lambda text: self._field(text, events, second), ""),
            condition=condition,
            until=until,
            wait=self._take("for" if "for" in self.node.pairs else "within", self._span, None),
            count=self._take("times", self._count, None),
            mean=self._take("mean of last", lambda text: self._mean(text, condition), None),
            window=self._window(),
            per=cast(
                "Literal['resident', 'device']", self._take("per", _one_of("resident", "device"), "resident")
            ),
            only=self._take("only", self._times, None),
            started=self._take("started", self._times, None),
            held_by=self._holders(),
            at_most=self._take("at most once per", self._span, None),
            urgency=cast("Urgency", self._take("urgency", _one_of(*URGENCIES), "moderate")),
            queue=cast(
                "Queue", self._take("queue", _one_of("care", "technical"), _queue(form, events, condition))
            ),
            escalate=self._take("escalate", str, ""),
            life_safety=self._take("life-safety", _yes_or_no, default=_calls(form, events + second)),
            alert=self._sentence("alert", form, events + second, condition),
            action=self._sentence("action", form, events + second, condition),
        )
        self._check_device_settings(rule)
        return rule

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

    # -- settings

    def _setting(
        self, text: str, wanted: Literal["number", "duration"], read: Callable[[str], Any]
    ) -> Setting:
        if text.startswith("resident."):
            name = text.removeprefix("resident.")
            if not name.isidentifier() or not name.isascii():
                raise Wrong(f"{text[:80]!r} is not a parameter's name")
            self.parameters.need(name, wanted)
            return Setting(wanted, parameter=name)
        return Setting(wanted, read(text))

    def _span(self, text: str) -> Setting:
        if text.startswith("device."):
            if text != "device.silent_after":
                raise Wrong(f"a device has no {text[:80]!r}; did you mean 'device.silent_after'?")
            return Setting("duration", of_device=True)
        return self._setting(text, "duration", parse_span)

    def _count(self, text: str) -> Setting:
        return self._setting(text, "number", _whole)

    def _mean(self, text: str, condition: Condition | None) -> Setting:
        if condition is not None and (len(condition.states) != 1 or not _numeric(condition)):
            raise Wrong("'mean of last' needs a condition about one number, such as 'vitals.pulse > 120'")
        if text.startswith("resident."):
            known = self.parameters.types.get(text.removeprefix("resident."))
            return self._span(text) if known == "duration" else self._count(text)
        return self._count(text) if text.isdigit() else self._span(text)

    def _window(self) -> tuple[Setting, Setting] | None:
        node = self.node.pairs.get("between")
        if node is None:
            return None
        try:
            start, end = (clock_setting(text, self.parameters) for text in _pair(node))
            different(start, end)
        except Wrong as wrong:
            self._fault("between", str(wrong))
            return None
        return start, end

    def _times(self, text: str) -> Times:
        return parse_times(text, self.parameters)

    def _holders(self) -> tuple[str, ...]:
        node = self.node.pairs.get("not while")
        try:
            if isinstance(node, Items):
                return tuple(dict.fromkeys(_text(each) for each in node.items))
            return () if node is None else (_text(node),)
        except Wrong as wrong:
            self._fault("not while", str(wrong))
            return ()

    def _check_device_settings(self, rule: Rule) -> None:
        if rule.per != "device" and any(each.of_device for each in rule.settings):
            word = "for" if "for" in self.node.pairs else "within"
            self._fault(word, "'device.silent_after' differs from device to device; add 'per: device'")

    # -- words for people

    def _sentence(
        self, word: str, form: Form, kinds: tuple[str, ...], condition: Condition | None
    ) -> Sentence:
        node = self.node.pairs.get(word)
        if node is None:
            silence = form in (Form.SILENCE, Form.DAILY)  # "sign of life" would say the opposite
            return self._unsaid(() if silence else kinds) if word == "alert" else SILENT
        try:
            texts = (
                {key: _text(each) for key, each in node.pairs.items()}
                if isinstance(node, Pairs)
                else _text(node)
            )
            sentence = parse_sentence(texts, self._names(form, kinds, condition))
        except Wrong as wrong:
            self._fault(word, str(wrong))
            return SILENT
        self.parameters.used.update(name[9:] for name in sentence.names if name.startswith("resident."))
        return sentence

    def _unsaid(self, kinds: tuple[str, ...]) -> Sentence:
        """A rule without a sentence speaks in the catalogue's words, else in its own name."""
        if kinds:
            words = CATALOGUE.facts[kinds[0]].words
            return Sentence(
                (words["nb"] + ": ", "resident", ""), (words["en"] + ": ", "resident", ""), plain=False
            )
        name = self.name.replace("-", " ").replace("_", " ")
        return Sentence((name + ": ", "resident", ""), (name + ": ", "resident", ""), plain=False)

    def _names(self, form: Form, kinds: tuple[str, ...], condition: Condition | None) -> tuple[str, ...]:
        words: list[str] = [word for word in ("for", "within", "times") if word in self.node.pairs]
        if form is Form.DAILY:
            words += ["between.from", "between.to"]
        if condition is not None or any(CATALOGUE.facts[kind].field("value") for kind in kinds):
            words.append("value")
        return (*ALWAYS, *words, *names_of_event(kinds))


def _pair(node: Node) -> tuple[str, str]:
    if not isinstance(node, Items) or len(node.items) != 2:
        raise Wrong("'between' takes two clock times, such as ['06:00', '10:00']")
    return _text(node.items[0]), _text(node.items[1])


def _text(node: Node) -> str:
    if not isinstance(node, Text):
        raise Wrong("one value is needed here, not a list")
    return node.value.strip()


def _whole(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_TIMES:
        return int(text)
    raise Wrong(f"{text[:80]!r} is not a whole number from 1 to {MOST_TIMES}")


def _yes_or_no(text: str) -> bool:
    words = {"yes": True, "true": True, "no": False, "false": False}
    if text.lower() not in words:
        raise Wrong(f"{text[:40]!r} is neither yes nor no")
    return words[text.lower()]


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise Wrong(f"{text[:40]!r} is not one of {listed(words)}{nearest(text, words)}")
        return text

    return read


def _numeric(condition: Condition) -> bool:
    return all(CATALOGUE.states[state].is_number for state in condition.states)


def _calls(form: Form, kinds: tuple[str, ...]) -> bool:
    """Life-safety is a property of the kind: a rule that acts at once on a call for help has it."""
    at_once = form in (Form.HAPPENS, Form.THEN, Form.TIMES, Form.UNANSWERED)
    return at_once and any(CATALOGUE.facts[kind].call_for_help for kind in kinds)


def _queue(form: Form, events: tuple[str, ...], condition: Condition | None) -> str:
    """Technical for rules on battery, fault, tamper and silence; care for all others."""
    names = condition.states if condition else events
    technical = bool(names) and all(name.partition(".")[2] in _TECHNICAL for name in names)
    return "technical" if technical and form is not Form.UNANSWERED else "care"
