"""A Nuki smart lock over its own Bluetooth API: state, door sensor, battery; lock and unlock.

While the bolt moves nobody knows where it is, and that is what is said. A command is done when the bolt says so,
never because the lock accepted it. The registered key is what pairing left: shared key and authorisation id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from drivers.device_type import BleUse, Command, DeviceType, Outgoing, Result, Unit
from drivers.events import DecodeError, Fact, Frame, Value
from drivers.protocols import nuki, reports

BOLT: Final[Mapping[int, str]] = MappingProxyType(
    {1: "lock.locked", 3: "lock.unlocked", 5: "lock.unlocked", 6: "lock.unlocked", 0xFE: "lock.jammed"}
)
BETWEEN: Final[Mapping[int, str]] = MappingProxyType(
    {0: "uncalibrated", 2: "unlocking", 4: "locking", 7: "unlatching", 0xFC: "calibrating", 0xFD: "starting"}
)
MOVING: Final = frozenset({2, 4, 7})
TRIGGER: Final[Mapping[int, str]] = MappingProxyType(
    {0: "command", 1: "manual", 2: "button", 3: "automatic", 6: "automatic"}
)
DOOR: Final[Mapping[int, str]] = MappingProxyType({2: "door.closed", 3: "door.opened"})
ACTIONS: Final[Mapping[str, int]] = MappingProxyType({"unlock": nuki.UNLOCK, "lock": nuki.LOCK})
REACHED: Final[Mapping[str, str]] = MappingProxyType({"unlock": "lock.unlocked", "lock": "lock.locked"})
ERRORS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x20: "not authorised",
        0x21: "wrong PIN",
        0x22: "challenge expired",
        0x23: "bad parameter",
        0x24: "authorisation unknown",
        0x25: "authorisation switched off",
        0x26: "remote access not allowed",
        0x27: "not allowed at this time",
        0x40: "automatic unlock too recent",
        0x41: "bolt position unknown",
        0x42: "motor blocked",
        0x43: "clutch failure",
        0x44: "motor timed out",
        0x45: "busy",
        0x46: "cancelled",
        0x47: "not calibrated",
        0x49: "battery voltage too low",
        0x4A: "motor without power",
        0x4C: "battery voltage too low",
    }
)
MOTOR: Final = 0x40
"""From here on an error is the motor's: it failed. Below, the lock refused."""
SHORTEST: Final = 13  # bytes of the states message in the first firmwares; later ones append

Found = Iterator[Fact | Result]


def decode(frame: Frame, unit: Unit) -> list[Fact | Result]:
    """Read a sealed message, or a piece of one: what is unfinished waits in the unit's memory."""
    if frame.channel not in {"", nuki.USER_DATA}:
        raise DecodeError(f"a Nuki lock speaks on {nuki.USER_DATA}, not on {frame.channel!r:.60}")
    try:
        secret = nuki.Secret.read(unit.key)
    except ValueError as wrong:
        raise DecodeError(str(wrong)) from None
    data = _whole(frame.payload, unit)
    if data is None:
        return []
    message = nuki.unseal(secret, data)
    reader = _READERS.get(message.command)
    found = list(reader(message.payload, unit, frame)) if reader is not None else []
    unit.memory.pop("pieces", None)
    return found or list(reports.life("lock", unit, frame.heard))


def _whole(payload: bytes, unit: Unit) -> bytes | None:
    """A whole message: this one, or the last piece of one; None while more must come.

    A link hands over whole messages, a recorder pieces of 20 bytes. A whole one is never taken for a piece, so
    that nothing broken before can swallow it.
    """
    pieces = bytes.fromhex(str(unit.memory.get("pieces", "")))
    if len(payload) >= nuki.HEAD and nuki.whole_length(payload) == len(payload):
        return payload
    data = pieces + payload
    length = nuki.whole_length(data)
    if length is None or len(data) < length:
        unit.memory["pieces"] = data.hex()
        return None
    if len(data) > length:
        raise DecodeError(f"a Nuki message of {length} bytes goes on for {len(data) - length} more")
    return data


def _states(payload: bytes, unit: Unit, frame: Frame) -> Found:
    if len(payload) < SHORTEST:
        raise DecodeError(f"the states of a Nuki lock have at least {SHORTEST} bytes, not {len(payload)}")
    state, trigger, battery = payload[1], payload[2], payload[12]
    kind = BOLT.get(state, "lock.unknown")
    if unit.memory.get("state") != state:
        unit.memory["state"] = state
        yield Fact(kind, _why(kind, state, trigger))
    yield from _result(kind, state, unit)
    yield from _battery(battery, unit, frame)
    yield from _door(payload, unit)


def _why(kind: str, state: int, trigger: int) -> dict[str, Value]:
    if kind == "lock.unknown":
        return {"reason": BETWEEN.get(state, f"state {state}")}
    return {} if kind == "lock.jammed" else {"how": TRIGGER.get(trigger, f"trigger {trigger}")}


def _result(kind: str, state: int, unit: Unit) -> Found:
    """A command is done when the bolt is where it should be, and failed when it rests elsewhere afterwards."""
    asked = unit.memory.get("asked")
    if not isinstance(asked, dict) or state in MOVING:
        return
    if REACHED.get(str(asked.get("name"))) == kind:
        outcome, reason = "done", ""
    elif kind == "lock.jammed":
        outcome, reason = "failed", "motor blocked"
    elif asked.get("complete"):
        outcome, reason = "failed", f"the bolt rests at {kind.partition('.')[2]}"
    else:
        return
    del unit.memory["asked"]
    yield Result(str(asked["id"]), outcome, reason)  # type: ignore[arg-type]


def _battery(battery: int, unit: Unit, frame: Frame) -> Found:
    """Bit 0 says critical; bits 2 to 7 the level in steps of 2 %, 0 where the firmware does not know it."""
    critical = bool(battery & 1)
    if critical and not unit.memory.get("critical"):
        yield Fact("lock.battery_low")
    unit.memory["critical"] = critical
    if battery >> 2:
        yield from reports.battery("lock", (battery >> 2) * 2, unit, frame.heard, low=-1)


def _door(payload: bytes, unit: Unit) -> Found:
    door = payload[18] if len(payload) > 18 else 0
    if door in DOOR and unit.memory.get("door") != door:
        unit.memory["door"] = door
        yield Fact(DOOR[door])


def _status(payload: bytes, unit: Unit, frame: Frame) -> Found:  # noqa: ARG001 - the shape of a reader
    """The lock has finished; where the bolt is now, its next states say."""
    asked = unit.memory.get("asked")
    if payload[:1] == bytes([nuki.COMPLETE]) and isinstance(asked, dict):
        unit.memory["asked"] = {**asked, "complete": True}
    yield from ()


def _error(payload: bytes, unit: Unit, frame: Frame) -> Found:  # noqa: ARG001 - the shape of a reader
    if len(payload) < 3:
        raise DecodeError(f"an error report of a Nuki lock has 3 bytes, not {len(payload)}")
    code, asked = payload[0], unit.memory.get("asked")
    words = ERRORS.get(code, f"error 0x{code:02x}")
    if not isinstance(asked, dict):
        yield Fact("lock.fault", {"code": words})
        return
    del unit.memory["asked"]
    yield Result(str(asked["id"]), "failed" if code >= MOTOR else "refused", words)


_READERS: Final[Mapping[int, Callable[[bytes, Unit, Frame], Found]]] = MappingProxyType(
    {nuki.STATES: _states, nuki.STATUS: _status, nuki.ERROR: _error}
)


def encode(command: Command, unit: Unit) -> Outgoing:
    """Name the action; the link's conversation fetches a challenge for it and writes it once."""
    action = ACTIONS.get(command.name)
    if action is None:
        raise ValueError(f"a Nuki lock takes lock and unlock, not {command.name!r:.80}")
    unit.memory["asked"] = {"id": command.id, "name": command.name}
    return Outgoing(nuki.USER_DATA, bytes([action]), wait=30_000)


DEVICE = DeviceType(
    id="nuki_ble",
    vendor="Nuki",
    product="Smart Lock 2.0, 3.0 and 4.0 over Bluetooth",
    name=MappingProxyType({"nb": "Nuki dørlås (Bluetooth)", "en": "Nuki smart lock (Bluetooth)"}),
    link="ble",
    device_class="lock",
    emits=frozenset(
        {"lock.locked", "lock.unlocked", "lock.jammed", "lock.unknown", "lock.battery", "lock.battery_low"}
        | {"lock.fault", "lock.heartbeat", "door.opened", "door.closed"}
    ),
    decode=decode,
    signature="offers the service a92ee200-5501-11e4-916c-0800200c9a66 and sends an iBeacon of that UUID",
    silent_after=12 * 3600,
    commands=MappingProxyType({"lock": (), "unlock": ()}),
    encode=encode,
    source="Nuki Smart Lock Bluetooth API 2.2 with its command usage examples",
    ble=BleUse(subscribe=(nuki.USER_DATA,), conversation=nuki.Talk, calls=nuki.calls),
)
