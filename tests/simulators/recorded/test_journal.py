"""A recorded journal is read line by line, and a line that cannot be played is named."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hub.registry.check import check
from simulators.__main__ import main
from simulators.recorded.journal import Recorded, RecordedError
from simulators.recorded.playing import in_order
from simulators.recorded.registry import registry_of

PRESS = {"id": "1", "at": "2026-01-15T12:00:00.000Z", "home": "h1", "device": "p1", "kind": "pendant.pressed"}
DOOR = {"at": 1_768_478_460_000, "heard": 1_768_478_520_000, "home": "h1", "device": "lock", "kind": "door.opened",
        "data": {}}  # fmt: skip
BOLT = {**DOOR, "kind": "lock.locked", "at": "2026-01-15T13:03:00+01:00", "heard": None}
OWN = {**PRESS, "device": "gw1", "kind": "gateway.heartbeat"}


def journal(path: Path, *lines: Any) -> Recorded:
    """A file with these lines."""
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return Recorded(path)


@pytest.mark.parametrize("name", ["j.jsonl", "j.jsonl.gz"])
def test_a_journal_is_read(name: str, tmp_path: Path) -> None:
    """Times in either form; a gateway's own facts are left out, since the real one tells its own."""
    found = journal(tmp_path / name, PRESS, OWN, "", DOOR)
    assert [(one.kind, one.heard - one.at) for one in found.lines()] == [
        ("pendant.pressed", 0), ("door.opened", 60_000)]  # fmt: skip
    assert found.summary() == "2 events of 1 homes, 2026-01-15T12:00:00Z to 2026-01-15T12:02:00Z"


def test_a_device_is_registered_as_what_can_say_all_it_said(tmp_path: Path) -> None:
    """A lock with a door sensor is a lock; the file imports without a complaint."""
    found = journal(tmp_path / "j.jsonl", DOOR, {**DOOR, "kind": "lock.locked"}, PRESS)
    text = registry_of(found)
    assert check(text.encode()).problems == ()
    assert "type: native_lock" in text
    assert "type: native_alarm" in text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: an event is a JSON object"),
        ("[1]", "line 2: an event is a JSON object"),
        ({**PRESS, "home": "../h1"}, "line 2: 'home' is written like"),
        ({**PRESS, "kind": "pressed"}, "line 2: 'kind' is written like"),
        ({**PRESS, "at": "noon"}, "line 2: a time is ISO 8601"),
        ({**PRESS, "at": "2026-01-15T12:00:00"}, "line 2: a time is ISO 8601"),
        ({**PRESS, "data": 5}, "line 2: 'data' is an object"),
        ("x" * 70_000, "line 2: a line has at most"),
    ],
)
def test_a_line_that_cannot_be_played_is_named(line: Any, says: str, tmp_path: Path) -> None:
    """Nothing is played of a journal that is not one."""
    with pytest.raises(RecordedError, match=says.replace("[", r"\[")):
        list(journal(tmp_path / "j.jsonl", PRESS, line).lines())


def test_lines_are_played_in_the_order_of_hearing(tmp_path: Path) -> None:
    """What was late comes late again."""
    early = {**PRESS, "heard": "2026-01-15T12:09:00Z"}
    found = journal(tmp_path / "j.jsonl", early, DOOR)
    assert [one.kind for one in in_order(found.lines())] == ["door.opened", "pendant.pressed"]


def test_the_command_says_what_a_journal_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a broker nothing is played; a file that is not there is one sentence."""
    path = tmp_path / "j.jsonl"
    journal(path, PRESS)
    assert main(["replay", str(path), "--registry", str(tmp_path / "r.yaml")]) == 0
    assert "1 events of 1 homes" in capsys.readouterr().out
    assert main(["replay", str(tmp_path / "none.jsonl")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_gateways_own_database_is_a_journal(tmp_path: Path) -> None:
    """Its events in the order in which it wrote them down; decisions and health are not said again."""
    path = tmp_path / "gateway.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, type TEXT, body TEXT)")
        rows = [("event", PRESS), ("decision", {"rule": "x"}), ("event", OWN), ("event", DOOR)]
        database.executemany(
            "INSERT INTO journal (type, body) VALUES (?, ?)",
            [(type_, json.dumps(body)) for type_, body in rows],
        )
        database.commit()
    assert [one.kind for one in Recorded(path).lines()] == ["pendant.pressed", "door.opened"]


def test_what_a_file_is_shows_in_its_first_bytes(tmp_path: Path) -> None:
    """A zipped journal may be called anything."""
    path = tmp_path / "journal.txt"
    path.write_bytes(gzip.compress((json.dumps(PRESS) + "\n").encode()))
    assert len(list(Recorded(path).lines())) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (gzip.compress(b'{"at": 1}' * 1000, mtime=0)[:40], "cannot be read: Compressed file ended"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-12] + b"\xff" * 12, "cannot be read"),
        (b"SQLite format 3\x00" + b"\x00" * 100, "is no gateway's database"),
        (b"\xff\xfe\x00", "line 1: an event is a JSON object"),
    ],
)
def test_a_file_that_is_no_journal_is_one_sentence(
    content: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut off, damaged, or something else altogether: exit code 2."""
    path = tmp_path / "what.bin"
    path.write_bytes(content)
    assert main(["replay", str(path)]) == 2
    told = capsys.readouterr().err
    assert (told.count("\n"), says in told) == (1, True), told
