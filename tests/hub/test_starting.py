"""Starting a process: what cannot be opened is one plain sentence, and the exit code says whether to try again."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hub import pages
from hub.pages import Answer, serve_always
from hub.process import CannotStartError, opening
from hub.store.errors import StoreAwayError, StoreDamagedError, StoreError, StoreLockedError

NOWHERE = "mqtt://127.0.0.1:1"
STARTS = {
    "gateway": ("--id", "gw1", "--uplink", NOWHERE, "--devices", NOWHERE),
    "centre": ("--broker", NOWHERE),
}


def start(which: str, data: Path, *more: str) -> tuple[int, str]:
    """Start a gateway or a centre that is expected to end; its exit code and what it said."""
    words = [sys.executable, "-m", f"hub.{which}", "--data", str(data), *STARTS[which], *more]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRYGGHUB_")}
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("which", STARTS)
def test_a_folder_that_cannot_be_used_is_one_sentence(which: str, tmp_path: Path) -> None:
    """A file where the data folder should be: the sentence, exit code 2, and nothing else."""
    (tmp_path / "data").write_text("not a folder")
    code, said = start(which, tmp_path / "data")
    assert code == 2
    assert said.count("\n") == 1
    assert said.startswith((f"trygghub {which}: the folder", "--data"))


def test_a_damaged_centre_is_one_sentence(tmp_path: Path) -> None:
    """A centre's database that is rubbish is for people to mend."""
    (tmp_path / "centre").mkdir()
    (tmp_path / "centre" / "centre.db").write_bytes(b"rubbish" * 1000)
    code, said = start("centre", tmp_path)
    assert (code, said.count("\n")) == (2, 1)
    assert "is damaged" in said


def test_a_registry_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """A registry file with a slip: where it is, and exit code 2."""
    registry = tmp_path / "registry.yaml"
    registry.write_text("homes: [")
    code, said = start("gateway", tmp_path, "--registry", str(registry))
    last = said.splitlines()[-1]
    assert code == 2
    assert last.startswith("trygghub gateway: registry.yaml")
    assert "Traceback" not in said


def test_a_server_that_is_away_is_tried_again(tmp_path: Path) -> None:
    """After a power cut the database server may come up later: exit code 1 lets the supervisor try again."""
    code, said = start("centre", tmp_path, "--database", "postgresql://u:secret@127.0.0.1:1/hub")
    assert (code, said.count("\n")) == (1, 1)
    assert "cannot be reached" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("trouble", "again"), [(StoreAwayError, True), (StoreLockedError, True), (StoreDamagedError, False)]
)
def test_only_what_may_pass_is_tried_again(trouble: type[StoreError], *, again: bool) -> None:
    """A locked database may be free in a second; a damaged one will not heal."""
    with pytest.raises(CannotStartError, match="the sentence") as raised, opening():
        raise trouble("the sentence")
    assert raised.value.again is again


async def test_a_taken_port_is_said_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """While another program has the port it is one sentence each time; when it is free the pages are there."""
    monkeypatch.setattr(pages, "FIRST_WAIT", 0.0)
    said: list[str] = []
    monkeypatch.setattr(pages.say, "error", said.append, raising=False)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])
        task = asyncio.create_task(serve_always(port, {"/healthz": lambda: Answer.json({"alive": True})}))
        async with asyncio.timeout(30):
            while len(said) < 2:
                await asyncio.sleep(0)
    assert said[0] == (
        f"the pages for watching cannot be shown on 127.0.0.1:{port}: Address already in use; all else goes on"
    )
    async with asyncio.timeout(30):
        while not await answers(port):
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "Traceback" not in capfd.readouterr().err


async def answers(port: int) -> bool:
    """Whether the page is shown on this port."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.startswith(b"HTTP/1.1 200")
