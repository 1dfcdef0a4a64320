"""What devices cost: decoding a frame of each type, thousands of MQTT devices on one gateway process, a broker's death.

    python tests/bench/devices                     all three
    python tests/bench/devices --only decoding     µs a frame, type by type
    python tests/bench/devices --only restart      how long until all is well after a broker's SIGKILL, both brokers
    python tests/bench/devices --devices 5000 --rates 100,500 --seconds 20

Everything is printed beside a reference measured in the same run, and nothing is judged: machines differ, and this one
may be doing something else. The crowd needs Mosquitto.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import crowd
import decoding
import restart

from hub.broker.backend import BrokerMissing

HERE = Path(__file__).parent
RESTART_RATE = 200.0
"""Events a second at most while a broker is killed."""
SUBSCRIBED_BY = 1.5
"""Seconds after which the echo listens; what is said before is not counted."""
COLUMNS = {
    "events/s": 9, "events": 8, "lost": 6, "p50 ms": 8, "p99 ms": 8, "worst": 8, "CPU %": 7, "µs/event": 10, "MB": 7,
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("decoding", "crowd", "restart"))
    parser.add_argument("--quick", action="store_true", help="500 devices, a few seconds")
    parser.add_argument("--devices", type=int, default=5000)
    parser.add_argument("--rates", default="50,250,500", help="events a second of the whole crowd")
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args(argv)
    if args.quick:
        args.devices, args.rates, args.seconds = 500, "50", 3.0
    rates = [float(one) for one in args.rates.split(",")]
    if args.only in {None, "decoding"}:
        show_decoding(20 if args.quick else 200)
    if args.only in {None, "crowd"}:
        try:
            asyncio.run(show_crowd(args.devices, rates, args.seconds))
        except BrokerMissing as missing:
            print(f"no crowd: {missing}")
    if args.only in {None, "restart"}:
        show_restarts(args.devices, min(rates[-1], RESTART_RATE))
    return 0


def show_restarts(devices: int, rate: float) -> None:
    """How both brokers' restarts end."""
    print(
        f"\n{devices} devices, {rate:g} events/s, the broker killed for {restart.AWAY:g} s; s since it is back"
    )
    names = ("unheard", "connected", "first", "drained", "centre has all", "said again", "lost")
    print(f"{'':12}" + "".join(f"{name:>16}" for name in names))
    for name in restart.BROKERS:
        try:
            with tempfile.TemporaryDirectory(prefix="trygghub-bench-") as folder:
                one = asyncio.run(restart.recovery(name, Path(folder), devices, rate))
        except BrokerMissing as missing:
            print(f"{name:12}{missing}")
            continue
        times = (one.devices, one.first, one.drained, one.centre)
        print(
            f"{name:12}{one.unheard:16}"
            + "".join(f"{each:16.2f}" for each in times)
            + f"{one.again:16}{one.lost:16}"
        )


def show_decoding(repeat: int) -> None:
    """µs a frame, and how many times reading the JSON of a native message that is."""
    base = decoding.reference(repeat * 20)
    print(f"decoding one frame; the reference is json.loads of a native message, {base:.2f} µs")
    print(f"{'type':24}{'link':8}{'captures':>9}{'median µs':>11}{'dearest µs':>12}{'x reference':>13}")
    for one in decoding.costs(repeat):
        ratio = one.median / base
        print(
            f"{one.type.id:24}{one.type.link:8}{one.captures:9}{one.median:11.1f}{one.dearest:12.1f}{ratio:13.1f}"
        )


async def show_crowd(devices: int, rates: list[float], seconds: float) -> None:
    """The gateway and the echo under the same loads."""
    print(f"\n{devices} native MQTT devices on one gateway process, each event acknowledged after its commit")
    widths = {
        "events/s": 9,
        "events": 8,
        "lost": 6,
        "p50 ms": 8,
        "p99 ms": 8,
        "worst": 8,
        "CPU %": 7,
        "µs/event": 10,
        "MB": 7,
    }
    print(" " * 9 + "".join(f"{name:>{width}}" for name, width in widths.items()))
    with tempfile.TemporaryDirectory(prefix="trygghub-bench-") as name:
        folder = Path(name)
        with crowd.broker(folder) as broker:
            echoes = await _echo(
                folder, broker.url("hearing"), broker.url("devices"), devices, rates, seconds
            )
            file, http = folder / "registry.yaml", crowd.free_port()
            file.write_text(crowd.registry(devices))
            command = crowd.gateway_command(folder, broker, file, http)
            with crowd.process(command, folder / "gateway.log") as child:
                started = await crowd.ready(http, child)
                some, centre = crowd.Crowd(devices, broker.url("devices")), crowd.Centre(broker.url("centre"))
                async with crowd.at_work(some, centre.client):
                    idle = crowd.memory(child.pid)
                    for rate, echo in zip(rates, echoes, strict=True):
                        load = await crowd.under_load(some, child.pid, rate, seconds)
                        _row("gateway", load)
                        _row("echo", echo)
                        print(
                            f"{'':9}{'ratio':>9}{'':14}{load.p50 / echo.p50:8.1f}{load.p99 / echo.p99:8.1f}{'':8}"
                            f"{'':7}{load.micros / echo.micros:10.1f}"
                        )
                print(f"start with {devices} devices {started:.1f} s, {idle:.0f} MB before the first event")


async def _echo(
    folder: Path, hearing: str, devices_url: str, devices: int, rates: list[float], seconds: float
) -> list[crowd.Load]:
    environment = {**os.environ, "BENCH_BROKER": hearing}
    command = [sys.executable, str(HERE / "echo.py")]
    with (
        (folder / "echo.log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as child,
    ):
        try:
            some = crowd.Crowd(devices, devices_url)
            async with crowd.at_work(some):
                await asyncio.sleep(SUBSCRIBED_BY)
                return [await crowd.under_load(some, child.pid, rate, seconds) for rate in rates]
        finally:
            child.terminate()


def _row(name: str, load: crowd.Load) -> None:
    print(
        f"{name:9}{load.rate:9.0f}{load.events:8}{load.lost:6}{load.p50:8.1f}{load.p99:8.1f}{load.worst:8.0f}"
        f"{load.cpu:7.0f}{load.micros:10.0f}{load.memory:7.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
