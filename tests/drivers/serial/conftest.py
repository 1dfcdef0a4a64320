"""Props of the serial tests: a gateway's ear that remembers, and links on real ptys."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from drivers.device_type import DeviceType, Unit
from drivers.events import DecodeError, Fact, Frame
from drivers.links.back_off import BackOff
from drivers.links.link import LinkHealth, Receipt
from drivers.links.serial import SerialLink
from drivers.links.serial_settings import LineSettings
from drivers.protocols.line import LineMachine
from hub.clock import ManualClock

settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")  # busy machines have no deadline, and every run draws the same


@dataclass
class Ear:
    """What the gateway would do with frames: note them down, decode them, say so. `gate` delays the commit."""

    device: DeviceType
    settings: dict[str, Any] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    units: dict[str, Unit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self, frame: Frame) -> Receipt:
        """Take a frame, wait for the gate, decode it."""
        self.frames.append(frame)
        async with self.changed:
            self.changed.notify_all()
        await self.gate.wait()
        unit = self.units.setdefault(frame.address, Unit(frame.address, settings=self.settings))
        try:
            found = [fact for fact in self.device.decode(frame, unit) if isinstance(fact, Fact)]
            receipt = Receipt(accepted=True)
        except DecodeError as wrong:
            self.errors.append(str(wrong))
            found, receipt = [], Receipt(accepted=True, error=str(wrong))
        self.facts += found
        async with self.changed:
            self.changed.notify_all()
        return receipt

    async def until(self, holds: Callable[[], bool], within: float = 30.0) -> None:
        """Wait until something that a frame brings about holds."""
        async with asyncio.timeout(within), self.changed:
            await self.changed.wait_for(holds)

    def of(self, kind: str) -> list[Fact]:
        """The facts of one kind so far."""
        return [fact for fact in self.facts if fact.kind == kind]


@dataclass
class Running:
    """A link that runs, and the states it went through."""

    link: SerialLink
    states: list[LinkHealth] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, health: LinkHealth) -> None:
        """The link tells of a change."""
        self.states.append(health)
        self.changed.set()

    async def until(self, state: str, within: float = 30.0) -> LinkHealth:
        """Wait until the link is in this state."""
        async with asyncio.timeout(within):
            while self.link.health().state != state:
                self.changed.clear()
                await self.changed.wait()
        return self.link.health()


@pytest.fixture
def make_ear() -> type[Ear]:
    """Make a gateway's ear for a device type."""
    return Ear


OpenLink = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def open_link(tmp_path: Path) -> OpenLink:
    """Run a link on a port of this test, with quick and seeded back-off."""

    @asynccontextmanager
    async def opened(
        machine: LineMachine, ear: Ear, name: str = "port", line: str = "9600 7E2", url: str = ""
    ) -> AsyncIterator[Running]:
        running: list[Running] = []
        back_off = BackOff(0.01, 0.05, random.Random(1))
        link = SerialLink(
            name,
            url or str(tmp_path / name),
            machine,
            LineSettings.parse(line),
            ManualClock().now,
            back_off=back_off,
            on_change=lambda health: running[0].note(health),  # noqa: PLW0108  it does not exist yet
        )
        running.append(Running(link))
        task = asyncio.create_task(link.run(ear))
        try:
            yield running[0]
        finally:
            task.cancel()
            await asyncio.wait({task})

    return opened
