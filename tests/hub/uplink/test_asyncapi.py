"""The AsyncAPI document is fresh, whole and true: every topic we use, every reference, every message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema
import pytest

from drivers.protocols import native
from hub.uplink.asyncapi import PAGE, document, text
from hub.uplink.messages import (
    HINT_TOPIC,
    LANES,
    Ack,
    Batch,
    Hint,
    Message,
    Order,
    Part,
    UpEntry,
    down_topic,
    up_topic,
)

WHOLE = document()

EXAMPLES: dict[str, Message] = {
    "Batch": Batch(epoch="0123abcd", entries=(UpEntry(number=1, type="event", body={"id": "x"}),)),
    "Ack": Ack(epoch="0123abcd", lane="alarm", upto=7),
    "Order": Order(id="order-0001", home="h1", device="front", name="unlock", expires=1_768_478_400_000),
    "Part": Part(hash="abc", registry={}),
    "Hint": Hint(seq=1),
}


def test_the_document_is_fresh() -> None:
    """A changed schema or model is in the file, or this says to run `python -m hub.uplink.asyncapi`."""
    assert PAGE.read_text(encoding="utf-8") == text()


def references(part: Any) -> Iterator[str]:
    """Every `$ref` in it."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def resolve(reference: str) -> Any:
    """What a reference points to."""
    found: Any = WHOLE
    for name in reference.removeprefix("#/").split("/"):
        found = found[name.replace("~1", "/")]
    return found


def test_every_reference_leads_somewhere() -> None:
    """Nothing in the document is missing."""
    found = set(references(WHOLE))
    assert len(found) > 20
    for one in found:
        assert resolve(one)


def matches(topic: str) -> list[str]:
    """The channels a topic belongs to."""
    return [
        name
        for name, channel in WHOLE["channels"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[a-z0-9_-]+", channel["address"]), topic)
    ]


def test_every_topic_we_use_is_one_channel() -> None:
    """What the code publishes and subscribes stands in the document, once."""
    used = [f"homes/h1/devices/front/{part}" for part in (*native.HEARD, *native.SAID)]
    used += [up_topic("gw1", lane) for lane in LANES] + [HINT_TOPIC]
    used += [down_topic("gw1", what) for what in get_args(down_topic.__annotations__["what"]) or
             ("ack", "command", "registry")]  # fmt: skip
    assert [len(matches(topic)) for topic in used] == [1] * len(used)
    assert {name for topic in used for name in matches(topic)} == set(WHOLE["channels"])


def test_every_parameter_of_an_address_is_explained() -> None:
    """A reader is never left with a name in braces."""
    for channel in WHOLE["channels"].values():
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel.get("parameters", {}))


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_uplink_message_fits_its_schema(name: str) -> None:
    """The schema takes what the model writes, and refuses a field nobody knows."""
    schema = {**WHOLE["components"]["schemas"][name], "components": WHOLE["components"]}
    message = json.loads(EXAMPLES[name].model_dump_json())
    jsonschema.validate(message, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**message, "surprise": 1}, schema)


def test_only_states_and_the_registry_part_are_kept_by_a_broker() -> None:
    """A retained event would be news again at every connect."""
    kept = {name for name, one in WHOLE["operations"].items() if one["bindings"]["mqtt"]["retain"]}
    assert kept == {"receiveDeviceState", "receiveUplinkPart"}
