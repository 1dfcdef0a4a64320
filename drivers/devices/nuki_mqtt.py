"""A Nuki smart lock over its own MQTT API: state, door sensor, battery, who did it; lock and unlock.

While the bolt moves nobody knows where it is, and that is what is said. A command is answered by the bolt's new
place, never by the lock's "received".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

from drivers.device_type import Command, DeviceType, Outgoing, Result, Unit
from drivers.events import DecodeError, Fact, Frame, Value
from drivers.protocols import reports
from drivers.protocols.nuki_mqtt import (
    BETWEEN,
    BOLT,
    DOOR,
    ERROR,
    LOCK_ACTION,
    TRIGGER,
    action_event,
    number,
    truth,
)

REACHED = MappingProxyType({"lock": "lock.locked", "unlock": "lock.unlocked"})

Read = Callable[[Frame, Unit], Iterator[Fact | Result]]


def decode(frame: Frame, unit: Unit) -> list[Fact | Result]:
    """Read one property; `channel` is its name. What is as it was is no news."""
    reader = _READERS.get(frame.channel)
    if reader is None:
        raise DecodeError(f"a Nuki lock has no topic {frame.channel!r:.80} that we know")
    found = list(reader(frame, unit))
    if frame.retained or not unit.memory.get("connected", True):
        return found  # the broker's word, not the lock's
    return reports.alive("lock", found, unit, frame.heard)


def _state(frame: Frame, unit: Unit) -> Iterator[Fact | Result]:
    state = number(frame.payload, "lock state")
    if not _news(unit, "state", state):
        return
    kind = BOLT.get(state, "lock.unknown")
    yield Fact(kind, _who(unit) if state in BOLT else {"reason": BETWEEN.get(state, f"state {state}")})
    asked = unit.memory.get("asked")
    if isinstance(asked, dict) and (REACHED.get(str(asked.get("name"))) == kind or kind == "lock.jammed"):
        del unit.memory["asked"]
        yield Result(
            str(asked["id"]), *(("failed", "motor blocked") if kind == "lock.jammed" else ("done", ""))
        )


def _who(unit: Unit) -> dict[str, Value]:
    """Of the last announced action; a motor that is blocked has no author, so data stays within its fields."""
    done = unit.memory.get("action")
    if unit.memory.get("state") == 254 or not isinstance(done, list):
        return {}
    trigger, person = done
    how: dict[str, Value] = {"how": TRIGGER.get(trigger, f"trigger {trigger}")}
    return {**how, "by": f"authorisation {person}"} if person else how


def _door(frame: Frame, unit: Unit) -> Iterator[Fact | Result]:
    state = number(frame.payload, "door sensor state")
    if _news(unit, "door", state) and state in DOOR:
        yield Fact(DOOR[state])


def _critical(frame: Frame, unit: Unit) -> Iterator[Fact | Result]:
    critical = truth(frame.payload, "batteryCritical")
    if _news(unit, frame.channel, critical) and critical:
        yield Fact("lock.battery_low")


def _charge(frame: Frame, unit: Unit) -> Iterator[Fact | Result]:
    yield from reports.battery(
        "lock", number(frame.payload, "batteryChargeState", 100), unit, frame.heard, low=-1
    )


def _connected(frame: Frame, unit: Unit) -> Iterator[Fact | Result]:
    connected = truth(frame.payload, "connected")
    before = unit.memory.get("connected", True)
    unit.memory["connected"] = connected
    if before != connected:
        yield Fact("lock.recovered" if connected else "lock.fault", {"code": "not connected"})


def _action(frame: Frame, unit: Unit) -> Iterator[Fact | Result]:
    """Who is about to do what; the bolt's next state is theirs. 80 and above are button presses without action."""
    if frame.retained:
        raise DecodeError("a retained lockActionEvent is not news")
    action, trigger, person = action_event(frame.payload)
    if 1 <= action <= 6:
        unit.memory["action"] = [trigger, person]
    yield from ()


def _response(frame: Frame, unit: Unit) -> Iterator[Fact | Result]:
    """Received is not done: only an error answers a command here."""
    code = number(frame.payload, "commandResponse")
    asked = unit.memory.get("asked")
    if code == 0 or frame.retained or not isinstance(asked, dict):
        return
    del unit.memory["asked"]
    yield Result(str(asked["id"]), "refused", ERROR.get(code, f"error {code}"))


def _nothing(frame: Frame, unit: Unit) -> Iterator[Fact | Result]:  # noqa: ARG001  the shape of a reader
    """A property that says nothing of the home; it still is a sign of life."""
    yield from ()


def _news(unit: Unit, name: str, now: object) -> bool:
    before = unit.memory.get(name)
    unit.memory[name] = now
    return before != now


_READERS: dict[str, Read] = {
    "state": _state,
    "doorsensorState": _door,
    "batteryCritical": _critical,
    "keypadBatteryCritical": _critical,
    "doorsensorBatteryCritical": _critical,
    "batteryChargeState": _charge,
    "connected": _connected,
    "lockActionEvent": _action,
    "commandResponse": _response,
    **dict.fromkeys(
        ("mode", "batteryCharging", "timestamp", "name", "firmware", "deviceType", "deviceId"), _nothing
    ),
}


def encode(command: Command, unit: Unit) -> Outgoing:
    """Write a lock action. What was asked is remembered, since only the bolt's move answers it."""
    if command.name not in LOCK_ACTION:
        raise ValueError(f"a Nuki lock takes lock and unlock, not {command.name!r:.80}")
    unit.memory["asked"] = {"id": command.id, "name": command.name}
    return Outgoing("lockAction", str(LOCK_ACTION[command.name]).encode(), wait=30_000)


DEVICE = DeviceType(
    id="nuki_mqtt",
    vendor="Nuki",
    product="Smart Lock with MQTT (3.0 Pro, 4.0 Pro and later)",
    name=MappingProxyType({"nb": "Nuki dørlås (MQTT)", "en": "Nuki smart lock (MQTT)"}),
    link="mqtt",
    device_class="lock",
    emits=frozenset(
        {f"lock.{fact}" for fact in ("locked", "unlocked", "jammed", "unknown", "battery", "battery_low", "tamper",
                                     "fault", "recovered", "heartbeat")}
        | {"door.opened", "door.closed"}
    ),
    decode=decode,
    signature="topics nuki/{id}/state, nuki/{id}/lockActionEvent …",
    silent_after=24 * 3600,
    commands=MappingProxyType({"lock": (), "unlock": ()}),
    encode=encode,
    recognises=lambda frame: frame.link == "mqtt" and frame.address.startswith("nuki/") and frame.channel in _READERS,
    source="Nuki MQTT API specification 1.4; Nuki Bluetooth API (codes)",
)  # fmt: skip
