"""From an uplink message to entries that can be stored, or to one sentence that says why not. Pure.

A gateway sends its entries again until they are acknowledged. So one that cannot be understood must not hold up
its lane for ever (failure mode TR-12): if only its number can be read, it is stored as it came, with the reason,
and a technical alert follows. Only a message without readable epoch and numbers is put aside as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast, get_args

import orjson
from pydantic import ValidationError

from drivers.catalogue import CATALOGUE
from drivers.events import DecodeError, Event, Millis, TimeError, parse_time
from hub.centre.alerts.decisions import DecisionError, Judged
from hub.centre.alerts.decisions import read as read_decision
from hub.uplink.messages import LANES, MAX_BATCH, Batch, EntryType, LaneName

MAX_BYTES = 1_048_576
"""Bytes of one uplink message; the embedded broker's own limit."""

TOPIC = re.compile(r"gateways/([a-z0-9_-]{1,64})/up/([a-z]{1,16})")
ID = re.compile(r"[a-z0-9_-]{1,64}")
EPOCH = re.compile(r"[0-9a-f]{8,32}")
LONGEST_EVENT_ID = 200
LARGEST_NUMBER = 2**62
TYPES: tuple[str, ...] = get_args(EntryType)
UNREADABLE = "unreadable"


class PoisonError(ValueError):
    """A message that cannot be read at all; the text is one sentence: what was expected, what came."""


@dataclass(frozen=True, slots=True)
class Read:
    """One entry, checked. problem: why it is kept as unreadable, else empty.

    event, judged: what the body says, for entries of these types. at, heard: ms UTC; None if it says none.
    """

    number: int
    type: str
    body: Mapping[str, Any]
    home: str = ""
    device: str = ""
    at: Millis | None = None
    heard: Millis | None = None
    event: Event | None = None
    judged: Judged | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What one uplink message held. run: of the gateway's program, empty from an older one that names none."""

    gateway: str
    lane: LaneName
    epoch: str
    entries: tuple[Read, ...] = field(default=())
    run: str = ""


def read(topic: str, payload: bytes, size: int = 0) -> Sent:
    """Read one uplink message. Raises PoisonError with a sentence."""
    gateway, lane = read_topic(topic)
    if max(size, len(payload)) > MAX_BYTES:
        raise PoisonError(f"an uplink message has at most {MAX_BYTES} bytes, this one has {size}")
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as wrong:
        raise PoisonError(f"an uplink message is JSON: {wrong}") from None
    try:
        batch = Batch.model_validate(document)
    except ValidationError as wrong:
        return _salvage(gateway, lane, document, wrong)
    if max(one.number for one in batch.entries) > LARGEST_NUMBER:
        raise PoisonError(f"a number is at most {LARGEST_NUMBER}")
    entries = tuple(read_entry(one.number, one.type, one.body) for one in batch.entries)
    return Sent(gateway, lane, batch.epoch, entries, batch.run or "")


def read_topic(topic: str) -> tuple[str, LaneName]:
    """Gateway and lane of `gateways/{gateway}/up/{lane}`. Raises PoisonError."""
    found = TOPIC.fullmatch(topic)
    if found is None or found[2] not in LANES:
        raise PoisonError(f"an uplink topic is gateways/GATEWAY/up/{'|'.join(LANES)}, not {topic!r:.120}")
    return found[1], cast("LaneName", found[2])


def _salvage(gateway: str, lane: LaneName, document: object, wrong: ValidationError) -> Sent:
    """Keep what has a number; a newer gateway may send words that this centre does not know."""
    first = wrong.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the message"
    sentence = f"{place}: {first['msg']}"
    if not isinstance(document, dict) or not isinstance(document.get("entries"), list):
        raise PoisonError(f"an uplink message has an epoch and entries; {sentence}")
    epoch, entries = document.get("epoch"), document["entries"]
    if not isinstance(epoch, str) or not EPOCH.fullmatch(epoch) or not 0 < len(entries) <= MAX_BATCH:
        raise PoisonError(
            f"an uplink message has an epoch of 8 to 32 hex digits and 1 to {MAX_BATCH} entries; {sentence}"
        )
    run = document.get("run")
    named = run if isinstance(run, str) and EPOCH.fullmatch(run) else ""
    return Sent(gateway, lane, epoch, tuple(_salvage_entry(one, sentence) for one in entries), named)


def _salvage_entry(entry: object, sentence: str) -> Read:
    number = entry.get("number") if isinstance(entry, dict) else None
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= LARGEST_NUMBER:
        raise PoisonError(f"every entry has a number from 1 up; {sentence}")
    assert isinstance(entry, dict)
    type_, body = entry.get("type"), entry.get("body")
    if set(entry) == {"number", "type", "body"} and type_ in TYPES and isinstance(body, dict):
        return read_entry(number, str(type_), body)
    known = ", ".join(TYPES)
    return _unreadable(number, entry, f"an entry is number, type ({known}) and body, nothing else")


def read_entry(number: int, type_: str, body: Mapping[str, Any]) -> Read:
    """Read one entry by its type; what cannot be understood is kept with the reason."""
    try:
        if type_ == "event":
            return _event(number, body)
        if type_ == "decision":
            judged = read_decision(body)
            return Read(number, type_, body, judged.home, judged.device, judged.at, judged=judged)
        home, device = _known(body, "home"), _known(body, "device")
        return Read(number, type_, body, home, device, at=_time(body, "at"), heard=_time(body, "heard"))
    except (DecodeError, DecisionError, TimeError) as wrong:
        return _unreadable(number, {"type": type_, "body": dict(body)}, str(wrong))


def _unreadable(number: int, came: Mapping[str, Any], problem: str) -> Read:
    body = {"problem": problem[:500], "came": dict(came)}
    return Read(number, UNREADABLE, body, problem=problem[:500])


def _event(number: int, body: Mapping[str, Any]) -> Read:
    event = Event(
        id=_id_text(body),
        at=parse_time(body.get("at")),
        heard=parse_time(body.get("heard", body.get("at"))),
        home=_id(body, "home"),
        device=_id(body, "device"),
        kind=str(body.get("kind")),
        data=_data(body),
    )
    CATALOGUE.check(event.kind, event.data)
    return Read(number, "event", body, event.home, event.device, event.at, event.heard, event=event)


def _id_text(body: Mapping[str, Any]) -> str:
    value = body.get("id")
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_EVENT_ID or not value.isprintable():
        raise DecodeError(
            f"id of an event is 1 to {LONGEST_EVENT_ID} printable characters, not {value!r:.80}"
        )
    return value


def _known(body: Mapping[str, Any], name: str) -> str:
    """Which home or device an entry is about, empty where its sender is unknown."""
    return _id(body, name) if body.get(name) else ""


def _id(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise DecodeError(f"{name} of an event is 1 to 64 of a-z, 0-9, _ and -, not {value!r:.80}")
    return value


def _data(body: Mapping[str, Any]) -> dict[str, Any]:
    value = body.get("data", {})
    if not isinstance(value, dict):
        raise DecodeError(f"data of an event is an object, not {value!r:.80}")
    return value


def _time(body: Mapping[str, Any], name: str) -> Millis | None:
    return parse_time(body[name]) if body.get(name) is not None else None
