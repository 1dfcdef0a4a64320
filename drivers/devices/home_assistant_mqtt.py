"""Any device that announced itself by Home Assistant's MQTT discovery and was adopted.

What it is follows from its entities; the setting `class` overrules that, for a mat that is a bed sensor to us or a
button that opens no alarm. `trygghub adopt` writes the registry entry with the setting `entities`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from drivers.device_type import Command, DeviceType, Outgoing, Result, Unit
from drivers.events import DecodeError, Fact, Frame, Value
from drivers.protocols import reports
from drivers.protocols.home_assistant import (
    BECAME,
    BOLT,
    CLASSES,
    EMITS,
    MEASURED,
    OCCUPIED,
    OWN,
    PRESENCE,
    STIRRED,
    Availability,
    Entity,
    availabilities,
    class_of,
    entities,
    topics,
)
from drivers.protocols.json_payload import MAX_PAYLOAD, read_object
from drivers.protocols.zigbee2mqtt import press_of
from drivers.settings import Setting, one_of

WANTED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"lock": ("payload_lock", "LOCK"), "unlock": ("payload_unlock", "UNLOCK")}
)
REACHED = MappingProxyType({"lock": "lock.locked", "unlock": "lock.unlocked"})

LONGEST = 200
"""Characters of a word that is quoted or remembered."""

Told = Callable[[Entity, str, "Said"], Iterator[Fact]]


class Said:
    """What one message meets: the device's class, what was said last, and whether the broker kept the message."""

    def __init__(self, name: str, frame: Frame, unit: Unit) -> None:
        self.name, self.frame, self.unit = name, frame, unit
        self.payload = _text(frame.payload)
        self.last: dict[str, Any] = dict(unit.memory.get("last", {}))

    def is_news(self, entity: Entity, now: Value) -> bool:
        """Whether this entity said something else the last time; remembers it."""
        before, self.last[entity.key] = self.last.get(entity.key), now
        return before != now


def decode(frame: Frame, unit: Unit) -> list[Fact | Result]:
    """Read one message on one of the device's topics (`channel`); what is as it was is no news."""
    work = replace(unit, memory=dict(unit.memory))
    topic = frame.channel or frame.address
    listed = entities(unit.settings)
    said = Said(_class(listed, unit), frame, work)
    facts = _speaking([one for one in listed if one.topic == topic], said)
    present = [one for one in availabilities(unit.settings) if one.topic == topic]
    if facts is None and not present:
        raise DecodeError(f"none of this device's entities speaks on {topic!r:.100}")
    found = [*(facts or ()), *(fact for one in present for fact in _reachable(one, said))]
    if said.last:
        work.memory["last"] = said.last
    if facts is not None and not frame.retained:
        found = reports.alive(said.name, found, work, frame.heard)
    told = [*found, *_answers(found, work)]
    unit.memory.clear()
    unit.memory.update(work.memory)
    return told


def _speaking(listed: list[Entity], said: Said) -> list[Fact] | None:
    """What the entities on one topic say; None where there is none.

    One that cannot be read keeps nothing back that the others say: it is a fault of the device, told once.
    """
    facts: list[Fact] = []
    wrong: list[str] = []
    for one in listed:
        try:
            facts += _entity_facts(one, said)
        except DecodeError as problem:
            wrong.append(str(problem))
    if wrong and len(wrong) == len(listed):
        raise DecodeError("; ".join(wrong)[:500])
    if said.unit.memory.get("wrong", []) != wrong:
        said.unit.memory["wrong"] = wrong
        facts += [Fact(f"{said.name}.fault", {"code": f"unreadable: {why}"[:LONGEST]}) for why in wrong]
    return facts if listed else None


def _text(payload: bytes) -> str:
    if len(payload) > MAX_PAYLOAD:
        raise DecodeError(f"a payload has at most {MAX_PAYLOAD} bytes; this one has more")
    try:
        return payload.decode()
    except UnicodeDecodeError as wrong:
        raise DecodeError(f"a payload is UTF-8 text; byte {wrong.start} is not") from None


def _class(listed: list[Entity], unit: Unit) -> str:
    chosen = unit.settings.get("class")
    if chosen is None:
        found = class_of(listed) or "room"
        return unit.device_class if found == "room" and unit.device_class in CLASSES else found
    if chosen not in CLASSES:
        raise DecodeError(f"the setting 'class' is one of {', '.join(CLASSES)}, not {chosen!r:.80}")
    return str(chosen)


def _entity_facts(entity: Entity, said: Said) -> Iterator[Fact]:
    """What one entity says; a value that its template does not find says nothing."""
    value = entity.value(said.payload)
    if value is not None and value.strip() not in ("", "None", "unknown", "unavailable"):
        yield from _COMPONENTS[entity.component](entity, value, said)


# ---------------------------------------------------------------- one function a component


def _binary(entity: Entity, value: str, said: Said) -> Iterator[Fact]:
    words = {entity.word("payload_on", "ON"): True, entity.word("payload_off", "OFF"): False}
    if value not in words:
        raise DecodeError(f"{entity.name} says {' or '.join(words)}, not {value!r:.80}")
    is_on, kind = words[value], entity.device_class
    # With `off_delay` announced, a sensor says only "on", and each time anew; otherwise a repetition is no news.
    if not said.is_news(entity, is_on) and "off_delay" not in entity.config:
        return
    if kind in BECAME:
        yield Fact(BECAME[kind][is_on])
    elif kind in PRESENCE:
        yield from _presence(is_on, said)
    elif kind in STIRRED:
        if is_on and not said.frame.retained:
            yield Fact(STIRRED[kind])
    elif is_on in OWN.get(kind, {}):
        fact = OWN[kind][is_on]
        yield Fact(f"{said.name}.{fact}", {"code": entity.name} if fact in ("fault", "recovered") else {})


def _presence(is_on: bool, said: Said) -> Iterator[Fact]:
    """Somebody is there: in a bed, a chair or the room; who has just come has moved."""
    if said.name in OCCUPIED:
        yield Fact(OCCUPIED[said.name][is_on])
        return
    yield Fact("room.presence", {"value": is_on})
    if is_on and not said.frame.retained:
        yield Fact("room.motion")


def _sensor(entity: Entity, value: str, said: Said) -> Iterator[Fact]:
    """A number. One outside its bounds comes of a broken sensor and is not worth remembering."""
    try:
        number = float(value)
    except ValueError:
        return
    if entity.device_class == "battery":
        yield from reports.battery(said.name, number, said.unit, said.frame.heard)
    elif entity.device_class in MEASURED:
        fahrenheit = entity.config.get("unit_of_measurement") == "°F"
        yield from _measured(entity, entity.device_class, (number - 32) / 1.8 if fahrenheit else number, said)


def _climate(entity: Entity, value: str, said: Said) -> Iterator[Fact]:
    """A thermostat: the temperature that it measures."""
    try:
        number = float(value)
    except ValueError:
        return
    fahrenheit = entity.word("temperature_unit", "C") == "F"
    yield from _measured(entity, "temperature", (number - 32) / 1.8 if fahrenheit else number, said)


def _measured(entity: Entity, what: str, value: float, said: Said) -> Iterator[Fact]:
    kind, low, high = MEASURED[what]
    if low <= value <= high and said.is_news(entity, value):
        yield Fact(kind, {"value": round(value, 2)})


def _lock(entity: Entity, value: str, said: Said) -> Iterator[Fact]:
    """The bolt's word. One that nobody announced is not "locked"."""
    if not said.is_news(entity, value[:LONGEST]):
        return
    for field, (default, kind, why) in BOLT.items():
        if value == entity.word(field, default):
            yield Fact(kind, {"reason": why} if why else {})
            return
    yield Fact("lock.unknown", {"reason": f"the lock said {value!r:.100}"})


def _event(entity: Entity, value: str, said: Said) -> Iterator[Fact]:
    """Something happened: `{"event_type": "press"}`. Kept by the broker it is over."""
    if said.frame.retained:
        return
    found = read_object(value.encode()).get("event_type")
    if not isinstance(found, str):
        raise DecodeError(f"{entity.name} tells of an event_type, not {value!r:.80}")
    yield from _pressed(found, said)


def _trigger(entity: Entity, value: str, said: Said) -> Iterator[Fact]:
    """A device trigger: this payload on this topic is a press, as its `type` says."""
    if not said.frame.retained and value == entity.word("payload", value):
        yield from _pressed(entity.word("type", "press"), said)


def _pressed(how: str, said: Said) -> Iterator[Fact]:
    """On a device that is no pendant only an emergency counts; on a pendant every press does."""
    press = press_of(how[:LONGEST].removeprefix("button_"))
    if press == "emergency" or (press is not None and said.name == "pendant"):
        known = press in ("short", "double", "triple", "long")
        yield Fact("pendant.pressed", {"press": press} if known and press else {})


_COMPONENTS: Mapping[str, Told] = MappingProxyType(
    {
        "binary_sensor": _binary,
        "sensor": _sensor,
        "lock": _lock,
        "climate": _climate,
        "event": _event,
        "device_automation": _trigger,
    }
)


def _reachable(place: Availability, said: Said) -> Iterator[Fact]:
    """Unreachable is a fault of the device, reachable again its end; neither says anything about the home."""
    word = place.value(said.payload)
    if word not in (place.there, place.away):
        raise DecodeError(f"{place.topic} says {place.there} or {place.away}, not {word!r:.80}")
    away: dict[str, Any] = dict(said.unit.memory.get("away", {}))
    before, now = bool(away), dict(away)
    now.pop(place.topic, None)
    if word == place.away:
        now[place.topic] = True
    said.unit.memory["away"] = now
    if before != bool(now):
        yield Fact(f"{said.name}.{'fault' if now else 'recovered'}", {"code": "not reachable"})


# ---------------------------------------------------------------- commands


def _answers(facts: list[Fact], unit: Unit) -> Iterator[Result]:
    """What the bolt did answers what it was asked; a jam is an answer too, being under way is none."""
    asked = unit.memory.get("asked")
    if not isinstance(asked, dict):
        return
    kinds = {fact.kind for fact in facts}
    if REACHED.get(str(asked.get("name"))) in kinds:
        yield Result(str(asked["id"]), "done")
    elif "lock.jammed" in kinds:
        yield Result(str(asked["id"]), "failed", "the bolt did not reach its place")
    else:
        return
    del unit.memory["asked"]


def encode(command: Command, unit: Unit) -> Outgoing:
    """Lock or unlock, in the words the lock announced. Raises ValueError with a sentence."""
    if command.name not in WANTED:
        raise ValueError(f"a device from Home Assistant takes lock and unlock, not {command.name!r:.80}")
    lock = next((one for one in entities(unit.settings) if one.component == "lock"), None)
    topic = lock.config.get("command_topic") if lock is not None else None
    if lock is None or not isinstance(topic, str):
        raise ValueError(f"{unit.address} has announced no lock that takes commands")
    if lock.config.get("command_template") or lock.config.get("code_format"):
        raise ValueError(f"the lock {unit.address} wants a code or a template, which we do not write")
    unit.memory["asked"] = {"id": command.id, "name": command.name}
    return Outgoing(topic, lock.word(*WANTED[command.name]).encode(), wait=30_000)


def _can_be_read(listed: object) -> bool:
    try:
        return bool(entities({"entities": listed}))
    except DecodeError:
        return False


SETTINGS: Final = {
    "class": one_of(*CLASSES),
    "entities": Setting("a list of announcements as `trygghub adopt` prints them", _can_be_read),
}

DEVICE = DeviceType(
    id="home_assistant_mqtt",
    vendor="any",
    product="device announced by Home Assistant's MQTT discovery",
    name=MappingProxyType(
        {"nb": "Enhet fra Home Assistant (MQTT)", "en": "Device from Home Assistant (MQTT)"}
    ),
    link="mqtt",
    device_class="room",
    emits=EMITS,
    decode=decode,
    signature="retained JSON on homeassistant/{component}/{object}/config",
    silent_after=24 * 3600,
    commands=MappingProxyType({"lock": (), "unlock": ()}),
    encode=encode,
    topics=topics,
    settings=SETTINGS,
    source="Home Assistant documentation: MQTT discovery; MQTT binary sensor, sensor, event, device trigger, lock",
)
