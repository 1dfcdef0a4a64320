"""When a demonstration's world begins to move: everybody is there and hears, or enough has been waited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.broker.external import ExternalBroker
from hub.clock import Gate, ScaledClock
from hub.settings import RunSettings, read
from hub.supervisor import running
from hub.supervisor.asking import links_of
from hub.supervisor.folder import DataFolder, Memory
from hub.supervisor.plan import Stage
from hub.supervisor.running import Running


@asynccontextmanager
async def serving(*answers: object) -> AsyncIterator[int]:
    """A gateway's /readyz on loopback: these answers in turn, the last one for ever; gives its port."""
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = left.pop(0) if len(left) > 1 else left[0]
        text = body if isinstance(body, str) else json.dumps(body)
        writer.write(f"HTTP/1.1 503 no\r\nContent-Type: application/json\r\n\r\n{text}".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def told(*states: str) -> dict[str, object]:
    """What a gateway with these links says."""
    return {"homes": ["h1"], "links": {f"l{n}": {"state": one} for n, one in enumerate(states)}}


def run_of(tmp_path: Path, port: int, said: list[str]) -> Running:
    """A run whose only gateway answers there."""
    memory = Memory(gateway="gw1", demo=True, registry="", ports={"gateway": port})
    settings = read(RunSettings, ["--data", str(tmp_path)], {})
    clock = ScaledClock(1000, 0, 240, Gate(tmp_path / "gate"))
    stage = Stage(settings, tmp_path, memory, ExternalBroker("mqtt://127.0.0.1:1"), clock)
    return Running(stage, DataFolder(tmp_path), said.append, on_ready=lambda: None)


async def test_the_day_begins_when_every_link_is_open(tmp_path: Path) -> None:
    """Not before registry and serial line are there; a fault of a radio is no reason to wait."""
    said: list[str] = []
    nothing_yet = {"homes": [], "links": {"mqtt": {"state": "up"}}}
    async with serving(nothing_yet, told("up", "opening"), "{", told("up", "degraded")) as port:
        one = run_of(tmp_path, port, said)
        await one._let_the_world_move()
    assert said == []
    assert one.stage.clock is not None
    assert one.stage.clock.gate is not None
    assert one.stage.clock.gate.opened() is not None


async def test_a_device_that_never_comes_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the gateway, and the day begins without."""
    monkeypatch.setattr(running, "LINKS_WITHIN", 0.05)
    said: list[str] = []
    async with serving(told("up", "down")) as port:
        await run_of(tmp_path, port, said)._let_the_world_move()
    assert said == ["after 0.05 s gw1 does not hear every device; the day begins"]
    assert (tmp_path / "gate").exists()


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '{"links": 1, "homes": [1]}', '{"links": {"a": 1}, "homes": ["h"]}']
)
async def test_an_answer_that_cannot_be_read_is_none(body: str) -> None:
    """Whoever listens there instead is no gateway."""
    async with serving(body) as port:
        assert await links_of(port) == {}


async def test_nobody_there_is_no_link() -> None:
    """A gateway that is not up yet."""
    async with serving("") as port:
        pass
    assert await links_of(port) == {}
