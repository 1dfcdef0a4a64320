"""`trygghub rules check|test|replay|what-if|explain|why-not`: rule books and what they say of stored events.

A book is a YAML file, or the word `standard` for the shipped one. Homes and events come from files (HOMES.json and
EVENTS.jsonl, perhaps gzipped) or, with --data, from the centre's database.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from drivers.events import Millis, TimeError, parse_time
from hub.cli.outcome import FAILED, OK, Refused
from rules.problems import nearest

if TYPE_CHECKING:
    from hub.cli.rule_streams import Stream
    from rules import Book, Decision, Engine, HomeSpec

HELP = "Check rule books, test them, and ask what they say of stored events."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Six actions."""
    actions = parser.add_subparsers(
        dest="action", metavar="check|test|replay|what-if|explain|why-not", required=True
    )
    check = actions.add_parser("check", help="say everything that is wrong with a book, each with its line")
    check.add_argument("book", help="the book's file, - for standard input, or 'standard'")
    check.add_argument("--homes", help="HOMES.json: also say which rules no installed device can trigger")
    check.add_argument("--data", metavar="DIR", help="the same of the homes in the database in DIR")
    check.add_argument("--database", metavar="URL", help="the same, by the database's address")
    test = actions.add_parser("test", help="run the rule tests of a book")
    test.add_argument("book", help="the book's file, or 'standard'")
    test.add_argument("tests", nargs="?", help="the tests' file; default: the shipped ones for 'standard'")
    replay = actions.add_parser("replay", help="print every raise and clear, one JSON line each")
    _sources(replay)
    replay.add_argument(
        "--catch-all", action="store_true", help="also raise for calls for help no rule answers"
    )
    what_if = actions.add_parser("what-if", help="compare a book with another, or with other parameters")
    _sources(what_if)
    what_if.add_argument("--with", dest="other", metavar="BOOK", help="the book to compare with")
    what_if.add_argument("--set", dest="parameters", metavar="NAME=VALUE", action="append", default=[],
                         help="a resident's parameter, such as dose_time='30 min'; may be given often")  # fmt: skip
    what_if.add_argument("--days", type=int, help="only the last DAYS days")
    what_if.add_argument("--workers", type=int, default=0, help="processes to use (default: one a core)")
    what_if.add_argument("--json", action="store_true", help="answer as one JSON object")
    explain = actions.add_parser("explain", help="why an alert is there")
    explain.add_argument("alert", help="number of an alert in the database, or RULE@TIME with files")
    _sources(explain)
    why_not = actions.add_parser("why-not", help="why an alert is not there")
    why_not.add_argument("rule")
    why_not.add_argument("home")
    why_not.add_argument("at", nargs="?", help="the moment asked about; default: the end of the events")
    _sources(why_not)
    for each in (what_if, explain, why_not):
        each.add_argument("--language", choices=("nb", "en"), default="en")


def _sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rules", default="standard", metavar="BOOK", help="the book's file (default: standard)"
    )
    parser.add_argument("--homes", metavar="HOMES.json", help="homes, residents and devices")
    parser.add_argument(
        "--events", metavar="EVENTS.jsonl", help="events, one JSON object a line, perhaps gzipped"
    )
    parser.add_argument(
        "--data", metavar="DIR", help="take homes and events from the centre's database in DIR"
    )
    parser.add_argument("--database", metavar="URL", help="the same, by the database's address")
    parser.add_argument("--until", metavar="TIME", help="judge up to this time (ISO 8601 or ms since 1970)")


def run(args: argparse.Namespace) -> int:
    """Carry out one action."""
    return _ACTIONS[args.action](args)


# ---------------------------------------------------------------- check, test


def _check(args: argparse.Namespace) -> int:
    from hub.cli.rule_files import read_book
    from rules.language.advice import unreachable

    book = read_book(args.book)
    advice = list(book.advice)
    if args.homes or args.data or args.database:
        advice += unreachable(book, _kinds_of(_installed(args)))
    for each in sorted(advice):
        _print(f"{each} (advice)")
    _print(f"{args.book}: {_counted(book)}; nothing is wrong")
    return OK


def _installed(args: argparse.Namespace) -> Iterable[HomeSpec]:
    from hub.cli.rule_files import read_homes
    from hub.cli.rule_streams import database

    return read_homes(args.homes) if args.homes else database(args).homes


def _counted(book: Book) -> str:
    """`3 rules and 75 shipped ones, 1 chain`."""
    own, shipped = len(book.rules) - len(book.borrowed), len(book.borrowed)
    beside = f" and {shipped} shipped ones" if shipped else ""
    return f"{_several(own, 'rule')}{beside}, {_several(len(book.chains), 'chain')}"


def _several(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _kinds_of(homes: Iterable[HomeSpec]) -> set[str]:
    """Kinds the installed devices can send, as far as their classes tell, and those of gateway and centre."""
    from drivers.catalogue import CATALOGUE
    from drivers.registry import DEVICE_TYPES

    classes = {device.device_class for home in homes for device in home.devices.values()}
    ours = {kind for kind in CATALOGUE.facts if kind.partition(".")[0] in ("gateway", "area")}
    alive = {f"{each}.heartbeat" for each in classes}  # every frame is a sign of life
    return ours.union(alive, *(t.emits for t in DEVICE_TYPES.values() if t.device_class in classes))


def _test(args: argparse.Namespace) -> int:
    from hub.cli.rule_files import STANDARD, read_book, read_text
    from rules import BookError, standard_tests_text
    from rules.rule_test_file import load_tests
    from rules.rule_tests import run_test

    book = read_book(args.book)
    if args.tests is None and args.book != STANDARD:
        raise Refused("name the file of tests: trygghub rules test BOOK TESTS")
    source = args.tests or "standard.tests.yaml"
    text = read_text(args.tests) if args.tests else standard_tests_text()
    try:
        tests = load_tests(text, book, source)
    except BookError as wrong:
        raise Refused("\n".join([f"{source} cannot be used", *wrong.problems]), FAILED) from None
    failed = 0
    for outcome in (run_test(test, book) for test in tests):
        failed += not outcome.passed
        _print(f"{'ok    ' if outcome.passed else 'FAILED'} {outcome.test.name}")
        for each in (*outcome.missing, *outcome.extra):
            _print(f"         {each}")
    expected = {each.rule for test in tests for each in test.expected}
    untested = sorted(set(book.rules) - book.borrowed - expected)
    if untested:
        _print(f"never expected by any test: {', '.join(untested)}")
    _print(f"{_several(len(tests), 'test')}, {failed} failed")
    return FAILED if failed else OK


# ---------------------------------------------------------------- replay, what-if


def _replay(args: argparse.Namespace) -> int:
    from rules.replay import TOLD, judge, line

    book, source, until = _read(args)
    events = source.load([])
    decisions, engine = judge(book, source.homes, events, until=until, catch_all=args.catch_all)
    _tell_what_is_off(engine)
    out = sys.stdout.buffer
    for decision in decisions:
        if decision.action in TOLD:
            out.write(orjson.dumps(line(decision)) + b"\n")
    out.flush()
    return OK


def _tell_what_is_off(engine: Engine) -> None:
    """A rule that lacks a parameter of a resident says nothing there; somebody should know."""
    off: dict[tuple[str, str], list[str]] = {}
    for home in engine.homes.values():
        for rule, why in home.off.items():
            off.setdefault((rule, why), []).append(home.id)
    for (rule, why), homes in off.items():
        where = homes[0] if len(homes) == 1 else f"{len(homes)} homes, {homes[0]} among them"
        sys.stderr.write(f"the rule {rule!r} is off in {where}: {why}\n")


def _what_if(args: argparse.Namespace) -> int:
    from hub.cli.rule_difference import tell
    from hub.cli.rule_files import read_book
    from hub.cli.rule_what_if import Question, ask
    from rules.spans import DAY

    if args.days is not None and args.days < 1:
        raise Refused(f"--days is a number of days from 1, not {args.days}")
    if not args.other and not args.parameters:
        raise Refused("say what would be different: --with BOOK or --set NAME=VALUE")
    book = read_book(args.rules)
    other = read_book(args.other) if args.other else book
    parameters = _parameters(args.parameters, book, other)
    source, until = _stream(args)
    end = until if until is not None else source.end
    since = max(source.begin, end - args.days * DAY if args.days else 0)
    difference = ask(Question(source, book, other, parameters, since, end), args.workers)
    tell(difference, source.homes, args.language, json=args.json)
    return OK


def _parameters(texts: Iterable[str], *books: Book) -> dict[str, Any]:
    from rules.problems import Wrong
    from rules.what_if import check_parameters

    parameters = dict(_parameter(each) for each in texts)
    try:
        check_parameters(parameters, *books)
    except Wrong as wrong:
        raise Refused(str(wrong)) from None
    return parameters


def _parameter(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise Refused(f"a parameter is written NAME=VALUE, not {text!r:.80}")
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


# ---------------------------------------------------------------- explain, why-not


def _explain(args: argparse.Namespace) -> int:
    from hub.cli.rule_streams import zone_of
    from rules.explain import explain
    from rules.replay import judge

    rule, sign, at = args.alert.partition("@")
    if not sign:
        return _explain_stored(args)
    book, source, until = _read(args)
    events = source.load([])
    decisions, _ = judge(book, source.homes, events, until=until)
    decision = _meant(decisions, rule, _time(at))
    evidence = {event.id: event for event in events if event.home == decision.home}
    for each in explain(decision, evidence, zone_of(source.homes, decision.home), args.language):
        _print(each)
    return OK


def _explain_stored(args: argparse.Namespace) -> int:
    import asyncio

    from hub.cli.rule_streams import database

    if not args.alert.isascii() or not args.alert.isdigit() or len(args.alert) > 18:
        raise Refused("an alert is its number in the database, or RULE@TIME with --homes and --events")
    for each in asyncio.run(database(args).explain(int(args.alert), args.language)):
        _print(each)
    return OK


def _meant(decisions: Iterable[Decision], rule: str, at: Millis) -> Decision:
    """The raise of a rule at that instant, or the nearest."""
    found = [each for each in decisions if each.rule == rule and each.action == "raise"]
    if not found:
        raise Refused(f"no alert of the rule {rule!r:.80} comes in these events; ask why-not", FAILED)
    return min(found, key=lambda each: abs(each.at - at))


def _why_not(args: argparse.Namespace) -> int:
    from rules.replay import judge
    from rules.why_not import Unasked, why_not

    book, source, until = _read(args)
    at = _time(args.at) if args.at else until
    homes = [home for home in source.homes if home.id == args.home]
    events = source.load([args.home])
    if not homes and not events:
        raise Refused(f"there is no home {args.home!r:.80}{nearest(args.home, [h.id for h in source.homes])}")
    _, engine = judge(book, homes, events, until=at, believe_late=True)
    try:
        lines = why_not(engine, args.rule, args.home, args.language)
    except Unasked as wrong:
        raise Refused(str(wrong)) from None
    for each in lines:
        _print(each)
    return OK


# ---------------------------------------------------------------- shared


def _read(args: argparse.Namespace) -> tuple[Book, Stream, Millis | None]:
    """Book, homes and events, and the end."""
    from hub.cli.rule_files import read_book

    return read_book(args.rules), *_stream(args)


def _stream(args: argparse.Namespace) -> tuple[Stream, Millis | None]:
    """Homes and events, and the end; what is strange about them is said on standard error."""
    from hub.cli.rule_files import unknown_kinds
    from hub.cli.rule_streams import Files, stream

    until = _time(args.until) if args.until else None
    source = stream(args)
    if isinstance(source, Files):
        for kind in unknown_kinds(source.events):
            sys.stderr.write(f"no device sends {kind!r:.80}; no rule sees such events\n")
        strangers = {event.home for event in source.events} - {home.id for home in source.homes}
        for home in sorted(strangers):
            sys.stderr.write(
                f"home {home!r:.80} is not in {args.homes}; its resident and devices are unknown\n"
            )
    return source, until


def _time(text: str) -> Millis:
    try:
        return parse_time(int(text) if text.isascii() and text.isdigit() else text)
    except TimeError as wrong:
        raise Refused(str(wrong)) from None


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


_ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "check": _check,
    "test": _test,
    "replay": _replay,
    "what-if": _what_if,
    "explain": _explain,
    "why-not": _why_not,
}
