"""The whole way with one command: from an empty folder to an answered alert, and on after a restart."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.faults, pytest.mark.broker, pytest.mark.timeout(300)]

SPEED = "240"
PATIENCE = 90.0
"""Seconds for anything that must come; a busy machine needs more than an idle one."""


@dataclass
class Demo:
    """A running `trygghub run --demo`."""

    child: subprocess.Popen[str]
    lines: list[str]

    def until(self, word: str) -> str:
        """Read what it says until a line holds this word."""
        assert self.child.stdout is not None
        while line := self.child.stdout.readline():
            self.lines.append(line)
            if word in line:
                return line
        pytest.fail(f"it ended before it said {word!r}:\n{''.join(self.lines)}")

    def sign_in_link(self) -> str:
        """The one-time link of the banner."""
        found = re.search(r"http://\S+", self.until("Sign in"))
        assert found is not None
        return found.group()

    def interrupt(self) -> None:
        """Ctrl-C; it must end well."""
        self.child.send_signal(signal.SIGINT)
        rest, _ = self.child.communicate(timeout=60)
        self.lines.append(rest)
        assert self.child.returncode == 0, "".join(self.lines)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Start the demo in a folder of the test, from outside the source tree."""
    started: list[Demo] = []

    def run(*words: str) -> Demo:
        command = [sys.executable, "-P", "-m", "hub.cli", "run", "--data", str(tmp_path / "data"), *words]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRYGGHUB_")}
        child = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        started.append(Demo(child, []))
        return started[-1]

    yield run
    for one in started:
        if one.child.poll() is None:
            one.child.kill()
            one.child.wait()


def until(found: Callable[[], Any], what: str) -> Any:
    """Ask again and again until there is an answer."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := found():
            return answer
    return pytest.fail(f"still not so after {PATIENCE:g} s: {what}")


def sign_in(link: str) -> httpx.Client:
    """Follow the link as a person does: open the page, press its button."""
    base, _, _ = link.partition("/nb/")
    client = httpx.Client(base_url=base, headers={"Origin": base}, timeout=20)
    page = client.get(link)
    token = re.search(r'name="token" value="([^"]+)"', page.text)
    assert token is not None, page.text
    answer = client.post("/nb/sign-in", data={"token": token.group(1)})
    assert answer.status_code == 303
    return client


def open_alerts(client: httpx.Client, rule: str, state: str = "open") -> list[dict[str, Any]]:
    """The alerts of a rule, as the API tells them."""
    listed = client.get("/api/v1/alerts", params={"state": state})
    listed.raise_for_status()
    return [one for one in listed.json() if one["rule"] == rule]


def test_from_an_empty_folder_to_an_answered_alert_and_on(start: Callable[..., Demo], tmp_path: Path) -> None:
    """Start, sign in, see the first alert, take and resolve it, stop, start again: all is where it was."""
    demo = start("--demo", "--speed", SPEED)
    link = demo.sign_in_link()
    client = sign_in(link)
    assert client.post("/nb/sign-in", data={"token": link.partition("token=")[2]}).status_code == 403

    (alert,) = until(lambda: open_alerts(client, "pendant-pressed"), "the first alert is there")
    number = alert["id"]
    until(lambda: _version(client, number, "count") == 4, "all four presses of the demo's day are in it")
    assert client.get("/nb/alarms").text.count("Astrid Berg") > 0
    until(lambda: _answered(client, number), "somebody has taken the alert and resolved it")
    assert _version(client, number, "handling") == "resolved"
    assert "anxiety" in json.dumps(client.get(f"/api/v1/alerts/{number}/timeline").json())

    before = json.loads((tmp_path / "data" / "clock.json").read_text())["world"]
    port = client.base_url.port
    demo.interrupt()
    assert not _listening(port)
    assert list((tmp_path / "data").glob("*/*.db"))

    again = start()
    again_client = sign_in(again.sign_in_link())
    assert again_client.base_url.port == port
    assert [one["id"] for one in open_alerts(again_client, "pendant-pressed", "resolved")] == [number]
    assert json.loads((tmp_path / "data" / "clock.json").read_text())["world"] > before
    again.interrupt()


def _version(client: httpx.Client, number: int, field: str = "version") -> Any:
    return client.get(f"/api/v1/alerts/{number}").json()[field]


def _answered(client: httpx.Client, number: int) -> bool:
    """Take and resolve it. Five minutes of the home without a step, little more than a second here, end a taking."""
    taken = client.post(f"/api/v1/alerts/{number}/take", json={"version": _version(client, number)})
    assert taken.status_code in {200, 409}, taken.text
    form = {"version": _version(client, number), "cause": "anxiety", "measure": "talked"}
    resolved = client.post(f"/nb/alarms/{number}/resolve", data=form)
    assert resolved.status_code in {303, 409}, resolved.text
    return resolved.status_code == 303 and bool(_version(client, number, "handling") == "resolved")


def _listening(port: int | None) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port or 0)) == 0
