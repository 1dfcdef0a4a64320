"""The native MQTT contract: what a device says that speaks ours by itself (DESIGN.md section 9).

    homes/{home}/devices/{device}/event     {"id", "at"?, "kind", "data"?}         repeated until acknowledged
    homes/{home}/devices/{device}/ack       {"id", "error"?}                       from us, after we wrote it down
    homes/{home}/devices/{device}/state     {"id", "at"?, "facts": [{"kind", "data"?}]}      may be retained
    homes/{home}/devices/{device}/command   {"id", "command", "args", "expires"}   from us, never retained
    homes/{home}/devices/{device}/result    {"id", "outcome", "reason"?}           id: the command's

JSON Schemas of all five stand in `native_schemas/`. Fields that are not in them are ignored. Two leniencies go
beyond the schemas, because a person or a door may hang on them: a call for help and a fact of a lock count
even when their id, time or data is wrong (what is wrong is left out), and a lock that says something unknown
makes its bolt unknown instead of leaving it as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from drivers.catalogue import CATALOGUE, FactSpec
from drivers.device_type import Command, Outgoing, Result, Unit
from drivers.events import NO_DATA, DecodeError, Fact, Frame, Millis, TimeError, Value, iso, parse_time
from drivers.protocols.json_payload import read_object, text_field

HEARD = ("event", "state", "result")
"""Last parts of the topics that devices publish on."""

SAID = ("ack", "command")
"""Last parts of the topics that we publish on."""

REPORT_ID = r"^[A-Za-z0-9._:-]{1,64}$"
"""An id of a report, unique on its device; the same id again is the same report."""

MAX_FACTS = 32
"""Facts in one state document."""

MAX_REASON = 200


def read(frame: Frame, emits: frozenset[str]) -> list[Fact | Result]:
    """Read a frame of a native device that may send the kinds `emits`. Raises DecodeError."""
    if frame.channel not in HEARD:
        raise DecodeError(f"a native device speaks on {', '.join(HEARD)}, not on {frame.channel!r:.80}")
    if frame.retained and frame.channel != "state":
        raise DecodeError(f"a retained message on {frame.channel!r} is not news; only state may be retained")
    payload = read_object(frame.payload)
    if frame.channel == "event":
        return [_event(payload, emits)]
    if frame.channel == "state":
        return list(_state(payload, emits))
    return [_result(payload)]


def report_id(payload: bytes) -> str | None:
    """The id under which an event is to be acknowledged; None where it has none that we can repeat."""
    try:
        found = read_object(payload).get("id")
    except DecodeError:
        return None
    return found if _is_id(found) else None


def write_ack(report: str, error: str = "") -> bytes:
    """We have it. error: we have it, and could not make sense of it."""
    return _write({"id": report, "error": error[:MAX_REASON]} if error else {"id": report})


def write_command(command: Command, unit: Unit) -> Outgoing:  # noqa: ARG001  the shape of an encoder
    """A command as a native device takes it; it must not be carried out after `expires`."""
    return Outgoing(
        "command",
        _write(
            {
                "id": command.id,
                "command": command.name,
                "args": dict(command.args),
                "expires": iso(command.expires),
            }
        ),
    )


def _event(payload: dict[str, Any], emits: frozenset[str]) -> Fact:
    kind = text_field(payload, "kind", 64)
    if kind not in emits and kind.startswith("lock.") and "lock.unknown" in emits:
        return Fact(
            "lock.unknown",
            {"reason": f"the lock said {kind!r}"},
            _lenient_time(payload),
            _lenient_id(payload),
        )
    spec = _spec(kind, emits)
    if _forgiving(spec):
        return Fact(
            kind, _lenient_data(spec, payload.get("data")), _lenient_time(payload), _lenient_id(payload)
        )
    return Fact(kind, _data(spec, payload.get("data", {})), _time(payload), _id(payload))


def _state(payload: dict[str, Any], emits: frozenset[str]) -> Iterator[Fact]:
    """A state document speaks of what is; what happened, above all a call for help, is an event."""
    report, at, facts = _id(payload), _time(payload), payload.get("facts")
    if not isinstance(facts, list) or not 1 <= len(facts) <= MAX_FACTS:
        raise DecodeError(f"field 'facts' is a list of 1 to {MAX_FACTS} facts, not {facts!r:.80}")
    for each in facts:
        if not isinstance(each, dict):
            raise DecodeError(f"a fact is an object with a kind, not {each!r:.80}")
        kind = text_field(each, "kind", 64)
        spec = _spec(kind, emits)
        if spec.call_for_help or not spec.sets:
            raise DecodeError(f"{kind} is news and belongs on the event topic, not in a state")
        yield Fact(kind, _data(spec, each.get("data", {})), at, f"{report}:{kind}")


def _result(payload: dict[str, Any]) -> Result:
    outcome = payload.get("outcome")
    if outcome not in ("done", "refused", "failed"):
        raise DecodeError(f"field 'outcome' is done, refused or failed, not {outcome!r:.80}")
    reason = payload.get("reason", "")
    if not isinstance(reason, str) or len(reason) > MAX_REASON:
        raise DecodeError(f"field 'reason' is a text of at most {MAX_REASON} characters, not {reason!r:.80}")
    return Result(_id(payload), cast("Literal['done', 'refused', 'failed']", outcome), reason)


def _spec(kind: str, emits: frozenset[str]) -> FactSpec:
    spec = CATALOGUE.spec(kind)
    if kind not in emits:
        raise DecodeError(f"a device of this type never sends {kind}")
    return spec


def _forgiving(spec: FactSpec) -> bool:
    return spec.call_for_help or spec.device_class == "lock"


def _data(spec: FactSpec, data: object) -> Mapping[str, Value]:
    if not isinstance(data, dict):
        raise DecodeError(f"field 'data' is an object, not {data!r:.80}")
    known = {field.name: _value(field.type, data[field.name]) for field in spec.fields if field.name in data}
    spec.check(known)
    return known or NO_DATA


def _lenient_data(spec: FactSpec, data: object) -> Mapping[str, Value]:
    """What can be read of the data of a fact that counts in any case."""
    known: dict[str, Value] = {}
    for field in spec.fields if isinstance(data, dict) else ():
        try:
            value = _value(field.type, cast("dict[str, Any]", data)[field.name])
            field.check(value)
            known[field.name] = value
        except (KeyError, DecodeError):
            continue
    return known or NO_DATA


def _value(type_: str, value: Any) -> Value:
    """A time may be written as text; a number is a number."""
    if type_ != "time":
        return cast("Value", value)
    return _moment(value)


def _moment(value: object) -> Millis:
    if isinstance(value, float) and value.is_integer():  # JSON knows only one sort of number
        value = int(value)
    try:
        return parse_time(value)
    except TimeError as wrong:
        raise DecodeError(str(wrong)) from None


def _time(payload: dict[str, Any]) -> Millis | None:
    return _moment(payload["at"]) if "at" in payload else None


def _lenient_time(payload: dict[str, Any]) -> Millis | None:
    try:
        return _time(payload)
    except DecodeError:
        return None


def _id(payload: dict[str, Any]) -> str:
    found = payload.get("id")
    if not _is_id(found):
        raise DecodeError(f"field 'id' is a text like {REPORT_ID}, not {found!r:.80}")
    return cast("str", found)


def _lenient_id(payload: dict[str, Any]) -> str | None:
    return payload["id"] if _is_id(payload.get("id")) else None


def _is_id(found: object) -> bool:
    return isinstance(found, str) and re.fullmatch(REPORT_ID, found) is not None


def _write(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
