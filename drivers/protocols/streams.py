"""Line bytes cut anywhere, for decoders: what one frame leaves unfinished, the next one completes.

A link's machine frames for itself and hands up whole blocks (`BLOCK` as channel). Raw bytes, as a line monitor
records them, come without a channel; what is unfinished then waits in the unit's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from drivers.device_type import Result, Unit
from drivers.events import DecodeError, Fact

BLOCK: Final = "block"
LINE: Final = "line"
"""Channel of signs of life: the line is there and says nothing."""

PENDING: Final = "pending"
MAX_PENDING: Final = 4096

Token = TypeVar("Token")
Read = list[Fact | Result]


def read_stream(
    payload: bytes,
    unit: Unit,
    *,
    scan: Callable[[bytes], tuple[Iterable[Token], bytes]],
    read: Callable[[Token], Read],
    fault: str,
) -> Read:
    """Read every token of a piece of line.

    scan: all bytes so far → the tokens in them, and what is unfinished. read: a token → facts, or DecodeError.
    One unreadable token among readable ones becomes a `fault` fact, so that nothing else is lost; one alone
    raises, if the unit's memory can stay as it is.
    """
    before = str(unit.memory.get(PENDING, ""))
    tokens, rest = scan(bytes.fromhex(before) + payload)
    facts: Read = []
    wrong: list[str] = []
    for token in tokens:
        try:
            facts += read(token)
        except DecodeError as problem:
            wrong.append(str(problem))
    pending = rest[-MAX_PENDING:].hex()
    if wrong and not facts and pending == before:
        raise DecodeError("; ".join(wrong)[:500])
    unit.memory[PENDING] = pending
    return facts + [Fact(fault, {"code": f"unreadable: {why}"[:500]}) for why in wrong]
