"""`python -m dashboard` as a process: it starts, says one sentence where it cannot, and stops in order."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from dashboard.__main__ import listening
from hub.settings import SettingError
from tests.ports import free_port

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("TRYGGHUB_")}


def start(*words: str) -> subprocess.Popen[str]:
    """Start the process with its log on a pipe."""
    command = [sys.executable, "-P", "-m", "dashboard", *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def test_it_serves_and_stops_in_order(tmp_path: Path) -> None:
    """An empty folder is enough; SIGTERM ends it with exit code 0."""
    port = free_port()
    process = start("--data", str(tmp_path), "--port", str(port))
    assert process.stderr is not None
    for line in process.stderr:
        if "startup complete" in line:
            break
    page = httpx.get(f"http://127.0.0.1:{port}/", follow_redirects=True, headers={"accept": "text/html"})
    assert "engangslenke" in page.text
    process.send_signal(signal.SIGTERM)
    assert process.wait(100) == 0
    process.stderr.close()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--port", "x"), "a port is a number from 1 to 65535"),
        (("--broker", "http://host"), "a broker is written like mqtt://"),
        (("--database", "mysql://host/db"), "a database is written like"),
    ],
)
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, words: tuple[str, str], sentence: str) -> None:
    """Exit code 2, and the sentence says what is expected."""
    process = start("--data", str(tmp_path), *words)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 2
    assert len(said.strip().splitlines()) == 1
    assert sentence in said


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """It names the port and touches nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--data", str(tmp_path), "--port", str(port))
        _, said = process.communicate(timeout=100)
    assert process.returncode == 2
    assert re.search(rf"port {port} on 127\.0\.0\.1 cannot be opened", said)
    assert list(tmp_path.iterdir()) == []


def test_a_socket_that_was_handed_over_is_served(tmp_path: Path) -> None:
    """Its port was held from the start of the run; what is no socket that listens is refused in a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        ours = listening("127.0.0.1", 1, os.dup(held.fileno()))
        assert ours.getsockname() == held.getsockname()
        ours.close()
    with (tmp_path / "file").open("w") as file, pytest.raises(SettingError, match="is no socket"):
        listening("127.0.0.1", 1, file.fileno())
    with socket.socket() as idle, pytest.raises(SettingError, match="does not listen"):
        listening("127.0.0.1", 1, os.dup(idle.fileno()))
