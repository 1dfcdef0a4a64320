"""BTHome v2 service data (UUID 0xFCD2): bytes to readings, encrypted or not, and what makes one news.

Format and encryption as published at bthome.io (format, encryption). Objects stand in the order of their ids,
so an unknown id ends the reading and what came before it stands. AES-CCM protects the content; against a
recorded and replayed message only the counter helps, so it is remembered across restarts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from drivers.device_type import Unit
from drivers.events import DecodeError, Frame, Millis
from drivers.settings import Settings, flag

SETTINGS: Final[Settings] = {"counter_restarts": flag()}
CHANNEL: Final = "adv:fcd2"
UUID: Final = bytes.fromhex("d2fc")  # as it stands in the nonce: least significant byte first
LONGEST: Final = 255  # bytes one advertisement can carry, extended ones included
VERSION: Final = 2
ENCRYPTED, ADDRESSED, TRIGGER_BASED = 1 << 0, 1 << 1, 1 << 2
SEAL: Final = 8  # bytes behind the ciphertext: counter and integrity check
KEY: Final = 16
REPEAT_WITHIN: Final[Millis] = 4_000
"""Without encryption only the packet id tells repetition from news, and it wraps: it counts this long."""
RESTART_BELOW: Final = 100
"""With `counter_restarts` set for a unit, a counter below this is a battery change and not a replay."""
WRAPS_ABOVE: Final = 0xFFFF_FF00
"""A counter may go on at 0 after its highest values (32 bits)."""

Number: TypeAlias = int | float


@dataclass(frozen=True, slots=True)
class Measure:
    """How one object is written: bytes (0 = a length byte comes first), sign, factor."""

    name: str
    size: int
    factor: float = 1
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One object as it was read. value: number in the unit of the table, or the bytes of an event."""

    name: str
    value: Number | bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """One service data. counter: of the encryption, None in the clear. packet: the device's packet id."""

    readings: tuple[Reading, ...]
    counter: int | None
    packet: int | None

    def numbers(self, name: str) -> list[Number]:
        """The values of all objects of one name."""
        return [one.value for one in self.readings if one.name == name and not isinstance(one.value, bytes)]

    def events(self, name: str) -> list[int]:
        """The codes of all events of one name."""
        return [one.value[0] for one in self.readings if one.name == name and isinstance(one.value, bytes)]


def _measure(name: str, size: int, factor: float = 1, *, signed: bool = False) -> Measure:
    return Measure(name, size, factor, signed)


PACKET_ID, BUTTON, COMMAND, DIMMER = 0x00, 0x3A, 0x3B, 0x3C
FLAGS: Final = {
    0x0F: "generic", 0x10: "power_on", 0x11: "opening", 0x15: "battery_low", 0x16: "charging", 0x17: "co",
    0x18: "cold", 0x19: "connectivity", 0x1A: "door", 0x1B: "garage_door", 0x1C: "gas", 0x1D: "heat",
    0x1E: "light", 0x1F: "lock", 0x20: "moisture", 0x21: "motion", 0x22: "moving", 0x23: "occupancy",
    0x24: "plug", 0x25: "presence", 0x26: "problem", 0x27: "running", 0x28: "safety", 0x29: "smoke",
    0x2A: "sound", 0x2B: "tamper", 0x2C: "vibration", 0x2D: "window",
}  # fmt: skip
OBJECTS: Final[Mapping[int, Measure]] = MappingProxyType(
    {
        PACKET_ID: _measure("packet_id", 1),
        0x01: _measure("battery", 1),
        0x02: _measure("temperature", 2, 0.01, signed=True),
        0x03: _measure("humidity", 2, 0.01),
        0x04: _measure("pressure", 3, 0.01),
        0x05: _measure("illuminance", 3, 0.01),
        0x06: _measure("mass", 2, 0.01),
        0x07: _measure("mass_lb", 2, 0.01),
        0x08: _measure("dewpoint", 2, 0.01, signed=True),
        0x09: _measure("count", 1),
        0x0A: _measure("energy", 3, 0.001),
        0x0B: _measure("power", 3, 0.01),
        0x0C: _measure("voltage", 2, 0.001),
        0x0D: _measure("pm2_5", 2),
        0x0E: _measure("pm10", 2),
        **{number: _measure(name, 1) for number, name in FLAGS.items()},
        0x12: _measure("co2", 2),
        0x13: _measure("tvoc", 2),
        0x14: _measure("moisture_level", 2, 0.01),
        0x2E: _measure("humidity", 1),
        0x2F: _measure("moisture_level", 1),
        BUTTON: _measure("button", 1),
        COMMAND: _measure("command", 0),
        DIMMER: _measure("dimmer", 2),
        0x3D: _measure("count", 2),
        0x3E: _measure("count", 4),
        0x3F: _measure("rotation", 2, 0.1, signed=True),
        0x40: _measure("distance_mm", 2),
        0x41: _measure("distance", 2, 0.1),
        0x42: _measure("duration", 3, 0.001),
        0x43: _measure("current", 2, 0.001),
        0x44: _measure("speed", 2, 0.01),
        0x45: _measure("temperature", 2, 0.1, signed=True),
        0x46: _measure("uv_index", 1, 0.1),
        0x47: _measure("volume", 2, 0.1),
        0x48: _measure("volume_ml", 2),
        0x49: _measure("flow", 2, 0.001),
        0x4A: _measure("voltage", 2, 0.1),
        0x4B: _measure("gas_volume", 3, 0.001),
        0x4C: _measure("gas_volume", 4, 0.001),
        0x4D: _measure("energy", 4, 0.001),
        0x4E: _measure("volume", 4, 0.001),
        0x4F: _measure("water_volume", 4, 0.001),
        0x50: _measure("timestamp", 4),
        0x51: _measure("acceleration", 2, 0.001),
        0x52: _measure("gyroscope", 2, 0.001),
        0x53: _measure("text", 0),
        0x54: _measure("raw", 0),
        0x55: _measure("volume_storage", 4, 0.001),
        0x56: _measure("conductivity", 2),
        0x57: _measure("temperature", 1, signed=True),
        0x58: _measure("temperature", 1, 0.35, signed=True),
        0x59: _measure("count", 1, signed=True),
        0x5A: _measure("count", 2, signed=True),
        0x5B: _measure("count", 4, signed=True),
        0x5C: _measure("power", 4, 0.01, signed=True),
        0x5D: _measure("current", 2, 0.001, signed=True),
        0x5E: _measure("direction", 2, 0.01),
        0x5F: _measure("precipitation", 2, 0.1),
        0x60: _measure("channel", 1),
        0x61: _measure("rotational_speed", 2),
        0x62: _measure("speed", 4, 0.000001, signed=True),
        0x63: _measure("acceleration", 4, 0.000001, signed=True),
        0x64: _measure("light_level", 1),
        0x65: _measure("settings_revision", 1),
        0xF0: _measure("device_type", 2),
        0xF1: _measure("firmware", 4),
        0xF2: _measure("firmware", 3),
    }
)
EVENTS: Final = frozenset({BUTTON, COMMAND, DIMMER, 0x53, 0x54})
"""Objects whose bytes are kept as they are."""


def read(frame: Frame, unit: Unit) -> Packet | None:
    """Read a frame of a registered unit; None when it only repeats what was heard before.

    Remembers counter and packet id in `unit.memory["bthome"]`. Raises DecodeError for anything unreadable, for
    a message in the clear from a unit that has a key, and for a counter that went back.
    """
    packet = parse(frame.payload, unit.address, unit.key)
    known = unit.memory.get("bthome", {})
    if packet.counter is None:
        if _same_packet(packet, known, frame.heard):
            return None
        unit.memory["bthome"] = {"packet": packet.packet, "heard": frame.heard}
        return packet
    print_of_key = fingerprint(unit.key)
    last = known.get("counter") if known.get("key") == print_of_key else None
    if last == packet.counter:
        return None
    if last is not None and not _goes_on(last, packet.counter, bool(unit.settings.get("counter_restarts"))):
        raise DecodeError(
            f"the counter went back from {last} to {packet.counter}: a recorded message played again, or a"
            " device that lost its counter (then register it anew or set counter_restarts)"
        )
    unit.memory["bthome"] = {"counter": packet.counter, "key": print_of_key}
    return packet


def parse(payload: bytes, address: str, key: bytes | None) -> Packet:
    """Read service data. address: of the sender, it is part of the nonce. Pure; raises DecodeError."""
    if len(payload) > LONGEST:
        raise DecodeError(f"BTHome data has {len(payload)} bytes; an advertisement carries at most {LONGEST}")
    payload = service_data(payload)
    if not payload:
        raise DecodeError("BTHome data is empty; expected at least the device information byte")
    device = payload[0]
    if device >> 5 != VERSION:
        raise DecodeError(f"BTHome version 2 expected, version {device >> 5} came (byte 0 is 0x{device:02x})")
    body, sender = payload[1:], address
    if device & ADDRESSED:
        if len(body) < 6:
            raise DecodeError(f"BTHome data ends after {len(payload)} bytes; expected a 6-byte address in it")
        body, sender = body[6:], body[:6][::-1].hex(":")
    if device & ENCRYPTED:
        objects, counter = _decrypt(device, body, sender, key)
    elif key is not None:
        raise DecodeError("the message is not encrypted, but this device has a key and encrypts; refused")
    else:
        objects, counter = body, None
    readings = tuple(_objects(objects))
    ids = [int(one.value) for one in readings if one.name == "packet_id" and not isinstance(one.value, bytes)]
    return Packet(tuple(one for one in readings if one.name != "packet_id"), counter, ids[0] if ids else None)


def service_data(payload: bytes) -> bytes:
    """The part behind the UUID: a link hands over just that, a recorder the UUID too or the whole advertisement.

    No confusion is possible: version 2 begins with 0x40 to 0x5f, the UUID with 0xd2, an advertisement with the
    length of its first structure.
    """
    if payload.startswith(UUID):
        return payload[2:]
    start = 0
    while start + 4 <= len(payload) and 0 < payload[start] < 0x40:
        if payload[start + 1 : start + 4] == b"\x16" + UUID:
            return payload[start + 4 : start + 1 + payload[start]]
        start += 1 + payload[start]
    return payload


def fingerprint(key: bytes | None) -> str:
    """Eight characters that tell two keys apart without telling either."""
    return hashlib.sha256(b"bthome" + (key or b"")).hexdigest()[:8]


def fact_id(packet: Packet, unit: Unit, number: int) -> str | None:
    """The device's own id of the n-th fact in a packet, the same at every gateway that hears it."""
    return None if packet.counter is None else f"{fingerprint(unit.key)}-{packet.counter}-{number}"


def _decrypt(device: int, body: bytes, sender: str, key: bytes | None) -> tuple[bytes, int]:
    if key is None:
        raise DecodeError("the message is encrypted and no key is registered for this device")
    if len(key) != KEY:
        raise DecodeError(f"the key registered for this device has {len(key)} bytes; a BTHome key has {KEY}")
    if len(body) < SEAL:
        raise DecodeError(f"encrypted BTHome data needs {SEAL} bytes of counter and check; {len(body)} came")
    sealed, count, check = body[:-SEAL], body[-SEAL:-4], body[-4:]
    try:
        nonce = bytes.fromhex(sender.replace(":", "")) + UUID + bytes([device]) + count
        objects = AESCCM(key, tag_length=4).decrypt(nonce, sealed + check, None)
    except InvalidTag:
        raise DecodeError("the message does not fit the registered key, or was changed on the way") from None
    except ValueError:
        raise DecodeError(f"a Bluetooth address is written aa:bb:cc:dd:ee:ff, not {sender!r:.40}") from None
    return objects, int.from_bytes(count, "little")


def _objects(data: bytes) -> list[Reading]:
    readings: list[Reading] = []
    start = 0
    while start < len(data):
        number = data[start]
        measure = OBJECTS.get(number)
        if measure is None:
            if not readings:
                raise DecodeError(f"BTHome object 0x{number:02x} at byte {start} is not known")
            return readings  # newer objects come last, and nobody knows how long this one is
        value, start = _value(data, start + 1, number, measure)
        readings.append(Reading(measure.name, value))
    return readings


def _value(data: bytes, start: int, number: int, measure: Measure) -> tuple[Number | bytes, int]:
    size = measure.size
    if not size:
        if start >= len(data):
            raise DecodeError(f"BTHome data ends before the length of object 0x{number:02x}")
        # A command's length counts its arguments in five bits, behind the opcode.
        size = 1 + (data[start] & 0x1F) if number == COMMAND else data[start]
        start += 1
    raw = data[start : start + size]
    if len(raw) < size:
        name = f"object 0x{number:02x} ({measure.name})"
        raise DecodeError(f"BTHome data ends inside {name}: {size} bytes expected, {len(raw)} came")
    if number in EVENTS:
        return raw, start + size
    whole = int.from_bytes(raw, "little", signed=measure.signed)
    return whole if measure.factor == 1 else round(whole * measure.factor, 6), start + size


def _same_packet(packet: Packet, known: Mapping[str, object], heard: Millis) -> bool:
    """Whether an unencrypted packet is the last one again, or one before it that took a longer way."""
    last, then = known.get("packet"), known.get("heard")
    if packet.packet is None or not isinstance(last, int) or not isinstance(then, int):
        return False
    ahead = (packet.packet - last) % 256
    return 0 <= heard - then <= REPEAT_WITHIN and not 0 < ahead < 64


def _goes_on(last: int, new: int, may_restart: bool) -> bool:
    return new > last or (last >= WRAPS_ABOVE and new < 256) or (may_restart and new < RESTART_BELOW)
