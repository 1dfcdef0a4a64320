"""ChirpStack v4 MQTT integration: JSON events about LoRaWAN devices.

Source: ChirpStack documentation (event types, JSON marshaler) and chirpstack-api integration.proto. What the
payload of an uplink means is the device's own matter: either a codec in ChirpStack has already made an `object`
of it, or one of our CODECS reads the raw bytes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from drivers.events import DecodeError, Fact, Millis, TimeError, Value, parse_time
from drivers.protocols.json_payload import read_object

Codec: TypeAlias = Callable[[bytes, int], list[Fact]]
"""Raw payload and port → facts; raises DecodeError."""


@dataclass(frozen=True, slots=True)
class Uplink:
    """One uplink. id: the network's own, the same for every gateway that heard it. data: raw payload."""

    id: str
    at: Millis | None
    port: int
    counter: int
    data: bytes
    object: Mapping[str, Any]


def uplink(payload: bytes) -> Uplink:
    """Read an `up` event. Raises DecodeError."""
    found = read_object(payload)
    id_ = found.get("deduplicationId")
    if not isinstance(id_, str) or not 1 <= len(id_) <= 64 or not id_.isascii() or not id_.isprintable():
        raise DecodeError(f"deduplicationId is a text of 1 to 64 letters, not {id_!r:.80}")
    decoded = found.get("object") or {}
    if not isinstance(decoded, dict):
        raise DecodeError(f"object is an object, not {decoded!r:.80}")
    return Uplink(
        id_,
        _time(found),
        _whole(found, "fPort", 255),
        _whole(found, "fCnt", 2**32 - 1),
        _data(found),
        decoded,
    )


def battery(payload: bytes) -> float | None:
    """The level in a `status` event in percent; None on mains, or where the device does not know."""
    found = read_object(payload)
    if found.get("externalPowerSource") is True or found.get("batteryLevelUnavailable") is True:
        return None
    level = found.get("batteryLevel")
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 <= level <= 100:
        raise DecodeError(f"batteryLevel is a number from 0 to 100, not {level!r:.80}")
    return round(float(level), 1)


def _time(found: Mapping[str, Any]) -> Millis | None:
    try:
        return parse_time(found["time"]) if isinstance(found.get("time"), str) else None
    except TimeError:
        return None


def _whole(found: Mapping[str, Any], name: str, highest: int) -> int:
    """Protobuf's JSON leaves out zeros."""
    value = found.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
        raise DecodeError(f"{name} is a whole number from 0 to {highest}, not {value!r:.80}")
    return value


def _data(found: Mapping[str, Any]) -> bytes:
    value = found.get("data", "")
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        raise DecodeError(f"data is base64, not {value!r:.60}") from None


# -- codecs of products that are used as pendants ------------------------------------------------------------

_MILESIGHT_PRESS: Final[Mapping[int, str]] = MappingProxyType({1: "short", 2: "long", 3: "double"})


def milesight_button(data: bytes, port: int) -> list[Fact]:  # noqa: ARG001  the shape of a codec
    """Milesight WS101 smart button: channel, type, value. Source: WS101 user guide, uplink payload.

    01 75: battery in percent. FF 2E: pressed (1 short, 2 long, 3 double). Other FF entries tell of the product.
    """
    facts: list[Fact] = []
    rest = data
    while rest:
        entry, rest = _milesight_entry(rest)
        if entry[:2] == b"\x01\x75" and entry[2] <= 100:
            facts.append(Fact("pendant.battery", {"value": entry[2]}))
        elif entry[:2] == b"\xff\x2e":
            how = _MILESIGHT_PRESS.get(entry[2])
            facts.append(Fact("pendant.pressed", {"press": how} if how else {}))
    return facts


_MILESIGHT_SIZE: Final[Mapping[bytes, int]] = MappingProxyType(
    {b"\x01\x75": 1, b"\xff\x2e": 1, b"\xff\x01": 1, b"\xff\x08": 6, b"\xff\x16": 8, b"\xff\x09": 2,
     b"\xff\x0a": 2, b"\xff\x0b": 1, b"\xff\x0f": 1, b"\xff\xff": 2, b"\xff\xfe": 1}
)  # fmt: skip
"""Channel and type → bytes of value: protocol, serial numbers, versions, power on, class, TSL, reset."""


def _milesight_entry(rest: bytes) -> tuple[bytes, bytes]:
    size = _MILESIGHT_SIZE.get(rest[:2])
    if size is None or len(rest) < 2 + size:
        raise DecodeError(f"a Milesight payload is channel, type and value; {rest[:8].hex(' ')} is not")
    return rest[: 2 + size], rest[2 + size :]


CODECS: Final[Mapping[str, Codec]] = MappingProxyType({"milesight_button": milesight_button})
"""Name in the device's setting `codec` → how its raw payload is read."""


def mapped(object_: Mapping[str, Any], fields: Mapping[str, Any], emits: frozenset[str]) -> list[Fact]:
    """The facts in an `object` by the setting `fields`: property → kind.

    True, a number above 0 or a text that is not empty counts as "it happened"; a kind that measures takes the
    number. Raises DecodeError for a setting that names a kind this device type cannot send.
    """
    facts = []
    for name, kind in fields.items():
        if not isinstance(kind, str) or kind not in emits:
            raise DecodeError(f"the setting 'fields' names {kind!r:.60}, which a pendant does not send")
        value: Value | None = object_.get(name)
        if kind == "pendant.battery":
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100:
                facts.append(Fact(kind, {"value": value}))
        elif value and value not in ("0", "off", "false", "none", "no"):
            facts.append(Fact(kind))
    return facts
