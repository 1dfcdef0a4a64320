"""Devices of other makers in a scenario: beats become what each maker's wire says, commands what its device does.

One home's devices of all families are one stand-in (`Speaking` of simulators.mqtt_devices.wire): their bridges share
the home's connection. Their addresses follow from home and device: `zigbee2mqtt/{home}/{device}`, `nuki/{ID}`,
`application/…/device/{eui}`, `homeassistant/sim/{device}` announced by discovery.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from simulators.mqtt_devices.chirpstack_network import LoraButton
from simulators.mqtt_devices.home_assistant_device import AnnouncedDevice
from simulators.mqtt_devices.nuki_lock import LOCKED, UNLOCKED, NukiLock
from simulators.mqtt_devices.said import Said
from simulators.mqtt_devices.troubled import Troubled
from simulators.mqtt_devices.wire import Wire
from simulators.mqtt_devices.zigbee_bridge import ZigbeeBridge, ZigbeeDevice
from simulators.scenario.model import Beat, Device, Home
from simulators.scenario.plan import Trouble

ZIGBEE_SORT: Mapping[str, str] = {
    "door": "contact", "motion": "motion", "smoke": "smoke", "water": "water", "safety_pendant": "button",
    "lock": "lock",
}  # fmt: skip
ANNOUNCED_SORT: Mapping[str, str] = {
    "door": "contact", "motion": "motion", "smoke": "smoke", "water": "water", "bed": "mat",
    "safety_pendant": "button", "lock": "lock", "climate": "climate",
}  # fmt: skip
"""Type in a scenario → sort of stand-in."""

LOW = 9
"""Percent that a device shows whose battery is low."""

NUKI_TRIGGER: Mapping[str, int] = {"button": 2, "automatic": 6, "tag": 0}
"""How a bolt was moved → trigger of the Nuki protocol; by hand where nothing else is known."""


class Stand(Protocol):
    """One device of another maker."""

    device: Device

    @property
    def topics(self) -> tuple[str, ...]:
        """What it listens on."""
        ...

    def start(self) -> Iterator[Said]:
        """What it says after connecting."""
        ...

    def say(self, beat: Beat) -> Iterator[Said]:
        """What a beat sounds like on its wire."""
        ...

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:
        """What it says to what it heard."""
        ...


# ---------------------------------------------------------------- Zigbee2MQTT


@dataclass(slots=True)
class ZigbeeStand:
    """A Zigbee device behind the home's bridge."""

    device: Device
    name: str = ""
    bridge: ZigbeeBridge = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{self.device.home}/{self.device.id}"
        level = {"battery": self.device.settings.get("battery", 80), "linkquality": 120}
        self.bridge = ZigbeeBridge({self.name: ZigbeeDevice(ZIGBEE_SORT[self.device.type], level)})

    @property
    def topics(self) -> tuple[str, ...]:
        """Commands for it."""
        return tuple(f"zigbee2mqtt/{self.name}/{verb}" for verb in ("set", "get"))

    def start(self) -> Iterator[Said]:
        """It is reachable; how it is, it says with its next report."""
        yield self.bridge.availability(self.name, online=True)

    def say(self, beat: Beat) -> Iterator[Said]:
        """A report of the whole state with what the beat changes."""
        sort, word, value = self.bridge.devices[self.name].sort, beat.word, beat.data.get("value")
        if word in ("fault", "recovered"):
            yield self.bridge.availability(self.name, online=word == "recovered")
        elif word == "pressed":
            yield self.bridge.act(self.name, "emergency")
        elif word == "motion":
            yield self.bridge.report(self.name, occupancy=False)
            yield self.bridge.report(self.name, occupancy=True)
        else:
            yield self.bridge.report(
                self.name, **_ZIGBEE.get((sort, word), lambda _: {})(value), **_level(beat)
            )

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:
        """The bridge obeys."""
        yield from self.bridge.hear(topic, payload)


def _level(beat: Beat) -> dict[str, Any]:
    """What a beat says of the device itself."""
    told: dict[str, dict[str, Any]] = {
        "battery": {"battery": beat.data.get("value")},
        "battery_low": {"battery": LOW, "battery_low": True},
        "tamper": {"tamper": True},
    }
    return told.get(beat.word, {})


_ZIGBEE: Mapping[tuple[str, str], Callable[[Any], dict[str, Any]]] = {
    ("contact", "opened"): lambda _: {"contact": False},
    ("contact", "closed"): lambda _: {"contact": True},
    ("smoke", "detected"): lambda _: {"smoke": True},
    ("smoke", "cleared"): lambda _: {"smoke": False},
    ("water", "detected"): lambda _: {"water_leak": True},
    ("water", "cleared"): lambda _: {"water_leak": False},
    ("motion", "temperature"): lambda value: {"temperature": value},
    ("motion", "humidity"): lambda value: {"humidity": value},
    ("lock", "locked"): lambda _: {"state": "LOCK", "lock_state": "locked"},
    ("lock", "unlocked"): lambda _: {"state": "UNLOCK", "lock_state": "unlocked"},
    ("lock", "jammed"): lambda _: {"state": "LOCK", "lock_state": "not_fully_locked"},
}
"""Sort and word → the properties that change."""


# ---------------------------------------------------------------- Nuki


@dataclass(slots=True)
class NukiStand:
    """A Nuki lock with its own MQTT client."""

    device: Device
    lock: NukiLock = field(init=False)

    def __post_init__(self) -> None:
        self.lock = NukiLock(nuki_id(self.device.id), battery=self.device.settings.get("battery", 80))

    @property
    def topics(self) -> tuple[str, ...]:
        """Commands for it."""
        return self.lock.topics

    def start(self) -> Iterator[Said]:
        """Everything it keeps on the broker."""
        yield from self.lock.start()

    def say(self, beat: Beat) -> Iterator[Said]:
        """The bolt moves, the battery falls, the connection comes and goes."""
        how = NUKI_TRIGGER.get(str(beat.data.get("how", "")), 1)
        if beat.word in ("locked", "unlocked", "jammed"):
            self.lock.jam = beat.word == "jammed"
            wanted = LOCKED if beat.word == "locked" else UNLOCKED
            if self.lock.state != wanted or self.lock.jam:
                yield from self.lock.turn(1 if beat.word == "unlocked" else 2, how)
        elif beat.word in ("battery", "battery_low", "heartbeat"):
            level = LOW if beat.word == "battery_low" else int(beat.data.get("value", self.lock.battery))
            yield from self.lock.drain(level)
        elif beat.word == "fault":
            yield self.lock.stop()
        elif beat.word == "recovered":
            yield from self.lock.start()

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:
        """The lock obeys."""
        yield from self.lock.hear(topic, payload)


def nuki_id(device: str) -> str:
    """Eight hex digits."""
    return f"{zlib.crc32(device.encode()):08X}"


# ---------------------------------------------------------------- LoRaWAN


@dataclass(slots=True)
class LoraStand:
    """A LoRaWAN button behind ChirpStack."""

    device: Device
    button: LoraButton = field(init=False)

    def __post_init__(self) -> None:
        self.button = LoraButton(lora_eui(self.device.id), battery=self.device.settings.get("battery", 80))

    @property
    def topics(self) -> tuple[str, ...]:
        """It listens to nothing."""
        return ()

    def start(self) -> Iterator[Said]:
        """A network does not repeat a join for us."""
        yield from ()

    def say(self, beat: Beat) -> Iterator[Said]:
        """An uplink."""
        if beat.word == "pressed":
            press = str(beat.data.get("press", "short"))
            yield self.button.press(press if press in ("short", "long", "double") else "short")
            return
        self.button.battery = int(beat.data.get("value", self.button.battery))
        yield self.button.tell_battery()

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:
        """Nothing."""
        yield from self.button.hear(topic, payload)


def lora_eui(device: str) -> str:
    """Sixteen hex digits beneath Milesight's prefix."""
    return f"24e124{zlib.crc32(device.encode()) + (len(device) << 32):010x}"


# ---------------------------------------------------------------- announced by discovery


@dataclass(slots=True)
class AnnouncedStand:
    """A device that announces itself."""

    device: Device
    unit: AnnouncedDevice = field(init=False)

    def __post_init__(self) -> None:
        level = {"battery": self.device.settings.get("battery", 80)}
        self.unit = AnnouncedDevice(ANNOUNCED_SORT[self.device.type], self.device.id, state=level)

    @property
    def topics(self) -> tuple[str, ...]:
        """What it listens on."""
        return self.unit.topics

    def start(self) -> Iterator[Said]:
        """Its announcements, and that it is there."""
        yield from self.unit.announce()
        yield Said(f"{self.unit.base}/status", b"online", retain=True)

    def say(self, beat: Beat) -> Iterator[Said]:
        """Its whole state with what the beat changes; presses go out alone."""
        word = beat.word
        if word == "pressed":
            yield self.unit.happen("press")
        elif word == "fault":
            yield self.unit.stop()
        elif word == "recovered":
            yield Said(f"{self.unit.base}/status", b"online", retain=True)
        elif word == "motion":
            yield self.unit.report(motion=False)
            yield self.unit.report(motion=True)
        else:
            told = _ANNOUNCED.get((self.unit.sort, word), lambda _: {})(beat.data.get("value"))
            self.unit.jam = word == "jammed" or (self.unit.jam and word not in ("locked", "unlocked"))
            yield self.unit.report(**told, **_level(beat))

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:
        """It obeys."""
        yield from self.unit.hear(topic, payload)


_ANNOUNCED: Mapping[tuple[str, str], Callable[[Any], dict[str, Any]]] = {
    ("contact", "opened"): lambda _: {"contact": "open"},
    ("contact", "closed"): lambda _: {"contact": "closed"},
    ("smoke", "detected"): lambda _: {"smoke": "ON"},
    ("smoke", "cleared"): lambda _: {"smoke": "OFF"},
    ("water", "detected"): lambda _: {"leak": "ON"},
    ("water", "cleared"): lambda _: {"leak": "OFF"},
    ("mat", "entered"): lambda _: {"mat": "ON"},
    ("mat", "left"): lambda _: {"mat": "OFF"},
    ("lock", "locked"): lambda _: {"bolt": "LOCKED"},
    ("lock", "unlocked"): lambda _: {"bolt": "UNLOCKED"},
    ("lock", "jammed"): lambda _: {"bolt": "JAMMED"},
    ("climate", "temperature"): lambda value: {"temperature": value},
    ("climate", "humidity"): lambda value: {"humidity": value},
}
"""Sort and word → what of the state changes."""


# ---------------------------------------------------------------- a home

STANDS: Mapping[str, Callable[[Device], Stand]] = {
    "zigbee": ZigbeeStand,
    "nuki": NukiStand,
    "lorawan": LoraStand,
    "announced": AnnouncedStand,
}


class ForeignHome:
    """All devices of other makers in a home, as one stand-in."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self.stands = {one.id: STANDS[one.family](one) for one in devices}
        self.muted: set[str] = set()

    @property
    def topics(self) -> tuple[str, ...]:
        """What they listen on."""
        return tuple(topic for one in self.stands.values() for topic in one.topics)

    def start(self) -> Iterator[Said]:
        """What they say after connecting."""
        if any(isinstance(one, ZigbeeStand) for one in self.stands.values()):
            yield Said("zigbee2mqtt/bridge/state", b'{"state":"online"}', retain=True)
        for one in self.stands.values():
            yield from one.start()

    def say(self, beat: Beat) -> Iterator[Said]:
        """What a beat sounds like; a device without power says nothing, and forgets it."""
        if beat.device not in self.muted:
            yield from self.stands[beat.device].say(beat)

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:
        """What they say to what they heard."""
        for name, one in self.stands.items():
            if topic in one.topics and name not in self.muted:
                yield from one.hear(topic, payload)


BOOT = 2.0
"""Real seconds that a device is away while it starts anew."""


class ForeignUnit:
    """A home's devices of other makers on a broker of their own connection. speed: the world's."""

    def __init__(self, home: Home, broker: str, boot: str, speed: float = 1.0) -> None:
        self.home = ForeignHome(one for one in home.devices.values() if is_foreign(one))
        self.ways = {name: Troubled(name, speed) for name in self.home.stands}
        self._breaking: set[str] = set()
        self._wire = Wire(broker, f"bridges-{home.id}-{boot}", self.home)

    def say(self, beat: Beat) -> None:
        """Publish what a beat sounds like; on a connection that breaks over it, it is lost."""
        said = self.home.say(beat)
        if beat.device in self._breaking and (first := next(said, None)) is not None:
            self._breaking.discard(beat.device)
            self._wire.line.break_off(first.topic, first.payload)
            return
        self.ways[beat.device].put(said, lambda one: self._wire.say([one]))

    def silence(self, device: str, *, over: bool) -> None:
        """Take a device's power, or give it back."""
        (self.home.muted.discard if over else self.home.muted.add)(device)

    def fail(self, trouble: Trouble, *, over: bool) -> None:
        """A fault of one device; the connection is that of all bridges of the home."""
        if self.ways[trouble.device].fail(trouble, over=over):
            return
        if trouble.do == "link_lost":
            self._breaking.add(trouble.device)
        elif trouble.do == "reboot":
            self.silence(trouble.device, over=False)
            asyncio.get_running_loop().call_later(BOOT, self._back, trouble.device)

    async def run(self) -> None:
        """The connection."""
        await self._wire.run()

    def _back(self, device: str) -> None:
        self.silence(device, over=True)
        self._wire.say(self.home.stands[device].start())


def is_foreign(device: Device) -> bool:
    """Whether another maker's wire carries it."""
    return device.kind.wire == "mqtt" and device.family != "native"
