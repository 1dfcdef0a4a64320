"""Many serial lines on one process: processor, memory, wait from press to fact; and one line's recovery.

The units run in a process of their own and speak from the specification. The reference is the same traffic on one
line, measured first; what is printed beside the waits is the ratio to it. Polling at 150 ms is the floor of any
wait: a unit cannot speak before it is asked.

    python tests/bench/serial [LINES]              both; LINES 0 measures recovery alone
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parent))

import recovery

from drivers.device_type import Unit
from drivers.devices.espa_nurse_call import DEVICE
from drivers.events import Fact, Frame
from drivers.links.back_off import BackOff
from drivers.links.link import Receipt
from drivers.links.serial import SerialLink
from drivers.links.serial_settings import LineSettings
from drivers.protocols.espa444_line import espa_machine
from hub.clock import SystemClock

LINES = 500
ROUNDS = 10
PAUSE = 0.5
"""Seconds between two rounds of calls: the load is a rate, so time must pass."""
UNITS = Path(__file__).with_name("units.py")


class Ear:
    """Decodes at once, as the gateway does, and notes the wait of every call."""

    def __init__(self) -> None:
        self.ms: list[float] = []
        self.decoding = 0.0
        self.frames = 0

    async def __call__(self, frame: Frame) -> Receipt:
        """Take a frame."""
        begin = time.perf_counter()
        facts = DEVICE.decode(frame, Unit(frame.address))
        self.decoding += time.perf_counter() - begin
        self.frames += 1
        for fact in facts:
            if isinstance(fact, Fact) and "text" in fact.data:
                self.ms.append((time.monotonic_ns() - int(str(fact.data["text"])[1:])) / 1e6)
        return Receipt(accepted=True)


class Units:
    """The child process with the units."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def tell(self, line: str) -> float:
        """Have something done; when it was done, in seconds of the common clock."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{line}\n".encode())
        return int((await self._child.stdout.readline()).split()[1]) / 1e9


async def measure(count: int) -> tuple[list[float], float, float]:
    """Waits in ms, share of a core, and seconds until all lines were back after a replug."""
    with tempfile.TemporaryDirectory() as folder:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            sys.executable, str(UNITS), folder, str(count), stdin=pipe, stdout=pipe
        )
        assert child.stdout is not None
        await child.stdout.readline()
        ear, units, clock = Ear(), Units(child), SystemClock()
        links = [
            SerialLink(f"u{n}", f"{folder}/u{n}", espa_machine({}), LineSettings.parse("9600 7E2"), clock.now,
                       back_off=BackOff(0.05, 0.4))
            for n in range(count)
        ]  # fmt: skip
        tasks = [asyncio.create_task(link.run(ear)) for link in links]
        await _all(links, "up")
        busy, begin = time.process_time(), time.monotonic()
        for _ in range(ROUNDS):
            await units.tell(f"call {max(1, count // 10)}")
            await asyncio.sleep(PAUSE)
        share = (time.process_time() - busy) / (time.monotonic() - begin)
        await units.tell("unplug")
        await _all(links, "down")
        back = await units.tell("replug")
        await _all(links, "up")
        recovered = time.monotonic() - back
        for task in tasks:
            task.cancel()
        child.kill()
        await child.wait()
        print(f"   decode {ear.decoding / max(1, ear.frames) * 1e6:.0f} µs a frame")
        return sorted(ear.ms), share, recovered


async def _all(links: list[SerialLink], state: str) -> None:
    while any(link.health().state != state for link in links):
        await asyncio.sleep(0.005)


def main(count: int) -> None:
    """Measure one line, then many, and print both; then how a line recovers."""
    if count:
        show_many(count)
    uvloop.run(recovery.show())


def show_many(count: int) -> None:
    """One line, then many."""
    alone, _, _ = uvloop.run(measure(1))
    many, share, recovered = uvloop.run(measure(count))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    base = alone[len(alone) // 2]
    print(f"{count} lines: {share:.0%} of a core, {memory:.0f} MB in all, {len(many)} calls")
    for name, at in (("p50", 0.5), ("p99", 0.99)):
        wait = many[min(len(many) - 1, int(at * len(many)))]
        print(
            f"press to fact {name}: {wait:.1f} ms, {wait / base:.2f} × the p50 of a single line ({base:.1f} ms)"
        )
    print(f"all {count} lines back {recovered:.2f} s after replugging")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LINES)
