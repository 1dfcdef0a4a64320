"""The MQTT devices of one home, behind one connection: the home's router."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from simulators.mqtt.line import Line
from simulators.mqtt.lock import MOTOR, Lock
from simulators.mqtt.native import Native
from simulators.mqtt_devices.said import Said
from simulators.mqtt_devices.troubled import Troubled
from simulators.scenario.faults import amount
from simulators.scenario.model import Beat, Device, Home
from simulators.scenario.plan import Trouble
from simulators.world import World

HOUR = 3_600_000
BOOT = 2.0
"""Real seconds that a device is away while it starts anew."""

Troubles = Callable[[str], frozenset[str]]
"""Device id → the incidents that last just now."""


class MqttHome:
    """All native devices of a home. troubles: what is wrong with a device at this moment."""

    def __init__(self, home: Home, broker: str, world: World, boot: str, troubles: Troubles) -> None:
        self._troubles = troubles
        topics = (f"homes/{home.id}/devices/+/ack", f"homes/{home.id}/devices/+/command")
        self.line = Line(broker, f"simulated-{home.id}-{boot}", topics, self._heard, self._up)
        self.natives: dict[str, Native] = {}
        self.locks: dict[str, Lock] = {}
        self.ways: dict[str, Troubled] = {}
        self._breaking: set[str] = set()
        for device in home.devices.values():
            if device.kind.wire == "mqtt" and device.family == "native":
                self._install(device, world, boot)

    def say(self, beat: Beat) -> None:
        """Hand a beat to the device it belongs to."""
        lock = self.locks.get(beat.device)
        (lock or self.natives[beat.device]).say(beat)

    def silence(self, device: str, *, over: bool) -> None:
        """A device without power neither sends nor listens; what it has not delivered it sends when it is back."""
        self.natives[device].muted = not over
        if over:
            self.natives[device].wake()

    def fail(self, trouble: Trouble, *, over: bool) -> None:
        """A fault of one device; the connection is the home's router's, and all lose it together."""
        native = self.natives[trouble.device]
        if self.ways[trouble.device].fail(trouble, over=over):
            return
        if trouble.do == "clock_wrong":
            native.clock = 0 if over else round(amount(trouble.data, "hours") * HOUR)
        elif trouble.do == "link_lost":
            self._breaking.add(trouble.device)
        elif trouble.do == "reboot":
            self.silence(trouble.device, over=False)
            asyncio.get_running_loop().call_later(BOOT, lambda: self.silence(trouble.device, over=True))

    async def run(self) -> None:
        """The connection and every device's own loop."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.line.run())
            for native in self.natives.values():
                tasks.create_task(native.run())

    @property
    def waiting(self) -> int:
        """Events that the hub has not acknowledged yet."""
        return sum(len(native.waiting) for native in self.natives.values())

    def _install(self, device: Device, world: World, boot: str) -> None:
        way = self.ways[device.id] = Troubled(device.id, world.speed)

        async def publish(topic: str, payload: bytes) -> bool:
            if device.id in self._breaking:
                self._breaking.discard(device.id)
                self.line.break_off(topic, payload)
                return False
            return await way.carry(Said(topic, payload), self._carry)

        native = Native(device.home, device.id, publish, boot)
        if device.type == "lock":
            motor = device.settings.get("motor", MOTOR)
            lock = Lock(world, lambda: self._troubles(device.id), motor, native=native)
            native.answering = lock
            self.locks[device.id] = lock
        self.natives[device.id] = native

    async def _carry(self, said: Said) -> bool:
        return await self.line.publish(said.topic, said.payload, retain=said.retain)

    def _heard(self, topic: str, payload: bytes) -> None:
        parts = topic.split("/")
        if len(parts) == 5 and (native := self.natives.get(parts[3])):
            native.heard(parts[4], payload)

    def _up(self) -> None:
        for native in self.natives.values():
            native.wake()
