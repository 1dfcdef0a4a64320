"""A seeded month of a whole town in a centre's database, to ask what-if of.

    python tests/bench/rules/town.py DIR                       1,000 homes, 30 days: 21 million events, 12 GB
    python tests/bench/rules/town.py DIR --homes 20 --days 3   a small one
    trygghub rules what-if --data DIR --days 30 --set dose_time="30 min"

Written past the intake, straight into the tables and with the indexes made last, since only reading is of interest.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import orjson
from workload import DEVICES, EASY, home

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Millis, parse_time
from hub.store.centre_tables import Device, Home, Resident
from hub.store.engine import open_store, sqlite_url

FIRST: Millis = parse_time("2026-01-01T00:00:00+01:00")
DAY: Millis = 86_400_000
EPOCH = "00c0ffee"
TYPES = {"dispenser": "native_dispenser", "door": "native_alarm", "room": "native_alarm"}
WRITE = (
    "INSERT INTO entry (gateway, epoch, lane, number, type, event_id, home, device, kind, at, heard, received, body) "
    f"VALUES (?, '{EPOCH}', ?, ?, 'event', ?, ?, ?, ?, ?, ?, ?, ?)"
)


def main(argv: list[str] | None = None) -> int:
    """Make the database; say how large it became."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--homes", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    args = parser.parse_args(argv)
    file = args.folder / "centre" / "centre.db"
    if file.exists():
        parser.error(f"{file} is there already")
    begun = time.monotonic()
    asyncio.run(_registry(file, args.homes))
    rows = _journal(file, args.homes, args.days)
    size = file.stat().st_size / 1e9
    print(
        f"{args.homes} homes, {args.days} days: {rows} events, {size:.1f} GB, in {time.monotonic() - begun:.0f} s"
    )
    return 0


async def _registry(file: Path, homes: int) -> None:
    store = await open_store(sqlite_url(file), which="centre")
    async with store.writing() as session:
        for number in range(homes):
            name = f"h{number}"
            session.add(
                Home(
                    id=name, address=f"Storgata {number}", tz="Europe/Oslo", zone="nord", gateway=f"gw-{name}"
                )
            )
            session.add(
                Resident(
                    id=f"r{number}", home=name, name=f"Beboer {number}", parameters={"dose_time": "60 min"}
                )
            )
            for kind in DEVICES:
                session.add(
                    Device(
                        id=f"{name}-{kind}",
                        home=name,
                        device_class=kind,
                        type=TYPES.get(kind, "native_alarm"),
                        link="mqtt",
                        address=f"{name}/{name}-{kind}",
                        name=kind,
                        since=FIRST,
                    )
                )
    await store.close()


def _journal(file: Path, homes: int, days: int) -> int:
    """Every day of every home, in the order of hearing as a centre has it."""
    rows = 0
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        indexes = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'entry' "
            "AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            database.execute(f"DROP INDEX {name}")
        numbers: Counter[tuple[str, str]] = Counter()
        for day in range(days):
            database.execute("BEGIN")
            rows += database.executemany(WRITE, _day(homes, day, numbers)).rowcount
            database.execute("COMMIT")
            sys.stderr.write(f"\rday {day + 1} of {days}, {rows} events")
        sys.stderr.write("\n")
        for _, sql in indexes:
            database.execute(sql)
        database.execute("PRAGMA journal_mode = WAL")
    return rows


def _day(homes: int, day: int, numbers: Counter[tuple[str, str]]) -> Iterator[tuple[object, ...]]:
    start = FIRST + day * DAY
    drafts = [
        (at, f"h{number}", device, kind, data)
        for number in range(homes)
        for at, device, kind, data in home(random.Random(f"{day}/{number}"), start, start + DAY, EASY)
    ]
    drafts.sort(key=lambda draft: draft[0])
    for number, (at, name, device, kind, data) in enumerate(drafts):
        gateway, lane = f"gw-{name}", CATALOGUE.spec(kind).lane
        unit = gateway if device == "gateway" else f"{name}-{device}"
        numbers[gateway, lane] += 1
        event = Event(f"{day}-{number}", at, at, name, unit, kind, data)  # type: ignore[arg-type]
        yield (
            gateway,
            lane,
            numbers[gateway, lane],
            event.id,
            name,
            unit,
            kind,
            at,
            at,
            at,
            orjson.dumps(event.as_json()).decode(),
        )


if __name__ == "__main__":
    sys.exit(main())
