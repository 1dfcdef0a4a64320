"""What decoding a frame costs, for every device type, from its captures."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.device_type import DeviceType, Unit
from drivers.events import DecodeError, Frame
from drivers.registry import DEVICE_TYPES

CAPTURES = Path(__file__).parents[2] / "drivers" / "captures"
REFERENCE = json.dumps(
    {"id": "17-4", "at": 1_768_478_400_000, "kind": "lock.locked", "data": {"by": "Nils", "how": "app"}}
)
"""A message of the native contract; reading its JSON is what everything is measured against."""
NOW = 1_768_478_400_000
ROUNDS = 7


@dataclass(frozen=True)
class Cost:
    """Of one device type: median and dearest capture, µs a frame."""

    type: DeviceType
    captures: int
    median: float
    dearest: float


def reference(repeat: int) -> float:
    """µs for reading the reference message."""
    return _best(lambda: json.loads(REFERENCE), repeat)


def costs(repeat: int) -> list[Cost]:
    """Every device type's cost, by link and name."""
    found = [_cost(one, repeat) for one in DEVICE_TYPES.values()]
    return sorted(found, key=lambda one: (one.type.link, one.type.id))


def _cost(type_: DeviceType, repeat: int) -> Cost:
    book = json.loads((CAPTURES / f"{type_.id}.json").read_text(encoding="utf-8"))
    spent = [_capture(type_, {**book, **each}, repeat) for each in book["captures"]]
    return Cost(type_, len(spent), statistics.median(spent), max(spent))


def _capture(type_: DeviceType, each: dict[str, Any], repeat: int) -> float:
    """One frame by a device that remembers what it did before each time; the copying is taken off again."""
    frame = Frame(
        type_.link,
        each.get("address", "-"),
        _payload(each),
        NOW,
        each.get("channel", ""),
        each.get("retained", False),
    )
    key = bytes.fromhex(each["key"]) if "key" in each else None
    memory = each.get("memory", {})

    def unit() -> Unit:
        return Unit(frame.address, key, each.get("settings", {}), deepcopy(memory) if memory else {})

    def decode() -> None:
        try:
            for _ in type_.decode(frame, unit()):
                pass
        except DecodeError:
            pass

    return max(0.0, _best(decode, repeat) - _best(unit, repeat))


def _payload(each: dict[str, Any]) -> bytes:
    if "hex" in each:
        return bytes.fromhex(each["hex"])
    payload = each["payload"]
    return (payload if isinstance(payload, str) else json.dumps(payload)).encode()


def _best(run: Callable[[], object], repeat: int) -> float:
    """µs a call: the best of some rounds, since everything else on the machine only adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(repeat):
            run()
        best = min(best, time.perf_counter() - begun)
    return best / repeat * 1e6
