"""The native contract: the published schemas and the parser say the same, and acknowledgements are exact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.catalogue import CATALOGUE, NO_DEVICE, DataField
from drivers.device_type import Command, Unit
from drivers.devices import native_alarm, native_dispenser, native_lock
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols import mqtt_topics, native
from drivers.protocols.json_payload import MAX_PAYLOAD, read_object
from drivers.protocols.mqtt_topics import Place
from drivers.protocols.native_schema_files import FOLDER, schemas, text

EVERY_KIND = frozenset(kind for kind, spec in CATALOGUE.facts.items() if spec.device_class not in NO_DEVICE)
SCHEMAS = schemas()
JUDGES = {name: jsonschema.Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
NOW = 1_768_478_400_000

QUICK = settings(max_examples=300, derandomize=True, deadline=None, database=None)


def read(part: str, payload: object, *, retained: bool = False) -> list[Any]:
    """What the parser makes of a payload from a device that may send anything."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return native.read(Frame("mqtt", "h/d", body, NOW, part, retained), EVERY_KIND)


def accepted(part: str, payload: object) -> bool:
    """Whether the parser takes it."""
    try:
        read(part, payload)
    except DecodeError:
        return False
    return True


def value_for(field: DataField) -> st.SearchStrategy[Any]:
    """A value that fits a field."""
    if field.type == "flag":
        return st.booleans()
    if field.type == "time":
        return st.sampled_from([0, NOW, "2026-01-15T12:00:00Z", "2026-01-15T12:00:00.5+01:00"])
    if field.type == "text":
        return st.sampled_from(field.values) if field.values else st.text("aåæ 1-", max_size=20)
    return st.floats(field.low, field.high, allow_nan=False, allow_infinity=False)


@st.composite
def right_facts(draw: st.DrawFn, kinds: list[str]) -> dict[str, Any]:
    """A kind of the catalogue with data that fits."""
    spec = CATALOGUE.spec(draw(st.sampled_from(kinds)))
    data = {f.name: draw(value_for(f)) for f in spec.fields if f.required or draw(st.booleans())}
    return {"kind": spec.kind, **({"data": data} if data or draw(st.booleans()) else {})}


IDS = st.from_regex(native.REPORT_ID, fullmatch=True)
RIGHT_EVENTS = st.builds(lambda fact, id_: {"id": id_, **fact}, right_facts(sorted(EVERY_KIND)), IDS)
STATES = sorted(
    kind for kind in EVERY_KIND if CATALOGUE.spec(kind).sets and not CATALOGUE.spec(kind).call_for_help
)
RIGHT_STATES = st.builds(
    lambda facts, id_: {"id": id_, "facts": facts}, st.lists(right_facts(STATES), min_size=1, max_size=5), IDS
)
WRONG = st.sampled_from(
    [None, "", "x", "x" * 501, -1, 101, 1e9, 0.5, True, False, [], {}, {"value": "x"}, [1]]
)


@QUICK
@given(RIGHT_EVENTS)
def test_what_the_event_schema_allows_is_understood(payload: dict[str, Any]) -> None:
    """Any event that fits the published schema is read, with its kind and id."""
    JUDGES["event.json"].validate(payload)
    (fact,) = read("event", payload)
    assert (fact.kind, fact.id) == (payload["kind"], payload["id"])
    CATALOGUE.check(fact.kind, fact.data)


@QUICK
@given(RIGHT_STATES)
def test_what_the_state_schema_allows_is_understood(payload: dict[str, Any]) -> None:
    """Any state document that fits the published schema is read, one fact each."""
    JUDGES["state.json"].validate(payload)
    assert [fact.kind for fact in read("state", payload)] == [each["kind"] for each in payload["facts"]]


@QUICK
@given(RIGHT_EVENTS, st.data())
def test_schema_and_parser_agree_about_wrong_events(payload: dict[str, Any], data: st.DataObject) -> None:
    """After one change, both accept or both refuse, but for the leniencies that the contract names."""
    spec = CATALOGUE.spec(payload["kind"])
    inner = data.draw(st.booleans()) and spec.fields
    target = payload.setdefault("data", {}) if inner else payload
    name = data.draw(
        st.sampled_from([f.name for f in spec.fields] if inner else ["id", "kind", "data", "at"])
    )
    if data.draw(st.booleans()):
        target.pop(name, None)
    else:
        target[name] = data.draw(WRONG)
    valid = JUDGES["event.json"].is_valid(payload)
    kind = str(payload.get("kind"))
    forgiving = kind in EVERY_KIND and (CATALOGUE.spec(kind).call_for_help or kind.startswith("lock."))
    assert accepted("event", payload) == (valid or forgiving)


@QUICK
@given(RIGHT_STATES, st.data())
def test_schema_and_parser_agree_about_wrong_states(payload: dict[str, Any], data: st.DataObject) -> None:
    """A state document has no leniencies: both accept or both refuse."""
    target = data.draw(st.sampled_from([payload, payload["facts"][0], payload["facts"][0].get("data", {})]))
    target[data.draw(st.sampled_from(["id", "facts", "kind", "data", "value"]))] = data.draw(WRONG)
    assert accepted("state", payload) == JUDGES["state.json"].is_valid(payload)


@QUICK
@given(
    st.fixed_dictionaries(
        {"id": st.one_of(IDS, WRONG), "outcome": st.sampled_from(["done", "refused", "failed", "ok", 1])},
        optional={"reason": st.one_of(st.text(max_size=300), WRONG)},
    )
)
def test_schema_and_parser_agree_about_results(payload: dict[str, Any]) -> None:
    """A result is read exactly when it fits its schema."""
    assert accepted("result", payload) == JUDGES["result.json"].is_valid(payload)


def test_what_we_say_fits_its_schema() -> None:
    """Our acknowledgements and commands are what we publish that they are."""
    JUDGES["ack.json"].validate(json.loads(native.write_ack("e1")))
    JUDGES["ack.json"].validate(json.loads(native.write_ack("e1", "x" * 999)))
    written = native.write_command(Command("c1", "unlock", {"by": "Nils"}, NOW), Unit("h/d"))
    JUDGES["command.json"].validate(json.loads(written.payload))
    assert written.channel == "command"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_published_schema_files_are_fresh_and_valid(name: str) -> None:
    """`python -m drivers.protocols.native_schema_files` writes them; they are JSON Schema 2020-12."""
    assert (FOLDER / name).read_text(encoding="utf-8") == text(SCHEMAS[name])
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def test_no_other_schema_lies_about() -> None:
    """A file that nothing generates any more would mislead."""
    assert {path.name for path in FOLDER.iterdir()} == set(SCHEMAS)


@pytest.mark.parametrize(
    ("payload", "id_"),
    [
        (b'{"id": "e1", "kind": "pendant.fall"}', "e1"),
        (b'{"id": "e1", "kind": "rubbish"}', "e1"),
        (b'{"id": "with space"}', None),
        (b'{"id": 7}', None),
        (b"rubbish", None),
        (b"", None),
    ],
)
def test_the_id_to_acknowledge_is_read_from_any_event(payload: bytes, id_: str | None) -> None:
    """Also an event that we cannot read can be acknowledged, if it has an id that we can repeat."""
    assert native.report_id(payload) == id_


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"x" * (MAX_PAYLOAD + 1), "at most 16384 bytes; this one has more"),
        (b"[" * 10_000, "nested too deeply|JSON object"),
        (b'{"a": ' * 1500 + b"1" + b"}" * 1500, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "JSON object"),
        (b'"text"', "not a text"),
        (b"null", "not null"),
        (b"true", "not a truth value"),
    ],
)
def test_hostile_json_is_one_sentence(payload: bytes, says: str) -> None:
    """Size, depth, digits and other shapes than an object are refused by the one error class."""
    with pytest.raises(DecodeError, match=says):
        read_object(payload)


def test_texts_that_no_database_can_keep_are_refused() -> None:
    """Half a character or a NUL inside a text never reaches the journal; a call for help still does."""
    for bad in ("\ud800", "a\x00b"):
        with pytest.raises(DecodeError, match="whole characters"):
            read("event", {"id": "1", "kind": "dispenser.missed", "data": {"dose": bad}})
        assert read("event", {"id": "1", "kind": "call.raised", "data": {"place": bad}}) == [
            Fact("call.raised", {}, None, "1")
        ]


def test_each_native_type_sends_what_its_product_has() -> None:
    """The lock has a door sensor but no pendant, the alarm no bolt, the dispenser only doses."""
    assert {"lock.jammed", "door.opened"} <= native_lock.EMITS
    assert native_lock.DEVICE.classes == {"lock", "door"}
    assert not any(kind.startswith("lock.") for kind in native_alarm.EMITS)
    assert native_dispenser.DEVICE.classes == {"dispenser"}
    assert native_dispenser.DEVICE.knows_taken


@pytest.mark.parametrize(
    ("topic", "place"),
    [
        ("homes/h1/devices/front-lock/event", Place("h1/front-lock", "event", native=True)),
        ("homes/h1/devices/front-lock/ack", Place("h1/front-lock", "ack", native=True, ours=True)),
        ("homes/h1/devices/front-lock/command", Place("h1/front-lock", "command", native=True, ours=True)),
        ("homes/H1/devices/x/event", Place("homes/H1/devices/x/event", "")),
        ("homes/h1/devices/x/event/more", Place("homes/h1/devices/x/event/more", "")),
        ("a" * 300, Place("a" * 200, "")),
    ],
)
def test_topics_become_places(topic: str, place: Place) -> None:
    """Only topics in the contract's shape name a device; all others are their own address."""
    assert mqtt_topics.read(topic) == place


def test_schemas_are_found_beside_the_parser() -> None:
    """The schemas travel with the package."""
    assert Path(native.__file__).with_name("native_schemas") == FOLDER
