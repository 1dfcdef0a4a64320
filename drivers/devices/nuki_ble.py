"""A Nuki smart lock over its own Bluetooth API: state, door sensor, battery, log; lock and unlock.

While the bolt moves nobody knows where it is, and that is what is said. A command is done when the bolt says so,
never because the lock accepted it. The registered key is what pairing left: shared key and authorisation id. With
the lock's security PIN (setting `pin_secret`) its log says who moved the bolt and how, each entry once, also of the
time while nobody listened. `trygghub provision nuki` writes both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from drivers.device_type import BleUse, Command, DeviceType, Outgoing, Result, Unit
from drivers.events import DecodeError, Fact, Frame, Millis, Value
from drivers.protocols import nuki, nuki_log, nuki_talk, reports
from drivers.settings import file_of_secret

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
PIN_REFUSED: Final[Mapping[int, str]] = MappingProxyType(
    {0x21: "log not read: wrong security PIN", 0x28: "log not read: wrong security PIN, too many attempts"}
)
NO_PIN: Final = "log not read: a security PIN has four digits"
NO_LOG: Final = "the lock keeps no log; switch it on in the maker's app"
MOTOR: Final = 0x40
"""From here on an error is the motor's: it failed. Below, the lock refused."""
SHORTEST: Final = 13  # bytes of the states message in the first firmwares; later ones append
OLDEST: Final[Millis] = 6 * 86_400_000
"""A log entry older than this is history: it is counted as read, and not told as if it happened now."""
TWICE: Final[Millis] = 120_000
"""An entry this near to what the lock itself had just said is the same movement."""

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
    return reports.alive("lock", found, unit, frame.heard)


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
    if now := nuki_log.clock(payload[3:10]):
        unit.memory["ahead"] = now - frame.heard
    logged = unit.memory.pop("logged", None)
    if unit.memory.get("state") != state:
        unit.memory["state"] = state
        if logged != kind:  # the log has told it, with who and how
            unit.memory["live"] = {"kind": kind, "at": frame.heard}
            yield Fact(kind, _why(kind, state, trigger))
    yield from _result(kind, state, unit)
    yield from _battery(battery, unit, frame)
    yield from _door(payload, unit, frame)
    yield from _pin(unit)


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


def _door(payload: bytes, unit: Unit, frame: Frame) -> Found:
    door = payload[18] if len(payload) > 18 else 0
    if door in DOOR and unit.memory.get("door") != door:
        unit.memory["door"] = door
        unit.memory["leaf"] = {"kind": DOOR[door], "at": frame.heard}
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
    if payload[1:3] == nuki_log.REQUEST_LOG.to_bytes(2, "little"):
        yield from _log_refused(code, words, unit)
        return
    if not isinstance(asked, dict):
        yield Fact("lock.fault", {"code": words})
        return
    del unit.memory["asked"]
    yield Result(str(asked["id"]), "failed" if code >= MOTOR else "refused", words)


def _battery_report(payload: bytes, unit: Unit, frame: Frame) -> Found:  # noqa: ARG001 - the shape of a reader
    """Drain and voltages are for a technician (`trygghub provision nuki`); critical is a fact."""
    if len(payload) < 5:
        raise DecodeError(f"a battery report of a Nuki lock has at least 5 bytes, not {len(payload)}")
    critical = bool(payload[4])
    if critical and not unit.memory.get("critical"):
        yield Fact("lock.battery_low")
    unit.memory["critical"] = critical


# ---------------------------------------------------------------- the log


def _count(payload: bytes, unit: Unit, frame: Frame) -> Found:  # noqa: ARG001 - the shape of a reader
    """The lock has opened its log to us: the PIN is right, and it says whether it writes anything down."""
    counted = nuki_log.count(payload)
    if not counted.entries and "log" not in unit.memory:
        unit.memory["log"] = {"index": 0, "at": 0}  # whatever comes now is since we are here
    unit.memory.pop("pin_refused", None)
    yield from _log_fault(None if counted.enabled else NO_LOG, unit)


def _entry(payload: bytes, unit: Unit, frame: Frame) -> Found:
    """One entry, once. At the first contact only its number is remembered: what was before us is not told."""
    one = nuki_log.entry(payload)
    before = unit.memory.get("log")
    if isinstance(before, dict) and one.index <= int(before["index"]) and one.at <= int(before["at"]):
        return
    unit.memory["log"] = {"index": one.index, "at": one.at}
    at = one.at - int(unit.memory.get("ahead", 0))
    fact = nuki_log.meaning(one)
    if before is None or fact is None or not frame.heard - OLDEST <= at or _told_live(fact, one, at, unit):
        return
    _remember(fact, unit)
    yield Fact(fact.kind, fact.data, min(at, frame.heard), f"log-{one.index}-{one.at // 1000}")


def _told_live(fact: Fact, one: nuki_log.Entry, at: Millis, unit: Unit) -> bool:
    """Whether the lock had said this movement already, and the entry adds nobody's name to it."""
    if fact.kind not in {*BOLT.values(), *DOOR.values()}:
        return False
    name = "leaf" if fact.kind.startswith("door.") else "live"
    live = unit.memory.get(name)
    if not isinstance(live, dict) or at < int(live["at"]) - TWICE:
        return False
    same = live["kind"] == fact.kind and at <= int(live["at"]) + TWICE
    if same or at > int(live["at"]):
        del unit.memory[name]  # told by this entry, or overtaken by it
    if not same:
        return False
    ours = one.authorisation == nuki.Secret.read(unit.key).authorisation
    return ours or "by" not in fact.data


def _remember(fact: Fact, unit: Unit) -> None:
    """What the lock's next word on its state will only repeat."""
    if fact.kind.startswith("door."):
        unit.memory["door"] = next(state for state, kind in DOOR.items() if kind == fact.kind)
    elif fact.kind in BOLT.values():
        unit.memory["logged"] = fact.kind


def _log_refused(code: int, words: str, unit: Unit) -> Found:
    if code in PIN_REFUSED:
        key = nuki.Secret.read(unit.key).key
        unit.memory["pin_refused"] = nuki_log.mark(key, unit.secrets.get("pin", ""))
    yield from _log_fault(PIN_REFUSED.get(code, f"log not read: {words}"), unit)


def _pin(unit: Unit) -> Found:
    """A PIN that no lock can have is said without asking the lock, and so is that it was mended."""
    wrong = "pin" in unit.secrets and not nuki_log.PIN.fullmatch(unit.secrets["pin"])
    if wrong or unit.memory.get("log_fault") == NO_PIN:
        yield from _log_fault(NO_PIN if wrong else None, unit)


def _log_fault(code: str | None, unit: Unit) -> Found:
    """Say once what is wrong with the log, and once that it is over."""
    before = unit.memory.get("log_fault")
    if code == before:
        return
    unit.memory["log_fault"] = code
    yield (
        Fact("lock.recovered", {"code": str(before)}) if code is None else Fact("lock.fault", {"code": code})
    )


_READERS: Final[Mapping[int, Callable[[bytes, Unit, Frame], Found]]] = MappingProxyType(
    {
        nuki.STATES: _states,
        nuki.STATUS: _status,
        nuki.ERROR: _error,
        nuki.BATTERY_REPORT: _battery_report,
        nuki_log.COUNT: _count,
        nuki_log.ENTRY: _entry,
    }
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
        | {"lock.refused", "lock.fault", "lock.recovered", "lock.heartbeat", "door.opened", "door.closed"}
    ),
    decode=decode,
    signature="offers the service a92ee200-5501-11e4-916c-0800200c9a66 and sends an iBeacon of that UUID",
    silent_after=12 * 3600,
    commands=MappingProxyType({"lock": (), "unlock": ()}),
    encode=encode,
    own_clock=True,
    settings=MappingProxyType({"pin_secret": file_of_secret()}),
    source="Nuki Smart Lock Bluetooth API 2.2 with its command usage examples",
    ble=BleUse(subscribe=(nuki.USER_DATA,), conversation=nuki_talk.Talk, calls=nuki.calls),
)
