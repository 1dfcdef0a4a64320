"""rules/README.md, followed to the letter: write a rule, test it, see what it would have done last month."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from hub.cli.__main__ import main
from rules import load_book, standard_book_text

PAGE = (Path(__file__).parents[3] / "rules" / "README.md").read_text("utf-8")
HOMES = {
    "homes": {
        "h2": {"resident": {"name": "Bjarne Lie", "pulse_high": 110}},
        "h3": {"resident": {"name": "Solveig Dahl"}, "devices": {"h3-bed": {"class": "bed"}}},
    }
}
MONTH = [
    ("2026-01-15T11:50:00+01:00", "h2", "h2-oximeter", "vitals.pulse", {"value": 104}),
    ("2026-11-22T23:20:00+01:00", "h3", "h3-bed", "bed.left", {}),
    ("2026-11-22T23:24:00+01:00", "h3", "h3-bed", "bed.entered", {}),
    ("2026-11-23T00:31:00+01:00", "h3", "h3-bed", "bed.left", {}),
    ("2026-11-23T00:36:00+01:00", "h3", "h3-bed", "bed.entered", {}),
    ("2026-11-23T01:12:40+01:00", "h3", "h3-bed", "bed.left", {}),
    ("2026-11-23T01:17:00+01:00", "h3", "h3-bed", "bed.entered", {}),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the page tells to write, and a month of two homes."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (book,) = (each for each in blocks if "\nrules:" in each)
    (tests,) = (each for each in blocks if each.startswith("tests:"))
    lines = [
        {"id": str(number), "at": at, "home": home, "device": device, "kind": kind, "data": data}
        for number, (at, home, device, kind, data) in enumerate(MONTH)
    ]
    for name, text in {
        "my-rules.yaml": book,
        "my-tests.yaml": tests,
        "homes.json": json.dumps(HOMES),
        "events.jsonl": "\n".join(map(json.dumps, lines)),
    }.items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(command: str) -> tuple[list[str], list[str]]:
    """The words behind `trygghub` on the page, and what it shows as the answer; files stand in for a data folder."""
    lines = PAGE.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"    $ trygghub {command}"))
    answer = []
    for line in lines[start + 1 :]:
        if not line.startswith("    ") or line.startswith("    $"):
            break
        answer.append(line[4:])
    words = lines[start].replace("--data trygghub-data", "--homes homes.json --events events.jsonl")
    return shlex.split(words, comments=True)[2:], answer


@pytest.mark.parametrize(
    "command",
    ["rules check my-rules.yaml", "rules test my-rules.yaml", "rules what-if --with", "rules why-not"],
)
def test_what_the_page_shows_is_what_comes(
    command: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each command of the page prints what the page says; only the number of shipped rules may have grown."""
    words, answer = shown(command)
    assert folder.exists()
    assert main(words) == 0
    said = capfd.readouterr().out.splitlines()
    count = len(load_book(standard_book_text()).rules)
    assert answer
    assert said == [re.sub(r"\d+ shipped", f"{count} shipped", line) for line in answer]


def test_the_slip_of_the_page_is_told_as_the_page_says(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Line and remedy stand in the text; the line is that of the example."""
    book = folder / "my-rules.yaml"
    book.write_text(book.read_text("utf-8").replace("bed.left", "bed.lefft"), "utf-8")
    assert main(["rules", "check", "my-rules.yaml"]) == 1
    (slip,) = re.findall(r"`(line \d+: night-walks: [^`]*)`", PAGE)
    assert slip in capfd.readouterr().err


def test_words_of_the_page_are_words_of_the_language() -> None:
    """Every rule in the tables of the page can be read, put together from what stands between the backticks."""
    rows = re.findall(r"^\| .*\| (`(?:when|while|missing): .*) \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 8
    for row in rows:
        words = [each for each in re.findall(r"`([^`]*)`", row) if ": " in each]
        load_book("rules: {r: {" + ", ".join(words) + "}}")
