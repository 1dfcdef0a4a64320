"""How long a serial line needs to be of use again: unplugged, in noise, at a wrong speed; by protocol, on real ptys.

Unit and link are in one process here, since what is measured lies between milliseconds and seconds. The reference is
the time that the same thing takes on an undisturbed line: from doing it to its fact. Lines as they are set up in
practice: their own times, the link's own back-off.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.device_type import DeviceType, Unit
from drivers.devices import enocean_pendant, espa_nurse_call, osdp_door, sms_pendant
from drivers.events import DecodeError, Fact, Frame
from drivers.links.link import Link, Receipt
from drivers.links.serial_lines import LineDevice, serial_line
from hub.clock import SystemClock
from simulators.serial.cable import Faults
from simulators.serial.enocean_stick import EnoceanRadio
from simulators.serial.espa_unit import EspaUnit
from simulators.serial.gsm_modem import GsmModem
from simulators.serial.osdp_reader import OsdpReader

ROUNDS = 5
OUT_FOR = 0.2
"""Seconds that the plug is out."""
NOISE = 4_096
SAID_EVERY = 0.25
"""Seconds between two things said at the wrong speed."""
WITHIN = 60.0
SENDER = "0181b7c4"
NUMBER = "+4790000001"
KEY = bytes(range(16))


@dataclass
class Ear:
    """Decodes, and tells when a fact of a kind was heard."""

    device: DeviceType
    settings: dict[str, Any]
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    facts: int = 0
    units: dict[str, Unit] = field(default_factory=dict)

    async def __call__(self, frame: Frame) -> Receipt:
        """Take a frame."""
        unit = self.units.setdefault(frame.address, Unit(frame.address, settings=self.settings))
        try:
            facts = [one for one in self.device.decode(frame, unit) if isinstance(one, Fact)]
        except DecodeError as wrong:
            return Receipt(accepted=True, error=str(wrong))
        async with self.heard:
            self.facts += sum(not one.kind.endswith((".heartbeat", ".fault")) for one in facts)
            self.heard.notify_all()
        return Receipt(accepted=True)

    async def next(self, say: Callable[[], Awaitable[object]], again: float) -> float:
        """Say something until it is a fact, as a person presses again; seconds it took."""
        loop, before = asyncio.get_running_loop(), self.facts
        begin = loop.time()
        while self.facts == before:
            await say()
            try:
                async with asyncio.timeout(again), self.heard:
                    await self.heard.wait_for(lambda: self.facts > before)
            except TimeoutError:
                if loop.time() - begin > WITHIN:
                    return float("inf")
        return loop.time() - begin


@dataclass(frozen=True)
class Protocol:
    """One line. say: makes the unit say what is a fact. again: seconds after which it is said again by hand."""

    name: str
    device: DeviceType
    line: str
    address: str
    unit: Callable[[], Any]
    say: Callable[[Any], Awaitable[object]]
    again: float
    key: bytes | None = None


async def _press(stick: EnoceanRadio) -> None:
    stick.press(SENDER)


async def _sms(modem: GsmModem) -> None:
    modem.arrive(NUMBER, "SOS")


async def _door(reader: OsdpReader) -> None:
    reader.door(opened=not reader.device.inputs[0])


PROTOCOLS = (
    Protocol("ESPA 4.4.4", espa_nurse_call.DEVICE, "9600 7E2", "port", EspaUnit, lambda one: one.call("1", "X"), 30.0),
    Protocol("EnOcean", enocean_pendant.DEVICE, "57600 8N1", f"port#{SENDER}", EnoceanRadio, _press, 0.2),
    Protocol("GSM", sms_pendant.DEVICE, "115200 8N1", f"port#{NUMBER}", GsmModem, _sms, 30.0),
    Protocol("OSDP", osdp_door.DEVICE, "9600 8N1", "port#5", lambda: OsdpReader(5, KEY), _door, 30.0, KEY),
)  # fmt: skip


@dataclass
class Times:
    """Seconds, by what happened."""

    undisturbed: list[float] = field(default_factory=list)
    replugged: list[float] = field(default_factory=list)
    after_noise: list[float] = field(default_factory=list)
    speed_said: list[float] = field(default_factory=list)
    speed_right: list[float] = field(default_factory=list)


@asynccontextmanager
async def line(protocol: Protocol) -> AsyncIterator[tuple[Any, Link, Ear]]:
    """A unit with its link, up."""
    with tempfile.TemporaryDirectory() as folder:
        unit = protocol.unit()
        await unit.start(Path(folder) / "port")
        settings = {"line": protocol.line}
        device = LineDevice(protocol.device.id, protocol.address, settings, protocol.key)
        link = serial_line([device], Path(folder), SystemClock().now)
        ear = Ear(protocol.device, settings)
        task = asyncio.create_task(link.run(ear))
        try:
            await _until(link, "up")
            await ear.next(lambda: protocol.say(unit), protocol.again)  # it is set up and has been heard
            yield unit, link, ear
        finally:
            task.cancel()
            await asyncio.wait({task})
            await unit.stop()


async def measure(protocol: Protocol, rounds: int) -> Times:
    """Everything on one line some rounds; a wrong speed on a fresh line each time, since noise is remembered."""
    times, draw = Times(), random.Random(1)
    async with line(protocol) as (unit, _, ear):
        for _round in range(rounds):
            await asyncio.sleep(draw.random())  # anywhere between two polls
            await _disturb(protocol, unit, ear, times)
    for _round in range(rounds):
        async with line(protocol) as (unit, link, ear):
            await asyncio.sleep(draw.random())
            await _mistune(protocol, unit, link, ear, times)
    return times


async def _disturb(protocol: Protocol, unit: Any, ear: Ear, times: Times) -> None:
    def say() -> Awaitable[object]:
        return protocol.say(unit)

    times.undisturbed.append(await ear.next(say, protocol.again))
    await unit.unplug()
    await asyncio.sleep(OUT_FOR)
    await unit.replug()
    times.replugged.append(await ear.next(say, protocol.again))
    unit.cable.garbage(NOISE)
    times.after_noise.append(await ear.next(say, protocol.again))


async def _mistune(protocol: Protocol, unit: Any, link: Link, ear: Ear, times: Times) -> None:
    loop = asyncio.get_running_loop()
    unit.cable.fail(to_program=Faults(wrong_speed=True))
    begin = loop.time()
    while link.health().state == "up" and loop.time() - begin < WITHIN:
        await protocol.say(unit)
        await asyncio.sleep(SAID_EVERY)
    times.speed_said.append(loop.time() - begin if link.health().state != "up" else float("inf"))
    unit.cable.heal()
    times.speed_right.append(await ear.next(lambda: protocol.say(unit), protocol.again))


async def _until(link: Link, state: str) -> None:
    while link.health().state != state:
        await asyncio.sleep(0.005)


def shown(seconds: list[float], base: float) -> str:
    """Median and worst, and how many times the undisturbed line's median."""
    middle, worst = statistics.median(seconds), max(seconds)
    return f"{middle:9.3f}{worst:9.3f}{middle / base:8.1f}"


async def show(rounds: int = ROUNDS) -> None:
    """The table."""
    print(f"\nseconds until a fact is heard (median, worst, × undisturbed), {rounds} rounds")
    for protocol in PROTOCOLS:
        times = await measure(protocol, rounds)
        base = statistics.median(times.undisturbed)
        print(protocol.name)
        for name, seconds in (
            ("undisturbed", times.undisturbed),
            (f"unplugged {OUT_FOR:g} s, from replugging", times.replugged),
            (f"{NOISE} bytes of noise, from its end", times.after_noise),
            ("wrong speed: until it is said", times.speed_said),
            ("right speed again", times.speed_right),
        ):
            print(f"  {name:38}{shown(seconds, base)}")
