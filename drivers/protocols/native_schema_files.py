"""Write the JSON Schemas of the native contract: `python -m drivers.protocols.native_schema_files`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from drivers.catalogue import CATALOGUE, NO_DEVICE, DataField, FactSpec
from drivers.catalogue.spec import MAX_TEXT
from drivers.events import LATEST
from drivers.protocols.native import MAX_FACTS, MAX_REASON, REPORT_ID

FOLDER = Path(__file__).with_name("native_schemas")

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MOMENT: Mapping[str, Any] = {
    "description": "ISO 8601 with an offset, or whole milliseconds since 1970 UTC",
    "oneOf": [
        {"type": "string", "format": "date-time",
         "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$"},
        {"type": "integer", "minimum": 0, "maximum": LATEST},
    ],
}  # fmt: skip
_ID: Mapping[str, Any] = {"type": "string", "pattern": REPORT_ID}
_WORD: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 64}


def schemas() -> dict[str, dict[str, Any]]:
    """File name → schema."""
    return {
        "event.json": _object("event", "Something happened. Sent again until acknowledged.", ["id", "kind"], {
            "id": {**_ID, "description": "unique on this device; the same id again is the same event"},
            "at": _MOMENT, "kind": {"enum": [spec.kind for spec in _device_facts()]}, "data": {"type": "object"},
        }) | {"allOf": [_when(spec) for spec in _device_facts() if spec.fields]},
        "state.json": _object("state", "How things are. May be retained.", ["id", "facts"], {
            "id": {**_ID, "description": "another one whenever the document changes"}, "at": _MOMENT,
            "facts": {"type": "array", "minItems": 1, "maxItems": MAX_FACTS, "items": _state_fact()},
        }),
        "result.json": _object("result", "What became of a command.", ["id", "outcome"], {
            "id": {**_ID, "description": "the command's id"},
            "outcome": {"enum": ["done", "refused", "failed"]},
            "reason": {"type": "string", "maxLength": MAX_REASON},
        }),
        "ack.json": _object("ack", "The event with this id is written down; stop repeating it.", ["id"], {
            "id": _ID, "error": {"type": "string", "description": "written down, but not understood"},
        }),
        "command.json": _object("command", "Do this, unless `expires` has passed or the id was seen before.",
                                ["id", "command", "args", "expires"], {
            "id": {"type": "string", "minLength": 1, "maxLength": 64}, "command": _WORD,
            "args": {"type": "object"}, "expires": _MOMENT,
        }),
    }  # fmt: skip


def _object(name: str, description: str, required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": _DIALECT,
        "$id": f"urn:trygghub:native:1:{name}",
        "title": f"trygghub native device contract: {name}",
        "description": description,
        "type": "object",
        "required": required,
        "properties": properties,
    }


def _device_facts() -> Iterator[FactSpec]:
    return (spec for spec in CATALOGUE.facts.values() if spec.device_class not in NO_DEVICE)


def _state_fact() -> dict[str, Any]:
    facts = [spec for spec in _device_facts() if spec.sets and not spec.call_for_help]
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": [spec.kind for spec in facts]}, "data": {"type": "object"}},
        "allOf": [_when(spec) for spec in facts if spec.fields],
    }


def _when(spec: FactSpec) -> dict[str, Any]:
    """If the kind is this one, the data looks like this."""
    required = [each.name for each in spec.fields if each.required]
    data: dict[str, Any] = {"properties": {each.name: _field(each) for each in spec.fields}}
    then: dict[str, Any] = {"properties": {"data": data}}
    if required:
        data["required"] = required
        then["required"] = ["data"]
    return {
        "if": {"properties": {"kind": {"const": spec.kind}}, "required": ["kind"]},
        "then": then,
    }


def _field(each: DataField) -> dict[str, Any]:
    about = {"description": f"{each.meaning}, {each.unit}" if each.unit else each.meaning}
    if each.type == "time":
        return {**_MOMENT, **about}
    if each.type == "flag":
        return {"type": "boolean", **about}
    if each.type == "text":
        return {
            "type": "string",
            **({"enum": list(each.values)} if each.values else {"maxLength": MAX_TEXT}),
            **about,
        }
    bounds = {"minimum": each.low, "maximum": each.high}
    return {"type": "number", **{k: v for k, v in bounds.items() if v is not None}, **about}


def text(schema: Mapping[str, Any]) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file_name, each_schema in schemas().items():
        (FOLDER / file_name).write_text(text(each_schema), encoding="utf-8")
