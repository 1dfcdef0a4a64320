"""A worn alarm button that speaks BTHome v2, like the Shelly BLU Button1 (SBBT-002C)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from simulators.ble.bthome_frame import PRESSES
from simulators.ble.bthome_sender import HOUR, BthomeSender

BUTTON = 0x3A


class BthomePendant(BthomeSender):
    """The pendant. Every press goes out under a new packet id and a new counter."""

    def __init__(
        self,
        address: str,
        *,
        key: bytes | None = None,
        name: str = "SBBT-002C",
        counter: int = 1,
        battery: int = 100,
        beacon: float | None = HOUR,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(name, address, key=key, counter=counter, battery=battery, beacon=beacon, sleep=sleep)

    async def press(self, how: str = "press") -> None:
        """Press the button: press, double_press, triple_press, long_press …"""
        await self.say(bytes([BUTTON, PRESSES[how]]))

    async def press_truncated(self, length: int) -> None:
        """Press, but let the message be cut off after `length` bytes."""
        await self.send_truncated(length, bytes([BUTTON, PRESSES["press"]]))

    async def press_unencrypted(self) -> None:
        """Let somebody else send a press in the clear under this pendant's address."""
        await self.send_unencrypted(bytes([BUTTON, PRESSES["press"]]))
