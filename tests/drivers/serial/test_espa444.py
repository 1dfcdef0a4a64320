"""ESPA 4.4.4 blocks: what they mean, and what a bad line makes of them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.events import DecodeError
from drivers.protocols.espa444 import (
    Block,
    Broken,
    CheckError,
    Scanner,
    Signal,
    Whole,
    decode_block,
    encode_block,
)

SHORT = bytes.fromhex("01 31 02 31 1F 41 03 5F")
FULL = bytes.fromhex(
    "01 31 02 31 1F 35 35 30 1E 32 1F 43 41 4C 4C 20 4D 45 20 31 30 31"
    "1E 33 1F 33 1E 34 1F 33 1E 35 1F 33 1E 36 1F 33 03 23"
)
FULL_BLOCK = Block("1", (("1", "550"), ("2", "CALL ME 101"), ("3", "3"), ("4", "3"), ("5", "3"), ("6", "3")))

texts = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=128
)
blocks = st.builds(
    lambda address, text, kind: Block("1", (("1", address), ("2", text), ("4", kind))),
    texts.map(lambda text: text[:16]).filter(lambda text: text.strip()),
    texts,
    st.sampled_from("123456789"),
)


@pytest.mark.parametrize(("block", "raw"), [(Block("1", (("1", "A"),)), SHORT), (FULL_BLOCK, FULL)])
def test_published_blocks_mean_what_they_say_both_ways(block: Block, raw: bytes) -> None:
    """The check vectors read and write."""
    assert (decode_block(raw), encode_block(block)) == (block, raw)


@given(blocks)
def test_a_written_block_reads_back(block: Block) -> None:
    """Whatever text a call has, it arrives as it was sent."""
    assert decode_block(encode_block(block)) == block


def test_national_letters_cross_a_seven_bit_line() -> None:
    """The Norwegian letters of NS 4551-1 stand where ASCII has brackets."""
    raw = encode_block(Block("1", (("1", "12"), ("2", "BÅD ÆØ æøå"))), charset="no")
    assert max(raw) < 0x80
    assert decode_block(raw, charset="no").get("2") == "BÅD ÆØ æøå"


@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_decode_error(raw: bytes) -> None:
    """Noise is refused in a sentence, never with another exception."""
    with contextlib.suppress(DecodeError):
        assert encode_block(decode_block(raw))


@pytest.mark.parametrize("raw", [SHORT, FULL])
def test_every_shortened_block_is_the_lines_fault(raw: bytes) -> None:
    """A block that lost its end asks to be sent again."""
    for end in range(len(raw)):
        with pytest.raises(CheckError):
            decode_block(raw[:end])


@pytest.mark.parametrize("raw", [SHORT, FULL])
def test_every_single_flipped_bit_of_seven_is_noticed(raw: bytes) -> None:
    """One flipped bit never becomes another call."""
    for at in range(len(raw)):
        for bit in range(7):
            damaged = bytes([*raw[:at], raw[at] ^ (1 << bit), *raw[at + 1 :]])
            with pytest.raises(DecodeError):
                decode_block(damaged)


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (Block("1", (("2", "no address"),)), "needs a call address"),
        (Block("1", (("1", "  "),)), "needs a call address"),
        (Block("6", (("1", "A"),)), "header from 1 to 5"),
        (Block("1", ()), "at least one record"),
        (Block("1", (("1", "A"), ("1", "B"))), "comes twice"),
        (Block("1", (("1", "A" * 17),)), "at most 16"),
        (Block("1", (("1", "A"), ("2", "B" * 129))), "at most 128"),
        (Block("1", (("1", "A"), ("2", "bell\x07"))), "control character"),
        (Block("1", (("1", "A"), ("6", "0"))), "cannot hold '0'"),
        (Block("1", (("1", "A"), ("9", "1"))), "record id"),
    ],
)
def test_a_block_that_breaks_the_rules_is_refused_in_a_sentence(block: Block, says: str) -> None:
    """Unknown records, wrong lengths and reserved digits are named."""
    with pytest.raises(DecodeError, match=says):
        encode_block(block)


@given(
    st.lists(st.one_of(st.just(SHORT), st.just(FULL), st.just(b"\x042\x05"), st.binary(max_size=40))),
    st.data(),
)
def test_however_the_bytes_are_cut_the_tokens_are_the_same(parts: list[bytes], data: st.DataObject) -> None:
    """A line delivers pieces; where it cuts them changes nothing."""
    line = b"".join(parts)
    whole = Scanner().feed(line)
    scanner, pieces, at = Scanner(), [], 0
    while at < len(line):
        step = data.draw(st.integers(1, 7))
        pieces += scanner.feed(line[at : at + step])
        at += step
    assert pieces == whole


@given(st.binary(max_size=60), st.integers(0, 60))
def test_pending_bytes_bring_a_scanners_state_back(line: bytes, cut: int) -> None:
    """What a scanner remembers between frames is only its unfinished bytes."""
    first = Scanner()
    first.feed(line[:cut])
    second = Scanner()
    second.feed(first.pending)
    assert second.feed(line[cut:]) == first.feed(line[cut:])


def test_the_check_character_is_read_by_position() -> None:
    """A check character that looks like EOT does not end the block early."""
    raw = encode_block(Block("1", (("1", "A["),)))
    assert raw[-1] == 0x04
    assert Scanner().feed(raw) == [Whole(raw)]


def test_signals_carry_the_character_before_them() -> None:
    """Poll, selection and refusal are told apart by it."""
    tokens = Scanner().feed(b"\x042\x051\x05\x061\x15\x15")
    assert [(token.code, token.prefix) for token in tokens if isinstance(token, Signal)] == [
        (4, ""), (5, "2"), (5, "1"), (6, ""), (0x15, "1"), (0x15, ""),
    ]  # fmt: skip


def test_a_block_that_never_ends_is_given_up() -> None:
    """An SOH in noise cannot swallow the line for ever."""
    tokens = Scanner().feed(b"\x01" + b"x" * 600 + SHORT)
    assert isinstance(tokens[0], Broken)
    assert tokens[-1] == Whole(SHORT)


def test_parity_bits_on_a_seven_bit_line_are_dropped() -> None:
    """A seven-bit line read as eight bits still decodes."""
    even = bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in SHORT)
    assert Scanner(7).feed(even) == [Whole(SHORT)]
