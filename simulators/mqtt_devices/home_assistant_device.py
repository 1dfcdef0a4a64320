"""A device that announces itself by Home Assistant's MQTT discovery, as firmwares and bridges do.

Source: Home Assistant documentation, "MQTT: discovery" (abbreviations, `~`, one message an entity or one for the
whole device) and the pages of its MQTT binary sensor, sensor, lock, climate and event. State is one JSON document on
`~/state`, kept by the broker; what happens once goes out on `~/event` and is not kept; `~/status` carries the last
will.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulators.mqtt_devices.said import Said

PREFIX = "homeassistant"

SORTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "contact": {"contact": {"p": "binary_sensor", "dev_cla": "door", "pl_on": "open", "pl_off": "closed"}},
    "motion": {"motion": {"p": "binary_sensor", "dev_cla": "motion", "pl_on": True, "pl_off": False}},
    "mat": {"mat": {"p": "binary_sensor", "dev_cla": "occupancy"}},
    "smoke": {
        "smoke": {"p": "binary_sensor", "dev_cla": "smoke"},
        "tamper": {"p": "binary_sensor", "dev_cla": "tamper"},
    },
    "water": {"leak": {"p": "binary_sensor", "dev_cla": "moisture"}},
    "climate": {
        "temperature": {"p": "sensor", "dev_cla": "temperature", "unit_of_meas": "°C"},
        "humidity": {"p": "sensor", "dev_cla": "humidity", "unit_of_meas": "%"},
    },
    "thermostat": {
        "valve": {"p": "climate", "modes": ["heat", "off"], "temp_unit": "C", "temp_cmd_t": "~/set"}
    },
    "button": {"button": {"p": "event", "dev_cla": "button", "evt_typ": ["press", "double", "hold"]}},
    "lock": {"bolt": {"p": "lock", "cmd_t": "~/set"}},
    "lamp": {"light": {"p": "light", "cmd_t": "~/set"}},
}
"""What each sort of device has, beside its battery."""

BATTERY: Mapping[str, Any] = {"p": "sensor", "dev_cla": "battery", "unit_of_meas": "%"}
MOVED = {"LOCK": "LOCKED", "UNLOCK": "UNLOCKED"}


@dataclass(slots=True)
class AnnouncedDevice:
    """One device. name: its identifier and part of its topics. at_once: one message for all its entities."""

    sort: str
    name: str
    at_once: bool = False
    state: dict[str, Any] = field(default_factory=lambda: {"battery": 100})
    jam: bool = False

    @property
    def base(self) -> str:
        """The branch of topics its maker gave it."""
        return f"{PREFIX}/sim/{self.name}"

    @property
    def topics(self) -> tuple[str, ...]:
        """What it listens on."""
        return (f"{self.base}/set",)

    def start(self) -> Iterator[Said]:
        """Announce itself, say that it is there and how things are."""
        yield from self.announce()
        yield Said(f"{self.base}/status", b"online", retain=True)
        yield self.report()

    def stop(self) -> Said:
        """What its last will says."""
        return Said(f"{self.base}/status", b"offline", retain=True)

    def announce(self) -> Iterator[Said]:
        """Its announcements, kept by the broker."""
        parts = {
            name: self._entity(name, one) for name, one in {**SORTS[self.sort], "battery": BATTERY}.items()
        }
        about = {
            "dev": {
                "ids": [self.name],
                "name": self.name.title(),
                "mf": "Simulated",
                "mdl": f"SIM-{self.sort}",
            }
        }
        shared = {"~": self.base, "avty_t": "~/status", **about, "o": {"name": "sim"}}
        if self.at_once:
            yield self._kept(f"{PREFIX}/device/{self.name}/config", {**shared, "cmps": parts})
            return
        for name, one in parts.items():
            own = {k: v for k, v in one.items() if k != "p"}
            yield self._kept(f"{PREFIX}/{one['p']}/{self.name}/{name}/config", {**shared, **own})

    def take_back(self) -> Iterator[Said]:
        """An empty announcement takes an entity back."""
        for said in self.announce():
            yield Said(said.topic, b"", retain=True)

    def report(self, **changes: Any) -> Said:
        """Something changed; the whole state is published."""
        self.state.update(changes)
        return self._kept(f"{self.base}/state", self.state)

    def happen(self, event_type: str, **more: Any) -> Said:
        """Something happened once."""
        return Said(f"{self.base}/event", json.dumps({"event_type": event_type, **more}).encode())

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:  # noqa: ARG002  the shape of a device
        """Obey a lock command; the motor takes its way, or stops on it."""
        word = payload.decode(errors="replace")
        if self.sort != "lock" or word not in MOVED:
            return
        yield self.report(bolt=f"{word}ING")
        yield self.report(bolt="JAMMED" if self.jam else MOVED[word])

    def _entity(self, name: str, one: Mapping[str, Any]) -> dict[str, Any]:
        return {**one, **_where(one["p"], name), "name": name, "uniq_id": f"{self.name}_{name}"}

    def _kept(self, topic: str, body: Mapping[str, Any]) -> Said:
        return Said(topic, json.dumps(body).encode(), retain=True)


def _where(platform: str, name: str) -> dict[str, str]:
    """Where an entity speaks, and where in that its value stands."""
    value = f"{{{{ value_json.{name} }}}}"
    if platform == "event":
        return {"stat_t": "~/event"}
    if platform == "climate":
        return {"curr_temp_t": "~/state", "curr_temp_tpl": value}
    return {"stat_t": "~/state", "val_tpl": value}
