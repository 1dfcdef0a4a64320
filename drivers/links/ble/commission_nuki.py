"""Asking a Nuki lock, right after pairing, what its installer has to know: name, firmware, battery, PIN, log."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from drivers.events import DecodeError
from drivers.links.ble.commission import CommissionError, Found, Meeting, connected
from drivers.links.ble.radio import Radio
from drivers.protocols import nuki, nuki_about, nuki_log
from drivers.protocols.nuki_about import Battery, Config


@dataclass(frozen=True, slots=True)
class About:
    """pin: whether the security PIN given is the lock's, None where none was given. log: None where unknown."""

    config: Config
    battery: Battery
    pin: bool | None = None
    log: bool | None = None


async def about_nuki(radio: Radio, found: Found, secret: bytes, pin: str = "") -> About:
    """Ask a lock that we are paired with. Raises CommissionError."""
    async with connected(radio, found, "asking") as meeting:
        lock = _Asking(meeting, nuki.Secret.read(secret))
        await meeting.client.start_notify(nuki.USER_DATA, lambda _from, value: lock.heard(bytes(value)))
        config = await lock.ask(nuki.REQUEST_CONFIG, await lock.challenge(), nuki.CONFIG)
        report = await lock.ask(
            nuki.REQUEST_DATA, nuki.BATTERY_REPORT.to_bytes(2, "little"), nuki.BATTERY_REPORT
        )
        about = About(nuki_about.config(config), nuki_about.battery(report))
        if not pin:
            return about
        fetch = nuki_log.Fetch(pin, None)
        try:
            counted = await lock.ask(
                nuki_log.REQUEST_LOG, fetch.request(await lock.challenge()), nuki_log.COUNT
            )
        except WrongPin:
            return About(about.config, about.battery, pin=False)
        return About(about.config, about.battery, pin=True, log=nuki_log.count(counted).enabled)


class WrongPin(CommissionError):  # noqa: N818  it says what is so
    """The lock refused the security PIN."""


class _Asking:
    """One question at a time; what else the lock says meanwhile is not ours to hear."""

    def __init__(self, meeting: Meeting, secret: nuki.Secret) -> None:
        self._meeting = meeting
        self._secret = secret
        self._pieces = b""
        self._messages: asyncio.Queue[nuki.Message] = asyncio.Queue()

    def heard(self, piece: bytes) -> None:
        self._pieces += piece
        try:
            while (length := nuki.whole_length(self._pieces)) is not None and len(self._pieces) >= length:
                whole, self._pieces = self._pieces[:length], self._pieces[length:]
                self._messages.put_nowait(nuki.unseal(self._secret, whole))
        except DecodeError:
            self._pieces = b""

    async def challenge(self) -> bytes:
        return await self.ask(nuki.REQUEST_DATA, nuki.CHALLENGE.to_bytes(2, "little"), nuki.CHALLENGE)

    async def ask(self, command: int, payload: bytes, answer: int) -> bytes:
        sealed = nuki.seal(self._secret, command, payload, os.urandom(nuki.NONCE))
        await self._meeting.client.write_gatt_char(nuki.USER_DATA, sealed, response=True)
        while True:
            message = await self._meeting.answer(self._messages)
            if message.command == answer:
                return message.payload
            if message.command == nuki.ERROR:
                raise _refused(message.payload)


def _refused(payload: bytes) -> CommissionError:
    code = payload[0] if payload else 0xFF
    if code in {0x21, 0x28}:
        return WrongPin("the lock refused the security PIN")
    return CommissionError(f"the lock refused to answer: error 0x{code:02x}")
