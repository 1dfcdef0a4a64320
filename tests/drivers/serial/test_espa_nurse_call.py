"""The nurse-call device type: captures, settings, and streams cut anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.device_type import Command, Unit
from drivers.devices.espa_nurse_call import DEVICE
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols.espa444 import Block, decode_block, encode_block


def frame(hex_: str, channel: str = "") -> Frame:
    """A frame of the line."""
    return Frame("serial", "nurse-call", bytes.fromhex(hex_), 0, channel)


def read(hex_: str, channel: str = "", **settings: Any) -> list[list[Any]]:
    """Kinds and data of one frame."""
    facts = DEVICE.decode(frame(hex_, channel), Unit("nurse-call", settings=settings))
    return [[fact.kind, dict(fact.data)] for fact in facts if isinstance(fact, Fact)]


def test_a_call_of_an_unexplained_type_is_a_call() -> None:
    """Call types differ between makers; a person who calls is never taken for a reset."""
    raw = encode_block(Block("1", (("1", "12"), ("4", "9")))).hex()
    assert read(raw, "block") == [["call.raised", {"place": "12"}]]


def test_call_types_and_places_are_settings() -> None:
    """A site where 1 is a normal call and 5 a reset says so, and names its rooms."""
    types = {"1": "raised", "5": "cleared"}
    one = encode_block(Block("1", (("1", "12"), ("4", "1")))).hex()
    five = encode_block(Block("1", (("1", "12"), ("4", "5")))).hex()
    assert read(one, "block", call_types=types, places={"12": "Bad"}) == [["call.raised", {"place": "Bad"}]]
    assert read(five, "block", call_types=types) == [["call.cleared", {"place": "12"}]]


def test_settings_of_the_wrong_shape_lose_no_call() -> None:
    """A typing slip in the settings cannot make a call unreadable."""
    raw = encode_block(Block("1", (("1", "12"), ("4", "1")))).hex()
    assert read(raw, "block", call_types="oops", places=7) == [["call.raised", {"place": "12"}]]


@given(st.integers(1, 20), st.integers(0, 20))
def test_a_stream_cut_anywhere_gives_the_same_calls(step: int, lead: int) -> None:
    """What one frame leaves unfinished, the next completes."""
    line = b"\x042\x05" + b"." * lead + b"1\x05\x06" + encode_block(Block("1", (("1", "12"),))) + b"\x04"
    unit = Unit("nurse-call")
    facts: list[Any] = []
    for at in range(0, len(line), step):
        facts += DEVICE.decode(Frame("serial", "nurse-call", line[at : at + step], 0), unit)
    assert [(fact.kind, fact.data["place"]) for fact in facts] == [("call.raised", "12")]


def test_a_broken_block_beside_a_good_one_is_a_fault_and_the_call_is_kept() -> None:
    """Nothing else is lost when one block is unreadable."""
    found = read("01 31 02 31 1F 41 03 5E 01 31 02 31 1F 41 03 5F")
    assert [kind for kind, _ in found] == ["call.raised", "call.fault"]


def test_a_refused_frame_leaves_the_memory_alone() -> None:
    """A decoder changes its memory only when it returns facts."""
    unit = Unit("nurse-call", memory={"pending": ""})
    with pytest.raises(DecodeError):
        DEVICE.decode(frame("01 31 02 31 1F 41 03 5E"), unit)
    assert unit.memory == {"pending": ""}


def test_a_page_is_a_call_to_the_pager() -> None:
    """The command page becomes one header-1 block."""
    out = DEVICE.encode(
        Command("c1", "page", {"address": "77", "text": "Fall hos Astrid"}, 0), Unit("nurse-call")
    )
    assert decode_block(out.payload).get("2") == "Fall hos Astrid"


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [("dance", {}, "takes the commands page and status"), ("page", {"text": "x"}, "needs a call address")],
)
def test_a_command_that_cannot_be_sent_is_refused(name: str, args: dict[str, str], says: str) -> None:
    """Unknown commands and pages to nobody are refused in a sentence."""
    with pytest.raises(ValueError, match=says):
        DEVICE.encode(Command("c1", name, args, 0), Unit("nurse-call"))
