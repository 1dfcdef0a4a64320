"""Captures of the serial device types mean their facts, and what is broken says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.catalogue import CATALOGUE
from drivers.device_type import Result, Unit
from drivers.events import DecodeError, Fact, Frame
from drivers.registry import DEVICE_TYPES

FOLDER = Path(__file__).parent.parent / "captures"
TYPES = sorted(one.id for one in DEVICE_TYPES.values() if one.link in ("serial", "sip", "tcp"))


def captures(part: str) -> list[Any]:
    """Every capture of these device types, with its type and note as the test's name."""
    return [
        pytest.param(type_, capture, id=f"{type_}: {capture['note'][:40]}")
        for type_ in TYPES
        for capture in json.loads((FOLDER / f"{type_}.json").read_text())[part]
    ]


def frame_of(type_: str, capture: dict[str, Any], payload: bytes | None = None) -> Frame:
    """The frame a capture stands for."""
    raw = bytes.fromhex(capture["hex"]) if payload is None else payload
    return Frame(DEVICE_TYPES[type_].link, "-", raw, capture.get("heard", 0), capture.get("channel", ""))


def unit_of(capture: dict[str, Any]) -> Unit:
    """The unit a capture was taken from."""
    key = bytes.fromhex(capture["key"]) if "key" in capture else None
    return Unit("-", key=key, settings=capture.get("settings", {}), memory=dict(capture.get("memory", {})))


@pytest.mark.parametrize(("type_", "capture"), captures("captures"))
def test_a_capture_means_its_facts(type_: str, capture: dict[str, Any]) -> None:
    """The bytes of a specification or a published vector decode to what they stand for."""
    device = DEVICE_TYPES[type_]
    read = list(device.decode(frame_of(type_, capture), unit_of(capture)))
    facts = [one for one in read if isinstance(one, Fact)]
    assert [[fact.kind, dict(fact.data)] for fact in facts] == capture["events"]
    results = [[one.command, one.outcome] for one in read if isinstance(one, Result)]
    assert results == capture.get("results", [])
    for fact in facts:
        assert fact.kind in device.emits
        CATALOGUE.check(fact.kind, fact.data)


@pytest.mark.parametrize(("type_", "refused"), captures("refused"))
def test_a_broken_capture_is_refused_in_a_sentence(type_: str, refused: dict[str, Any]) -> None:
    """The one error class says what was expected; the unit remembers nothing of it."""
    unit = unit_of(refused)
    before = dict(unit.memory)
    with pytest.raises(DecodeError, match=refused["says"]):
        list(DEVICE_TYPES[type_].decode(frame_of(type_, refused), unit))
    assert unit.memory == before


@pytest.mark.parametrize(("type_", "capture"), captures("captures"))
def test_no_shortened_or_damaged_capture_escapes_the_one_error(type_: str, capture: dict[str, Any]) -> None:
    """Every truncation and every flipped bit gives catalogue facts or DecodeError, nothing else."""
    raw = bytes.fromhex(capture["hex"])
    damaged = [raw[:end] for end in range(len(raw))]
    damaged += [
        bytes([*raw[:at], raw[at] ^ 1 << bit, *raw[at + 1 :]]) for at in range(len(raw)) for bit in range(8)
    ]
    for payload in damaged:
        _read_or_refuse(type_, capture, payload)


@pytest.mark.parametrize("type_", TYPES)
@given(payload=st.binary(max_size=200), channel=st.sampled_from(["", "block", "line"]))
def test_any_bytes_give_facts_or_the_one_error(type_: str, payload: bytes, channel: str) -> None:
    """Noise never brings a decoder down."""
    _read_or_refuse(type_, {"channel": channel}, payload)


def _read_or_refuse(type_: str, capture: dict[str, Any], payload: bytes) -> None:
    try:
        read = list(DEVICE_TYPES[type_].decode(frame_of(type_, capture, payload), unit_of(capture)))
    except DecodeError as refused:
        assert str(refused)  # noqa: PT017  both outcomes are right, and each is looked at
        return
    for fact in read:
        if isinstance(fact, Fact):
            assert fact.kind in DEVICE_TYPES[type_].emits
            CATALOGUE.check(fact.kind, fact.data)
