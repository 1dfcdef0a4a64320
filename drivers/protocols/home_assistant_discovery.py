"""Home Assistant's MQTT discovery: what a device announces of itself, written out for the registry.

    homeassistant/<component>/[<node>/]<object>/config     retained; one thing a device has (an entity)
    homeassistant/device/[<node>/]<object>/config          retained; all of them in one message

An announcement names the topic on which the entity speaks, perhaps a template that finds the value in the payload,
and the words for on, off, locked … . Sources: Home Assistant documentation, "MQTT: discovery";
home-assistant/core, components/mqtt/abbreviations.py and discovery.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from drivers.events import DecodeError
from drivers.protocols.home_assistant import COMPONENTS, MAX_ENTITIES
from drivers.protocols.json_payload import read_object

PREFIX: Final = "homeassistant"
CONFIG_TOPICS: Final = (f"{PREFIX}/+/+/config", f"{PREFIX}/+/+/+/config")

MAX_CONFIG = 131_072
"""Bytes of one announcement; a device of many entities announces them all at once."""

_CONFIG = re.compile(rf"{PREFIX}/(\w{{1,40}})/(?:([a-zA-Z0-9_-]{{1,100}})/)?([a-zA-Z0-9_-]{{1,100}})/config")


@dataclass(frozen=True, slots=True)
class Announced:
    """What one announcement says. key: the device's own identifier. config: written out, as settings keep it."""

    key: str
    device: str
    vendor: str
    model: str
    component: str
    config: Mapping[str, Any]


def announced(topic: str, payload: bytes) -> list[Announced]:
    """Read one announcement; empty for an entity taken back or of no use to us. Raises DecodeError."""
    place = _CONFIG.fullmatch(topic)
    if place is None:
        raise DecodeError(f"an announcement comes on {PREFIX}/component/object/config, not on {topic!r:.100}")
    if not payload:
        return []
    component, node, name = place.groups()
    config = _written_out(read_object(payload, MAX_CONFIG))
    if component == "device":
        return list(_components(config, name))
    if component not in COMPONENTS:
        return []
    return [_announced(component, {"object_id": name, **config}, config.get("device"), node or name)]


def _components(config: dict[str, Any], name: str) -> Iterator[Announced]:
    """All entities of a device in one message; what stands beside them holds for each."""
    listed = config.pop("components", {})
    if not isinstance(listed, dict) or len(listed) > MAX_ENTITIES:
        raise DecodeError(f"components are at most {MAX_ENTITIES} named announcements, not {listed!r:.80}")
    shared = {k: v for k, v in config.items() if k not in ("device", "origin")}
    for object_id, one in listed.items():
        if not isinstance(one, dict):
            raise DecodeError(f"the component {object_id!r:.60} is announced by an object, not {one!r:.60}")
        own = _written_out({**({"~": config["~"]} if "~" in config else {}), **one})
        component = own.pop("platform", None)
        if component in COMPONENTS:
            whole = {**shared, **own, "object_id": str(object_id)}
            yield _announced(str(component), whole, config.get("device"), name)


def _announced(component: str, config: dict[str, Any], device: object, otherwise: str) -> Announced:
    about = device if isinstance(device, dict) else {}
    kept = {k: v for k, v in config.items() if k in _KEPT}
    return Announced(
        key=_key(about, otherwise),
        device=_short(about.get("name") or config.get("name") or otherwise),
        vendor=_short(about.get("manufacturer", "")),
        model=_short(about.get("model", "")),
        component=component,
        config=MappingProxyType({"component": component, **kept}),
    )


def _key(about: dict[str, Any], otherwise: str) -> str:
    """The first identifier, else the first connection (`["mac", "02:5b:…"]`), with the letters of an address."""
    identifiers, connections = about.get("identifiers"), about.get("connections")
    found = identifiers[0] if isinstance(identifiers, list) and identifiers else identifiers
    if not found and isinstance(connections, list) and connections and isinstance(connections[0], list):
        found = connections[0][-1] if connections[0] else None
    return re.sub(r"[^A-Za-z0-9_.:-]", "_", str(found or otherwise))[:100]


def _short(value: object) -> str:
    return value[:100] if isinstance(value, str) and value.isprintable() else ""


def _written_out(config: dict[str, Any]) -> dict[str, Any]:
    """Abbreviations and the topic base `~`."""
    whole = {_ABBREVIATIONS.get(key, key): value for key, value in config.items()}
    device = whole.get("device")
    if isinstance(device, dict):
        whole["device"] = {_OF_DEVICE.get(key, key): value for key, value in device.items()}
    listed = whole.get("availability")
    if isinstance(listed, list):
        whole["availability"] = [
            {_ABBREVIATIONS.get(k, k): v for k, v in one.items()} for one in listed if isinstance(one, dict)
        ]
    base = whole.get("~")
    return _with_base(whole, base) if isinstance(base, str) else whole


def _with_base(config: dict[str, Any], base: str) -> dict[str, Any]:
    whole = dict(config)
    for key, value in config.items():
        if key.endswith("topic") and isinstance(value, str):
            whole[key] = _based(value, base)
    if isinstance(whole.get("availability"), list):
        whole["availability"] = [
            {**one, "topic": _based(str(one.get("topic", "")), base)} for one in whole["availability"]
        ]
    return whole


def _based(topic: str, base: str) -> str:
    topic = base + topic[1:] if topic.startswith("~") else topic
    return topic[:-1] + base if topic.endswith("~") else topic


_ABBREVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "atype": "automation_type", "avty": "availability", "avty_mode": "availability_mode",
        "avty_t": "availability_topic", "avty_tpl": "availability_template", "cmd_t": "command_topic",
        "cmd_tpl": "command_template", "cmps": "components", "cod_form": "code_format",
        "curr_temp_t": "current_temperature_topic", "curr_temp_tpl": "current_temperature_template", "dev": "device",
        "dev_cla": "device_class", "evt_typ": "event_types", "o": "origin", "obj_id": "object_id",
        "off_dly": "off_delay", "p": "platform",
        "pl": "payload", "pl_avail": "payload_available", "pl_lock": "payload_lock",
        "pl_not_avail": "payload_not_available", "pl_off": "payload_off", "pl_on": "payload_on",
        "pl_unlk": "payload_unlock", "stat_jam": "state_jammed", "stat_locked": "state_locked",
        "stat_locking": "state_locking", "stat_t": "state_topic", "stat_unlocked": "state_unlocked",
        "stat_unlocking": "state_unlocking", "stype": "subtype", "t": "topic",
        "temp_unit": "temperature_unit", "uniq_id": "unique_id",
        "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template",
    }
)  # fmt: skip
"""Of Home Assistant's list, those of the fields that we read."""

_OF_DEVICE: Final[Mapping[str, str]] = MappingProxyType(
    {"cns": "connections", "ids": "identifiers", "mf": "manufacturer", "mdl": "model"}
)

_KEPT: Final = frozenset(
    "availability availability_mode availability_template availability_topic code_format command_template"  # noqa: SIM905
    " command_topic current_temperature_template current_temperature_topic device_class"
    " event_types name object_id off_delay payload payload_available payload_lock"
    " payload_not_available payload_off payload_on payload_unlock state_jammed state_locked state_locking state_topic"
    " state_unlocked state_unlocking subtype temperature_unit topic type unit_of_measurement value_template".split()
)
"""Fields that a registry entry keeps."""
