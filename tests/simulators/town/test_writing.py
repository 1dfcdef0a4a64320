"""A town's file: the same bytes for the same seed, in order, and the rules can replay it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from drivers.catalogue import CATALOGUE
from hub.cli.__main__ import main as hub
from simulators.__main__ import main

TOWN = ["town", "--homes", "60", "--seed", "7", "--first-day", "2026-01-15"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of a town of 60 homes, which two processes plan."""
    path = tmp_path_factory.mktemp("town") / "town.jsonl.gz"
    assert main([*TOWN, "--to", str(path)]) == 0
    return path


def test_the_same_town_is_the_same_bytes(written: Path, tmp_path: Path) -> None:
    """However the work was divided among the cores."""
    again = tmp_path / "again.jsonl.gz"
    assert main([*TOWN, "--to", str(again)]) == 0
    assert again.read_bytes() == written.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.homes.json", "again.jsonl.gz"]


def test_its_lines_are_events_in_the_order_of_hearing(written: Path) -> None:
    """Numbered, of the catalogue, of every home."""
    lines = [json.loads(line) for line in gzip.decompress(written.read_bytes()).splitlines()]
    assert [one["id"] for one in lines] == [str(n) for n in range(1, len(lines) + 1)]
    assert [one["heard"] for one in lines] == sorted(one["heard"] for one in lines)
    assert {one["kind"] for one in lines} <= set(CATALOGUE.facts)
    assert len({one["home"] for one in lines}) == 60
    assert len(lines) > 60 * 200


def test_the_rules_replay_it(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the homes that were written beside it; people call, doses are missed."""
    homes = written.with_name("town.homes.json")
    assert hub(["rules", "replay", "--homes", str(homes), "--events", str(written)]) == 0
    rules = {json.loads(line)["rule"] for line in capsys.readouterr().out.splitlines()}
    assert {"pendant-pressed", "missed-dose"} <= rules


def test_a_file_need_not_be_zipped(tmp_path: Path) -> None:
    """By its name."""
    path = tmp_path / "small.jsonl"
    assert main(["town", "--homes", "2", "--to", str(path)]) == 0
    assert json.loads(path.read_text().splitlines()[0])["id"] == "1"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["demo_day", "--to", "x.jsonl"], "--to writes a town"),
        (["town", "--to", "no/such/folder/x.jsonl"], "cannot be written: No such file or directory"),
        (["town", "--to", "x.jsonl", "--days", "99"], "--days is a whole number up to 31, not '99'"),
        (["town", "--trouble", "much"], "--trouble is a number from 0 to 100, not 'much'"),
    ],
)
def test_a_wrong_order_is_one_sentence(
    argv: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Exit code 2, and no file."""
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    told = capsys.readouterr().err
    assert (told.count("\n"), says in told) == (1, True), told
    assert list(tmp_path.iterdir()) == []
