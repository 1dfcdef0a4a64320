"""Two hundred Bluetooth devices on one gateway process: processor, memory, wait from press to centre, recovery.

    python tests/bench/ble                      both ways to the radio
    python tests/bench/ble --way bumble         only our own host stack
    python tests/bench/ble --quick              fewer of everything

Advertising pendants are pressed evenly in time; meters come on the air with a reading, two at first and then all at
once, on an adapter of five links. Recovery is from the fault until the first press is heard of again. The reference of
each way is one pendant alone in the same run; what is printed beside the waits is the ratio to it. Virtual radio: none
of these is a figure of air time.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import neighbourhood as place
from neighbourhood import Neighbourhood, crowd

from simulators.bluez.bus import BusMissing

GONE_FOR = 1.0


def main(argv: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=("bumble", "bluez"))
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--meters", type=int, default=20)
    parser.add_argument("--rates", default="2,20", help="presses a second of all together")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args(argv)
    if args.quick:
        args.devices, args.meters, args.rates, args.seconds = 20, 7, "5", 4.0
    for noisy in ("bumble", "asyncio"):  # devices that leave in the middle of something are what is measured
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    for way in [args.way] if args.way else ["bumble", "bluez"]:
        try:
            asyncio.run(show(way, args))
        except BusMissing as missing:
            print(f"{way}: {missing}")
    return 0


async def show(way: str, args: argparse.Namespace) -> None:
    """One way to the radio."""
    print(f"\n{way}: {args.devices} pendants and {args.meters} meters on one gateway process")
    with tempfile.TemporaryDirectory(prefix="trygghub-bench-") as name:
        async with place.neighbourhood(
            Path(name), args.devices, args.meters, through_bluez=way == "bluez"
        ) as one:
            print(f"  at rest {crowd.memory(one.pid):.0f} MB, {await idle(one):.1f} % of a core")
            alone = statistics.median([await one.press(0) for _ in range(5)])
            print(f"  one pendant alone: {alone * 1000:.0f} ms from press to centre (median of 5)")
            for rate in [float(text) for text in args.rates.split(",")]:
                await pressed(one, rate, args.seconds, alone)
            await one.crowd_in(args.devices)
            print(f"  with {args.devices} devices of other people, each advertising once a second:")
            print(f"  at rest {crowd.memory(one.pid):.0f} MB, {await idle(one):.1f} % of a core")
            await pressed(one, float(args.rates.split(",")[0]), args.seconds, alone)
            await measured(one)
            await recovery(one)


async def idle(one: Neighbourhood, seconds: float = 3.0) -> float:
    """Percent of a core while nothing is said."""
    before = crowd.cpu(one.pid)
    await asyncio.sleep(seconds)
    return 100 * (crowd.cpu(one.pid) - before) / seconds


async def pressed(one: Neighbourhood, rate: float, seconds: float, alone: float) -> None:
    """So many presses a second, each from another pendant."""
    draw, before, begun = random.Random(1), crowd.cpu(one.pid), time.monotonic()
    order = [n for _ in range(1 + int(rate * seconds) // len(one.pendants)) for n in draw.sample(
        range(len(one.pendants)), len(one.pendants))][: int(rate * seconds)]  # fmt: skip
    tasks = []
    for number, pendant in enumerate(order):
        await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(one.press(pendant)))
    waits = await asyncio.gather(*tasks)
    took = time.monotonic() - begun
    heard = sorted(wait * 1000 for wait in waits if wait == wait)
    spent = 100 * (crowd.cpu(one.pid) - before) / took
    print(
        f"  {rate:g} presses/s: {len(heard)} of {len(waits)} heard, p50 {statistics.median(heard):.0f} ms,"
        f" p99 {heard[int(0.99 * (len(heard) - 1))]:.0f} ms, worst {heard[-1]:.0f} ms"
        f" (p50 x{statistics.median(heard) / 1000 / alone:.1f} of one alone);"
        f" CPU {spent:.0f} % of a core, {crowd.memory(one.pid):.0f} MB"
    )


async def measured(one: Neighbourhood) -> None:
    """Meters with a reading come on the air, hand it over and leave."""
    for some in (one.meters[:2], one.meters[2:]):
        before, begun = crowd.cpu(one.pid), time.monotonic()
        waits = await asyncio.gather(*(reading(one, one.meters.index(meter)) for meter in some))
        took = time.monotonic() - begun
        ordered = sorted(waits)
        print(
            f"  {len(some)} meters at once on five links: first {ordered[0]:.1f} s, median"
            f" {statistics.median(ordered):.1f} s, last {ordered[-1]:.1f} s; CPU"
            f" {100 * (crowd.cpu(one.pid) - before) / took:.0f} % of a core, {crowd.memory(one.pid):.0f} MB"
        )


async def reading(one: Neighbourhood, number: int) -> float:
    """Seconds from coming on the air until the reading is heard of; then the meter leaves."""
    meter = one.meters[number]
    arrives = one.centre.expect(f"m{number}", "vitals.spo2")
    await meter.measure(95, 60)
    begun = time.monotonic()
    await meter.start(one.ether)
    try:
        async with asyncio.timeout(120):
            return await arrives - begun
    except TimeoutError:
        return float("inf")
    finally:
        await meter.switch_off()


async def recovery(one: Neighbourhood) -> None:
    """From a fault until the first press is heard of again."""
    faults: dict[str, Callable[[], Awaitable[None]]] = {
        "link lost in the middle of a reading": lambda: lost_link(one)
    }
    if one.bluez is not None:
        faults |= {
            "bluetoothd restarted": one.bluez.restart,
            "adapter switched off": lambda: one.bluez.switch(on=False),
            "adapter out for 1 s": lambda: out_and_in(one),
        }
    else:
        faults["adapter out for 1 s"] = lambda: hub_again(one)
    for name, fault in faults.items():
        begun = time.monotonic()
        await fault()
        if name.startswith("link"):
            print(f"  {name}: {time.monotonic() - begun:.1f} s until the reading is heard of")
            continue
        while (wait := await first_press(one)) is None:
            pass
        print(f"  {name}: {wait - begun:.1f} s until a press is heard of")


async def first_press(one: Neighbourhood) -> float | None:
    """Press; when it was heard of, None when not within a burst."""
    arrives = one.centre.expect("p1", "pendant.pressed")
    await one.pendants[1].press()
    return arrives.result() if arrives.done() else None


async def lost_link(one: Neighbourhood) -> None:
    """The link breaks with a reading on its way; the meter indicates it again after the reconnect."""
    meter = one.meters[0]
    await meter.start(one.ether)
    async with asyncio.timeout(60):
        while not meter.connected:
            await asyncio.sleep(0.01)
    meter.break_link = True
    await reading(one, 0)


async def out_and_in(one: Neighbourhood) -> None:
    """Pull the adapter out and put it back."""
    assert one.bluez is not None
    await one.bluez.unplug()
    await asyncio.sleep(GONE_FOR)
    one.bluez.plug_in()


async def hub_again(one: Neighbourhood) -> None:
    """The controller's socket closes, and opens again later."""
    await one.hub.stop()
    await asyncio.sleep(GONE_FOR)
    await one.hub.start()


if __name__ == "__main__":
    sys.exit(main())
