"""ESPA 4.4.4: the blocks of nurse-call and paging systems, and a scanner that finds them on a line.

A block is `SOH header STX id US data [RS id US data]... ETX BCC` (ISO 1745 basic mode). The check character
is the exclusive or of every byte after SOH up to and including ETX, seven bits wide. It may look like any
control character, so it is read by position and never by search.

What this codec promises: the same bytes give the same tokens however they are cut into pieces; any bytes at
all raise nothing but `DecodeError` (`CheckError` where the line, not the sender, is at fault).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from types import MappingProxyType
from typing import Final, TypeAlias

from drivers.events import DecodeError

SOH, STX, ETX, EOT, ENQ, ACK, NAK, RS, US = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x15, 0x1E, 0x1F

CALL_TO_PAGER, STATUS_INFORMATION, STATUS_REQUEST, CALL_TO_LINE, OTHER = "1", "2", "3", "4", "5"
HEADERS: Final = frozenset("12345")

ADDRESS, MESSAGE, BEEP, CALL_TYPE, TRANSMISSIONS, PRIORITY, CALL_STATUS, SYSTEM_STATUS = "12345678"

MAX_BLOCK: Final = 512
"""Bytes of a block, twice what the longest records need; longer is noise that happens to hold an SOH."""

MAX_LENGTH: Final[Mapping[str, int]] = MappingProxyType({ADDRESS: 16, MESSAGE: 128})

DIGITS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        **dict.fromkeys((BEEP, CALL_TYPE, TRANSMISSIONS, PRIORITY, SYSTEM_STATUS), frozenset("123456789")),
        CALL_STATUS: frozenset([*"12345678", "71", "72"]),
    }
)
"""What the coded records may hold. `0` is reserved, and `01` is not `1`."""

NEEDS_ADDRESS: Final = frozenset({CALL_TO_PAGER, STATUS_REQUEST, CALL_TO_LINE})

CHARSETS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "latin-1": ("", ""),
        "no": ("[\\]{|}", "ÆØÅæøå"),  # NS 4551-1, ISO-IR 60; also Denmark
        "se": ("[\\]{|}", "ÄÖÅäöå"),  # SEN 850200 B, ISO-IR 10; also Finland
        "de": ("@[\\]{|}~", "§ÄÖÜäöüß"),  # DIN 66003, ISO-IR 21
    }
)
"""National seven-bit sets (ISO 646): characters on the line, and what they mean."""


class CheckError(DecodeError):
    """The line broke the block: the check character or the framing is wrong. Sending it again may help."""


@dataclass(frozen=True, slots=True)
class Block:
    """One message. header: one digit. records: (id, text) in the order sent; the order means nothing."""

    header: str
    records: tuple[tuple[str, str], ...]

    def get(self, record: str, default: str = "") -> str:
        """The text of a record, or the default where the block has none."""
        return next((text for name, text in self.records if name == record), default)


@dataclass(frozen=True, slots=True)
class Signal:
    """A control character on the line, with the character before it: an address, or the cause of a NAK."""

    code: int
    prefix: str


@dataclass(frozen=True, slots=True)
class Whole:
    """A block from SOH to its check character, not yet looked into."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """A block that never came to its end, and why."""

    raw: bytes
    why: str


Token: TypeAlias = Signal | Whole | Broken


def check_character(covered: Iterable[int]) -> int:
    """BCC: exclusive or of the bytes after SOH up to and including ETX, low seven bits."""
    return reduce(xor, covered, 0) & 0x7F


def encode_block(block: Block, *, charset: str = "latin-1") -> bytes:
    """Write a block, check character included. Raises DecodeError when its content breaks the rules."""
    _validate(block)
    meant, sent = CHARSETS[charset][::-1]
    table = str.maketrans(meant, sent)
    records = "\x1e".join(f"{name}\x1f{text.translate(table)}" for name, text in block.records)
    try:
        body = f"{block.header}\x02{records}\x03".encode("latin-1")
    except UnicodeEncodeError as wrong:
        raise DecodeError(f"the line has no character for {wrong.object[wrong.start]!r}") from None
    return bytes([SOH]) + body + bytes([check_character(body)])


def decode_block(raw: bytes, *, charset: str = "latin-1") -> Block:
    """Read a whole block. Raises CheckError for a broken one, DecodeError for one that breaks the rules."""
    _check(raw)
    header, _, body = raw[1:-2].partition(bytes([STX]))
    if len(header) != 1:
        raise DecodeError(f"expected one header character between SOH and STX, got {header[:20]!r}")
    block = Block(chr(header[0]), tuple(_records(body, charset)))
    _validate(block)
    return block


def _check(raw: bytes) -> None:
    if len(raw) < 5 or raw[0] != SOH or raw[-2] != ETX:
        raise CheckError(f"expected SOH … ETX and a check character, got {len(raw)} bytes: {raw[:40].hex()}")
    if len(raw) > MAX_BLOCK:
        raise CheckError(f"a block has at most {MAX_BLOCK} bytes, this one has {len(raw)}")
    right, got = check_character(raw[1:-1]), raw[-1] & 0x7F
    if got != right:
        raise CheckError(f"expected check character {right:02X}, got {got:02X}")


def _records(body: bytes, charset: str) -> Iterable[tuple[str, str]]:
    """Split the records; a stray space before an id and an empty record (RS before ETX) occur in the field."""
    sent, meant = CHARSETS[charset]
    table = str.maketrans(sent, meant)
    for part in body.split(bytes([RS])):
        if not part.strip():
            continue
        name, separator, text = part.partition(bytes([US]))
        if not separator:
            raise DecodeError(f"expected an id and US in every record, got {part[:40]!r}")
        yield name.decode("latin-1").strip(), text.decode("latin-1").translate(table)


def _validate(block: Block) -> None:
    if block.header not in HEADERS:
        raise DecodeError(f"expected a header from 1 to 5, got {block.header!r}")
    if not block.records:
        raise DecodeError("expected at least one record, got a block without any")
    seen: set[str] = set()
    for name, text in block.records:
        if name in seen:
            raise DecodeError(f"record {name} comes twice in one block")
        seen.add(name)
        _validate_record(name, text)
    if block.header in NEEDS_ADDRESS and not block.get(ADDRESS).strip():
        raise DecodeError(f"a block with header {block.header} needs a call address (record 1), and has none")


def _validate_record(name: str, text: str) -> None:
    if name in MAX_LENGTH:
        if len(text) > MAX_LENGTH[name]:
            raise DecodeError(f"record {name} has at most {MAX_LENGTH[name]} characters, got {len(text)}")
        if any(not _printable(character) for character in text):
            raise DecodeError(f"record {name} holds a control character: {text!r:.80}")
    elif name not in DIGITS:
        raise DecodeError(f"expected a record id from 1 to 8, got {name!r:.20}")
    elif text not in DIGITS[name]:
        raise DecodeError(f"record {name} cannot hold {text!r:.20}")


def _printable(character: str) -> bool:
    """Line breaks occur in display messages; other control characters are damage (C0, DEL and C1)."""
    return character in "\r\n" or not (character < " " or "\x7f" <= character <= "\x9f")


class Scanner:
    """Finds signals and blocks in what a line delivers, a piece at a time.

    bits: 7 takes the eighth bit of every byte for parity and drops it; 8 leaves bytes as they are.
    """

    def __init__(self, bits: int = 8) -> None:
        self._mask = 0x7F if bits == 7 else 0xFF
        self._block = bytearray()
        self._before = ""
        self.noise = 0
        """Bytes that belonged to nothing so far."""

    @property
    def pending(self) -> bytes:
        """What has come of an unfinished token; feeding it to a fresh scanner brings this one's state back."""
        return bytes(self._block) or self._before.encode("latin-1")

    @property
    def in_block(self) -> bool:
        """A block has begun and not ended."""
        return bool(self._block)

    def feed(self, data: bytes) -> list[Token]:
        """Take bytes, give the tokens that they complete."""
        tokens: list[Token] = []
        for byte in data:
            tokens.extend(self._take(byte & self._mask))
        return tokens

    def abandon(self, why: str) -> list[Token]:
        """Give up an unfinished block."""
        broken = [Broken(bytes(self._block), why)] if self._block else []
        self._block.clear()
        return list(broken)

    def _take(self, byte: int) -> list[Token]:
        if not self._block:
            return self._outside(byte)
        if (
            len(self._block) > 1 and self._block[-1] == ETX
        ):  # by position: the check character may be anything
            self._block.append(byte)
            whole = Whole(bytes(self._block))
            self._block.clear()
            return [whole]
        if byte in _BREAKS:
            before = chr(self._block[-1]) if byte == ENQ else ""
            broken = self.abandon(f"a {_BREAKS[byte]} came before ETX")
            self._before = before
            return broken + self._outside(byte)
        self._block.append(byte)
        return self.abandon(f"no ETX within {MAX_BLOCK} bytes") if len(self._block) >= MAX_BLOCK else []

    def _outside(self, byte: int) -> list[Token]:
        before, self._before = self._before, ""
        if byte == SOH:
            self._block.append(byte)
        elif byte in (EOT, ENQ, ACK, NAK):
            self.noise += byte == EOT and bool(before)  # nothing belongs before an EOT
            return [Signal(byte, before)]
        else:
            self.noise += bool(before)
            self._before = chr(byte)
        return []


_BREAKS: Final[Mapping[int, str]] = MappingProxyType({SOH: "second SOH", EOT: "EOT", ENQ: "ENQ"})
"""What never stands inside a block: the sender began anew, gave up, or asks for an answer."""
