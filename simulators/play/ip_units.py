"""Alarm units on IP of a scenario: a SCAIP care phone and an alarm panel by SIA DC-09.

Both keep an alarm until the receiver has acknowledged it, and try again for ever.
"""

from __future__ import annotations

import asyncio
import logging
import random
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from simulators.ip.panel import Panel
from simulators.ip.scaip import ScaipUnit
from simulators.play.unit import InTurn
from simulators.scenario.faults import amount
from simulators.scenario.model import Beat, Device
from simulators.scenario.plan import Trouble
from simulators.world import World

log = logging.getLogger(__name__)

ACKNOWLEDGED_WITHIN = 3.0
"""Real seconds in which a receiver must have written an alarm down."""
AGAIN_AFTER = 1.0
"""Real seconds between two tries."""
SCAIP: Mapping[str, tuple[str, str, str]] = {
    "call.raised": ("0000", "0010", "ME"),
    "call.cleared": ("0000", "0092", "RE"),
    "pendant.pressed": ("0003", "0010", "ME"),
    "pendant.fall": ("0005", "0010", "ME"),
    "smoke.detected": ("0023", "0010", "ME"),
    "smoke.cleared": ("0023", "0092", "RE"),
    "water.detected": ("0033", "0010", "ME"),
    "water.cleared": ("0033", "0092", "RE"),
    "call.battery_low": ("0002", "0016", "ME"),
    "call.tamper": ("0002", "0125", "ME"),
    "call.fault": ("0002", "0085", "ME"),
    "call.recovered": ("0002", "0086", "ME"),
    "call.heartbeat": ("0002", "0102", "PI"),
}
"""Fact → device type, status code and message type of SS 91100."""

CONTACT_ID: Mapping[str, tuple[str, str]] = {
    "call.raised": ("100", "1"),
    "call.cleared": ("406", "1"),
    "pendant.pressed": ("101", "1"),
    "smoke.detected": ("110", "1"),
    "smoke.cleared": ("110", "3"),
    "gas.detected": ("151", "1"),
    "gas.cleared": ("151", "3"),
    "call.battery_low": ("302", "1"),
    "call.tamper": ("383", "1"),
    "call.fault": ("301", "1"),
    "call.recovered": ("301", "3"),
}
"""Fact → event code and qualifier (1 begins, 3 ends) of Contact ID."""

LETTERS: Mapping[str, str] = {
    "call.raised": "MA", "call.cleared": "MH", "pendant.pressed": "QA", "smoke.detected": "FA",
    "smoke.cleared": "FR", "gas.detected": "GA", "gas.cleared": "GR", "call.battery_low": "YT",
    "call.tamper": "TA", "call.fault": "AT", "call.recovered": "AR",
}  # fmt: skip
"""Fact → SIA letters."""


class ReportingUnit(ABC):
    """A unit that reports one thing after the other, each until it is acknowledged."""

    def __init__(self, device: Device, world: World) -> None:
        self._device = device
        self._world = world
        self._turn = InTurn()
        self._broken: dict[str, Mapping[str, Any]] = {}
        self._draw = random.Random(f"{device.id}/faults")
        self._there = asyncio.Event()
        self._there.set()

    def say(self, beat: Beat) -> None:
        """Report when its turn has come; a unit without power reports nothing."""
        if self._there.is_set():
            self._turn.put(partial(self._report, beat))

    def silence(self, device: str, *, over: bool) -> None:  # noqa: ARG002  one unit, one device
        """Lose the network, or find it again; what was under way goes on then."""
        (self._there.set if over else self._there.clear)()

    def fail(self, trouble: Trouble, *, over: bool) -> None:
        """A fault begins or ends."""
        if trouble.do in ("link_lost", "reboot"):
            self._turn.put(self._hang_up)
        elif over:
            self._broken.pop(trouble.do, None)
        else:
            self._broken[trouble.do] = trouble.data

    async def run(self) -> None:
        """Report, until cancelled."""
        try:
            await self._turn.run()
        finally:
            await self._hang_up()

    def _happens(self, fault: str) -> bool:
        return fault in self._broken and self._draw.random() < amount(self._broken[fault], "chance")

    async def _report(self, beat: Beat) -> None:
        if "slow" in self._broken:
            await self._world.sleep(amount(self._broken["slow"], "seconds"))
        failures = 0
        while not await self._once(beat):
            failures += 1
            level = logging.WARNING if failures == 3 else logging.DEBUG
            log.log(level, "%s: nobody acknowledges its %s", self._device.id, beat.kind)
            await asyncio.sleep(AGAIN_AFTER)

    async def _once(self, beat: Beat) -> bool:
        await self._there.wait()
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN):
                return await self._try(beat)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            await self._hang_up()
            return False

    @abstractmethod
    async def _try(self, beat: Beat) -> bool:
        """Report once; whether it was acknowledged."""

    @abstractmethod
    async def _hang_up(self) -> None: ...


class PhoneUnit(ReportingUnit):
    """A care phone: an alarm is safe only when the receiver's `mrs` has come."""

    def __init__(self, device: Device, world: World) -> None:
        super().__init__(device, world)
        self._phone: ScaipUnit | None = None
        self._boots = 0

    async def _try(self, beat: Beat) -> bool:
        phone = await self._connected()
        phone.faults.lose = int(self._happens("dropped"))
        phone.faults.double = int(self._happens("doubled"))
        if self._happens("wrong_bytes"):
            body = phone.compose("sip:receiver", "<mrq><ref>", "z9hG4bKdamaged")
            phone.raw(body[: self._draw.randrange(1, len(body))])
        dty, stc, mty = SCAIP[beat.kind]
        text = str(beat.data.get("text", ""))
        ref = f"{beat.at % 10**9:09d}{zlib.crc32(beat.kind.encode()) % 1000:03d}"
        alarm = await phone.alarm(dty, stc, mty=mty, ref=ref, more=f"<ite>{text}</ite>" if text else "")
        await alarm.reply
        return True

    async def _connected(self) -> ScaipUnit:
        if self._phone is None:
            self._boots += 1
            settings = self._device.settings
            phone = ScaipUnit(
                settings["address"],
                settings["receiver"],
                transport=settings.get("transport", "UDP"),
                seed=zlib.crc32(f"{self._device.id}/{self._world.now()}".encode()),
            )
            await phone.start()
            self._phone = phone
        return self._phone

    async def _hang_up(self) -> None:
        phone, self._phone = self._phone, None
        if phone is not None:
            await phone.stop()


class PanelUnit(ReportingUnit):
    """A panel: an event is safe only when the ACK with its own number has come."""

    def __init__(self, device: Device, world: World, key: bytes | None) -> None:
        super().__init__(device, world)
        self._panel = Panel(
            device.settings["address"],
            device.settings["receiver"],
            key=key.hex() if key else "",
            wait=ACKNOWLEDGED_WITHIN / 2,
            seed=zlib.crc32(device.id.encode()),
        )
        self._panel.now = lambda: datetime.fromtimestamp(world.now() / 1000, UTC)
        self._connected = False

    def fail(self, trouble: Trouble, *, over: bool) -> None:
        """Its clock is wrong until a receiver refuses it and says the time."""
        if trouble.do == "clock_wrong":
            self._panel.clock = timedelta(hours=0 if over else amount(trouble.data, "hours"))
        super().fail(trouble, over=over)
        if trouble.do == "link_lost":
            self._turn.put(self._break)

    async def _try(self, beat: Beat) -> bool:
        if not self._connected:
            await self._panel.start()
            self._connected = True
        self._panel.faults.wrong_checks = int(self._happens("wrong_bytes"))
        self._panel.faults.lost_answers = int(self._happens("dropped"))
        answer = await self._say(beat)
        if answer == "ACK" and self._happens("doubled"):
            await self._say(beat)
        return answer in ("ACK", "DUH")

    async def _say(self, beat: Beat) -> str:
        if beat.word == "heartbeat":
            return await self._panel.poll()
        if self._device.settings.get("coding") == "letters":
            return await self._panel.letters(LETTERS[beat.kind])
        code, qualifier = CONTACT_ID[beat.kind]
        return await self._panel.contact_id(code, qualifier=qualifier)

    async def _break(self) -> None:
        """Begin to say something, and lose the line in the middle."""
        try:
            await self._panel.start()
            await self._panel.send(self._panel.compose("NULL", "")[:20])
        except OSError:
            log.debug("%s: the line was down already", self._device.id)
        await self._panel.stop()

    async def _hang_up(self) -> None:
        self._connected = False
        await self._panel.stop()
