"""The walk over all device types: whoever adds one finds it tested here, from its captures.

`captures/<type>.json` holds `source` (a specification or a real unit, never our own simulator) and

- `captures`: `hex` or `payload` (a text, or JSON), `channel`, perhaps `address key settings memory retained`, and
  `events`: `[kind, data]`, `[kind, data, {"id", "at"}]` or `["result", {command, outcome, reason}]`;
- `refused`: the same with `says`, a part of the sentence;
- `commands` (where plain texts will not do as arguments): `name`, `args`, `channel`, and `hex` or `payload`.

`address`, `key` and `settings` may also stand beside `source`, for all of them. `unprotected` says why a single
wrong bit may turn one state of a bolt into another on this wire: such a wire needs a transport that checks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import drivers.devices
from drivers.catalogue import CATALOGUE
from drivers.device_type import Command, DeviceType, Outgoing, Result, Unit
from drivers.device_types_doc import PAGE, page
from drivers.events import DecodeError, Fact, Frame
from drivers.registry import DEVICE_TYPES, NAMES, UnknownDeviceType, device_type, recognise

CAPTURES = Path(__file__).with_name("captures")
NOW = 1_768_478_400_000  # 2026-01-15T12:00:00Z
TYPES = list(DEVICE_TYPES.values())
BOLT = {"lock.unlocked", "lock.locked"}
"""What no damage on the wire may ever make of another frame: an open door, or one believed locked."""


def captured(type_: DeviceType) -> dict[str, Any]:
    """The captures of a type; a type without any is not finished."""
    path = CAPTURES / f"{type_.id}.json"
    assert path.exists(), f"{type_.id} has no captures: write tests/drivers/captures/{type_.id}.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def every(part: str) -> list[Any]:
    """One test a capture."""
    return list(_every(part))


def _every(part: str) -> Iterator[Any]:
    for type_ in TYPES:
        if not (CAPTURES / f"{type_.id}.json").exists():
            continue
        book = captured(type_)
        for n, each in enumerate(book.get(part, []), start=1):
            merged = {
                **{k: book[k] for k in ("address", "key", "settings", "unprotected") if k in book},
                **each,
            }
            yield pytest.param(type_, merged, id=f"{type_.id}-{n}")


def payload_of(each: dict[str, Any]) -> bytes:
    """The bytes of a capture."""
    if "hex" in each:
        return bytes.fromhex(each["hex"])
    payload = each["payload"]
    return (payload if isinstance(payload, str) else json.dumps(payload)).encode()


def frame_of(type_: DeviceType, each: dict[str, Any], payload: bytes) -> Frame:
    """The frame in which a link would hand over these bytes."""
    return Frame(
        type_.link,
        each.get("address", "-"),
        payload,
        NOW,
        each.get("channel", ""),
        each.get("retained", False),
    )


def unit_of(each: dict[str, Any]) -> Unit:
    """The unit a capture came from."""
    key = bytes.fromhex(each["key"]) if "key" in each else None
    return Unit(
        each.get("address", "-"),
        key,
        each.get("settings", {}),
        deepcopy(each.get("memory", {})),
        device_class=each.get("class", ""),
    )


def plain(found: Fact | Result) -> list[Any]:
    """As captures write it."""
    if isinstance(found, Result):
        return ["result", {"command": found.command, "outcome": found.outcome, "reason": found.reason}]
    extra = {k: v for k, v in (("id", found.id), ("at", found.at)) if v is not None}
    return [found.kind, dict(found.data), *([extra] if extra else [])]


def check_allowed(type_: DeviceType, found: list[Fact | Result]) -> None:
    """Only declared kinds of the catalogue, with data that fits."""
    for one in found:
        if isinstance(one, Fact):
            assert one.kind in type_.emits
            CATALOGUE.check(one.kind, one.data)


def decode_or_refuse(type_: DeviceType, each: dict[str, Any], payload: bytes) -> list[Fact | Result]:
    """Decode; any exception but DecodeError fails the test, and so does a refusal that leaves a trace."""
    unit = unit_of(each)
    before = deepcopy(unit.memory)
    try:
        found = list(type_.decode(frame_of(type_, each, payload), unit))
    except DecodeError:
        assert unit.memory == before, "a decoder that refuses a frame must not remember it"
        return []
    check_allowed(type_, found)
    orjson.dumps(unit.memory)  # as the gateway stores it
    return found


@pytest.mark.parametrize("type_", TYPES, ids=lambda one: one.id)
def test_every_device_type_is_declared_whole(type_: DeviceType) -> None:
    """Names in both languages, a class and kinds of the catalogue, a source, a file of its own name."""
    assert set(type_.name) == {"nb", "en"}
    assert all(type_.name.values())
    assert type_.emits <= set(CATALOGUE.facts)
    assert type_.device_class in CATALOGUE.classes
    assert type_.device_class in type_.classes
    assert type_.signature
    assert type_.source
    assert not any(kind.startswith("gateway.") for kind in type_.emits)
    assert type_.silent_after is None or type_.silent_after > 0
    assert (type_.link == "ble") == (type_.ble is not None)
    assert (Path(drivers.devices.__file__).parent / f"{type_.id}.py").exists()


def test_no_file_of_a_device_type_is_forgotten() -> None:
    """Every file in drivers/devices that declares a DEVICE is in the registry's list, in order."""
    folder = Path(drivers.devices.__file__).parent
    declaring = {
        path.stem for path in folder.glob("*.py") if "\nDEVICE = " in path.read_text(encoding="utf-8")
    }
    assert declaring == set(DEVICE_TYPES)
    assert list(NAMES) == sorted(NAMES)


@pytest.mark.parametrize("type_", TYPES, ids=lambda one: one.id)
def test_every_device_type_has_captures_with_a_source(type_: DeviceType) -> None:
    """A fixture says where it is from, and it is not from our own simulator."""
    book = captured(type_)
    assert len(book["source"]) > 10
    assert "simulator" not in book["source"]
    assert book["captures"]


@pytest.mark.parametrize(("type_", "each"), every("captures"))
def test_captures_mean_their_events(type_: DeviceType, each: dict[str, Any]) -> None:
    """What the specification says these bytes mean is what we read."""
    found = list(type_.decode(frame_of(type_, each, payload_of(each)), unit_of(each)))
    check_allowed(type_, found)
    told = [plain(one) for one in found]
    assert len(told) == len(each["events"]), told
    for got, wanted in zip(told, each["events"], strict=True):
        assert got[0] == wanted[0]
        assert got[1] == pytest.approx(wanted[1])
        assert len(wanted) == 2 or got[2] == wanted[2]


@pytest.mark.parametrize(("type_", "each"), every("refused"))
def test_wrong_frames_are_refused_in_a_sentence(type_: DeviceType, each: dict[str, Any]) -> None:
    """The one error class, and the sentence names what was wrong."""
    with pytest.raises(DecodeError) as refused:
        list(type_.decode(frame_of(type_, each, payload_of(each)), unit_of(each)))
    assert each["says"] in str(refused.value)


@pytest.mark.parametrize(("type_", "each"), every("captures"))
def test_every_shortened_frame_is_an_event_or_refused_and_never_an_unlock(
    type_: DeviceType, each: dict[str, Any]
) -> None:
    """A frame cut anywhere raises nothing but DecodeError and opens no door."""
    whole = payload_of(each)
    for length in range(len(whole)):
        found = decode_or_refuse(type_, each, whole[:length])
        assert not BOLT & {one.kind for one in found if isinstance(one, Fact)}


@pytest.mark.parametrize(("type_", "each"), every("captures"))
def test_every_flipped_bit_is_an_event_or_refused_and_never_an_unlock(
    type_: DeviceType, each: dict[str, Any]
) -> None:
    """One wrong bit raises nothing but DecodeError, and turns nothing into an unlocked door."""
    whole = payload_of(each)
    meant = {event[0] for event in each["events"]}
    for place in range(8 * len(whole)):
        wrong = bytearray(whole)
        wrong[place // 8] ^= 1 << place % 8
        found = decode_or_refuse(type_, each, bytes(wrong))
        assert "unprotected" in each or not BOLT & (
            {one.kind for one in found if isinstance(one, Fact)} - meant
        )


@pytest.mark.parametrize("type_", TYPES, ids=lambda one: one.id)
@settings(
    max_examples=80, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(data=st.data())
def test_any_bytes_at_all_are_an_event_or_refused(type_: DeviceType, data: st.DataObject) -> None:
    """Noise on any channel, kept or not, after any capture of the same unit, raises only DecodeError."""
    book = captured(type_)
    each = {**book, **data.draw(st.sampled_from(book["captures"]))}
    channels = sorted({one.get("channel", "") for one in book["captures"]} | {"", "nonsense"})
    each["channel"] = data.draw(st.sampled_from(channels))
    each["retained"] = data.draw(st.booleans())
    unit = unit_of(each)
    for noise in data.draw(st.lists(st.binary(max_size=300), min_size=1, max_size=4)):
        before = deepcopy(unit.memory)
        try:
            check_allowed(type_, list(type_.decode(frame_of(type_, each, noise), unit)))
        except DecodeError:
            assert unit.memory == before
        orjson.dumps(unit.memory)


@pytest.mark.parametrize("type_", TYPES, ids=lambda one: one.id)
def test_every_command_is_written(type_: DeviceType) -> None:
    """A command that a type declares becomes bytes on a channel; one that it does not is refused."""
    book = captured(type_)
    examples = {one["name"]: one for one in book.get("commands", [])}
    assert set(examples) <= set(type_.commands)
    for name, arguments in type_.commands.items():
        example = examples.get(name)
        args = example["args"] if example else dict.fromkeys(arguments, "1")
        command = Command("c-1", name, args, NOW + 10_000)
        outgoing = type_.encode(command, unit_of(book))
        assert isinstance(outgoing, Outgoing)
        assert outgoing.payload
        if example:
            assert outgoing.channel == example["channel"]
            if "hex" in example:
                assert outgoing.payload == bytes.fromhex(example["hex"])
            elif "payload" in example:
                assert json.loads(outgoing.payload) == example["payload"]


ODD = (None, True, -1, 5.7, float("inf"), float("nan"), 2**80, "", "x" * 5000, "\0", "\ud800", [], {}, [[1]])


@pytest.mark.parametrize("type_", TYPES, ids=lambda one: one.id)
@pytest.mark.parametrize("odd", ODD, ids=lambda one: repr(one)[:12])
def test_odd_arguments_of_a_command_are_written_or_refused(type_: DeviceType, odd: Any) -> None:
    """Whatever stands where a number or text should, the answer is bytes or a ValueError, and nothing is awaited."""
    for name, arguments in type_.commands.items():
        unit = unit_of(captured(type_))
        before = deepcopy(unit.memory)
        try:
            outgoing = type_.encode(Command("c-1", name, dict.fromkeys(arguments, odd), NOW), unit)
        except ValueError:
            assert unit.memory == before
        else:
            assert outgoing.payload


def test_the_table_of_device_types_is_fresh() -> None:
    """`python -m drivers.device_types_doc` writes it into drivers/README.md."""
    old = PAGE.read_text(encoding="utf-8")
    assert page(old) == old


def test_a_stranger_is_recognised() -> None:
    """A frame of a device that nobody registered says which device types it could be."""
    frame = Frame("mqtt", "h1/x", b'{"id": "1", "kind": "bed.left"}', NOW, "event")
    assert [one.id for one in recognise(frame)] == ["native_alarm"]
    assert recognise(Frame("mqtt", "h1/x", b"\xff", NOW, "event")) == ()


def test_an_unknown_device_type_is_said_with_its_neighbour() -> None:
    """A typing slip in the registry file or on the command line is an error with a remedy."""
    with pytest.raises(UnknownDeviceType, match="did you mean 'native_lock'"):
        device_type("native_lok")
