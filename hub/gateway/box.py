"""What a Linux box can say of itself: whether its clock is kept right, whether it runs on mains or battery, and how
near this program is to the number of files and connections it may hold open.

Small reads of kernel interfaces, without a program or a privilege. What a box cannot tell is None, and nobody
invents it: a mains lead that nothing measures is unknown, not connected.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUPPLIES = Path("/sys/class/power_supply")
"""Kernel ABI: Documentation/ABI/testing/sysfs-class-power."""

ADJTIMEX_BYTES = 512
"""Room for `struct timex`, which has 208 bytes on 64-bit Linux; `modes` 0, its first word, only reads."""

NOT_SYNCHRONISED = 5
"""TIME_ERROR of adjtimex(2): nobody disciplines the clock, or not for a long while."""


NO_LIMIT = 2**30
"""A limit this high is none: the kernel's own (fs.nr_open) comes first."""


@dataclass(frozen=True, slots=True)
class Power:
    """mains: whether mains power is there. battery: its charge in per cent. None: the box cannot tell."""

    mains: bool | None = None
    battery: int | None = None


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """Descriptors that this process holds, and how many it may hold (the soft limit)."""

    held: int
    limit: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.held / self.limit


def open_files() -> OpenFiles | None:
    """How many descriptors are held; None where nobody can say or there is no limit."""
    try:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        held = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  only their number
    except OSError:
        return None
    return OpenFiles(held, limit) if 0 < limit < NO_LIMIT else None


def synchronised() -> bool | None:
    """Whether something (NTP, PTP, a radio clock) keeps this machine's clock right; None where nobody can say."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc: Any = ctypes.CDLL(None, use_errno=True)
        answer = int(libc.adjtimex(ctypes.create_string_buffer(ADJTIMEX_BYTES)))
    except (OSError, AttributeError):
        return None
    return None if answer < 0 else answer != NOT_SYNCHRONISED


def passed() -> float:
    """Seconds since the machine started, sleep included; nobody can set it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def power(supplies: Path = SUPPLIES) -> Power:
    """Read mains and battery. Batteries of things beside the box (a mouse, a headset) are not its own.

    A USB port counts as mains only where there is a battery it could charge; else it may be a port that gives power.
    """
    found: dict[str, list[int]] = {"Mains": [], "USB": [], "Battery": []}
    for folder in _folders(supplies):
        kind = _word(folder / "type")
        said = _word(folder / ("capacity" if kind == "Battery" else "online"))
        if kind in found and said.isdigit() and _word(folder / "scope") != "Device":
            found[kind].append(min(100, int(said)))
    mains = found["Mains"] + (found["USB"] if found["Battery"] else [])
    return Power(any(mains) if mains else None, min(found["Battery"], default=None))


def _folders(supplies: Path) -> Iterator[Path]:
    try:
        yield from sorted(supplies.iterdir())
    except OSError:
        return


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
