"""A Nuki Smart Lock by the maker's Bluetooth API 2.2: pairing, state, lock and unlock, log, beacon, faults.

Written from the published document with its own encryption, so that a mistake shared with our driver is unlikely.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import random
import struct
from collections.abc import Sequence
from datetime import timedelta

from bumble import core, gatt
from bumble.device import Device
from nacl.bindings import (
    crypto_box_beforenm,
    crypto_scalarmult_base,
    crypto_secretbox,
    crypto_secretbox_open,
)
from nacl.exceptions import CryptoError

from simulators.ble.bthome_frame import FLAGS, scan_response
from simulators.ble.gatt_peripheral import FAREWELL, INDICATE, INTERVAL, WRITE, WRITEABLE, GattPeripheral
from simulators.ble.nuki_log import BLOCKED as MOTOR_WAS_BLOCKED
from simulators.ble.nuki_log import INVALID_CODE, SUCCESS, LockLog
from simulators.ble.peripheral import GONE

PAIRING_SERVICE = "a92ee100-5501-11e4-916c-0800200c9a66"
PAIRING_DATA = "a92ee101-5501-11e4-916c-0800200c9a66"
SERVICE = "a92ee200-5501-11e4-916c-0800200c9a66"
USER_DATA = "a92ee202-5501-11e4-916c-0800200c9a66"
PIECE = 20  # bytes of one indication

LOCKED, UNLOCKING, UNLOCKED, LOCKING, BLOCKED = 1, 2, 3, 4, 0xFE
UNLOCK, LOCK = 1, 2
DOOR_CLOSED, DOOR_OPEN = 2, 3
COMMAND, MANUAL, BUTTON, AUTOMATIC, AUTO_LOCK = 0, 1, 2, 3, 6
BACK_KEY, CODE, FINGERPRINT = 0, 1, 2
NOT_PAIRING, BAD_AUTHENTICATOR, NO_MORE_USERS = 0x10, 0x11, 0x13
NOT_AUTHORISED, BAD_PIN, BAD_NONCE, TOO_MANY_PINS = 0x20, 0x21, 0x22, 0x28
MOTOR_BLOCKED, BAD_CRC = 0x42, 0xFD
PINS_UNTIL_BLOCKED = 5
NAME_IN_THE_APP = "Hjemme"
SETTLED = {UNLOCK: (UNLOCKING, UNLOCKED), LOCK: (LOCKING, LOCKED)}


class NukiLock(GattPeripheral):
    """The lock. moves: every bolt movement by command, in order, so that a test can count them.

    jam: the next movement gets stuck. lose_answer: the link breaks after the next movement, before the answer.
    deaf: it takes commands and answers nothing. motor: seconds a movement takes. log: its log, with the PIN.
    asked: every command it understood, in order. cut_at: the link is lost at that boundary, counted in
    `boundaries`: before a write is obeyed, before each piece of an answer goes out, and after its last.
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
        self.log = LockLog()
        self.asked: list[int] = []
        self.cut_at: int | None = None
        self.boundaries = 0
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

    @property
    def is_known(self) -> bool:
        """Whether its state has been asked for since it last changed, and nobody is connected any more."""
        return not self._changed and not self.connected

    async def call(self) -> None:
        """Say in the beacon that something changed, as it does for an entry of its log."""
        self._changed = True
        if self.on_air and not self.connected:
            await self._advertise(self.device)

    async def stop(self) -> None:
        """Leave for good, once what it is doing has ended: a lock that has just lost its link is still coming back."""
        if self._busy:
            await asyncio.wait(set(self._busy), timeout=FAREWELL)
        await super().stop()

    async def hold_button(self) -> None:
        """Go into pairing mode."""
        self.pairing = True

    def knows(self, number: int, key: bytes) -> None:
        """Be paired with somebody already: an authorisation's number and its shared key."""
        self.authorised[number] = key

    async def turn_by_hand(self, bolt: int) -> None:
        """Turn the knob: LOCKED or UNLOCKED; the beacon says that something changed."""
        self.log.action(UNLOCK if bolt == UNLOCKED else LOCK, MANUAL)
        await self._turn(bolt, MANUAL)

    async def open_door(self, *, is_open: bool = True) -> None:
        """Open or close the door leaf."""
        self.door = DOOR_OPEN if is_open else DOOR_CLOSED
        self.log.door(is_open=is_open)
        await self.call()

    async def enter_code(self, name: str, code: int, *, bolt: int = UNLOCKED, right: bool = True) -> None:
        """Somebody enters a code on the keypad; a wrong one moves nothing."""
        action = UNLOCK if bolt == UNLOCKED else LOCK
        completion = SUCCESS if right else INVALID_CODE
        self.log.keypad(action, CODE, completion=completion, code=code if right else 0, name=name)
        await (self._turn(bolt, COMMAND) if right else self.call())

    async def use_fob(self, name: str, number: int, *, bolt: int = UNLOCKED) -> None:
        """Somebody presses the fob of an authorisation."""
        action = UNLOCK if bolt == UNLOCKED else LOCK
        self.log.action(action, AUTOMATIC, authorisation=number, name=name)
        await self._turn(bolt, AUTOMATIC)

    async def use_app(self, name: str, number: int, *, bolt: int = UNLOCKED) -> None:
        """Somebody uses the maker's app."""
        action = UNLOCK if bolt == UNLOCKED else LOCK
        self.log.action(action, COMMAND, authorisation=number, name=name)
        await self._turn(bolt, COMMAND)

    async def lock_itself(self) -> None:
        """Auto lock."""
        self.log.action(LOCK, AUTO_LOCK)
        await self._turn(LOCKED, AUTO_LOCK)

    def pass_time(self, **span: float) -> None:
        """Let its clock run."""
        self.log.now += timedelta(**span)

    async def _turn(self, bolt: int, trigger: int) -> None:
        self.bolt, self._trigger = bolt, trigger
        await self.call()

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
            await self._boundary()
            await self.device.indicate_subscribers(self._characteristics[uuid], data[start : start + PIECE])
        await self._boundary()

    async def _boundary(self) -> None:
        """A place where the link may be lost."""
        self.boundaries += 1
        if self.boundaries == self.cut_at:
            self._changed = True
            await self.lose_link()
            raise core.InvalidStateError("the link is gone")

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
        await self._boundary()
        command, payload = struct.unpack("<H", body[4:6])[0], body[6:-2]
        self.asked.append(command)
        if command == 0x01:
            await self._give(number, struct.unpack("<H", payload[:2])[0])
        elif command == 0x0D:
            await self._act(number, payload)
        elif command in {0x14, 0x20, 0x31}:
            await self._ask_with_challenge(number, command, payload)

    async def _give(self, number: int, what: int) -> None:
        """Request Data: what may be asked without a challenge."""
        if what == 0x0C:
            self._changed = False
            self.device.advertising_data = self._beacon()  # what it sends once the link is closed
            await self._tell(number, 0x0C, self._states())
        elif what == 0x04:
            self._challenge = self._fresh()
            await self._tell(number, 0x04, self._challenge)
        elif what == 0x11:
            await self._tell(number, 0x11, self._battery_report())

    async def _ask_with_challenge(self, number: int, command: int, payload: bytes) -> None:
        """Config (0x0014), Verify Security PIN (0x0020), Request Log Entries (0x0031)."""
        head, nonce, pin = {
            0x14: (b"", payload[:32], None),
            0x20: (b"", payload[:32], payload[32:34]),
            0x31: (payload[:8], payload[8:40], payload[40:42]),
        }[command]
        challenge, self._challenge = self._challenge, b""
        refused = BAD_NONCE if nonce != challenge or not challenge else self._judge(pin)
        if refused:
            await self._tell(number, 0x12, bytes([refused]) + struct.pack("<H", command))
        elif command == 0x14:
            await self._tell(number, 0x15, self._config())
        elif command == 0x20:
            await self._tell(number, 0x0E, bytes([0]))
        else:
            await self._tell_log(number, head)

    def _judge(self, pin: bytes | None) -> int:
        """Whether a security PIN is the right one: 0, or the error."""
        if self.log.wrong_pins >= PINS_UNTIL_BLOCKED:
            return TOO_MANY_PINS
        if pin is None or struct.unpack("<H", pin)[0] == self.log.pin:
            return 0
        self.log.wrong_pins += 1
        return BAD_PIN

    async def _tell_log(self, number: int, head: bytes) -> None:
        if head[7]:
            await self._tell(number, 0x33, self.log.count())
        for one in self.log.page(head):
            await self._tell(number, 0x32, one.as_bytes())
        await self._tell(number, 0x0E, bytes([0]))

    async def _act(self, number: int, payload: bytes) -> None:
        action, nonce = payload[0], payload[-32:]
        challenge, self._challenge = self._challenge, b""
        if nonce != challenge or not challenge:
            await self._tell(number, 0x12, bytes([BAD_NONCE, 0x0D, 0x00]))
            return
        await self._tell_if_heard(number, 0x0E, bytes([1]))
        self.moves.append(action)
        moving, settled = SETTLED[action]
        jammed, self.jam = self.jam, False
        name = self.names.get(number, "trygghub")
        completion = MOTOR_WAS_BLOCKED if jammed else SUCCESS
        self.log.action(action, COMMAND, completion=completion, authorisation=number, name=name)
        self.bolt, self._trigger = moving, COMMAND
        await self._tell_if_heard(number, 0x0C, self._states())
        await asyncio.sleep(self.motor)
        self.bolt = BLOCKED if jammed else settled
        if self.lose_answer:
            self.lose_answer, self._changed = False, True
            await self.lose_link()
            return
        await self._tell_if_heard(number, 0x0C, self._states())
        if jammed:
            await self._tell_if_heard(number, 0x12, bytes([MOTOR_BLOCKED, 0x0D, 0x00]))
        else:
            await self._tell_if_heard(number, 0x0E, bytes([0]))

    async def _tell_if_heard(self, number: int, command: int, payload: bytes) -> None:
        """Tell how the bolt moves; it moves whether or not anybody is there to hear it."""
        with contextlib.suppress(*GONE, RuntimeError):
            await self._tell(number, command, payload)

    async def _tell(self, number: int, command: int, payload: bytes) -> None:
        if self.deaf:
            return
        body = struct.pack("<IH", number, command) + payload
        nonce = self._draw.randbytes(24)
        sealed = crypto_secretbox(body + _crc(body), nonce, self.authorised[number])
        await self._indicate(USER_DATA, nonce + struct.pack("<IH", number, len(sealed)) + sealed)

    def _clock(self) -> bytes:
        now = self.log.now
        return struct.pack("<HBBBBBh", now.year, now.month, now.day, now.hour, now.minute, now.second, 60)

    def _states(self) -> bytes:
        battery = (self.battery // 2) << 2 | (1 if self.battery <= 20 else 0)
        tail = bytes([battery, 1, 0, 0, 0, 0, self.door, 0, 0])
        return bytes([2, self.bolt, self._trigger]) + self._clock() + tail

    def _battery_report(self) -> bytes:
        critical = int(self.battery <= 20)
        volt = 4000 + 20 * self.battery
        return struct.pack("<HHBBHHHbHH", 30, volt, critical, UNLOCK, volt, volt - 300, 360, 21, 900, 150)

    def _config(self) -> bytes:
        """Config (0x0015), to the time zone."""
        head = struct.pack("<I", 0x0A1B2C3D) + NAME_IN_THE_APP.encode().ljust(32, b"\0")
        place = struct.pack("<ff", 59.9, 10.7)
        switches = bytes([1, 1, 1, 1, 3])  # auto unlatch, pairing, button, LED, brightness
        more = bytes(
            [0, 1, 0, 0, 0, 0, 0, 1]
        )  # DST, fob, three fob actions, single lock, advertising, keypad
        return head + place + switches + self._clock() + more + bytes([3, 5, 4, 11, 1, 0]) + bytes([38, 0])


def _crc(data: bytes) -> bytes:
    """CRC-CCITT, bit by bit."""
    rest = 0xFFFF
    for byte in data:
        rest ^= byte << 8
        for _ in range(8):
            rest = (rest << 1 ^ 0x1021 if rest & 0x8000 else rest << 1) & 0xFFFF
    return struct.pack("<H", rest)
