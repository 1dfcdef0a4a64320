"""A mobile alarm that reports by SMS: a pendant or dispenser with its own SIM card, read by what it writes.

Its address is `modem#+4790000000`: the modem's port and the number that it sends from. `words` says what its texts
mean: `{"SOS": "pendant.pressed", "FALL": "pendant.fall", "LOW BAT": "pendant.battery_low"}`; the longest that occurs
counts. A text that nobody explained is a call, in its own words. The command `message` writes to it; with
`confirms: true` it counts as done when the network reports that the telephone has it, else when the modem sent it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drivers.catalogue import CATALOGUE
from drivers.device_type import Command, DeviceType, Outgoing, Result, Unit
from drivers.events import DecodeError, Fact, Frame, Value
from drivers.protocols.gsm_modem import SETTINGS as MODEM
from drivers.protocols.reports import alive
from drivers.protocols.sms_pdu import REPORT, read_deliver, read_report, write_submit
from drivers.settings import one_of, table, text

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
    {spec.kind for spec in CATALOGUE.facts.values() if spec.device_class == "pendant"}
    | {"call.raised", "call.heartbeat"}
)


CONFIRMED_WITHIN: Final = 300_000
"""Milliseconds for the network's report; a telephone that is off gets the message later, and nobody waits so long."""


def decode(frame: Frame, unit: Unit) -> list[Fact | Result]:
    """Read one message. Of a long one each part speaks for itself: waiting for the rest could swallow a call."""
    if frame.channel == REPORT:
        return [_outcome(frame.payload)]
    received = read_deliver(frame.payload)
    kind = _meaning(received.text, unit) or ("call.raised" if received.part == 1 else "pendant.heartbeat")
    if kind == "pendant.heartbeat":
        kind = f"{_class(unit)}.heartbeat"
    text = received.text.replace("\0", " ").strip()[:500]
    data: dict[str, Value] = {"text": text} if kind == "call.raised" and text else {}
    said: list[Fact | Result] = [Fact(kind, data, at=received.sent)]
    return said if kind.endswith(".heartbeat") else [*alive(_class(unit), said, unit, frame.heard)]


def _class(unit: Unit) -> str:
    """Rules ask for signs of life of what it is registered as."""
    return "call" if unit.device_class == "call" else "pendant"


def _outcome(payload: bytes) -> Result:
    """What became of a message of ours."""
    try:
        said = json.loads(payload)
        command, pdu = str(said["id"]), bytes.fromhex(said["pdu"])
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise DecodeError(f"expected a report with id and pdu: {wrong!s:.100}") from None
    report = read_report(pdu)
    if report.outcome == "delivered":
        return Result(command, "done")
    return Result(command, "failed", f"the network could not deliver it (state {report.state:02X})")


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
    if not unit.settings.get("confirms"):
        return Outgoing("sms", json.dumps({"text": text}).encode(), wait=0)
    return Outgoing("sms", json.dumps({"text": text, "id": command.id}).encode(), wait=CONFIRMED_WITHIN)


SETTINGS: Final = {**MODEM, "words": table(one_of(*sorted(EMITS)), keys=text(100))}

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
    settings=SETTINGS,
    source="3GPP 23.040, 23.038, 27.005",
)
