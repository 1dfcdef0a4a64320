"""What Home Assistant is shown of our devices: entities made from the catalogue, and what their events say. Pure.

A state of two values becomes a binary sensor, a number a sensor, any other state a sensor with its few words
(a jammed or unknown bolt is neither on nor off). What happens once becomes an event. Nothing here takes a command:
a door of ours opens for a reason that somebody stated to us (DESIGN.md, promise 6), which Home Assistant cannot say.
Source: Home Assistant documentation, "MQTT: discovery", MQTT binary sensor, sensor, event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final

from drivers.catalogue import CATALOGUE, FactSpec
from drivers.catalogue.every_class import CLASSES
from drivers.events import Event, Value, iso
from hub.gateway.roll import Assigned

ON: Final[Mapping[str, tuple[str, str, str | None]]] = MappingProxyType(
    {
        "door.leaf": ("open", "closed", "door"),
        "smoke.alarm": ("on", "off", "smoke"),
        "heat.alarm": ("on", "off", "heat"),
        "gas.alarm": ("on", "off", "gas"),
        "co.alarm": ("on", "off", "carbon_monoxide"),
        "water.alarm": ("on", "off", "moisture"),
        "room.presence": ("yes", "no", "occupancy"),
        "bed.occupied": ("yes", "no", "occupancy"),
        "chair.occupied": ("yes", "no", "occupancy"),
        "call.line": ("raised", "clear", None),
        "dispenser.mains": ("on", "off", "power"),
    }
)
"""State → its value that is on, the one that is off, and Home Assistant's class of it."""

MEASURES: Final[Mapping[str, str]] = MappingProxyType(
    {"battery": "battery", "temperature": "temperature", "humidity": "humidity", "weight": "weight"}
)
"""Second half of a state that is a number → Home Assistant's class; others have a unit and no class."""

MOTION_LASTS: Final = 60
"""Seconds after which Home Assistant takes a movement back; ours has no end."""

NOT_SHOWN: Final = frozenset({"heartbeat"})
PROBLEM: Final[Mapping[str, str]] = MappingProxyType({"fault": "ON", "recovered": "OFF"})


@dataclass(frozen=True, slots=True)
class Shown:
    """One entity. key: unique on its device, and the last part of its topic. config: without topics and device."""

    component: str
    key: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Word:
    """What one event says to one entity. kept: the broker shall keep it, since it stays so."""

    shown: Shown
    payload: bytes
    kept: bool


def at_first(device: Assigned) -> Iterator[Shown]:
    """What is shown of a device from the start: all that its class can say."""
    own = device.part.device_class
    return (one for one in possible(device) if one.key.split("_")[0] == own)


def possible(device: Assigned) -> Iterable[Shown]:
    """Everything its type might ever say."""
    return {
        one.key: one for kind in sorted(device.type.emits) for one in _shown(CATALOGUE.spec(kind), device)
    }.values()


def words(event: Event, device: Assigned) -> Iterator[Word]:
    """What an event says, entity by entity."""
    spec = CATALOGUE.spec(event.kind)
    fact = spec.kind.partition(".")[2]
    if fact in NOT_SHOWN:
        return
    if fact in PROBLEM:
        yield Word(_problem(spec.device_class, _of(spec, device)), PROBLEM[fact].encode(), kept=True)
    elif spec.kind == "room.motion":
        yield Word(_motion(), b"ON", kept=False)
    elif spec.sets:
        for name, rule in spec.sets.items():
            if (value := _value(rule, event.data)) is not None:
                yield Word(_state(name), value.encode(), kept=True)
    else:
        said = {**event.data, "event_type": fact, "at": iso(event.at)}
        shown = _happening(spec.device_class, device.type.emits, _of(spec, device))
        yield Word(shown, _json(said), kept=False)


def _shown(spec: FactSpec, device: Assigned) -> Iterator[Shown]:
    fact = spec.kind.partition(".")[2]
    if fact in NOT_SHOWN:
        return
    if fact in PROBLEM:
        yield _problem(spec.device_class, _of(spec, device))
    elif spec.kind == "room.motion":
        yield _motion()
    elif spec.sets:
        yield from (_state(name) for name in spec.sets)
    else:
        yield _happening(spec.device_class, device.type.emits, _of(spec, device))


def _of(spec: FactSpec, device: Assigned) -> str:
    """Whose entity it is, where the device itself is of another class: a care phone that tells of a smoke detector."""
    return "" if spec.device_class == device.part.device_class else CLASSES[spec.device_class]["nb"]


def _named(what: str, of: str) -> str:
    return f"{of}: {what.lower()}" if of else what


def _value(rule: str, data: Mapping[str, Value]) -> str | None:
    """The value of a state: a word, or what a field holds; a field that is missing leaves it as it was."""
    if not rule.startswith("="):
        return rule
    found = data.get(rule[1:])
    if isinstance(found, bool):
        return "yes" if found else "no"
    return None if found is None else str(found)


@cache
def _state(name: str) -> Shown:
    spec = CATALOGUE.states[name]
    key = spec.name.replace(".", "_")
    config: dict[str, Any] = {"name": spec.words["nb"]}
    if spec.is_number:
        measure = MEASURES.get(spec.name.partition(".")[2])
        more = {"device_class": measure} if measure else {}
        return Shown(
            "sensor", key, {**config, "unit_of_measurement": spec.unit, "state_class": "measurement", **more}
        )
    if spec.name in ON:
        on, off, device_class = ON[spec.name]
        more = {"device_class": device_class} if device_class else {}
        return Shown("binary_sensor", key, {**config, "payload_on": on, "payload_off": off, **more})
    return Shown("sensor", key, {**config, "device_class": "enum", "options": list(spec.values)})


@cache
def _problem(device_class: str, of: str) -> Shown:
    config = {"name": _named("Feil", of), "device_class": "problem", "entity_category": "diagnostic"}
    return Shown("binary_sensor", f"{device_class}_problem", config)


@cache
def _motion() -> Shown:
    config = {"name": "Bevegelse", "device_class": "motion", "off_delay": MOTION_LASTS}
    return Shown("binary_sensor", "room_motion", config)


@cache
def _happening(device_class: str, emits: frozenset[str], of: str) -> Shown:
    """One event entity a class, with everything of it that happens and sets no state."""
    types = sorted(
        kind.partition(".")[2]
        for kind in emits
        if kind.startswith(f"{device_class}.") and kind != "room.motion" and not CATALOGUE.spec(kind).sets
        and kind.partition(".")[2] not in NOT_SHOWN | PROBLEM.keys()
    )  # fmt: skip
    return Shown("event", f"{device_class}_events", {"name": _named("Hendelser", of), "event_types": types})


# ---------------------------------------------------------------- announcements


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gateway's announcements and states go. prefix: Home Assistant's, `homeassistant` as a rule."""

    prefix: str
    gateway: str

    @property
    def node(self) -> str:
        """What tells our announcements from everybody else's."""
        return f"trygghub_{self.gateway}"

    @property
    def status(self) -> str:
        """Where the gateway says that it is there; its last will too."""
        return f"trygghub/{self.gateway}/status"

    @property
    def own_configs(self) -> str:
        """The topic filter of our own announcements."""
        return f"{self.prefix}/+/{self.node}/+/config"

    def device_status(self, device: str) -> str:
        """Where we say whether a device is heard."""
        return f"trygghub/{self.gateway}/{device}/status"

    def state(self, device: str, shown: Shown) -> str:
        """Where an entity's state or events go."""
        return f"trygghub/{self.gateway}/{device}/{shown.key}"

    def config(self, device: str, shown: Shown) -> str:
        """Where an entity is announced."""
        return f"{self.prefix}/{shown.component}/{self.node}/{device}-{shown.key}/config"

    def announcement(self, device: Assigned, shown: Shown) -> bytes:
        """The announcement of one entity."""
        return _json(
            {
                **shown.config,
                "unique_id": f"{self.node}_{device.id}_{shown.key}",
                "state_topic": self.state(device.id, shown),
                "availability": [{"topic": self.status}, {"topic": self.device_status(device.id)}],
                "availability_mode": "all",
                "device": self._about(device),
                "origin": {"name": "trygghub", "sw_version": version("trygghub")},
            }
        )

    def told_of(self, announcement: bytes) -> list[str]:
        """The topics of ours that an announcement names; nothing of one that is not ours or makes no sense."""
        try:
            config = json.loads(announcement)
            named = [config["state_topic"], *(one["topic"] for one in config["availability"])]
        except (ValueError, KeyError, TypeError):
            return []
        ours = f"trygghub/{self.gateway}/"
        return [one for one in named if isinstance(one, str) and one.startswith(ours) and one != self.status]

    def _about(self, device: Assigned) -> dict[str, Any]:
        """Never the resident's name: Home Assistant shows things, and others than us may read it."""
        part = device.part
        about = {
            "identifiers": [f"{self.node}_{device.id}"],
            "name": part.name or device.id,
            "manufacturer": device.type.vendor,
            "model": device.type.product,
        }
        return {**about, "suggested_area": part.room} if part.room else about


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
