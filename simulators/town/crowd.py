"""Many homes' MQTT devices on a few connections: native devices, and makers' bridges beside them.

Commands are heard at QoS 0, as most firmware hears them; a broker that keeps books for each QoS 1 subscription has no
room for those of a whole town. A device's faults are its own: what breaks its link breaks it for no other, though they
share a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from simulators.mqtt.lock import MOTOR, Lock
from simulators.mqtt.native import Native
from simulators.mqtt.trunk import Trunk
from simulators.mqtt_devices.said import Said
from simulators.play.foreign_units import ForeignHome, is_foreign
from simulators.scenario.faults import amount
from simulators.scenario.model import Beat, Device, Home
from simulators.scenario.plan import Trouble
from simulators.town.ways import Ways
from simulators.world import World

HOMES_ON_A_TRUNK = 100
SWEEP_EVERY = 1.0
"""Real seconds between two looks for events that were not acknowledged."""

BOOT = 2.0
"""Real seconds that a device is away while it starts anew."""
HOUR = 3_600_000

Troubles = Callable[[str], frozenset[str]]


class NativeCrowd:
    """The native devices of some homes behind one connection. boot: makes this run's event ids its own."""

    def __init__(
        self, homes: Iterable[Home], broker: str, name: str, world: World, boot: str, troubles: Troubles
    ) -> None:
        listed = list(homes)
        topics = [(f"homes/{home.id}/devices/+/{part}", 0) for home in listed for part in ("ack", "command")]
        self.trunk = Trunk(broker, f"crowd-{name}-{boot}", topics, self._heard, self.wake)
        self.ways = Ways(self.trunk, broker, f"crowd-{name}-{boot}", world.speed)
        self.natives: dict[str, Native] = {}
        self.locks: dict[str, Lock] = {}
        for home in listed:
            for device in home.devices.values():
                if device.kind.wire == "mqtt" and not is_foreign(device):
                    self._install(device, world, boot, troubles)

    def say(self, beat: Beat) -> None:
        """Hand a beat to its device; it goes out at once."""
        (self.locks.get(beat.device) or self.natives[beat.device]).say(beat)
        self._send(self.natives[beat.device])

    def silence(self, device: str, *, over: bool) -> None:
        """Take a device's power, or give it back; what it could not deliver it delivers then."""
        self.natives[device].muted = not over

    def fail(self, trouble: Trouble, *, over: bool) -> None:
        """A fault of one device begins or ends."""
        if trouble.do == "clock_wrong":
            self.natives[trouble.device].clock = 0 if over else round(amount(trouble.data, "hours") * HOUR)
        elif trouble.do == "reboot":
            self.silence(trouble.device, over=False)
            asyncio.get_running_loop().call_later(BOOT, lambda: self.silence(trouble.device, over=True))
        else:
            self.ways.fail(trouble, over=over)

    async def run(self) -> None:
        """The connection, and repetitions."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.trunk.run())
            tasks.create_task(self._sweep())

    @property
    def waiting(self) -> int:
        """Events that the hub has not acknowledged yet."""
        return sum(len(one.waiting) for one in self.natives.values())

    @property
    def acknowledged(self) -> int:
        """Events that it has."""
        return sum(one.acknowledged for one in self.natives.values())

    @property
    def oldest(self) -> float | None:
        """Loop time at which what waits longest was first said, of devices in order; None where nothing waits."""
        waiting = [
            next(iter(one.waiting.values())).first
            for one in self.natives.values()
            if one.waiting and not one.muted and one.device not in self.ways.troubled
        ]
        return min((first for first in waiting if first), default=None)

    def wake(self) -> None:
        """The connection is back: everything unacknowledged is sent again."""
        for native in self.natives.values():
            native.wake()
            self._send(native)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            for native in self.natives.values():
                self._send(native)

    def _send(self, native: Native) -> None:
        """Send what is new, and what was sent a while ago and not acknowledged."""
        if native.muted or not native.waiting:
            return
        now = asyncio.get_running_loop().time()
        for one in tuple(native.waiting.values()):
            if one.is_due(now) and self.ways.say(native.device, Said(f"{native.root}/event", one.payload)):
                one.note(now)

    def _install(self, device: Device, world: World, boot: str, troubles: Troubles) -> None:
        async def publish(topic: str, payload: bytes) -> bool:
            return self.ways.say(device.id, Said(topic, payload))

        native = Native(device.home, device.id, publish, boot)
        if device.type == "lock":
            motor = device.settings.get("motor", MOTOR)
            lock = Lock(world, lambda: troubles(device.id), motor, native=native)
            native.answering = lock
            self.locks[device.id] = lock
        self.natives[device.id] = native

    def _heard(self, topic: str, payload: bytes) -> None:
        parts = topic.split("/")
        if len(parts) == 5 and (native := self.natives.get(parts[3])):
            native.heard(parts[4], payload)
            if parts[4] == "command":
                self._send(native)


class ForeignCrowd:
    """Devices of other makers of some homes behind one connection; best effort, as their protocols are."""

    def __init__(self, homes: Iterable[Home], broker: str, name: str, world: World, boot: str) -> None:
        devices = [one for home in homes for one in home.devices.values() if is_foreign(one)]
        self.home = ForeignHome(devices)
        self._listening = {topic: stand for stand in self.home.stands.values() for topic in stand.topics}
        topics = [(topic, 0) for topic in self._listening]
        self.trunk = Trunk(broker, f"bridges-{name}-{boot}", topics, self._heard, self._up)
        self.ways = Ways(self.trunk, broker, f"bridges-{name}-{boot}", world.speed)

    def say(self, beat: Beat) -> None:
        """Publish what a beat sounds like; while the broker is away it is lost."""
        self._publish(beat.device, self.home.say(beat))

    def silence(self, device: str, *, over: bool) -> None:
        """Take a device's power, or give it back."""
        (self.home.muted.discard if over else self.home.muted.add)(device)

    def fail(self, trouble: Trouble, *, over: bool) -> None:
        """A fault of one device begins or ends."""
        if trouble.do == "reboot":
            self.silence(trouble.device, over=False)
            asyncio.get_running_loop().call_later(BOOT, self._back, trouble.device)
        else:
            self.ways.fail(trouble, over=over)

    async def run(self) -> None:
        """The connection."""
        await self.trunk.run()

    def _back(self, device: str) -> None:
        self.silence(device, over=True)
        self._publish(device, self.home.stands[device].start())

    def _up(self) -> None:
        for one in self.home.start():
            self.trunk.say(one.topic, one.payload, retain=one.retain)

    def _heard(self, topic: str, payload: bytes) -> None:
        stand = self._listening.get(topic)
        if stand is not None and stand.device.id not in self.home.muted:
            self._publish(stand.device.id, stand.hear(topic, payload))

    def _publish(self, device: str, messages: Iterator[Said]) -> None:
        for one in messages:
            self.ways.say(device, one)
