"""The log: levels for systemd's journal, and states said where they are news."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from hub.log import StateLine, to_journal

SAYS = """
import logging, structlog
from hub import log
log.configure("gateway")
structlog.get_logger().warning("the line is down", reason="unplugged", url="mqtt://a:secret@b:1")
logging.getLogger("drivers").error("a fault")
structlog.get_logger().info("it is well")
"""


def said(tmp_path: Path, journal: str | None) -> list[str]:
    """What a process writes to standard error; journal: JOURNAL_STREAM, `own` for that very file's."""
    with (tmp_path / "log").open("w") as log:
        at = os.fstat(log.fileno())
        named = f"{at.st_dev}:{at.st_ino}" if journal == "own" else journal
        environment = {**os.environ, **({"JOURNAL_STREAM": named} if named else {})}
        subprocess.run([sys.executable, "-c", SAYS], stderr=log, env=environment, check=True)
    return (tmp_path / "log").read_text().splitlines()


def test_the_journal_is_told_the_level_of_each_line(tmp_path: Path) -> None:
    """Warning is 4, error 3, info 6 (syslog(3)); the rest of the line is JSON that begins with what happened."""
    lines = said(tmp_path, "own")
    assert [line[:3] for line in lines] == ["<4>", "<3>", "<6>"]
    assert lines[0].startswith('<4>{"event": "the line is down"')
    assert json.loads(lines[0][3:])["url"] == "mqtt://a:…@b:1"


@pytest.mark.parametrize("journal", [None, "8:12345"])
def test_another_reader_gets_plain_json(tmp_path: Path, journal: str | None) -> None:
    """Without a journal, or where standard error was led elsewhere, no level stands before the line."""
    assert [json.loads(line)["level"] for line in said(tmp_path, journal)] == ["warning", "error", "info"]


def test_a_closed_stream_is_no_journal() -> None:
    """A descriptor that is not there is nobody's."""
    assert to_journal(-1, "8:1") is False


def test_a_state_is_said_where_it_is_news() -> None:
    """Days of the same trouble are one line, another reason is another; that we stop is not said."""
    structlog.reset_defaults()
    line = StateLine("the uplink")
    with capture_logs() as lines:
        for state, reason in (
            ("opening", ""),
            ("down", "refused"),
            ("opening", "refused"),
            ("down", "refused"),
            ("down", "no route"),
            ("up", ""),
            ("down", "stopped"),
        ):
            line.tell(state, reason)
    assert [(one["event"], one["log_level"], one["reason"]) for one in lines] == [
        ("the uplink is down", "warning", "refused"),
        ("the uplink is down", "warning", "no route"),
        ("the uplink is up", "info", ""),
    ]
