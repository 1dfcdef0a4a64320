"""Any Zigbee device behind Zigbee2MQTT: contact, motion, smoke, CO, gas, water, buttons and locks.

What it is follows from what it exposes, and until it has shown that from what it is registered as. The setting
`class` overrules both, for a button that only sends `action` or a sensor worn by a person.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from drivers.device_type import Command, DeviceType, Outgoing, Result, Unit
from drivers.events import DecodeError, Fact, Frame, Value
from drivers.protocols import reports
from drivers.protocols.json_payload import read_object
from drivers.protocols.zigbee2mqtt import (
    BECAME,
    BOLT,
    CLASSES,
    EMITS,
    MEASURED,
    OWN,
    class_of,
    press_of,
)
from drivers.settings import one_of

WANTED = MappingProxyType({"lock": "LOCK", "unlock": "UNLOCK"})
REACHED = MappingProxyType({"lock": "lock.locked", "unlock": "lock.unlocked"})

LONGEST = 200
"""Characters of a text that is quoted or remembered."""


def decode(frame: Frame, unit: Unit) -> list[Fact | Result]:
    """Read a device's state (`channel` state) or the bridge's word on whether it is reachable (availability)."""
    if frame.channel == "availability":
        return list(_availability(frame, unit))
    if frame.channel not in ("state", "event"):
        raise DecodeError(
            f"a Zigbee device speaks on its own topic and /availability, not on {frame.channel!r:.80}"
        )
    payload = read_object(frame.payload)
    name = _class(payload, unit)
    facts = list(_facts(payload, name, frame, unit))
    unit.memory["class"] = name
    said = facts if frame.retained else reports.alive(name, facts, unit, frame.heard)
    return [*said, *_answers(facts, unit)]


def _class(payload: dict[str, Any], unit: Unit) -> str:
    chosen = unit.settings.get("class")
    if chosen is not None:
        if chosen not in CLASSES:
            raise DecodeError(f"the setting 'class' is one of {', '.join(CLASSES)}, not {chosen!r:.80}")
        return str(chosen)
    known = (unit.memory.get("class"), class_of(payload), unit.device_class)
    seen = [found for found in known if found in CLASSES]
    return min(seen, key=CLASSES.index, default="room")


def _facts(payload: dict[str, Any], name: str, frame: Frame, unit: Unit) -> Iterator[Fact]:
    last: dict[str, Any] = dict(unit.memory.get("last", {}))
    yield from _bolt(payload, last)
    if _sos(payload, last, retained=frame.retained):
        yield Fact("pendant.pressed")
    for each, became in BECAME.items():
        if _changed(payload, last, each) and payload[each] in became:
            yield Fact(became[payload[each]])
    if _changed(payload, last, "presence"):
        yield Fact("room.presence", {"value": payload["presence"]})
    for each, fact in OWN.items():
        if _changed(payload, last, each) and payload[each]:
            yield Fact(f"{name}.{fact}")
    for each, (kind, low, high) in MEASURED.items():
        now = _number(payload, each, low, high)
        if now is not None and last.get(each) != now:
            last[each] = now
            yield Fact(kind, {"value": now})
    if (percent := _number(payload, "battery", 0, 100)) is not None:
        yield from reports.battery(name, percent, unit, frame.heard)
    if not frame.retained and name != "lock":
        yield from _pressed(payload.get("action"), name)
    unit.memory["last"] = last


def _changed(payload: dict[str, Any], last: dict[str, Any], each: str) -> bool:
    """Whether a yes-or-no property is there, and is another than the last time."""
    found = payload.get(each)
    if not isinstance(found, bool):
        return False
    changed = last.get(each) != found
    last[each] = found
    return changed


def _number(payload: dict[str, Any], each: str, low: float, high: float) -> float | None:
    """A number within its bounds; what is outside of them is a broken sensor, not worth remembering."""
    found = payload.get(each)
    if isinstance(found, bool) or not isinstance(found, int | float) or not low <= found <= high:
        return None
    return found


def _sos(payload: dict[str, Any], last: dict[str, Any], *, retained: bool) -> bool:
    """Whether `sos` is a press. Many buttons never take it back (Koenkk/zigbee2mqtt#1724), so that every live
    report of it counts, unless the report is about something else and only repeats it.
    """
    about_else = any(each in last and payload.get(each) != last[each] for each in ("tamper", "battery_low"))
    battery = _number(payload, "battery", 0, 100)
    about_else = about_else or ("battery" in last and battery != last["battery"])
    last["battery"] = battery
    first = _changed(payload, last, "sos")
    if payload.get("sos") is not True:
        return False
    return first or not (retained or about_else)


def _bolt(payload: dict[str, Any], last: dict[str, Any]) -> Iterator[Fact]:
    """The bolt's own word. A lock that knows `lock_state` is never believed by its `state` alone."""
    if "lock_state" in payload:
        said = payload["lock_state"]
        last["lock_state_known"] = True
    elif payload.get("state") in WANTED.values() and not last.get("lock_state_known"):
        said = payload["state"]
    else:
        return
    word = said if isinstance(said, str) and said in BOLT else json.dumps(said)[:LONGEST]
    if last.get("bolt") == word:
        return
    last["bolt"] = word
    kind = BOLT.get(word)
    yield Fact(kind, _who(payload)) if kind else Fact("lock.unknown", {"reason": f"lock_state {word:.100}"})


def _who(payload: dict[str, Any]) -> dict[str, Value]:
    named = {"by": payload.get("action_user"), "how": payload.get("action_source_name")}
    return {
        each: str(found)[:LONGEST]
        for each, found in named.items()
        if isinstance(found, str | int) and str(found).isprintable() and found != ""
    }


def _pressed(action: object, name: str) -> Iterator[Fact]:
    """A press. On a device that is no pendant only an emergency counts; on a pendant every press does."""
    if not isinstance(action, str) or not action:
        return
    how = press_of(action[:LONGEST])
    if how == "emergency" or (how is not None and name == "pendant"):
        yield Fact("pendant.pressed", {"press": how} if how in ("short", "double", "triple", "long") else {})


def _availability(frame: Frame, unit: Unit) -> Iterator[Fact]:
    """Unreachable is a fault of the device, reachable again its end; neither says anything about the home."""
    word = frame.payload.strip()
    if word not in (b"online", b"offline"):
        word = str(read_object(frame.payload).get("state")).encode(errors="replace")
    if word not in (b"online", b"offline"):
        raise DecodeError(f"availability is online or offline, not {word!r:.80}")
    before, now = unit.memory.get("available", "online"), word.decode()
    kind = f"{_class({}, unit)}.{'fault' if now == 'offline' else 'recovered'}"
    unit.memory["available"] = now
    if before != now:
        yield Fact(kind, {"code": "zigbee: not reachable"})


def _answers(facts: list[Fact], unit: Unit) -> Iterator[Result]:
    """What the bolt did answers what it was asked; a jam is an answer too."""
    asked = unit.memory.get("asked")
    if not isinstance(asked, dict):
        return
    kinds = {fact.kind for fact in facts}
    if REACHED.get(asked.get("name", "")) in kinds:
        yield Result(str(asked["id"]), "done")
    elif kinds & {"lock.jammed", "lock.unknown"}:
        yield Result(str(asked["id"]), "failed", "the bolt did not reach its place")
    else:
        return
    del unit.memory["asked"]


def encode(command: Command, unit: Unit) -> Outgoing:
    """Lock, unlock, or ask how things are. What was asked is remembered, since only the bolt's move answers it."""
    if command.name == "state":
        return Outgoing("get", b'{"state":""}')
    if command.name not in WANTED:
        raise ValueError(f"a Zigbee device takes lock, unlock and state, not {command.name!r:.80}")
    unit.memory["asked"] = {"id": command.id, "name": command.name}
    return Outgoing("set", json.dumps({"state": WANTED[command.name]}, separators=(",", ":")).encode())


def recognises(frame: Frame) -> bool:
    """A state on a Zigbee2MQTT topic that says something of the home."""
    if frame.link != "mqtt" or not frame.address.startswith("zigbee2mqtt/") or frame.channel != "state":
        return False
    try:
        return class_of(read_object(frame.payload)) is not None
    except DecodeError:
        return False


DEVICE = DeviceType(
    id="zigbee2mqtt",
    vendor="any",
    product="Zigbee device behind Zigbee2MQTT",
    name=MappingProxyType({"nb": "Zigbee-enhet (Zigbee2MQTT)", "en": "Zigbee device (Zigbee2MQTT)"}),
    link="mqtt",
    device_class="room",
    emits=EMITS,
    decode=decode,
    signature="JSON on zigbee2mqtt/{friendly name}",
    silent_after=26 * 3600,  # the bridge itself calls a battery device gone after 25 hours
    commands=MappingProxyType({"lock": (), "unlock": (), "state": ()}),
    encode=encode,
    recognises=recognises,
    settings=MappingProxyType({"class": one_of(*CLASSES)}),
    source="Zigbee2MQTT documentation: MQTT Topics and Messages; Exposes",
)
