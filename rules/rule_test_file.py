"""Rule tests: a file of events with clock times and the alerts expected, in the spirit of promtool.

    tests:
      - name: a dose that is not taken out is told once its time is over
        start: 2026-01-15 07:00
        resident: {name: Astrid, dose_time: 60 min}
        devices:
          dispenser: {class: dispenser, since: 2026-01-01 12:00}
        events:
          - 08:00 dispenser dispenser.due dose=morning
          - 09:20 dispenser dispenser.dispensed dose=morning
        until: 12:00
        expect:
          - 09:00 raise missed-dose home/morning
          - 09:20 clear missed-dose home/morning

Clock times are those of the home (`tz`, Oslo where nothing is said) and go on over midnight; seconds may stand behind
them, and `+2 09:00` is two days later. A line of `expect` may end with the key. Rules that are not of interest
to a test are left out by `rules: [missed-dose]`; without it every raise and clear of the book must be expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from drivers.catalogue import CATALOGUE, FactSpec
from drivers.events import DecodeError, Event, Millis, Value
from rules.book import Book
from rules.homes import DEFAULT_TZ, DeviceSpec, HomeSpec, zone
from rules.language.settings import names_in
from rules.language.yaml_tree import Items, Node, Pairs, Text, read_yaml
from rules.local_time import instant, local_day
from rules.problems import BookError, Problem, Wrong, nearest
from rules.replay import TOLD
from rules.rule_tests import HOME, Expected, RuleTest
from rules.spans import DAY, SECOND, parse_clock, parse_span

T = TypeVar("T")

_CLOCK = re.compile(r"(?:\+([0-9]{1,3})\s+)?([0-9]{1,2}:[0-9]{2})(?::([0-9]{2}))?\s+(.*)")
_START = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]([0-9]{1,2}:[0-9]{2}))?")
_WORDS = ("name", "start", "tz", "late", "resident", "devices", "events", "until", "expect", "rules")
_HEARD = re.compile(r"\sheard=((?:[0-9]{1,9}\s*(?:ms|s|min|h|d)(?!\w)\s*)+)")
"""How much later an event came in: `heard=5 min`."""

_DO = "do="
"""Behind an expected raise: what it asks for in the home."""

_OF_DEVICE = frozenset({"class", "since", "silent_after", "name", "knows_taken"})


def load_tests(text: str, book: Book, source: str = "") -> list[RuleTest]:
    """Read a file of tests. Raises BookError with every fault as `line N: …`."""
    root = read_yaml(text, source)
    problems: list[Problem] = []
    node = root.pairs.get("tests") if isinstance(root, Pairs) else None
    if not isinstance(node, Items):
        raise BookError([Problem(1, "a file of rule tests begins with 'tests:' and a list")], source)
    found = [_Reader(each, book, problems).read() for each in node.items]
    if problems:
        raise BookError(problems, source)
    return [each for each in found if each is not None]


@dataclass(slots=True)
class _Reader:
    node: Node
    book: Book
    problems: list[Problem]
    tz: ZoneInfo = field(default_factory=lambda: ZoneInfo(DEFAULT_TZ))
    day: int = 0

    def read(self) -> RuleTest | None:
        if not isinstance(self.node, Pairs):
            self.problems.append(Problem(self.node.line, "a test is a list of words, such as 'name: …'"))
            return None
        before = len(self.problems)
        for word, line in self.node.lines.items():
            if word not in _WORDS:
                self.problems.append(
                    Problem(line, f"a test has no word {word[:40]!r}{nearest(word, _WORDS)}")
                )
        test = self._test(self.node)
        return test if len(self.problems) == before else None

    def _test(self, node: Pairs) -> RuleTest:
        name = self._part("name", lambda: self._text("name"), "")
        tz = self._part("tz", lambda: self._zone(self._text("tz", DEFAULT_TZ)), DEFAULT_TZ)
        self.tz = zone(tz)
        start = self._part("start", lambda: self._start(self._text("start")), 0)
        self.day = local_day(start, self.tz)
        events = tuple(self._lines("events", start, self._event))
        last = max((event.at for event in events), default=start)
        until = self._part("until", lambda: self._until(last), last)
        late = self._part("late", lambda: parse_span(self._text("late", "0 s")), 0)
        devices: Mapping[str, DeviceSpec] = self._part("devices", self._devices, {})
        resident: Mapping[str, Any] = self._part("resident", self._resident, {})
        home = HomeSpec(HOME, tz, resident, devices, late)
        expected = tuple(self._lines("expect", start, self._expected))
        chosen: frozenset[str] = self._part("rules", self._chosen, frozenset())
        return RuleTest(node.line, name, home, start, until, events, expected, chosen)

    def _part(self, word: str, read: Callable[[], T], default: T) -> T:
        """What stands behind a word; the default after noting what is wrong with it."""
        assert isinstance(self.node, Pairs)
        try:
            return read()
        except Wrong as wrong:
            self.problems.append(Problem(self.node.lines.get(word, self.node.line), str(wrong)))
            return default

    def _zone(self, name: str) -> str:
        if zone(name).key != name:
            raise Wrong(f"{name[:40]!r} is no time zone; write one like Europe/Oslo")
        return name

    def _until(self, last: Millis) -> Millis:
        assert isinstance(self.node, Pairs)
        return self._clock(self._text("until"), last)[0] if "until" in self.node.pairs else last + DAY

    def _text(self, word: str, default: str | None = None) -> str:
        assert isinstance(self.node, Pairs)
        found = self.node.pairs.get(word)
        if found is None and default is not None:
            return default
        if not isinstance(found, Text):
            raise Wrong(f"a test needs {word!r} with one value")
        return found.value.strip()

    def _start(self, text: str) -> Millis:
        found = _START.fullmatch(text)
        try:
            day = date.fromisoformat(found[1]).toordinal() if found else 0
        except ValueError:
            day = 0
        if found is None or not day:
            raise Wrong(f"{text[:40]!r} is not a start; write it like '2026-01-15 07:00'")
        return instant(day, parse_clock(found[2]) if found[2] else 0, self.tz)

    def _clock(self, text: str, after: Millis) -> tuple[Millis, str]:
        """A clock time at or after an instant (or `+N` days after the start), and what stands behind it."""
        found = _CLOCK.fullmatch(text + " ")
        if found is None:
            raise Wrong(f"{text[:60]!r} does not begin with a clock time such as '08:00' or '+1 08:00'")
        seconds = int(found[3] or 0) * SECOND
        clock = parse_clock(found[2])
        if found[1] is not None:
            return instant(self.day + int(found[1]), clock, self.tz) + seconds, found[4].strip()
        day = local_day(after, self.tz)
        at = instant(day, clock, self.tz) + seconds
        return (at if at >= after else instant(day + 1, clock, self.tz) + seconds), found[4].strip()

    def _lines(self, word: str, start: Millis, read: Any) -> Iterable[Any]:
        assert isinstance(self.node, Pairs)
        node = self.node.pairs.get(word)
        if isinstance(node, Pairs) or (isinstance(node, Text) and node.value):
            self.problems.append(Problem(node.line, f"{word!r} is a list; begin each line with '- '"))
        at = start
        for each in node.items if isinstance(node, Items) else ():
            try:
                if not isinstance(each, Text):
                    raise Wrong(f"a line of {word!r} is one text")  # noqa: TRY301  told with its line
                at, rest = self._clock(each.value.strip(), at)
                yield read(at, rest, each.line)
            except (Wrong, DecodeError) as wrong:
                self.problems.append(Problem(each.line, str(wrong)))

    def _event(self, at: Millis, text: str, line: int) -> Event:
        late = _HEARD.search(text)
        words = _HEARD.sub(" ", text).split()
        if len(words) < 2:
            raise Wrong(f"an event is written '08:00 DEVICE KIND field=value', not {text[:60]!r}")
        spec = CATALOGUE.spec(words[1])
        data = dict(_pair(each, spec) for each in words[2:])
        spec.check(data)
        heard = at + (parse_span(late[1]) if late else 0)
        return Event(f"line-{line}", at, heard, HOME, words[0], words[1], data)

    def _expected(self, at: Millis, text: str, line: int) -> Expected:
        words = text.split()
        do = words.pop().removeprefix(_DO) if words[-1].startswith(_DO) else ""
        if len(words) not in (2, 3) or words[0] not in TOLD:
            raise Wrong(
                f"an expected line is written '09:00 raise RULE' or '… clear RULE KEY', not {text[:60]!r}"
            )
        if words[1] not in self.book.rules:
            raise Wrong(f"the book has no rule {words[1][:40]!r}{nearest(words[1], self.book.rules)}")
        if do and do not in CATALOGUE.commands:
            raise Wrong(f"no device takes {do[:40]!r}{nearest(do, CATALOGUE.commands)}")
        return Expected(line, at, words[0], words[1], words[2] if len(words) == 3 else "", do)

    def _pairs(self, word: str) -> Mapping[str, Node]:
        assert isinstance(self.node, Pairs)
        node = self.node.pairs.get(word)
        if isinstance(node, Items) or (isinstance(node, Text) and node.value):
            raise Wrong(f"{word!r} holds names and values, such as {{name: Astrid}}")
        return node.pairs if isinstance(node, Pairs) else {}

    def _resident(self) -> Mapping[str, Any]:
        pairs = self._pairs("resident")
        return {name: _plain(each.value) for name, each in pairs.items() if isinstance(each, Text)}

    def _devices(self) -> Mapping[str, DeviceSpec]:
        return {name: self._device(each) for name, each in self._pairs("devices").items()}

    def _device(self, node: Node) -> DeviceSpec:
        words = {name: each.value for name, each in node.pairs.items() if isinstance(each, Text)} if isinstance(
            node, Pairs) else {}  # fmt: skip
        if words.get("class") not in CATALOGUE.classes or set(words) - _OF_DEVICE:
            raise Wrong(
                "a device is written {class: dispenser, since: 2026-01-15 07:00, silent_after: 30 min}"
            )
        since = self._start(words["since"]) if "since" in words else None
        silent = parse_span(words["silent_after"]) / SECOND if "silent_after" in words else None
        return DeviceSpec(
            words["class"],
            since,
            silent,
            words.get("name", ""),
            knows_taken=_plain(words.get("knows_taken", "yes")) is not False,
        )

    def _chosen(self) -> frozenset[str]:
        assert isinstance(self.node, Pairs)
        names = frozenset(names_in(self.node.pairs.get("rules")))
        for name in sorted(names):
            if name not in self.book.rules:
                raise Wrong(f"the book has no rule {name[:40]!r}{nearest(name, self.book.rules)}")
        return names


def _pair(text: str, spec: FactSpec) -> tuple[str, Value]:
    name, sign, value = text.partition("=")
    if not sign:
        raise Wrong(f"{text[:40]!r} is not field=value")
    field_spec = spec.field(name)
    return name, value if field_spec is not None and field_spec.type == "text" else _plain(value)


def _plain(text: str) -> Any:
    if re.fullmatch(r"-?[0-9]{1,15}", text):
        return int(text)
    if re.fullmatch(r"-?[0-9]{1,12}\.[0-9]{1,9}", text):
        return float(text)
    return {"yes": True, "true": True, "no": False, "false": False}.get(text.lower(), text)
