"""Serial hardware of a scenario: plugged in below the data folder, spoken to over a cable that may have faults."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from simulators.play.unit import InTurn
from simulators.scenario.faults import amount
from simulators.scenario.model import Beat, Device
from simulators.scenario.plan import Trouble
from simulators.serial.cable import Cable, Faults
from simulators.serial.espa_unit import EspaUnit
from simulators.world import World

PRIORITY = {"alarm": "1", "high": "2", "normal": "3"}
BOOT = 2.0
"""Real seconds that hardware is away while it starts anew, or a plug is out."""
DAMAGED = 0.05
"""Share of bytes that a bad cable damages at the full chance: some blocks still come through."""
BYTES_LEFT = 5
"""Bytes that still come before a connection breaks in the middle of a block."""


class Plugged(Protocol):
    """Any simulated hardware on a serial line."""

    cable: Cable

    async def start(self, path: Path) -> None:
        """Plug in under this name."""
        ...

    async def stop(self) -> None:
        """Unplug for good."""
        ...

    async def unplug(self) -> None:
        """Pull it out."""
        ...

    async def replug(self) -> None:
        """Plug it in again under the same name."""
        ...


class LineUnit(ABC):
    """One piece of hardware at one port, for one device or several; it does one thing after the other."""

    def __init__(self, hardware: Plugged, path: Path, world: World) -> None:
        self._hardware = hardware
        self._path = path
        self._world = world
        self._turn = InTurn()
        self._broken: dict[str, Mapping[str, Any]] = {}
        self._draw = random.Random(f"{path.name}/faults")

    def say(self, beat: Beat) -> None:
        """Do what a beat says when its turn has come."""
        self._turn.put(partial(self._say, beat))

    def silence(self, device: str, *, over: bool) -> None:  # noqa: ARG002  what the plug carries falls silent
        """Pull the plug, or put it back."""
        self._turn.put(self._hardware.replug if over else self._hardware.unplug)

    def fail(self, trouble: Trouble, *, over: bool) -> None:
        """A fault begins or ends: of the cable, of the plug, or of the unit itself."""
        if trouble.do == "link_lost":
            self._hardware.cable.fail(to_program=Faults(after=BYTES_LEFT))
            self._turn.put(self._plug_out)
        elif trouble.do == "reboot":
            self._turn.put(self._restart)
        elif over:
            self._broken.pop(trouble.do, None)
        else:
            self._broken[trouble.do] = trouble.data
        if trouble.do != "link_lost":
            self._hardware.cable.fail(to_program=self._damage())

    async def run(self) -> None:
        """Plug in, then do what the beats say."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        await self._hardware.start(self._path)
        try:
            await self._turn.run()
        finally:
            await self._hardware.stop()

    def _damage(self) -> Faults:
        """What is wrong with the cable just now."""
        return Faults(
            flip=DAMAGED * self._chance("wrong_bytes"),
            drop=DAMAGED * self._chance("dropped"),
            delay=amount(self._broken["slow"], "seconds") / self._world.speed
            if "slow" in self._broken
            else 0.0,
        )

    def _chance(self, fault: str) -> float:
        return amount(self._broken[fault], "chance") if fault in self._broken else 0.0

    def _happens(self, fault: str) -> bool:
        return self._draw.random() < self._chance(fault)

    async def _plug_out(self) -> None:
        await asyncio.sleep(BOOT / 2)
        await self._restart()

    async def _restart(self) -> None:
        """Out and in again; as it starts it writes what firmware writes then."""
        await self._hardware.unplug()
        await asyncio.sleep(BOOT)
        await self._hardware.replug()
        self._hardware.cable.fail(to_program=self._damage())
        self._hardware.cable.reboot()

    async def _say(self, beat: Beat) -> None:
        await self._perform(beat)
        if self._happens("doubled"):
            await self._perform(beat)

    @abstractmethod
    async def _perform(self, beat: Beat) -> None: ...


class NurseCallUnit(LineUnit):
    """A nurse-call system; it repeats a call until it is acknowledged."""

    def __init__(self, device: Device, folder: Path, world: World) -> None:
        control = device.settings.get("role") == "control"
        self._espa = EspaUnit(role="control") if control else EspaUnit(role="station")
        super().__init__(self._espa, folder / device.settings["port"], world)

    async def _say(self, beat: Beat) -> None:
        self._espa.faults.doubled += self._happens("doubled")
        await self._perform(beat)

    async def _perform(self, beat: Beat) -> None:
        place, text = str(beat.data.get("place", "1")), str(beat.data.get("text", "CALL"))
        if beat.word == "raised":
            await self._espa.call(place, text, priority=PRIORITY.get(str(beat.data.get("priority")), "1"))
        elif beat.word == "cleared":
            await self._espa.clear(place)
        elif beat.word == "fault":
            await self._espa.fault()
