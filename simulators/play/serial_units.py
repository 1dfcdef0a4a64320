"""A nurse-call system of a scenario on its serial line."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from simulators.play.unit import InTurn
from simulators.scenario.model import Beat, Device
from simulators.serial.espa_unit import EspaUnit

PRIORITY = {"alarm": "1", "high": "2", "normal": "3"}


class NurseCallUnit:
    """Plugged in under `folder`/`port` while the scenario runs."""

    def __init__(self, device: Device, folder: Path) -> None:
        role = "control" if device.settings.get("role") == "control" else "station"
        self._espa = EspaUnit(role="control") if role == "control" else EspaUnit(role="station")
        self._path = folder / device.settings["port"]
        self._turn = InTurn()

    def say(self, beat: Beat) -> None:
        """A call, its reset or a fault of the system; it repeats a call until it is acknowledged."""
        self._turn.put(partial(self._perform, beat))

    def silence(self, device: str, *, over: bool) -> None:  # noqa: ARG002  one unit, one device
        """Pull the plug, or put it back."""
        self._turn.put(self._espa.replug if over else self._espa.unplug)

    async def run(self) -> None:
        """Plug in, then do what the beats say."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        await self._espa.start(self._path)
        try:
            await self._turn.run()
        finally:
            await self._espa.stop()

    async def _perform(self, beat: Beat) -> None:
        place, text = str(beat.data.get("place", "1")), str(beat.data.get("text", "CALL"))
        if beat.word == "raised":
            await self._espa.call(place, text, priority=PRIORITY.get(str(beat.data.get("priority")), "1"))
        elif beat.word == "cleared":
            await self._espa.clear(place)
        elif beat.word == "fault":
            await self._espa.fault()
