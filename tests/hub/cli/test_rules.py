"""`trygghub rules …`: books checked and tested, streams replayed and compared, alerts explained."""

# ruff: noqa: E501  (one case of a table stands on one line)

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from drivers.events import parse_time
from hub.cli.__main__ import main
from rules import load_book, standard_book_text

BOOK = """
rules:
  dose:
    alert: "{resident} has not taken the {due.time} medicine"
    when: dispenser.due
    missing: dispenser.dispensed
    same: dose
    within: resident.dose_time
  door: {while: door.leaf is open, for: 10 min}
"""
HOMES: dict[str, Any] = {
    "homes": {
        "h1": {
            "tz": "Europe/Oslo",
            "resident": {"name": "Astrid", "dose_time": "60 min"},
            "devices": {"front-door": {"class": "door", "since": "2026-01-01T00:00:00Z"}},
            "late": "2 min",
        },
        "h2": {"resident": {"name": "Bjarne", "dose_time": "60 min"}},
    }
}


def event(number: int, at: str, kind: str, home: str = "h1", **more: Any) -> dict[str, Any]:
    """One line of EVENTS.jsonl."""
    return {"id": str(number), "at": f"2026-01-15T{at}Z", "home": home, "device": "d", "kind": kind, **more}


SHIPPED = len(load_book(standard_book_text()).rules)

EVENTS = [
    event(1, "08:00:00", "dispenser.due", data={"dose": "a"}),
    event(2, "08:30:00", "door.opened", "h2"),
    event(3, "08:45:00", "door.closed", "h2"),
    event(4, "09:20:00", "dispenser.dispensed", data={"dose": "a"}),
]


class Desk:
    """A folder with a book, homes and events, and the command."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capfd = folder, capfd
        self.write("book.yaml", BOOK)
        self.write("homes.json", json.dumps(HOMES))
        self.write("events.jsonl", "\n".join(map(json.dumps, EVENTS)))

    def write(self, name: str, text: str) -> str:
        """Write a file; gives its path."""
        (self.folder / name).write_text(text, encoding="utf-8")
        return str(self.folder / name)

    def path(self, name: str) -> str:
        """A file's path."""
        return str(self.folder / name)

    @property
    def files(self) -> list[str]:
        """The flags that name book, homes and events."""
        return [
            "--rules",
            self.path("book.yaml"),
            "--homes",
            self.path("homes.json"),
            "--events",
            self.path("events.jsonl"),
        ]

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        try:
            code = main(["rules", *words])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = self.capfd.readouterr()
        return code, out, err


@pytest.fixture
def desk(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Desk:
    """Somebody at the keyboard."""
    return Desk(tmp_path, capfd)


def test_replay_prints_one_line_a_raise_and_a_clear(desk: Desk) -> None:
    """Exactly the fields of the interface, in order of time over all homes."""
    code, out, err = desk.run("replay", *desk.files)
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(each["at"][11:19], each["action"], each["rule"], each["key"]) for each in lines] == [
        ("08:40:00", "raise", "door", "h2"),
        ("08:45:00", "clear", "door", "h2"),
        ("09:00:00", "raise", "dose", "h1/a"),
        ("09:20:00", "clear", "dose", "h1/a"),
    ]
    assert lines[2] == {
        "at": "2026-01-15T09:00:00.000Z", "action": "raise", "rule": "dose", "key": "h1/a", "home": "h1",
        "because": ["1"], "says": "Astrid has not taken the 09:00 medicine",
    }  # fmt: skip


def test_replay_ends_where_it_is_told_and_reads_gzip(desk: Desk) -> None:
    """`--until` stops the clock; deadlines up to and including it fall due."""
    packed = desk.folder / "events.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(map(json.dumps, EVENTS)).encode()))
    flags = [*desk.files[:5], str(packed)]
    assert len(desk.run("replay", *flags)[1].splitlines()) == 4
    assert len(desk.run("replay", *flags, "--until", "2026-01-15T09:00:00Z")[1].splitlines()) == 3
    assert len(desk.run("replay", *flags, "--until", "2026-01-15T08:59:59.999Z")[1].splitlines()) == 2
    assert len(desk.run("replay", *flags, "--until", "1768467599999")[1].splitlines()) == 2


def test_the_order_of_the_lines_in_the_file_does_not_matter(desk: Desk) -> None:
    """Events are judged by when they happened and were heard."""
    straight = desk.run("replay", *desk.files)[1]
    desk.write("events.jsonl", "\n".join(map(json.dumps, reversed(EVENTS))))
    assert desk.run("replay", *desk.files)[1] == straight


def test_replay_can_show_what_the_catch_all_would_add(desk: Desk) -> None:
    """The book's own lines by default; with --catch-all the calls no rule answers as well."""
    desk.write("events.jsonl", json.dumps(event(1, "08:00:00", "pendant.fall")))
    assert desk.run("replay", *desk.files)[1] == ""
    (line,) = desk.run("replay", *desk.files, "--catch-all")[1].splitlines()
    assert json.loads(line)["rule"] == "catch-all"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("events.jsonl", '{"id": "1"', "line 1: not JSON"),
        ("events.jsonl", '[1]', "line 1: an event is written"),
        ("events.jsonl", '\n{"id": "1", "at": "yesterday", "home": "h1", "kind": "door.opened"}', "line 2: a time is written like"),
        ("events.jsonl", '{"id": "1", "at": 5, "kind": "door.opened"}', "line 1: an event's home is a text"),
        ("events.jsonl", '{"id": "", "at": 5, "home": "h1", "kind": "door.opened"}', "line 1: an event's id is a text"),
        ("events.jsonl", '{"id": "1", "at": 5, "home": "h1", "kind": "door.opened", "data": 3}', "data is written in braces"),
        ("homes.json", "{}", 'is written {"homes"'),
        ("homes.json", '{"homes": {"h1": {"tz": "Europe/Olso"}}}', "'Europe/Olso' is no time zone"),
        ("homes.json", '{"homes": {"h1": {"devices": {"d": {"class": "dor"}}}}}', "'class' is one of"),
        ("homes.json", '{"homes": {"h1": {"devices": {"d": {"class": "door", "since": "soon"}}}}}', "since: a time is written like"),
        ("homes.json", '{"homes": {"h1": {"late": "2 minutes"}}}', "home 'h1': 'late' is a time span such as '2 min', not '2 minutes'"),
        ("homes.json", "nope", "is not JSON"),
        ("book.yaml", "rules: {a: {when: door.opend}}", "line 1: a: no device sends 'door.opend'; did you mean 'door.opened'?"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_in_one_sentence(desk: Desk, name: str, text: str, sentence: str) -> None:
    """Which file, where, what was expected."""
    desk.write(name, text)
    code, out, err = desk.run("replay", *desk.files)
    assert code != 0
    assert out == ""
    assert sentence in err


def test_strange_kinds_and_homes_are_said_and_left_alone(desk: Desk) -> None:
    """An event nobody knows and a home nobody registered stop nothing."""
    desk.write(
        "events.jsonl", "\n".join(map(json.dumps, [*EVENTS, event(9, "09:30:00", "toaster.hot", "h9")]))
    )
    code, out, err = desk.run("replay", *desk.files)
    assert (code, len(out.splitlines())) == (0, 4)
    assert "no device sends 'toaster.hot'" in err
    assert "'h9'" in err


def test_a_rule_that_is_off_says_so(desk: Desk) -> None:
    """A parameter that is missing or cannot be read silences a rule in that home, and is told beside the lines."""
    homes = {"homes": {"h1": {"resident": {"dose_time": "an hour"}}, "h2": {}}}
    desk.write("homes.json", json.dumps(homes))
    code, out, err = desk.run("replay", *desk.files)
    assert (code, len(out.splitlines())) == (0, 2)
    assert "the rule 'dose' is off in h1: resident.dose_time: 'an hour' is not a time span" in err
    assert "the rule 'dose' is off in h2: the resident has no parameter 'dose_time'" in err


def test_a_device_may_bring_its_types_limit(desk: Desk) -> None:
    """A type named in HOMES.json says after how long its device is silent; seconds or a span may be written instead."""
    rules = desk.write(
        "silent.yaml", "rules: {r: {missing: any.heartbeat, per: device, for: device.silent_after}}"
    )
    since = "2026-01-15T08:00:00Z"
    devices = {
        "a": {"type": "native_dispenser", "since": since},
        "b": {"class": "bed", "since": since, "silent_after": "20 min"},
        "c": {"class": "bed", "since": since, "silent_after": 600},
        "d": {"class": "bed", "since": since},
    }
    homes = desk.write("more.json", json.dumps({"homes": {"h1": {"devices": devices}}}))
    out = desk.run("replay", "--rules", rules, "--homes", homes, "--events", desk.write("none.jsonl", ""),
                   "--until", "2026-01-15T12:00:00Z")[1]  # fmt: skip
    assert [(json.loads(line)["key"], json.loads(line)["at"][11:16]) for line in out.splitlines()] == [
        ("c", "08:10"), ("b", "08:20"), ("a", "08:30"),
    ]  # fmt: skip


def test_check_says_what_is_wrong_and_what_is_doubtful(desk: Desk) -> None:
    """A fault ends with an exit code and its line, advice does not."""
    code, out, _ = desk.run("check", desk.path("book.yaml"))
    assert (code, out.splitlines()[-1]) == (
        0,
        f"{desk.path('book.yaml')}: 2 rules, 0 chains; nothing is wrong",
    )
    assert "(advice)" in out
    code, _, err = desk.run("check", desk.write("bad.yaml", "rules: {a: {whn: pendant.fall}}"))
    assert code == 1
    assert "line 1: a: a rule has no word 'whn'; did you mean 'when'?" in err
    assert desk.run("check", "standard")[0] == 0
    assert desk.run("check", desk.path("not-there.yaml"))[0] == 2


def test_check_with_homes_says_which_rules_nothing_can_trigger(desk: Desk) -> None:
    """No dispenser is installed in these homes."""
    out = desk.run("check", desk.path("book.yaml"), "--homes", desk.path("homes.json"))[1]
    assert "dose: no installed device sends 'dispenser.due', so this rule can never act (advice)" in out
    assert "door: no installed device" not in out


def test_the_shipped_book_passes_its_tests(desk: Desk) -> None:
    """`rules test standard` runs what is shipped with it."""
    code, out, _ = desk.run("test", "standard")
    assert code == 0
    assert out.splitlines()[-1].endswith(" tests, 0 failed")
    assert "never expected" not in out


def test_a_failing_rule_test_fails_the_command(desk: Desk) -> None:
    """What did not come and what came instead stand under the test's name."""
    tests = desk.write("t.yaml", "tests:\n  - name: wrong\n    start: 2026-01-15 08:00\n    events: [08:00 f door.opened]\n"
                                 "    until: '09:00'\n    expect: [08:11 raise door]\n")  # fmt: skip
    code, out, _ = desk.run("test", desk.path("book.yaml"), tests)
    assert code == 1
    assert "FAILED wrong" in out
    assert "did not come" in out
    assert "was not expected" in out
    assert "never expected by any test: dose" in out


def test_what_if_tells_the_difference(desk: Desk) -> None:
    """In words for people, in JSON for programs, over one process or two."""
    other = desk.write("other.yaml", BOOK.replace("10 min", "20 min"))
    code, out, _ = desk.run("what-if", *desk.files, "--with", other)
    assert code == 0
    assert out.splitlines() == [
        "gone     15 Jan 09:40:00  h2  door  door: Bjarne",
        "1 gone, 0 new, 0 moved; 0 come as before, of the rules that differ",
    ]
    said = desk.run("what-if", *desk.files, "--set", "dose_time=90 min", "--language", "nb",
                    "--until", "2026-01-15T12:00:00Z")[1]  # fmt: skip
    assert said.splitlines()[0].startswith("borte    15. jan. kl. 10.00.00  h1  dose")
    body = json.loads(
        desk.run("what-if", *desk.files, "--set", "dose_time=30 min", "--json", "--workers", "2")[1]
    )
    assert body["moved"] == [
        {"at": "2026-01-15T09:00:00.000Z", "home": "h1", "rule": "dose", "key": "h1/a", "to": "2026-01-15T08:30:00.000Z",
         "by": -1_800_000},
    ]  # fmt: skip
    assert desk.run("what-if", *desk.files)[0] == 2
    for days in ("0", "-3"):
        code, out, err = desk.run("what-if", *desk.files, "--with", other, "--days", days)
        assert (code, out) == (2, "")
        assert f"--days is a number of days from 1, not {days}" in err


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("dose_time=soon", "resident.dose_time: 'soon' is not a time span; write it like '10 min', '90 s' or '1 h 30 min'"),
        ("dose_tiem=30 min", "no rule reads 'dose_tiem'; did you mean 'dose_time'?"),
        ("dose_time=30", "resident.dose_time: 30 is not a time span; write it like '10 min', '90 s' or '1 h 30 min'"),
        ("away=perhaps", "resident.away: yes or no is needed here, not 'perhaps'"),
    ],
)  # fmt: skip
def test_what_if_refuses_a_value_it_cannot_read(desk: Desk, given: str, sentence: str) -> None:
    """Otherwise the rule would be off, and a nurse would read that its alerts are gone."""
    code, out, err = desk.run("what-if", "--rules", "standard", "--set", given)
    assert (code, out) == (2, "")
    assert sentence in err


def test_an_own_book_beside_the_shipped_one_changes_only_what_it_says(desk: Desk) -> None:
    """Nothing of the shipped rules is gone, and only own rules need a test of their own."""
    book = desk.write("own.yaml", "besides: standard\nwithout: [fever]\nrules: {r: {when: door.closed}}\n")
    assert (
        desk.run("check", book)[1]
        == f"{book}: 1 rule and {SHIPPED - 1} shipped ones, 0 chains; nothing is wrong\n"
    )
    out = desk.run("what-if", *desk.files[2:], "--with", book)[1].splitlines()
    assert [line.split()[0] for line in out] == ["new", "0"]
    tests = desk.write("own.tests.yaml", "tests:\n  - {name: n, start: 2026-01-15, events: [], expect: []}\n")
    assert "never expected by any test: r\n" in desk.run("test", book, tests)[1]


def test_nobody_was_silent_before_the_journal_began(desk: Desk) -> None:
    """A door assigned a fortnight before the first entry is not told as silent since then."""
    book = desk.write("silent.yaml", "rules: {s: {missing: any.heartbeat, per: device, for: 1 h}}")
    empty = desk.write("empty.yaml", "rules: {}")
    out = desk.run("what-if", "--rules", empty, *desk.files[2:], "--with", book, "--days", "30",
                   "--until", "2026-01-15T12:00:00Z")[1]  # fmt: skip
    assert [line for line in out.splitlines() if line.startswith("new")] == [
        "new      15 Jan 10:00:00  h1  s  s: Astrid"
    ]


def test_many_homes_on_two_processes_give_the_answer_of_one(desk: Desk) -> None:
    """Homes do not see each other, so they may be judged apart."""
    homes = {f"h{n}": HOMES["homes"]["h1"] for n in range(20)}
    lines = [event(n, f"08:{n:02d}:00", "dispenser.due", f"h{n}", data={"dose": "a"}) for n in range(20)]
    desk.write("homes.json", json.dumps({"homes": homes}))
    desk.write("events.jsonl", "\n".join(map(json.dumps, lines)))
    asked = ["what-if", *desk.files, "--set", "dose_time=20 min", "--until", "2026-01-15T12:00:00Z", "--json"]
    one, two = (desk.run(*asked, "--workers", workers)[1] for workers in ("1", "2"))
    assert one == two
    assert [each["home"] for each in json.loads(two)["moved"]] == [f"h{n}" for n in range(20)]


def test_explain_and_why_not_answer_in_sentences(desk: Desk) -> None:
    """Both directions of the question, in two languages."""
    code, out, _ = desk.run("explain", "door@2026-01-15T08:40:00Z", *desk.files)
    assert code == 0
    assert "The rule 'door'" in out
    assert "The door was opened" in out
    out = desk.run("why-not", "dose", "h1", "2026-01-15T08:30:00Z", *desk.files)[1]
    assert "due 15 Jan 10:00:00" in out
    assert (
        "frist"
        in desk.run("why-not", "dose", "h1", "2026-01-15T08:30:00Z", *desk.files, "--language", "nb")[1]
    )
    assert desk.run("why-not", "dosis", "h1", *desk.files)[0] == 2
    assert "there is no home 'h7'" in desk.run("why-not", "dose", "h7", *desk.files)[2]
    assert desk.run("explain", "fall@2026-01-15T08:40:00Z", *desk.files)[0] == 1


async def test_the_database_may_be_asked_instead_of_files(store, desk: Desk) -> None:
    """The centre's journal is a stream like any other."""
    from hub.store.centre_tables import Entry

    async with store.writing() as session:
        for number, each in enumerate(EVENTS[:3], start=1):
            body = {**each, "heard": each["at"], "data": each.get("data", {})}
            session.add(Entry(gateway="gw1", epoch="00c0ffee", lane="care", number=number, type="event",
                              event_id=each["id"], home=each["home"], device="d", kind=each["kind"],
                              at=parse_time(each["at"]), heard=parse_time(each["at"]), received=0, body=body))  # fmt: skip
    url = str(store.url.render_as_string(hide_password=False)).replace("+aiosqlite", "")
    code, out, err = await _in_thread(desk, "replay", "--rules", desk.path("book.yaml"), "--database", url,
                                      "--until", "2026-01-15T12:00:00Z")  # fmt: skip
    assert code == 0, err
    assert [json.loads(line)["rule"] for line in out.splitlines()] == ["door", "door"]
    code, _, err = await _in_thread(desk, "explain", "7", "--database", url)
    assert (code, "there is no alert 7" in err) == (1, True)


async def test_a_gateways_own_journal_may_be_asked(tmp_path: Path, desk: Desk) -> None:
    """With a gateway's folder the questions are answered from what that box heard, and nothing is written there."""
    from drivers.events import parse_time
    from hub.store.engine import open_store, sqlite_url
    from hub.store.gateway_tables import JournalRow

    folder = tmp_path / "box" / "gateway"
    folder.mkdir(parents=True)
    homes = {"h1": {"address": "", "zone": "nord", "gateway": "gw1", "tz": "Europe/Oslo"}}
    residents = {"astrid": {"home": "h1", "name": "Astrid", "parameters": {"dose_time": "60 min"}}}
    part = {"gateway": "gw1", "homes": homes, "residents": residents, "devices": {}}
    (folder / "registry.json").write_text(json.dumps({"hash": "x", "registry": part}))
    store = await open_store(sqlite_url(folder / "gateway.db"), "gateway")
    async with store.writing() as session:
        for each in EVENTS:
            body = {**each, "heard": each["at"], "data": each.get("data", {})}
            session.add(JournalRow(type="event", lane="care", home=each["home"], device="d", kind=each["kind"],
                                   at=0, heard=parse_time(each["at"]), body=body))  # fmt: skip
    await store.close()
    before = (folder / "gateway.db").read_bytes()
    for data in (folder, folder.parent):
        said = ("--rules", desk.path("book.yaml"), "--data", str(data))
        code, out, err = await _in_thread(desk, "explain", "dose@2026-01-15T09:00:00Z", *said)
        assert code == 0, err
        assert out.startswith("Astrid has not taken the 09:00 medicine")
        code, out, _ = await _in_thread(desk, "why-not", "dose", "h1", "2026-01-15T08:30:00Z", *said)
        assert (code, "due 15 Jan 10:00:00" in out) == (0, True)
        code, out, _ = await _in_thread(desk, "what-if", "--set", "dose_time=30 min", *said)
        assert (code, "0 gone, 0 new, 1 moved" in out) == (0, True)
        code, out, _ = await _in_thread(desk, "check", desk.path("book.yaml"), "--data", str(data))
        assert (code, "no installed device sends 'dispenser.due', so this rule can never act" in out) == (
            0,
            True,
        )
        code, out, _ = await _in_thread(desk, "check", "standard", "--data", str(data))
        assert (code, "'pendant.fall'" in out, "'gateway." in out, "'area." in out) == (0, True, False, False)
    assert (await _in_thread(desk, "explain", "7", "--data", str(folder)))[0] == 2
    assert (folder / "gateway.db").read_bytes() == before
    code, _, err = await _in_thread(desk, "explain", "7", "--database", f"sqlite:///{folder / 'gateway.db'}")
    assert (code, "is not a centre's database" in err) == (2, True)


async def _in_thread(desk: Desk, *words: str) -> tuple[int, str, str]:
    """The command makes an event loop of its own."""
    import asyncio

    return await asyncio.to_thread(desk.run, *words)
