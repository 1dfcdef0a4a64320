"""The wires of a crowd: one connection, on which each device has faults of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from simulators.mqtt.half_said import half_said
from simulators.mqtt.trunk import Trunk
from simulators.mqtt_devices.said import Said
from simulators.mqtt_devices.troubled import Troubled
from simulators.scenario.plan import Trouble


@dataclass(slots=True)
class Ways:
    """The wires of those devices of a crowd that have or had a fault; the others' messages go straight out."""

    trunk: Trunk
    broker: str
    name: str
    speed: float
    troubled: dict[str, Troubled] = field(default_factory=dict)
    breaking: set[str] = field(default_factory=set)
    _half_said: set[asyncio.Task[bool]] = field(default_factory=set)

    def fail(self, trouble: Trouble, *, over: bool) -> bool:
        """Take a fault of the wire on or off; false where it is none."""
        if trouble.do == "link_lost":
            self.breaking.add(trouble.device)
            return True
        way = self.troubled.setdefault(trouble.device, Troubled(trouble.device, self.speed))
        return way.fail(trouble, over=over)

    def say(self, device: str, said: Said) -> bool:
        """Send what is left of a message; false where the device will have noticed that it did not go out."""
        if device in self.breaking:
            self.breaking.discard(device)
            self._break_off(device, said)
            return True
        if (way := self.troubled.get(device)) is None:
            return self.trunk.say(said.topic, said.payload, retain=said.retain)
        way.put([said], self._out)
        return True

    def _out(self, said: Said) -> None:
        self.trunk.say(said.topic, said.payload, retain=said.retain)

    def _break_off(self, device: str, said: Said) -> None:
        saying = half_said(self.broker, f"{self.name}-{device}", said.topic, said.payload)
        task = asyncio.get_running_loop().create_task(saying)
        self._half_said.add(task)
        task.add_done_callback(self._half_said.discard)
