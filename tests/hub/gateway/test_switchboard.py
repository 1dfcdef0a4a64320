"""The switchboard: links come back for ever, and what they are is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from drivers.device_type import Outgoing
from drivers.events import Frame
from drivers.links.link import Hear, LinkDown, LinkHealth, LinkState, Receipt
from hub.gateway import switchboard as module
from hub.gateway.switchboard import Plan, Switchboard


class FakeLink:
    """A link that does what the test says."""

    def __init__(self, name: str, run: Any = None) -> None:
        self.name = name
        self.state: LinkState = "up"
        self.reason = ""
        self.sent: list[str] = []
        self.running = asyncio.Event()
        self._run = run

    async def run(self, hear: Hear) -> None:
        """Run until cancelled, or as the test says."""
        self.running.set()
        if self._run is not None:
            await self._run(hear)
            return
        await asyncio.Event().wait()

    async def send(self, address: str, outgoing: Outgoing) -> None:
        """Remember what was sent."""
        self.sent.append(address)

    def health(self) -> LinkHealth:
        """As the test says."""
        return LinkHealth(self.state, reason=self.reason)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting in tests."""
    monkeypatch.setattr(module, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(module, "SETTLED_AFTER", 0.0)
    monkeypatch.setattr(module, "LOOK_EVERY", 0.0)


@pytest.fixture
def told() -> list[tuple[str, str, str]]:
    """Changes told: link, state, reason."""
    return []


@pytest.fixture
async def board(told: list[tuple[str, str, str]]) -> AsyncIterator[Switchboard]:
    """A switchboard being watched."""

    async def hear(_frame: Frame) -> Receipt:
        return Receipt(accepted=True)

    async def on_change(name: str, health: LinkHealth) -> None:
        told.append((name, health.state, health.reason))

    board = Switchboard(hear, on_change)
    task = asyncio.create_task(board.watch())
    yield board
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert all(running.task.done() for running in board._links.values())


def plan(link: FakeLink, kind: str = "mqtt", fingerprint: str = "1") -> Plan:
    """A plan that always gives this link."""
    return Plan(fingerprint, lambda: link, lambda asked, _address: asked == kind)


async def until(condition: Any) -> None:
    """Wait for the event itself."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


async def test_a_link_that_breaks_is_started_again(board: Switchboard) -> None:
    """Whatever a link raises, it is made anew and run again."""
    starts: list[int] = []

    async def breaks(_hear: Hear) -> None:
        starts.append(len(starts))
        if len(starts) < 4:
            raise OSError("unplugged")
        await asyncio.Event().wait()

    await board.change({"serial:x": Plan("1", lambda: FakeLink("x", breaks), lambda _k, _a: True)})
    await until(lambda: len(starts) == 4)


async def test_states_are_told_when_they_change(board: Switchboard, told: list[tuple[str, str, str]]) -> None:
    """Up, down with the reason, and up again: one line each."""
    link = FakeLink("mqtt")
    await board.change({"mqtt": plan(link)})
    await until(lambda: told)
    link.state, link.reason = "down", "the broker is not there"
    await until(lambda: len(told) == 2)
    link.state, link.reason = "up", ""
    await until(lambda: len(told) == 3)
    assert told == [("mqtt", "up", ""), ("mqtt", "down", "the broker is not there"), ("mqtt", "up", "")]


async def test_settings_that_cannot_be_meant_are_told(
    board: Switchboard, told: list[tuple[str, str, str]]
) -> None:
    """A link that cannot be made is down with the sentence; the others run."""

    def wrong() -> FakeLink:
        raise ValueError("a serial line is written like 9600 8N1")

    fine = FakeLink("mqtt")
    await board.change({"serial:x": Plan("1", wrong, lambda kind, _a: kind == "serial"), "mqtt": plan(fine)})
    await until(lambda: len(told) == 2)
    assert ("serial:x", "down", "a serial line is written like 9600 8N1") in told
    with pytest.raises(LinkDown, match="9600 8N1"):
        await board.send("serial", "x", Outgoing("", b""))


async def test_sending_finds_the_link(board: Switchboard) -> None:
    """Bytes go out over the link that carries the device; a device on no link is a sentence."""
    mqtt, ble = FakeLink("mqtt"), FakeLink("ble")
    await board.change({"mqtt": plan(mqtt), "ble": plan(ble, "ble")})
    await ble.running.wait()
    await board.send("ble", "aa:bb", Outgoing("", b""))
    assert (mqtt.sent, ble.sent) == ([], ["aa:bb"])
    with pytest.raises(LinkDown, match="no sip link"):
        await board.send("sip", "12", Outgoing("", b""))


async def test_a_changed_registry_touches_only_changed_links(board: Switchboard) -> None:
    """A link with the same make-up runs on; one that changed is made anew; one that is gone ends."""
    same, old, gone, new = FakeLink("same"), FakeLink("old"), FakeLink("gone"), FakeLink("new")
    await board.change({"a": plan(same), "b": plan(old), "c": plan(gone)})
    for link in (same, old, gone):
        await link.running.wait()
    tasks = {name: running.task for name, running in board._links.items()}
    await board.change({"a": plan(same), "b": plan(new, fingerprint="2")})
    await new.running.wait()
    assert not tasks["a"].done()
    assert tasks["b"].done()
    assert tasks["c"].done()
    assert set(board.health()) == {"a", "b"}
