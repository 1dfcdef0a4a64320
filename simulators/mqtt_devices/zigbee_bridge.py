"""A Zigbee2MQTT bridge with devices behind it.

Source: Zigbee2MQTT documentation, "MQTT Topics and Messages" and "Exposes". The bridge publishes a device's whole
state whenever one property changes; `action` is added for the moment only.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulators.mqtt_devices.said import Said

BASE = "zigbee2mqtt"

EXPOSES: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "contact": ({"type": "binary", "property": "contact", "value_on": False, "value_off": True},),
    "motion": ({"type": "binary", "property": "occupancy", "value_on": True, "value_off": False},),
    "vibration": (
        {"type": "binary", "property": "vibration", "value_on": True, "value_off": False},
        {"type": "enum", "property": "action", "values": ["vibration", "tilt", "drop"]},
    ),
    "smoke": ({"type": "binary", "property": "smoke", "value_on": True, "value_off": False},),
    "water": ({"type": "binary", "property": "water_leak", "value_on": True, "value_off": False},),
    "button": ({"type": "enum", "property": "action", "values": ["emergency", "single", "double", "hold"]},),
    "sos": ({"type": "binary", "property": "sos", "value_on": True, "value_off": False},),
    "climate": (
        {"type": "numeric", "property": "temperature", "unit": "°C"},
        {"type": "numeric", "property": "humidity", "unit": "%"},
    ),
    "lock": (
        {
            "type": "lock",
            "features": [
                {"type": "binary", "property": "state", "value_on": "LOCK", "value_off": "UNLOCK"},
                {
                    "type": "enum",
                    "property": "lock_state",
                    "values": ["not_fully_locked", "locked", "unlocked"],
                },
            ],
        },
    ),
}
"""What each sort of device exposes, beside battery and link quality, which all have."""

_ALWAYS = (
    {"type": "numeric", "property": "battery", "unit": "%"},
    {"type": "numeric", "property": "linkquality", "unit": "lqi"},
)

_MOVED = {"LOCK": "locked", "UNLOCK": "unlocked"}


@dataclass(slots=True)
class ZigbeeDevice:
    """One device. jam: its bolt does not reach its place."""

    sort: str
    state: dict[str, Any] = field(default_factory=lambda: {"battery": 100, "linkquality": 120})
    jam: bool = False

    def definition(self, name: str) -> dict[str, Any]:
        """Its entry in `bridge/devices`."""
        exposes = [*EXPOSES[self.sort], *_ALWAYS]
        about = {"model": f"SIM-{self.sort}", "vendor": "Simulated", "exposes": exposes}
        return {"ieee_address": f"0x{zlib.crc32(name.encode()):016x}", "friendly_name": name, "type": "EndDevice",
                "supported": True, "definition": about}  # fmt: skip


@dataclass(slots=True)
class ZigbeeBridge:
    """The bridge. devices: by friendly name, which may contain slashes."""

    devices: dict[str, ZigbeeDevice]

    @property
    def topics(self) -> tuple[str, ...]:
        """What it listens on."""
        return (f"{BASE}/+/set", f"{BASE}/+/get", f"{BASE}/+/+/set", f"{BASE}/+/+/get")

    def start(self) -> Iterator[Said]:
        """Say that the bridge is there, what it knows, and who is reachable."""
        yield Said(f"{BASE}/bridge/state", b'{"state":"online"}', retain=True)
        known = [device.definition(name) for name, device in self.devices.items()]
        yield Said(f"{BASE}/bridge/devices", json.dumps(known).encode(), retain=True)
        for name in self.devices:
            yield self.availability(name, online=True)

    def stop(self) -> Said:
        """What its last will says."""
        return Said(f"{BASE}/bridge/state", b'{"state":"offline"}', retain=True)

    def availability(self, name: str, *, online: bool) -> Said:
        """Whether a device answers."""
        word = "online" if online else "offline"
        return Said(f"{BASE}/{name}/availability", json.dumps({"state": word}).encode(), retain=True)

    def report(self, name: str, **changes: Any) -> Said:
        """Some properties of a device changed; its whole state is published."""
        device = self.devices[name]
        device.state.update(changes)
        return Said(f"{BASE}/{name}", json.dumps(device.state).encode())

    def act(self, name: str, action: str) -> Said:
        """Somebody did something; the next report does not repeat it."""
        state = {**self.devices[name].state, "action": action}
        return Said(f"{BASE}/{name}", json.dumps(state).encode())

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:
        """Obey `set` and `get`; what cannot be read is ignored, as the bridge does but for a line in its log."""
        name, _, verb = topic.removeprefix(f"{BASE}/").rpartition("/")
        device = self.devices.get(name)
        try:
            asked = json.loads(payload)
        except ValueError:
            return
        if device is None or not isinstance(asked, dict):
            return
        if verb == "get":
            yield self.report(name)
        elif verb == "set" and device.sort == "lock" and asked.get("state") in _MOVED:
            reached = "not_fully_locked" if device.jam else _MOVED[asked["state"]]
            yield self.report(name, state=asked["state"], lock_state=reached)
