"""An electronic door lock on MQTT: a motor that takes its time, jams when the scenario says so, and refuses.

Commands: `lock`, `unlock`, `state`. It never says done before the bolt has moved, never moves for a command that
has expired, and moves once for one command however often it is delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simulators.mqtt.native import Native
from simulators.scenario.model import Beat, Millis
from simulators.world import World

MOTOR = 3.0
"""World seconds the bolt takes."""
SLOW = 25.0
"""World seconds it takes longer while the scenario makes it slow."""

MOVES = {"lock": "locked", "unlock": "unlocked"}


@dataclass(slots=True)
class Lock:
    """The lock behind a Native. trouble: which incidents (jammed, slow, silent) last just now."""

    world: World
    trouble: Callable[[], frozenset[str]]
    motor: float = MOTOR
    bolt: str = "locked"
    native: Native | None = None
    _moving: asyncio.Lock = field(default_factory=asyncio.Lock)

    def say(self, beat: Beat) -> None:
        """Report what happens by hand at the door; the bolt follows."""
        if beat.word in {"locked", "unlocked", "jammed", "unknown"}:
            self.bolt = beat.word
        assert self.native is not None
        self.native.say(beat)

    async def obey(self, command: Mapping[str, Any]) -> tuple[str, str]:
        """Carry out one command: outcome and reason."""
        name = command.get("command")
        if (expires := expiry(command.get("expires"))) is None:
            return "refused", "a command needs 'expires', a time with its offset"
        if self.world.now() > expires:
            return "refused", "the command had expired"
        if name == "state":
            self._report(self.bolt, {})
            return "done", ""
        if name not in MOVES:
            return "refused", f"a lock knows lock, unlock and state, not {name!r:.40}"
        async with self._moving:
            return await self._move(MOVES[str(name)], command)

    async def _move(self, towards: str, command: Mapping[str, Any]) -> tuple[str, str]:
        await self.world.sleep(self.motor + (SLOW if "slow" in self.trouble() else 0.0))
        if "jammed" in self.trouble():
            self._report("jammed", {"reason": "motor blocked"})
            return "failed", "the motor is blocked"
        by = command.get("args", {}).get("by", "") if isinstance(command.get("args"), dict) else ""
        self._report(towards, {"how": "command", **({"by": by} if isinstance(by, str) and by else {})})
        return "done", ""

    def _report(self, bolt: str, data: Mapping[str, Any]) -> None:
        self.bolt = bolt
        assert self.native is not None
        self.native.report(self.world.now(), f"lock.{bolt}", data)


def expiry(written: object) -> Millis | None:
    """Read a time as ISO 8601 with offset or integer ms; None for anything else."""
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    try:
        moment = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else round(moment.timestamp() * 1000)
