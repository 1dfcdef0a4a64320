"""A Nuki Smart Lock by the maker's Bluetooth API 2.2: pairing, state, lock and unlock, beacon, faults.

Written from the published document with its own encryption, so that a mistake shared with our driver is unlikely.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import struct
from collections.abc import Sequence
from datetime import UTC, datetime

from bumble import gatt
from bumble.device import Device
from nacl.bindings import (
    crypto_box_beforenm,
    crypto_scalarmult_base,
    crypto_secretbox,
    crypto_secretbox_open,
)
from nacl.exceptions import CryptoError

from simulators.ble.bthome_frame import FLAGS, scan_response
from simulators.ble.gatt_peripheral import INDICATE, INTERVAL, WRITE, WRITEABLE, GattPeripheral
from simulators.ble.peripheral import GONE

PAIRING_SERVICE = "a92ee100-5501-11e4-916c-0800200c9a66"
PAIRING_DATA = "a92ee101-5501-11e4-916c-0800200c9a66"
SERVICE = "a92ee200-5501-11e4-916c-0800200c9a66"
USER_DATA = "a92ee202-5501-11e4-916c-0800200c9a66"
PIECE = 20  # bytes of one indication

LOCKED, UNLOCKING, UNLOCKED, LOCKING, BLOCKED = 1, 2, 3, 4, 0xFE
UNLOCK, LOCK = 1, 2
DOOR_CLOSED, DOOR_OPEN = 2, 3
COMMAND, MANUAL = 0, 1
NOT_PAIRING, BAD_AUTHENTICATOR, NOT_AUTHORISED, BAD_NONCE, MOTOR_BLOCKED, BAD_CRC = (
    0x10,
    0x11,
    0x20,
    0x22,
    0x42,
    0xFD,
)
SETTLED = {UNLOCK: (UNLOCKING, UNLOCKED), LOCK: (LOCKING, LOCKED)}


class NukiLock(GattPeripheral):
    """The lock. moves: every bolt movement by command, in order, so that a test can count them.

    jam: the next movement gets stuck. lose_answer: the link breaks after the next movement, before the answer.
    deaf: it takes commands and answers nothing. motor: seconds a movement takes.
    """

    model = "Smart Lock"

    def __init__(
        self, address: str, *, name: str = "Nuki_0A1B2C3D", battery: int = 80, seed: int = 1
    ) -> None:
        super().__init__(name, address, battery=battery)
        self.bolt = LOCKED
        self.door = DOOR_CLOSED
        self.pairing = False
        self.jam = False
        self.lose_answer = False
        self.deaf = False
        self.motor = 0.01
        self.moves: list[int] = []
        self.authorised: dict[int, bytes] = {}
        self.names: dict[int, str] = {}
        self._trigger = MANUAL
        self._changed = False
        self._draw = random.Random(seed)
        self._private = self._draw.randbytes(32)
        self._session: dict[str, bytes] = {}
        self._challenge = b""
        self._busy: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    async def hold_button(self) -> None:
        """Go into pairing mode."""
        self.pairing = True

    def knows(self, number: int, key: bytes) -> None:
        """Be paired with somebody already: an authorisation's number and its shared key."""
        self.authorised[number] = key

    async def turn_by_hand(self, bolt: int) -> None:
        """Turn the knob: LOCKED or UNLOCKED; the beacon says that something changed."""
        self.bolt, self._trigger = bolt, MANUAL
        await self._say_changed()

    async def open_door(self, *, is_open: bool = True) -> None:
        """Open or close the door leaf."""
        self.door = DOOR_OPEN if is_open else DOOR_CLOSED
        await self._say_changed()

    async def _say_changed(self) -> None:
        self._changed = True
        if self.on_air and not self.connected:
            await self._advertise(self.device)

    async def _advertise(self, device: Device) -> None:
        await device.start_advertising(
            auto_restart=True,
            advertising_data=self._beacon(),
            scan_response_data=scan_response(self.name),
            advertising_interval_min=INTERVAL,
            advertising_interval_max=INTERVAL,
        )

    def _beacon(self) -> bytes:
        """An iBeacon of the service; the lowest bit of its power says that the state changed."""
        uuid = bytes.fromhex(SERVICE.replace("-", ""))
        power = 0xC4 | int(self._changed)
        beacon = bytes.fromhex("4c000215") + uuid + bytes.fromhex("0a1b2c3d") + bytes([power])
        return FLAGS + bytes([len(beacon) + 1, 0xFF]) + beacon

    def _services(self) -> Sequence[gatt.Service]:
        pairing = self._offer(PAIRING_DATA, WRITE | INDICATE, permissions=WRITEABLE)
        user = self._offer(USER_DATA, WRITE | INDICATE, permissions=WRITEABLE)
        pairing.on(pairing.EVENT_WRITE, lambda _from, value: self._later(self._pair(bytes(value))))
        user.on(user.EVENT_WRITE, lambda _from, value: self._later(self._serve(bytes(value))))
        return [gatt.Service(PAIRING_SERVICE, [pairing]), gatt.Service(SERVICE, [user])]

    def _later(self, work) -> None:  # type: ignore[no-untyped-def]  # any coroutine
        task = asyncio.ensure_future(self._unless_gone(work))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    @staticmethod
    async def _unless_gone(work) -> None:  # type: ignore[no-untyped-def]
        try:
            await work
        except (*GONE, RuntimeError):
            return

    async def _indicate(self, uuid: str, data: bytes) -> None:
        async with self._one_at_a_time:
            await self._indicate_pieces(uuid, data)

    async def _indicate_pieces(self, uuid: str, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            await self.device.indicate_subscribers(self._characteristics[uuid], data[start : start + PIECE])

    # -- pairing, unencrypted

    async def _pair(self, data: bytes) -> None:
        command, payload = struct.unpack("<H", data[:2])[0], data[2:-2]
        if _crc(data[:-2]) != data[-2:]:
            await self._tell_plain(0x12, bytes([BAD_CRC]) + data[:2])
        elif not self.pairing:
            await self._tell_plain(0x12, bytes([NOT_PAIRING]) + data[:2])
        elif command == 0x01:
            self._session = {}
            await self._tell_plain(0x03, crypto_scalarmult_base(self._private))
        elif command == 0x03:
            self._session["theirs"] = payload
            self._session["key"] = crypto_box_beforenm(payload, self._private)
            await self._challenge_plain()
        elif command == 0x05:
            await self._check_authenticator(payload)
        elif command == 0x06:
            await self._authorise(payload)
        elif command == 0x1E:
            self.pairing = False
            await self._tell_plain(0x0E, bytes([0]))

    async def _check_authenticator(self, proof: bytes) -> None:
        ours = crypto_scalarmult_base(self._private)
        if proof != self._sign(self._session["theirs"] + ours + self._session["nonce"]):
            await self._tell_plain(0x12, bytes([BAD_AUTHENTICATOR, 0x05, 0x00]))
            return
        await self._challenge_plain()

    async def _authorise(self, payload: bytes) -> None:
        proof, body = payload[:32], payload[32:]
        if proof != self._sign(body + self._session["nonce"]):
            await self._tell_plain(0x12, bytes([BAD_AUTHENTICATOR, 0x06, 0x00]))
            return
        number = len(self.authorised) + 1
        self.authorised[number] = self._session["key"]
        self.names[number] = body[5:37].rstrip(b"\0").decode()
        answer = struct.pack("<I", number) + bytes(16) + self._fresh()
        await self._tell_plain(0x07, self._sign(answer + body[37:69]) + answer)

    async def _challenge_plain(self) -> None:
        self._session["nonce"] = self._fresh()
        await self._tell_plain(0x04, self._session["nonce"])

    async def _tell_plain(self, command: int, payload: bytes) -> None:
        body = struct.pack("<H", command) + payload
        await self._indicate(PAIRING_DATA, body + _crc(body))

    def _sign(self, data: bytes) -> bytes:
        return hmac.new(self._session["key"], data, hashlib.sha256).digest()

    def _fresh(self) -> bytes:
        return self._draw.randbytes(32)

    # -- service, encrypted

    async def _serve(self, data: bytes) -> None:
        number = int(struct.unpack("<I", data[24:28])[0])
        key = self.authorised.get(number)
        if key is None:
            return
        try:
            body = crypto_secretbox_open(data[30:], data[:24], key)
        except CryptoError:
            return
        if _crc(body[:-2]) != body[-2:]:
            await self._tell(number, 0x12, bytes([BAD_CRC]) + body[4:6])
            return
        command, payload = struct.unpack("<H", body[4:6])[0], body[6:-2]
        if command == 0x01 and payload[:2] == b"\x0c\x00":
            self._changed = False
            self.device.advertising_data = self._beacon()  # what it sends once the link is closed
            await self._tell(number, 0x0C, self._states())
        elif command == 0x01 and payload[:2] == b"\x04\x00":
            self._challenge = self._fresh()
            await self._tell(number, 0x04, self._challenge)
        elif command == 0x0D:
            await self._act(number, payload)

    async def _act(self, number: int, payload: bytes) -> None:
        action, nonce = payload[0], payload[-32:]
        challenge, self._challenge = self._challenge, b""
        if nonce != challenge or not challenge:
            await self._tell(number, 0x12, bytes([BAD_NONCE, 0x0D, 0x00]))
            return
        moving, settled = SETTLED[action]
        await self._tell(number, 0x0E, bytes([1]))
        self.moves.append(action)
        self.bolt, self._trigger = moving, COMMAND
        await self._tell(number, 0x0C, self._states())
        await asyncio.sleep(self.motor)
        jammed, self.jam = self.jam, False
        self.bolt = BLOCKED if jammed else settled
        if self.lose_answer:
            self.lose_answer, self._changed = False, True
            await self.lose_link()
            return
        await self._tell(number, 0x0C, self._states())
        if jammed:
            await self._tell(number, 0x12, bytes([MOTOR_BLOCKED, 0x0D, 0x00]))
        else:
            await self._tell(number, 0x0E, bytes([0]))

    async def _tell(self, number: int, command: int, payload: bytes) -> None:
        if self.deaf:
            return
        body = struct.pack("<IH", number, command) + payload
        nonce = self._draw.randbytes(24)
        sealed = crypto_secretbox(body + _crc(body), nonce, self.authorised[number])
        await self._indicate(USER_DATA, nonce + struct.pack("<IH", number, len(sealed)) + sealed)

    def _states(self) -> bytes:
        now = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)
        clock = struct.pack("<HBBBBBh", now.year, now.month, now.day, now.hour, now.minute, now.second, 60)
        battery = (self.battery // 2) << 2 | (1 if self.battery <= 20 else 0)
        tail = bytes([battery, 1, 0, 0, 0, 0, self.door, 0, 0])
        return bytes([2, self.bolt, self._trigger]) + clock + tail


def _crc(data: bytes) -> bytes:
    """CRC-CCITT, bit by bit."""
    rest = 0xFFFF
    for byte in data:
        rest ^= byte << 8
        for _ in range(8):
            rest = (rest << 1 ^ 0x1021 if rest & 0x8000 else rest << 1) & 0xFFFF
    return struct.pack("<H", rest)
