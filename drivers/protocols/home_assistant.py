"""What the entities of a device mean that was adopted from Home Assistant's MQTT discovery.

The registry keeps what each entity announced (drivers.protocols.home_assistant_discovery reads announcements), so
that nobody who can publish on the broker changes what an installed device means.
Source: Home Assistant documentation, the pages of its MQTT binary sensor, sensor, event, device trigger, lock and
climate (HVAC), of which the temperature it measures is ours, and nothing that it may be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from drivers.catalogue import GENERIC
from drivers.events import DecodeError
from drivers.protocols.home_assistant_template import Template, compile_template, plain

MAX_ENTITIES = 64
LONGEST = 300

COMPONENTS: Final = ("binary_sensor", "sensor", "lock", "climate", "event", "device_automation")
"""What we can hear; lamps, switches and the like say nothing of care."""

BECAME: Final[Mapping[str, Mapping[bool, str]]] = MappingProxyType(
    {
        "lock": {True: "lock.unlocked", False: "lock.locked"},
        "smoke": {True: "smoke.detected", False: "smoke.cleared"},
        "carbon_monoxide": {True: "co.detected", False: "co.cleared"},
        "gas": {True: "gas.detected", False: "gas.cleared"},
        "heat": {True: "heat.detected", False: "heat.cleared"},
        "moisture": {True: "water.detected", False: "water.cleared"},
        "door": {True: "door.opened", False: "door.closed"},
        "garage_door": {True: "door.opened", False: "door.closed"},
        "window": {True: "door.opened", False: "door.closed"},
        "opening": {True: "door.opened", False: "door.closed"},
    }
)
"""Class of a binary sensor → what on and off mean. An opening, be it a window, is a door to us."""

OWN: Final[Mapping[str, Mapping[bool, str]]] = MappingProxyType(
    {
        "tamper": {True: "tamper"},
        "battery": {True: "battery_low"},
        "problem": {True: "fault", False: "recovered"},
        "safety": {True: "fault", False: "recovered"},
        "connectivity": {True: "recovered", False: "fault"},
    }
)
"""Class of a binary sensor → the fact of the device's own class; what is not here says nothing."""

STIRRED: Final[Mapping[str, str]] = MappingProxyType(
    {"motion": "room.motion", "moving": "room.motion", "vibration": "room.vibration"}
)
"""Class of a binary sensor → what its on means for the moment; off says nothing."""

PRESENCE: Final = frozenset({"occupancy", "presence"})

OCCUPIED: Final[Mapping[str, Mapping[bool, str]]] = MappingProxyType(
    {
        "bed": {True: "bed.entered", False: "bed.left"},
        "chair": {True: "chair.entered", False: "chair.left"},
    }
)
"""Device class by its setting → what a presence sensor's on and off mean there."""

MEASURED: Final[Mapping[str, tuple[str, float, float]]] = MappingProxyType(
    {"temperature": ("room.temperature", -60, 150), "humidity": ("room.humidity", 0, 100)}
)
"""Class of a sensor → kind and bounds of what was measured."""

BOLT: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "state_locked": ("LOCKED", "lock.locked", ""),
        "state_unlocked": ("UNLOCKED", "lock.unlocked", ""),
        "state_jammed": ("JAMMED", "lock.jammed", ""),
        "state_locking": ("LOCKING", "lock.unknown", "locking"),
        "state_unlocking": ("UNLOCKING", "lock.unknown", "unlocking"),
    }
)
"""Field of a lock's announcement → its word unless announced otherwise, what that means, and why it is unknown."""

_CLASS_OF_SENSOR: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: kinds[True].partition(".")[0] for name, kinds in BECAME.items()},
        **dict.fromkeys(STIRRED, "room"),
        "occupancy": "room",
        "presence": "room",
    }
)
CLASS_OF: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "binary_sensor": _CLASS_OF_SENSOR,
        "sensor": {"temperature": "room", "humidity": "room"},
        "lock": {"": "lock"},
        "climate": {"": "room"},
        "event": {"": "pendant", "button": "pendant"},
        "device_automation": {"": "pendant"},
    }
)
"""Component → its `device_class` → our class; an event of another class (doorbell, motion) is no pendant."""

SPEAKS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "device_automation": ("topic", "value_template"),
        "climate": ("current_temperature_topic", "current_temperature_template"),
    }
)
"""Component → the fields that name its topic and template, where they are not the usual ones."""

CLASSES: Final = ("lock", "smoke", "co", "gas", "heat", "water", "door", "pendant", "room", "bed", "chair")
"""Classes a device may be adopted as; of those its entities suggest, what stands first decides."""

EMITS: Final = frozenset(
    {kind for became in (*BECAME.values(), *OCCUPIED.values()) for kind in became.values()}
    | {kind for _, kind, _ in BOLT.values()}
    | {kind for kind, _, _ in MEASURED.values()}
    | {*STIRRED.values(), "room.presence", "pendant.pressed"}
    | {f"{name}.{fact}" for name in CLASSES for fact in GENERIC}
)


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing a device has, as it announced it.

    config: the announcement with its abbreviations written out. name: what tells it from the device's others.
    """

    name: str
    component: str
    topic: str
    config: Mapping[str, Any]
    value: Template = plain

    @property
    def key(self) -> str:
        """Under what its last word is remembered."""
        return f"{self.component}/{self.name}"

    @property
    def device_class(self) -> str:
        """Home Assistant's word for what it measures, or empty."""
        found = self.config.get("device_class")
        return found if isinstance(found, str) else ""

    @property
    def suggests(self) -> str | None:
        """Our class of a device that has this; None where it says nothing of care."""
        return CLASS_OF[self.component].get(self.device_class)

    def word(self, field: str, default: str) -> str:
        """A word of the announcement, as a payload writes it: JSON's true is `True` (Home Assistant's own rule)."""
        found = self.config.get(field, default)
        return str(found)


@dataclass(frozen=True, slots=True)
class Availability:
    """Where a device, or the bridge before it, says that it is there."""

    topic: str
    there: str
    away: str
    value: Template = plain


# ---------------------------------------------------------------- settings of an adopted device


def entities(settings: Mapping[str, Any]) -> list[Entity]:
    """The setting `entities` of a device: its announcements, written out. Raises DecodeError with a sentence."""
    listed = settings.get("entities")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_ENTITIES:
        raise DecodeError(
            f"the setting 'entities' lists 1 to {MAX_ENTITIES} announcements, not {listed!r:.60}; see `trygghub adopt`"
        )
    return [_entity(one, place) for place, one in enumerate(listed, start=1)]


def _entity(one: object, place: int) -> Entity:
    if not isinstance(one, Mapping) or one.get("component") not in COMPONENTS:
        raise DecodeError(f"entity {place} names no component of {', '.join(COMPONENTS)}: {one!r:.80}")
    component = str(one["component"])
    topic_field, template_field = SPEAKS.get(component, ("state_topic", "value_template"))
    topic, template = one.get(topic_field), one.get(template_field)
    if not _is_topic(topic):
        raise DecodeError(f"entity {place} needs a topic without wildcards, not {topic!r:.80}")
    name = str(one.get("object_id") or one.get("name") or place)[:LONGEST]
    value = compile_template(template) if isinstance(template, str) else plain
    return Entity(name, component, str(topic), one, value)


def availabilities(settings: Mapping[str, Any]) -> list[Availability]:
    """Where an adopted device says that it is there, each place once. Raises DecodeError."""
    found: dict[str, Availability] = {}
    for entity in entities(settings):
        for one in _availabilities(entity.config):
            found.setdefault(one.topic, one)
    return list(found.values())


def _availabilities(config: Mapping[str, Any]) -> Iterator[Availability]:
    listed = config.get("availability")
    single = {
        "topic": config.get("availability_topic"),
        "value_template": config.get("availability_template"),
    }
    for one in listed if isinstance(listed, list) else [{**config, **single}]:
        if not isinstance(one, Mapping):
            raise DecodeError(f"availability lists objects with a topic, not {one!r:.60}")
        topic, template = one.get("topic"), one.get("value_template")
        if _is_topic(topic):
            yield Availability(
                str(topic),
                str(one.get("payload_available", "online")),
                str(one.get("payload_not_available", "offline")),
                compile_template(template) if isinstance(template, str) else plain,
            )


def topics(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Every topic an adopted device speaks on; empty where its settings cannot be read."""
    try:
        spoken = [one.topic for one in entities(settings)] + [one.topic for one in availabilities(settings)]
    except DecodeError:
        return ()
    return tuple(dict.fromkeys(spoken))


def command_topics(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Every topic on which we may tell an adopted device something."""
    try:
        found = [one.config.get("command_topic") for one in entities(settings) if one.component == "lock"]
    except DecodeError:
        return ()
    return tuple(dict.fromkeys(str(one) for one in found if _is_topic(one)))


def class_of(listed: Sequence[Entity]) -> str | None:
    """The class of a device that has these entities; None if nothing of them says so."""
    suggested = {one.suggests for one in listed}
    return next((name for name in CLASSES if name in suggested), None)


def _is_topic(topic: object) -> bool:
    return isinstance(topic, str) and re.fullmatch(r"[^+#\x00-\x1f]{1,200}", topic) is not None
