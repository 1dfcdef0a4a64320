"""The machine itself: Python, disk, clock, power."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from hub.doctor.finding import Finding, fail, ok, warn
from hub.gateway import box

LEAST_FREE = 1_000_000_000
"""Bytes below which a disk is called full; a gateway's journal of a month is far smaller."""
LITTLE_FREE = 0.10
LOW_BATTERY = 20


def python() -> Iterator[Finding]:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield ok(f"Python {version}")


def disk(data: Path) -> Iterator[Finding]:
    """Room where the data lies."""
    usage = shutil.disk_usage(data)
    free = f"{usage.free / 1e9:.1f} GB ({usage.free / usage.total:.0%}) are free where {data} lies"
    if usage.free < LEAST_FREE:
        yield fail(free, "make room, at least 1 GB, or the gateway begins to forget telemetry")
    elif usage.free < LITTLE_FREE * usage.total:
        yield warn(free, "make room before it is needed")
    else:
        yield ok(free)


def clock(synchronised: bool | None, now: int, newest: int | None) -> Iterator[Finding]:
    """Whether the clock can be trusted. newest: when the newest thing in a journal here happened, ms UTC."""
    if newest is not None and now < newest:
        yield fail(
            "the clock stands before the newest line of the journal, so it is wrong",
            "set it (timedatectl set-time), or connect the network and wait for NTP",
        )
    elif synchronised is False:
        yield warn(
            "nothing keeps the clock right",
            "let the machine use NTP (timedatectl set-ntp true), or fit a clock with a battery",
        )
    elif synchronised is None:
        yield warn("nobody can say whether the clock is kept right", "compare it with a telephone")
    else:
        yield ok("the clock is kept right")


def power(now: box.Power) -> Iterator[Finding]:
    """What the machine runs on, where it can tell."""
    if now.mains is False:
        yield fail("the machine runs on its battery", "plug it in")
    elif now.battery is not None and now.battery < LOW_BATTERY:
        yield warn(
            f"the machine's battery is at {now.battery} %", "leave it plugged in, or change the battery"
        )
    elif now.mains:
        yield ok("the machine has mains power")
