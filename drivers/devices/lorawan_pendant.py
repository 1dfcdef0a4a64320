"""A pendant on LoRaWAN behind ChirpStack v4: it works where no other radio reaches, in the garden and beyond.

Settings: `codec` names how the raw payload is read (drivers.protocols.chirpstack.CODECS); or `fields` says what
the properties of the decoded object mean: `fields: {sos: pendant.pressed, fall: pendant.fall}`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from drivers.device_type import DeviceType, Unit
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols import reports
from drivers.protocols.chirpstack import CODECS, Uplink, battery, mapped, uplink
from drivers.settings import one_of, table

EMITS = frozenset(
    {
        f"pendant.{fact}"
        for fact in ("pressed", "fall", "cancelled", "battery", "battery_low", "tamper", "heartbeat")
    }
)

FIELDS = MappingProxyType(
    {
        "sos": "pendant.pressed",
        "alarm": "pendant.pressed",
        "pressed": "pendant.pressed",
        "button": "pendant.pressed",
        "fall": "pendant.fall",
        "battery": "pendant.battery",
    }
)
"""What common names of properties mean where the setting `fields` says nothing."""


def decode(frame: Frame, unit: Unit) -> list[Fact]:
    """Read an uplink (`up`) or the network's word on the battery (`status`)."""
    if frame.retained:
        raise DecodeError("a retained uplink is not news")
    if frame.channel == "up":
        return _uplink(uplink(frame.payload), frame, unit)
    if frame.channel == "status":
        level = battery(frame.payload)
        return [] if level is None else reports.battery("pendant", level, unit, frame.heard)
    if frame.channel in ("join", "ack", "txack", "log", "location", "integration"):
        return []
    raise DecodeError(f"ChirpStack tells of up, status, join …, not of {frame.channel!r:.80}")


def _uplink(heard: Uplink, frame: Frame, unit: Unit) -> list[Fact]:
    """The same uplink again, as a network may deliver it, has the same ids and counts once."""
    found = _read(heard, unit)
    said = reports.alive("pendant", list(_thinned(found, frame, unit)), unit, frame.heard)
    return [
        dataclasses.replace(fact, id=f"{heard.id}:{place}", at=heard.at) for place, fact in enumerate(said)
    ]


def _read(heard: Uplink, unit: Unit) -> list[Fact]:
    name = unit.settings.get("codec")
    if name is not None:
        if not isinstance(name, str) or name not in CODECS:
            raise DecodeError(f"the setting 'codec' is one of {', '.join(CODECS)}, not {name!r:.80}")
        return CODECS[name](heard.data, heard.port)
    fields = unit.settings.get("fields", FIELDS)
    if not isinstance(fields, Mapping):
        raise DecodeError(f"the setting 'fields' says what properties mean, not {fields!r:.80}")
    if not heard.object and heard.data:
        raise DecodeError("the uplink was not decoded by ChirpStack, and no codec is set for this device")
    return mapped(heard.object, fields, EMITS)


def _thinned(found: list[Fact], frame: Frame, unit: Unit) -> Iterator[Fact]:
    for fact in found:
        if fact.kind == "pendant.battery":
            yield from reports.battery("pendant", float(fact.data["value"]), unit, frame.heard)
        else:
            yield fact


SETTINGS: Final = {"codec": one_of(*CODECS), "fields": table(one_of(*sorted(EMITS)))}

DEVICE = DeviceType(
    id="lorawan_pendant",
    vendor="Milesight and others",
    product="LoRaWAN button behind ChirpStack v4 (WS101)",
    name=MappingProxyType({"nb": "Alarmknapp (LoRaWAN)", "en": "Pendant (LoRaWAN)"}),
    link="mqtt",
    device_class="pendant",
    emits=EMITS,
    decode=decode,
    signature="JSON on application/{id}/device/{eui}/event/up",
    silent_after=26 * 3600,
    recognises=lambda frame: (
        frame.link == "mqtt" and frame.address.startswith("lorawan/") and frame.channel == "up"
    ),
    settings=SETTINGS,
    source="ChirpStack v4 documentation (MQTT integration); Milesight WS101 user guide",
)
