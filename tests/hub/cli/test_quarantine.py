"""`trygghub quarantine`: what could not be read, at the console."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from hub.centre.intake import quarantine
from hub.cli.__main__ import main
from hub.store.engine import open_store, sqlite_url


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A centre's data folder in which two messages wait."""
    monkeypatch.setenv("TRYGGHUB_DATA", str(tmp_path))
    good = {
        "epoch": "00c0ffee",
        "entries": [{"number": 1, "type": "health", "body": {"what": "x", "says": "y"}}],
    }

    async def fill() -> None:
        (tmp_path / "centre").mkdir()
        store = await open_store(sqlite_url(tmp_path / "centre" / "centre.db"), "centre")
        async with store.writing() as session:
            for payload in (b"nonsense", orjson.dumps(good)):
                topic = "gateways/gw1/up/care"
                await quarantine.put_aside(session, topic, "gw1", payload, len(payload), "unknown form", 1000)
        await store.close()

    asyncio.run(fill())
    return tmp_path


def test_list_show_replay_and_drop(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A technician sees what waits and why, replays what can be read now, and drops the rest with a reason."""
    assert main(["quarantine", "list"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[0] == "1\t1970-01-01T00:00:01.000Z\t1 times\tgw1\tunknown form"
    )
    assert main(["quarantine", "show", "1"]) == 0
    assert capsys.readouterr().out.endswith("\ngateways/gw1/up/care, 8 bytes\nnonsense\n")
    assert main(["quarantine", "replay", "all"]) == 1
    said = capsys.readouterr()
    assert said.out == "2: 1 new entries, 0 known already\n"
    assert said.err.startswith("1: It still cannot be read: an uplink message is JSON")
    assert main(["quarantine", "drop", "1", "--reason", "a broken test box"]) == 0
    capsys.readouterr()
    assert main(["quarantine", "list"]) == 0
    assert capsys.readouterr().err == "nothing waits: everything could be read\n"


def test_what_is_not_there(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that does not exist is one sentence and a failure."""
    assert main(["quarantine", "show", "77"]) == 1
    assert capsys.readouterr().err == "trygghub quarantine: There is no such message.\n"
