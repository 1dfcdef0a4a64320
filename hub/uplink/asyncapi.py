"""Write the AsyncAPI document of our MQTT topics: `python -m hub.uplink.asyncapi`.

One document, told from the gateway's place: what it hears from native devices and says to them, what it sends up to
the centre and hears from there. Everything in it comes from where it is defined (the native JSON Schemas, the uplink's
models, the topic functions), and a test fails when `asyncapi.json` beside this file is stale.
Source: AsyncAPI Specification 3.0.0; its MQTT bindings 0.2.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from drivers.protocols.native_schema_files import schemas
from hub.uplink.messages import HINT_TOPIC, LANES, Ack, Batch, Hint, Message, Order, Part

PAGE = Path(__file__).with_name("asyncapi.json")

ID_PATTERN = "^[a-z0-9_-]{1,64}$"
BINDING = "0.2.0"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """One message. action: whether the gateway sends or receives it; `between others`: neither. answer: by which."""

    name: str
    address: str
    server: Literal["devices", "uplink"]
    action: Literal["send", "receive", "between others"]
    says: str
    answer: str = ""
    retained: bool = False


DEVICE = "homes/{home}/devices/{device}"

SAID = (
    Said("event", f"{DEVICE}/event", "devices", "receive",
         "Something happened. The device repeats it under the same id until it is acknowledged.", answer="ack"),
    Said("ack", f"{DEVICE}/ack", "devices", "send",
         "The event with this id is committed to the gateway's journal; the device may forget it."),
    Said("state", f"{DEVICE}/state", "devices", "receive", "How things are. The one topic that may be retained.",
         retained=True),
    Said("command", f"{DEVICE}/command", "devices", "send",
         "Do this once, unless it has expired. Never retained.", answer="result"),
    Said("result", f"{DEVICE}/result", "devices", "receive", "What became of a command."),
    Said("Batch", "gateways/{gateway}/up/{lane}", "uplink", "send",
         "Entries of one lane, numbered without holes within an epoch; sent again until acknowledged.", answer="Ack"),
    Said("Ack", "gateways/{gateway}/down/ack", "uplink", "receive",
         "The centre has committed everything of this epoch and lane up to this number."),
    Said("Order", "gateways/{gateway}/down/command", "uplink", "receive",
         "Ask a device for something; expires, and a second delivery of one id does nothing."),
    Said("Part", "gateways/{gateway}/down/registry", "uplink", "receive",
         "The gateway's part of the registry, kept by the broker.", retained=True),
    Said("Hint", HINT_TOPIC, "uplink", "between others",
         "From the centre to the web process: something changed. Only a nudge; the database is the truth."),
)  # fmt: skip

UPLINK: Mapping[str, type[Message]] = {one.__name__: one for one in (Batch, Ack, Order, Part, Hint)}

PARAMETERS: Mapping[str, Json] = {
    "home": {"description": f"the home's id in the registry, {ID_PATTERN}"},
    "device": {"description": f"the device's id in the registry, {ID_PATTERN}"},
    "gateway": {"description": f"the gateway's id in the registry, {ID_PATTERN}"},
    "lane": {"description": "in order of importance; the first is never kept waiting", "enum": list(LANES)},
}


def document() -> Json:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:trygghub:mqtt:1",
        "info": {
            "title": "trygghub over MQTT",
            "version": version("trygghub"),
            "description": (
                "The native contract for devices, and the uplink between gateway and centre, as the gateway sees them."
                " A broker's PUBACK means nothing here: only an acknowledgement of ours, sent after a commit, does."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "devices": _server("devices.example:1883", "The broker in the home that devices are on."),
            "uplink": _server("centre.example:8883", "The broker towards the centre; may be the same one."),
        },
        "channels": {_channel_id(one): _channel(one) for one in SAID},
        "operations": {_operation_id(one): _operation(one) for one in SAID if one.action != "between others"},
        "components": {
            "messages": {one.name: _message(one) for one in SAID},
            "schemas": {**_native(), **_models()},
        },
    }


def _server(host: str, says: str) -> Json:
    binding = {"mqtt": {"cleanSession": False, "keepAlive": 10, "bindingVersion": BINDING}}
    return {
        "host": host,
        "protocol": "mqtt",
        "protocolVersion": "3.1.1",
        "description": says,
        "bindings": binding,
    }


def _channel_id(one: Said) -> str:
    return ("device" if one.server == "devices" else "uplink") + one.name[0].upper() + one.name[1:]


def _channel(one: Said) -> Json:
    named = {name: dict(PARAMETERS[name]) for name in PARAMETERS if f"{{{name}}}" in one.address}
    return {
        "address": one.address,
        "title": one.says.partition(".")[0],
        "servers": [{"$ref": f"#/servers/{one.server}"}],
        "messages": {one.name: {"$ref": f"#/components/messages/{one.name}"}},
        **({"parameters": named} if named else {}),
    }


def _operation_id(one: Said) -> str:
    return one.action + _channel_id(one)[0].upper() + _channel_id(one)[1:]


def _operation(one: Said) -> Json:
    channel = _channel_id(one)
    binding = {"mqtt": {"qos": 1, "retain": one.retained, "bindingVersion": BINDING}}
    return {
        "action": one.action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": one.says,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{one.name}"}],
        "bindings": binding,
        **({"reply": _reply(one.answer)} if one.answer else {}),
    }


def _reply(name: str) -> Json:
    channel = next(_channel_id(one) for one in SAID if one.name == name)
    return {
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"}],
    }


def _message(one: Said) -> Json:
    return {
        "name": one.name,
        "title": one.says.partition(".")[0],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{one.name}"},
    }


def _native() -> Json:
    """The native contract's schemas, without what marks them as files of their own."""
    return {
        file.removesuffix(".json"): {
            key: value for key, value in schema.items() if key not in ("$schema", "$id")
        }
        for file, schema in schemas().items()
    }


def _models() -> Json:
    found: Json = {}
    for name, model in UPLINK.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[name] = schema
    return found


def text() -> str:
    """The document as its file holds it."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
