"""A medicine cabinet with compartments on an RS-485 lock board.

A compartment counts as unlocked when the board reads it open, and the cabinet as locked when all are closed.
Settings: `channels` (8, 12, 18, 24), `opened_st` (17 or 0), `closed_bit` (1 or 0), `boards`, `names` of
compartments (`{"3": "Morgen"}`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drivers.device_type import Command, DeviceType, Outgoing, Result, Unit
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols.lock_board import Board, Status, Unlocked, read_answer, write_unlock
from drivers.protocols.lock_board_line import SETTINGS as BOARDS
from drivers.protocols.streams import LINE, Read
from drivers.settings import table, text


def decode(frame: Frame, unit: Unit) -> Read:
    """Read one answer of the board."""
    if frame.channel == LINE:
        return [Fact("lock.heartbeat")]
    if frame.channel == "unasked":
        raise DecodeError(f"the board answered what nobody asked: {frame.payload[:20].hex()}")
    answer = read_answer(frame.payload, _kind(unit))
    if isinstance(answer, Unlocked):
        return _unlocked(answer, unit)
    return _changed(answer, unit)


def _kind(unit: Unit) -> Board:
    try:
        return Board.from_settings(unit.settings)
    except ValueError as wrong:
        raise DecodeError(str(wrong)) from None


def _unlocked(answer: Unlocked, unit: Unit) -> Read:
    """The answer to a command. That the compartment is open is read from its status, not believed from this."""
    asked = unit.memory.pop("asked", None)
    mine = asked is not None and asked["channel"] == answer.channel
    found: Read = []
    if not answer.opened:
        found.append(Fact("lock.jammed", {"reason": f"{_name(answer.channel, unit)} did not open"}))
    if mine:
        reason = "" if answer.opened else "the compartment did not open"
        found.append(Result(asked["id"], "done" if answer.opened else "failed", reason))
    return found


def _changed(answer: Status, unit: Unit) -> Read:
    known = unit.memory.get("open")
    before, now = set(known or ()), set(answer.open)
    unit.memory["open"] = sorted(now)
    facts: Read = [Fact("lock.unlocked", {"how": _name(one, unit)}) for one in sorted(now - before)]
    if not now and (known is None or before):
        facts.append(Fact("lock.locked", {"how": "all compartments closed"}))
    return facts or [Fact("lock.heartbeat")]


def _name(channel: int, unit: Unit) -> str:
    names = unit.settings.get("names", {})
    name = names.get(str(channel)) if isinstance(names, Mapping) else None
    return str(name)[:100] if name else f"compartment {channel}"


def encode(command: Command, unit: Unit) -> Outgoing:
    """Open one compartment. Raises ValueError with a sentence."""
    if command.name != "unlock":
        raise ValueError(f"a medicine cabinet takes the command unlock, not {command.name!r:.40}")
    kind = Board.from_settings(unit.settings)
    try:
        channel = int(str(command.args.get("compartment", "")))
        board = int(unit.address.rpartition("#")[2]) if "#" in unit.address else 1
    except (TypeError, ValueError):
        raise ValueError(f"compartment is a number from 1 to {kind.channels}") from None
    if not 1 <= channel <= kind.channels:
        raise ValueError(f"this cabinet has compartments 1 to {kind.channels}, not {channel}")
    unit.memory["asked"] = {"id": command.id, "channel": channel}
    return Outgoing("block", write_unlock(board, channel), wait=5_000)


SETTINGS: Final = {
    **BOARDS,
    "names": table(text(100), keys=text(form="a compartment's number", pattern=r"[0-9]{1,2}")),
}

DEVICE = DeviceType(
    id="lock_board_cabinet",
    vendor="any",
    product="medicine cabinet on an RS-485 lock board (8A/80 frames)",
    name=MappingProxyType(
        {"nb": "Medisinskap (låskort RS-485)", "en": "Medicine cabinet (RS-485 lock board)"}
    ),
    link="serial",
    device_class="lock",
    emits=frozenset({"lock.unlocked", "lock.locked", "lock.jammed", "lock.heartbeat"}),
    decode=decode,
    signature="frames that begin with 8A or 80 and end with the exclusive or of their bytes",
    silent_after=600,
    commands=MappingProxyType({"unlock": ("compartment",)}),
    encode=encode,
    settings=SETTINGS,
    source="RS-485 lock control board manuals (frames 8A, 80)",
)
