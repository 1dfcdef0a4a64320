"""A door with an OSDP reader: strike, door contact, cards and keys, tamper and power.

Its address is `port#n`, n the device's address on the line; its secret is the device's own Secure Channel key.
Settings: `output` of the strike (0), `contact` input (0), `contact_open` (1: active means open), `seconds` the
strike stays open (5). What keys were pressed never leaves the link. A strike has no bolt sensor: when its time is
over the door counts as locked only if its contact says closed, else as unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from drivers.device_type import Command, DeviceType, Outgoing, Result, Unit
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols import osdp
from drivers.protocols.osdp import (
    COMPLETED,
    FAILED,
    OVER,
    REPLY,
    STATUS,
    Card,
    Inputs,
    Keys,
    Local,
    Outputs,
    Readers,
    read_packet,
    read_reply,
)
from drivers.protocols.streams import LINE, Read, read_stream
from drivers.settings import taken


def decode(frame: Frame, unit: Unit) -> Read:
    """Read what the link hands up, or plain packets of a recorded line (no channel)."""
    if frame.channel == LINE:
        return [Fact("lock.heartbeat")]
    if frame.channel in _ENDS:
        return _ENDS[frame.channel](frame.payload, unit)
    if frame.channel == STATUS:
        return _status(frame.payload)
    if frame.channel == REPLY:
        if not frame.payload:
            raise DecodeError("a reply has at least a code")
        return _reply(frame.payload[0], frame.payload[1:], unit)
    return read_stream(
        frame.payload, unit, scan=osdp.scan, read=lambda raw: _packet(raw, unit), fault="lock.fault"
    )


def _packet(raw: bytes, unit: Unit) -> Read:
    packet = read_packet(raw)
    mine = unit.address.rpartition("#")[2] if "#" in unit.address else str(packet.address)
    return _reply(packet.code, packet.data, unit) if packet.reply and mine == str(packet.address) else []


def _reply(code: int, data: bytes, unit: Unit) -> Read:
    reply = read_reply(code, data)
    if isinstance(reply, Card):
        by = f"card {reply.number} ({reply.bits} bits)"[:200]
        return [Fact("lock.refused", {"reason": "cards open nothing here", "how": "card", "by": by})]
    if isinstance(reply, Keys):
        return [
            Fact("lock.refused", {"reason": f"{reply.count} keys; codes open nothing here", "how": "code"})
        ]
    if isinstance(reply, Local):
        return _local(reply, unit)
    if isinstance(reply, Inputs):
        return _contact(reply, unit)
    if isinstance(reply, Readers):
        return _readers(reply, unit)
    return _strike(reply, unit) if isinstance(reply, Outputs) else []


def _readers(reply: Readers, unit: Unit) -> Read:
    """The reader outside the door, apart from the casing of the board behind it."""
    before, now = unit.memory.get("readers", ""), next((one for one in reply.states if one), "")
    unit.memory["readers"] = now
    if now == before:
        return [Fact("lock.heartbeat")]
    if now == "tamper":
        return [Fact("lock.tamper")]
    return [
        Fact("lock.fault", {"code": "reader not connected"})
        if now
        else Fact("lock.recovered", {"code": "reader"})
    ]


def _local(reply: Local, unit: Unit) -> Read:
    facts: Read = []
    before = unit.memory.get("power_lost", False)
    if reply.tamper and not unit.memory.get("tamper", False):
        facts.append(Fact("lock.tamper"))
    if reply.power_lost != before:
        facts.append(Fact("lock.fault" if reply.power_lost else "lock.recovered", {"code": "power"}))
    unit.memory["tamper"], unit.memory["power_lost"] = reply.tamper, reply.power_lost
    return facts or [Fact("lock.heartbeat")]


def _contact(reply: Inputs, unit: Unit) -> Read:
    number = _number(unit.settings.get("contact", 0))
    if number >= len(reply.active):
        return []
    opened = reply.active[number] == bool(unit.settings.get("contact_open", 1))
    state = "opened" if opened else "closed"
    same = unit.memory.get("door") == state
    unit.memory["door"] = state
    if same:
        return [Fact("lock.heartbeat")]
    locked = _rests(unit, "closed") if not opened and unit.memory.get("strike") == "unknown" else []
    return [Fact(f"door.{state}"), *locked]


def _strike(reply: Outputs, unit: Unit) -> Read:
    number = _number(unit.settings.get("output", 0))
    if number >= len(reply.active):
        return []
    if not reply.active[number]:
        return _rests(unit, "strike") or [Fact("lock.heartbeat")]
    same = unit.memory.get("strike") == "unlocked"
    unit.memory["strike"] = "unlocked"
    return [Fact("lock.heartbeat") if same else Fact("lock.unlocked", {"how": "strike"})]


def _rests(unit: Unit, how: str) -> Read:
    """The strike is back. Without a bolt sensor, that and a closed door is as sure as it gets."""
    closed = unit.memory.get("door") == "closed"
    state = "locked" if closed else "unknown"
    same = unit.memory.get("strike") == state
    unit.memory["strike"] = state
    if same:
        return []
    if closed:
        return [Fact("lock.locked", {"how": how})]
    return [Fact("lock.unknown", {"reason": "the strike is at rest and the door is not known to be closed"})]


def _completed(payload: bytes, unit: Unit) -> Read:
    osdp.read_unlock(payload)
    asked = unit.memory.pop("asked", None)
    unit.memory["strike"] = "unlocked"
    done: Read = [Fact("lock.unlocked", {"how": "command"})]
    return done + ([Result(asked, "done")] if asked else [])


def _failed(payload: bytes, unit: Unit) -> Read:
    osdp.read_unlock(payload)
    asked = unit.memory.pop("asked", None)
    return [Result(asked, "failed", "the reader did not carry it out")] if asked else []


def _over(payload: bytes, unit: Unit) -> Read:
    osdp.read_unlock(payload)
    if unit.memory.get("strike") != "unlocked":
        return []
    return _rests(unit, "time over")


_ENDS: Final[dict[str, Callable[[bytes, Unit], Read]]] = {COMPLETED: _completed, FAILED: _failed, OVER: _over}


def _status(payload: bytes) -> Read:
    if payload == b"offline":
        return [Fact("lock.fault", {"code": "offline"})]
    if payload == b"online":
        return [Fact("lock.recovered", {"code": "offline"})]
    raise DecodeError(f"expected online or offline, got {payload[:20]!r}")


def _number(value: object) -> int:
    return value if type(value) is int and 0 <= value < 64 else 0


def encode(command: Command, unit: Unit) -> Outgoing:
    """Open the strike for a while. Raises ValueError with a sentence."""
    if command.name != "unlock":
        raise ValueError(f"an OSDP door takes the command unlock, not {command.name!r:.40}")
    said = command.args if "seconds" in command.args else unit.settings
    seconds = float(taken(osdp.SETTINGS, said, "seconds"))
    payload = osdp.write_unlock(taken(osdp.SETTINGS, unit.settings, "output"), seconds)
    unit.memory["asked"] = command.id
    return Outgoing("out", payload, wait=10_000)


DEVICE = DeviceType(
    id="osdp_door",
    vendor="any",
    product="door with reader and strike, OSDP v2 (IEC 60839-11-5)",
    name=MappingProxyType({"nb": "Dør med leser (OSDP)", "en": "Door with reader (OSDP)"}),
    link="serial",
    device_class="lock",
    emits=frozenset(
        {
            "lock.unlocked",
            "lock.locked",
            "lock.unknown",
            "lock.refused",
            "lock.tamper",
            "lock.fault",
            "lock.recovered",
            "lock.heartbeat",
            "door.opened",
            "door.closed",
        }
    ),
    decode=decode,
    signature="packets that begin with 53 (or FF 53) and name their length",
    silent_after=900,
    commands=MappingProxyType({"unlock": ("seconds",)}),
    encode=encode,
    settings=osdp.SETTINGS,
    source="IEC 60839-11-5 (OSDP 2.2)",
)
