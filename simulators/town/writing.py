"""A town written to a file: its days as JSON lines for `trygghub rules replay`, on every core, always the same bytes.

Some homes at a time are planned in a process of their own and sorted; then the parts are merged and numbered. What is
wrong with wires does not show: a file says what devices mean, and one that is silent says nothing.
"""

from __future__ import annotations

import gzip
import heapq
import json
import multiprocessing
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BufferedWriter
from pathlib import Path
from typing import IO, Any, cast

from simulators.scenario.model import Beat, Incident, Millis, Scenario
from simulators.scenario.plan import day_begin, home_day
from simulators.town.homes import Order, incidents_on, town
from simulators.town.registry import registered_type

TOGETHER = 50
"""Homes planned in one piece."""
MOST_DAYS = 31
QUICK = 1
"""Level of compression: the disk is not what takes time."""

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some homes of a town, and the days that are wanted of them."""

    order: Order
    numbers: range
    first: date
    days: int


def write_town(order: Order, first: date, days: int, path: Path, told: Told) -> int:
    """Write the file, and the homes beside it as `rules replay` wants them; how many events. Raises OSError."""
    pieces = [
        Piece(order, range(begin, min(begin + TOGETHER, order.homes + 1)), first, days)
        for begin in range(1, order.homes + 1, TOGETHER)
    ]
    homes_file(path).write_text(json.dumps(homes_of(town(order), first), ensure_ascii=False), "utf-8")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".town-") as folder:
        parts = _planned(pieces, Path(folder), told)
        told(f"putting {len(parts)} parts in order")
        draft = Path(folder) / "whole"
        count = _merged(parts, draft, zipped=path.suffix == ".gz")
        draft.replace(path)
    return count


def homes_file(path: Path) -> Path:
    """Where the homes of an events file stand: `town.jsonl.gz` → `town.homes.json`."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".jsonl") + ".homes.json")


def homes_of(scenario: Scenario, first: date) -> dict[str, Any]:
    """The homes as `trygghub rules replay --homes` reads them; every device is there from the first day's begin."""
    since = _iso(day_begin(scenario, first))
    return {
        "homes": {
            home.id: {
                "tz": home.zone.key,
                "resident": {"name": home.resident},
                "devices": {
                    one.id: {"class": one.kind.device_class, "type": registered_type(one), "since": since}
                    for one in home.devices.values()
                    if one.type != "gateway"
                },
            }
            for home in scenario.homes.values()
        }
    }


# ---------------------------------------------------------------- parts


def _planned(pieces: Sequence[Piece], folder: Path, told: Told) -> list[Path]:
    """Each piece in a file of its own, on every core; in the order of the homes."""
    cores, done = len(os.sched_getaffinity(0)), 0
    with ProcessPoolExecutor(min(cores, len(pieces)), multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(plan_piece, one, folder / f"{number:04d}") for number, one in enumerate(pieces)]
        for job in as_completed(jobs):
            done += job.result()
            told(f"{done} of {pieces[0].order.homes} homes planned")
    return sorted(folder.iterdir())


def plan_piece(piece: Piece, path: Path) -> int:
    """Write what these homes say, sorted; how many homes. Each line begins with what it is sorted by."""
    some = town(piece.order, piece.numbers)
    incidents: dict[str, list[Incident]] = defaultdict(list)
    for one in some.incidents:
        incidents[one.home].append(one)
    lines = []
    for place, home in enumerate(some.homes.values(), start=piece.numbers.start):
        beats = [
            beat
            for day in range(1, piece.days + 1)
            for beat in home_day(some, home, incidents_on(incidents[home.id], day), piece.first, day)
        ]
        lines += [_line(beat, place, number) for number, beat in enumerate(sorted(beats))]
    path.write_bytes(b"".join(sorted(lines)))
    return len(some.homes)


def _line(beat: Beat, place: int, number: int) -> bytes:
    at = _iso(beat.at)
    body = json.dumps(
        {
            "at": at,
            "heard": at,
            "home": beat.home,
            "device": beat.device,
            "kind": beat.kind,
            "data": beat.data,
        },
        ensure_ascii=False,
    )
    return f"{beat.at:014d} {place:04d} {number:06d} {body[1:]}\n".encode()


SORTED_BY = 27
"""Bytes before a line's body: time, home, number, and a space behind each."""


def _merged(parts: Sequence[Path], path: Path, *, zipped: bool) -> int:
    """One file in the order of hearing, numbered; how many lines."""
    count = 0
    with ExitStack() as files:
        out = files.enter_context(path.open("wb"))
        body = files.enter_context(_zipped(out)) if zipped else out
        for count, line in enumerate(heapq.merge(*_lines(parts, files)), start=1):
            body.write(b'{"id": "%d", %b' % (count, line[SORTED_BY:]))
    return count


def _zipped(out: BufferedWriter) -> IO[bytes]:
    """Without name and time, so that the same town is the same bytes."""
    return cast("IO[bytes]", gzip.GzipFile("", "wb", QUICK, out, mtime=0))


def _lines(parts: Sequence[Path], files: ExitStack) -> Iterator[Iterator[bytes]]:
    for one in parts:
        yield iter(files.enter_context(one.open("rb")))


def _iso(at: Millis) -> str:
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"
