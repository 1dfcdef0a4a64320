"""A nurse-call system on an ESPA 4.4.4 line: call points, pull cords and wall buttons of a building.

The meaning of record 4 (call type) differs between makers, so it is a setting: `call_types: {"1": cleared, …}`.
A call whose type nobody explained is a call: better one alert too many than a person unheard. `places` names
call addresses in people's words: `places: {"550": "Bad, 2. etasje"}`. `confirms: true` says that the system
reports what became of a page (it is asked when it does not); otherwise a page counts as done when the system took
it. The command `status` tells the system what became of a call of its own; until then it hears "in the queue" when
it asks. The line's own settings are in drivers.protocols.espa444_settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from drivers.device_type import Command, DeviceType, Outgoing, Result, Unit
from drivers.events import DecodeError, Fact, Frame, Value
from drivers.protocols.espa444 import (
    ADDRESS,
    CALL_STATUS,
    CALL_TO_LINE,
    CALL_TO_PAGER,
    CALL_TYPE,
    CHARSETS,
    MESSAGE,
    OTHER,
    PRIORITY,
    STATUS_INFORMATION,
    SYSTEM_STATUS,
    Block,
    Scanner,
    Signal,
    Token,
    Whole,
    decode_block,
    encode_block,
)
from drivers.protocols.espa444_settings import SETTINGS
from drivers.protocols.streams import BLOCK, LINE, read_stream

CALL_TYPES: Final[Mapping[str, str]] = MappingProxyType({"1": "cleared", "2": "raised", "3": "raised"})
"""ESPA 4.4.4: 1 reset or cancel, 2 speech call, 3 standard call."""

PRIORITIES: Final[Mapping[str, str]] = MappingProxyType({"1": "alarm", "2": "high", "3": "normal"})

PAGE_ENDS: Final[Mapping[str, tuple[Literal["done", "failed"], str]]] = MappingProxyType(
    {
        "3": ("done", ""),
        "6": ("done", "acknowledged by the called party"),
        "71": ("done", ""),
        "4": ("failed", "the called party is absent"),
        "72": ("failed", "the called party is absent"),
        "8": ("failed", "the paging system reports a fault"),
    }
)
"""Call status (record 7) → what became of a page."""

STATUSES: Final[Mapping[str, str]] = MappingProxyType(
    {"in_queue": "2", "paged": "3", "absent": "4", "terminated": "5", "acknowledged": "6", "fault": "8"}
)
"""What the command `status` may tell of a call → record 7."""

FAULT: Final = "8"
TRANSMITTER_FAILURE: Final = "1"


def decode(frame: Frame, unit: Unit) -> list[Fact | Result]:
    """Read one block (`channel` block), a sign of life (line), or line bytes cut anywhere (no channel)."""
    charset = _charset(unit)
    if frame.channel == LINE:
        return [Fact("call.heartbeat")]
    if frame.channel == BLOCK:
        return list(_facts(decode_block(frame.payload, charset=charset), unit))
    return _stream(frame.payload, unit, charset)


def _charset(unit: Unit) -> str:
    charset = unit.settings.get("charset", "latin-1")
    if charset not in CHARSETS:
        raise DecodeError(
            f"the charset of {unit.address} is one of {', '.join(CHARSETS)}, not {charset!r:.40}"
        )
    return str(charset)


def _stream(payload: bytes, unit: Unit, charset: str) -> list[Fact | Result]:
    def scan(line: bytes) -> tuple[list[Token], bytes]:
        scanner = Scanner(7 if unit.settings.get("bits") == 7 else 8)
        return scanner.feed(line), scanner.pending

    return read_stream(
        payload, unit, scan=scan, read=lambda token: _token_facts(token, unit, charset), fault="call.fault"
    )


def _token_facts(token: Token, unit: Unit, charset: str) -> list[Fact | Result]:
    if isinstance(token, Signal):
        return []
    if isinstance(token, Whole):
        return list(_facts(decode_block(token.raw, charset=charset), unit))
    raise DecodeError(f"a block broke off after {len(token.raw)} bytes: {token.why}")


def _facts(block: Block, unit: Unit) -> Iterator[Fact | Result]:
    if block.header in (CALL_TO_PAGER, CALL_TO_LINE):
        yield _call(block, unit.settings)
    elif block.header == STATUS_INFORMATION:
        yield from _status(block)
        yield from _page_answered(block, unit)
    elif block.header == OTHER:
        yield Fact("call.fault", {"code": "header 5: no meaning agreed for this line"})


def _call(block: Block, settings: Mapping[str, Any]) -> Fact:
    types = settings.get("call_types", CALL_TYPES)
    meaning = types.get(block.get(CALL_TYPE), "raised") if isinstance(types, Mapping) else "raised"
    data: dict[str, Value] = {"place": _place(block.get(ADDRESS).strip(), settings)}
    if text := block.get(MESSAGE).strip():
        data["text"] = text
    if meaning == "cleared":
        return Fact("call.cleared", data)
    if priority := PRIORITIES.get(block.get(PRIORITY)):
        data["priority"] = priority
    return Fact("call.raised", data)


def _place(address: str, settings: Mapping[str, Any]) -> str:
    places = settings.get("places", {})
    return str(places.get(address, address) if isinstance(places, Mapping) else address)[:500]


def _status(block: Block) -> Iterator[Fact]:
    """Status of a call that the system handled itself is no news; its own faults are."""
    if block.get(CALL_STATUS) == FAULT:
        yield Fact("call.fault", {"code": f"call status 8 for {block.get(ADDRESS) or 'a call'}"})
    if block.get(SYSTEM_STATUS) == TRANSMITTER_FAILURE:
        yield Fact("call.fault", {"code": "system status 1: transmitter failure"})


def _page_answered(block: Block, unit: Unit) -> Iterator[Result]:
    """The status of our own page settles the command, where the system says that it sends such status."""
    asked = unit.memory.get("asked")
    status = block.get(CALL_STATUS)
    if not asked or asked["address"] != block.get(ADDRESS).strip() or status not in PAGE_ENDS:
        return
    del unit.memory["asked"]
    outcome, reason = PAGE_ENDS[status]
    yield Result(asked["id"], outcome, reason)


def encode(command: Command, unit: Unit) -> Outgoing:
    """Write a page or the status of a call. Raises ValueError with a sentence."""
    if command.name not in _COMMANDS:
        raise ValueError(f"a nurse-call system takes the commands page and status, not {command.name!r:.40}")
    return _COMMANDS[command.name](command, unit)


def _page(command: Command, unit: Unit) -> Outgoing:
    """A call to a display or pager of the system (header 1)."""
    address, text = str(command.args.get("address", "")), str(command.args.get("text", ""))
    records = ((ADDRESS, address), (MESSAGE, text), ("3", "1"), (CALL_TYPE, "3"), ("5", "1"), (PRIORITY, "1"))
    block = Block(CALL_TO_PAGER, tuple(one for one in records if one[1]))
    raw = encode_block(block, charset=_charset(unit))
    if not unit.settings.get("confirms"):
        return Outgoing(BLOCK, raw, wait=0)
    unit.memory["asked"] = {"id": command.id, "address": address.strip()}
    return Outgoing(BLOCK, raw, wait=60_000)


def _tell(command: Command, unit: Unit) -> Outgoing:
    """What became of a call that the system raised (header 2)."""
    address, status = str(command.args.get("address", "")).strip(), str(command.args.get("status"))
    if status not in STATUSES:
        raise ValueError(f"the status of a call is one of {', '.join(STATUSES)}, not {status!r:.40}")
    if not address:
        raise ValueError("the status of a call needs the call's address")
    block = Block(STATUS_INFORMATION, ((ADDRESS, address), (CALL_STATUS, STATUSES[status])))
    return Outgoing(BLOCK, encode_block(block, charset=_charset(unit)), wait=0)


_COMMANDS: Final = MappingProxyType({"page": _page, "status": _tell})


DEVICE = DeviceType(
    id="espa_nurse_call",
    vendor="ESPA",
    product="nurse-call system, ESPA 4.4.4",
    name=MappingProxyType({"nb": "Anropsanlegg (ESPA 4.4.4)", "en": "Nurse-call system (ESPA 4.4.4)"}),
    link="serial",
    device_class="call",
    emits=frozenset({"call.raised", "call.cleared", "call.fault", "call.heartbeat"}),
    decode=decode,
    signature="blocks SOH … STX … ETX and a check character on a serial line",
    silent_after=600,
    commands=MappingProxyType({"page": ("address", "text"), "status": ("address", "status")}),
    encode=encode,
    answers=True,
    settings=SETTINGS,
    source="ESPA Publication 4.4.4 (proposal for serial data interface for paging equipment)",
)
