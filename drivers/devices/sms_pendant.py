"""A mobile alarm that reports by SMS: a pendant or dispenser with its own SIM card, read by what it writes.

Its address is `modem#+4790000000`: the modem's port and the number that it sends from. `words` says what its texts
mean: `{"SOS": "pendant.pressed", "FALL": "pendant.fall", "LOW BAT": "pendant.battery_low"}`; the longest that occurs
counts. A text that nobody explained is a call, in its own words. The command `message` writes to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drivers.catalogue import CATALOGUE
from drivers.device_type import Command, DeviceType, Outgoing, Unit
from drivers.events import Fact, Frame, Value
from drivers.protocols.sms_pdu import read_deliver, write_submit

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "SOS": "pendant.pressed",
        "HJELP": "pendant.pressed",
        "HELP": "pendant.pressed",
        "FALL": "pendant.fall",
        "LOW BAT": "pendant.battery_low",
        "LAVT BATTERI": "pendant.battery_low",
        "TEST": "pendant.heartbeat",
    }
)

EMITS: Final = frozenset(
    {spec.kind for spec in CATALOGUE.facts.values() if spec.device_class == "pendant"} | {"call.raised"}
)


def decode(frame: Frame, unit: Unit) -> list[Fact]:
    """Read one message. Of a long one each part speaks for itself: waiting for the rest could swallow a call."""
    received = read_deliver(frame.payload)
    kind = _meaning(received.text, unit) or ("call.raised" if received.part == 1 else "pendant.heartbeat")
    text = received.text.strip()[:500]
    data: dict[str, Value] = {"text": text} if kind == "call.raised" and text else {}
    return [Fact(kind, data, at=received.sent)]


def _meaning(text: str, unit: Unit) -> str:
    own = unit.settings.get("words")
    words = own if isinstance(own, Mapping) else WORDS
    said = text.upper()
    found = [str(word) for word in words if str(word).upper() in said and words[word] in EMITS]
    return str(words[max(found, key=len)]) if found else ""


def encode(command: Command, unit: Unit) -> Outgoing:
    """Write a message to it. Raises ValueError with a sentence."""
    if command.name != "message":
        raise ValueError(f"a mobile alarm takes the command message, not {command.name!r:.40}")
    number, text = unit.address.rpartition("#")[2], str(command.args.get("text", ""))
    write_submit(number if "#" in unit.address else "+470000000", text)
    return Outgoing("sms", json.dumps({"text": text}).encode(), wait=0)


DEVICE = DeviceType(
    id="sms_pendant",
    vendor="any",
    product="mobile alarm reporting by SMS through a GSM modem",
    name=MappingProxyType({"nb": "Mobil alarm (SMS)", "en": "Mobile alarm (SMS)"}),
    link="serial",
    device_class="pendant",
    emits=EMITS,
    decode=decode,
    signature="an SMS-DELIVER in PDU mode",
    silent_after=None,
    commands=MappingProxyType({"message": ("text",)}),
    encode=encode,
    own_clock=True,
    answers=True,
    source="3GPP 23.040, 23.038, 27.005",
)
