"""`python -m simulators SCENARIO`: play homes full of devices over the wires that real ones use."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Coroutine, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from simulators.scenario.load import load
from simulators.scenario.model import Beat, Millis, Scenario
from simulators.scenario.plan import day_begin, day_plan, expected, heard, troubles
from simulators.scenario.text import ScenarioError
from simulators.world import ClockError, World, read_clock, starting_at

if TYPE_CHECKING:
    from simulators.town.homes import Order

OK, REFUSED = 0, 2
REPLAY = "replay"
NAMED_TOWN = r"town-(\d{1,4})-(\d{1,9})"
"""A town by name: so many homes, from this seed, three of them with Bluetooth pendants and one with a nurse call."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong, and where help is."""
        self.exit(REFUSED, f"trygghub simulate: {message} (see trygghub simulate --help)\n")


class Refused(Exception):  # noqa: N818  a verdict said to a person
    """Stop with one sentence."""


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do it; the answer is the exit code."""
    args = parser().parse_args(argv)
    try:
        if args.scenario == REPLAY:
            return replay(args)
        return run(args, registered(args, town_asked_for(args) or load(args.scenario)))
    except ScenarioError as wrong:
        sys.stderr.write("".join(f"{args.scenario}: {one}\n" for one in wrong.problems))
    except (Refused, ClockError) as wrong:
        sys.stderr.write(f"trygghub simulate: {wrong}\n")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return REFUSED


def parser() -> argparse.ArgumentParser:
    """The flags; each may stand in the environment as TRYGGHUB_…, as with every other process."""
    one = Parser(
        prog="trygghub simulate",
        description="Play a scenario: simulated homes whose devices speak over the wires that real ones use.",
        allow_abbrev=False,
    )
    one.add_argument(
        "scenario",
        help="a shipped scenario (demo_day), a YAML file, town or replay; see simulators/README.md",
    )
    one.add_argument("journal", nargs="?", help="for replay: events as JSON lines, .gz or not")
    one.add_argument("--homes", help="for town: how many, up to 1000; default 20")
    one.add_argument("--seed", help="for town: another seed, another town; default 1")
    one.add_argument("--ble", help="for town: homes with a Bluetooth pendant on the virtual radio; default 0")
    one.add_argument("--serial", help="for town: homes with a nurse-call line; default 0")
    one.add_argument(
        "--trouble", help="for town: how many times as often as usual wires fail, 0 to 100; default 1"
    )
    one.add_argument("--homes-per-gateway", help="for town: default all on one gateway")
    one.add_argument(
        "--to", help="write the days as JSON lines for `trygghub rules replay` into this file, .gz or not"
    )
    one.add_argument("--days", help="how many days --to writes; default 1")
    one.add_argument(
        "--registry", help="write a registry file of the homes here, and stop if no broker is named"
    )
    one.add_argument("--data", help="data folder: keys, serial ports, where we are [TRYGGHUB_DATA]")
    one.add_argument("--broker", help="mqtt://user:password@host:port for the devices [TRYGGHUB_BROKER]")
    one.add_argument(
        "--bridges",
        help="login of makers' own bridges (Zigbee, Nuki …), if not the devices' [TRYGGHUB_BRIDGES]",
    )
    one.add_argument(
        "--ble-port", help="port on 127.0.0.1 of the virtual radio; 0 picks one [TRYGGHUB_BLE_PORT]"
    )
    one.add_argument("--speed", help="how many times faster than real; default 1 [TRYGGHUB_SPEED]")
    one.add_argument(
        "--first-day", help="local date of the scenario's day 1; default today [TRYGGHUB_FIRST_DAY]"
    )
    one.add_argument(
        "--check", action="store_true", help="only read the scenario and say whether it is sound"
    )
    one.add_argument(
        "--dry", action="store_true", help="print the day's events as JSON lines and play nothing"
    )
    one.add_argument(
        "--expect", action="store_true", help="print the alerts the scenario expects as JSON lines"
    )
    one.add_argument(
        "--describe", action="store_true", help="print what the scenario needs as one JSON object"
    )
    one.add_argument("--day", type=int, default=1, help="which day --dry prints; default 1")
    return one


def run(args: argparse.Namespace, scenario: Scenario) -> int:
    """Print or play."""
    first = first_day(said(args, "first_day"), scenario)
    if args.check:
        homes, devices = len(scenario.homes), len(scenario.devices)
        sys.stdout.write(f"{args.scenario}: sound; {homes} homes, {devices} devices\n")
    elif args.describe:
        print_line(describe(scenario))
    elif args.dry:
        for line in dry(scenario, first, args.day):
            print_line(line)
    elif args.to:
        write(args, scenario, first)
    elif args.registry and not said(args, "broker"):
        sys.stdout.write(f"{args.registry}: {len(scenario.homes)} homes, {len(scenario.devices)} devices\n")
    elif args.expect:
        for one in expected(scenario, first):
            print_line({"rule": one.rule, "home": one.home, "since": iso(one.since), "until": iso(one.until)})
    else:
        return live(args, scenario, first)
    return OK


def write(args: argparse.Namespace, scenario: Scenario, first: date) -> None:
    """Write a town's days for `trygghub rules replay`."""
    from simulators.town.writing import MOST_DAYS, homes_file, write_town

    order, path = order_of(args), Path(args.to)
    if order is None:
        raise Refused("--to writes a town; for another scenario redirect what --dry prints")
    days = number(args, "days", 1, MOST_DAYS)
    try:
        count = write_town(order, first, max(1, days), path, on_stderr)
    except OSError as wrong:
        raise Refused(f"{path} cannot be written: {wrong.strerror or wrong}") from None
    sys.stdout.write(f"{path}: {count} events of {len(scenario.homes)} homes\n")
    sys.stdout.write(f"trygghub rules replay --homes {homes_file(path)} --events {path}\n")


def on_stderr(line: str) -> None:
    """How far we are."""
    sys.stderr.write(line + "\n")


def live(args: argparse.Namespace, scenario: Scenario, first: date) -> int:
    """Play until SIGTERM or SIGINT."""
    from simulators.play.stage import play
    from simulators.town.playing import play_town

    data = Path(said(args, "data") or "trygghub-data")
    clock = world(said(args, "speed"), scenario, first)
    playing = (play_town if is_town(args) else play)(
        scenario,
        first,
        clock,
        data,
        broker=said(args, "broker"),
        ble_port=port(said(args, "ble_port")),
        bridges=said(args, "bridges"),
    )
    return until_told(playing)


def until_told(playing: Coroutine[None, None, None]) -> int:
    """Run until it ends by itself, or SIGTERM or SIGINT."""
    from simulators.play.stage import StageError

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)

    async def run_it() -> int:
        task = asyncio.create_task(playing)
        for one in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(one, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            pass
        except StageError as wrong:
            raise Refused(str(wrong)) from None
        return OK

    return asyncio.run(run_it())


# ---------------------------------------------------------------- towns and recorded journals


def is_town(args: argparse.Namespace) -> bool:
    """`town`, or `town-HOMES-SEED` where only a name can be given."""
    return args.scenario == "town" or re.fullmatch(NAMED_TOWN, args.scenario) is not None


def town_asked_for(args: argparse.Namespace) -> Scenario | None:
    """The town that was asked for; None for other scenarios."""
    from simulators.town.homes import town

    order = order_of(args)
    return None if order is None else town(order)


def order_of(args: argparse.Namespace) -> Order | None:
    """Which town was asked for; None for other scenarios."""
    from simulators.town.homes import MOST_HOMES, Order

    if not is_town(args):
        return None
    if named := re.fullmatch(NAMED_TOWN, args.scenario):
        homes, seed, ble, serial = int(named[1]), int(named[2]), 3, 1
    else:
        homes, seed = number(args, "homes", 20, MOST_HOMES), number(args, "seed", 1, 2**31)
        ble, serial = number(args, "ble", 0, 20), number(args, "serial", 0, 20)
    if not 1 <= homes <= MOST_HOMES:
        raise Refused(f"a town has 1 to {MOST_HOMES} homes, not {homes}")
    return Order(homes, seed, min(ble, homes), min(serial, homes), trouble(args))


def registered(args: argparse.Namespace, scenario: Scenario) -> Scenario:
    """With its registry file: the scenario's own, else one that is written where it was asked for or is needed."""
    from simulators.town.registry import registry

    if not args.registry and (scenario.registry is not None or not args.describe):
        return scenario
    beside = Path(said(args, "data") or "trygghub-data") / "simulators" / f"{scenario.name}.yaml"
    path = Path(args.registry or beside)
    text = registry(scenario, number(args, "homes_per_gateway", 0, 1000))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise Refused(f"the registry file {path} cannot be written: {wrong.strerror}") from None
    return dataclasses.replace(scenario, registry=path)


def number(args: argparse.Namespace, name: str, default: int, most: int) -> int:
    """A whole number behind a flag."""
    text = getattr(args, name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise Refused(f"--{name.replace('_', '-')} is a whole number up to {most}, not {text!r:.40}")
    return int(text)


def trouble(args: argparse.Namespace) -> float:
    """How many times as often as usual wires, batteries and clocks fail."""
    from simulators.town.faults import MOST_TROUBLE

    try:
        factor = float(args.trouble or "1")
    except ValueError:
        factor = -1
    if not 0 <= factor <= MOST_TROUBLE:
        raise Refused(f"--trouble is a number from 0 to {MOST_TROUBLE:g}, not {args.trouble!r:.40}")
    return factor


def replay(args: argparse.Namespace) -> int:
    """Play a recorded journal again."""
    from simulators.recorded.journal import Recorded, RecordedError
    from simulators.recorded.playing import play_recorded
    from simulators.recorded.registry import registry_of

    if not args.journal:
        raise Refused("name the journal: trygghub simulate replay JOURNAL.jsonl")
    try:
        recorded = Recorded(Path(args.journal))
        if args.registry:
            Path(args.registry).write_text(registry_of(recorded), encoding="utf-8")
        broker = said(args, "broker")
        if args.check or not broker:
            sys.stdout.write(f"{args.journal}: {recorded.summary()}\n")
            return OK
        clock = read_clock(os.environ.get("TRYGGHUB_CLOCK", ""))
        return until_told(play_recorded(recorded, broker, clock, pace(said(args, "speed"), clock)))
    except RecordedError as wrong:
        raise Refused(str(wrong)) from None


def pace(text: str, clock: World) -> float:
    """How many times faster than recorded: as said, else as fast as the world's clock runs."""
    if not text:
        return clock.speed
    return world_speed(text)


# ---------------------------------------------------------------- reading the command line


def said(args: argparse.Namespace, name: str) -> str:
    """A flag, else its variable, else empty."""
    return str(getattr(args, name) or os.environ.get(f"TRYGGHUB_{name.upper()}", ""))


def first_day(text: str, scenario: Scenario) -> date:
    """The date of day 1: as said, else the scenario day that the world's clock stands in."""
    if text:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise Refused(f"--first-day is a date like 2026-01-15, not {text!r:.40}") from None
    if scenario.first_day is not None:
        return scenario.first_day
    now = read_clock(os.environ.get("TRYGGHUB_CLOCK", "")).now()
    today = datetime.fromtimestamp(now / 1000, UTC).astimezone(scenario.zone).date()
    return today if day_begin(scenario, today) <= now else today - timedelta(days=1)


def world(text: str, scenario: Scenario, first: date) -> World:
    """The clock we were handed, else one that starts with the day when a speed is given, else the machine's."""
    handed = os.environ.get("TRYGGHUB_CLOCK", "")
    if handed or not text:
        return read_clock(handed)
    return starting_at(day_begin(scenario, first), world_speed(text))


def world_speed(text: str) -> float:
    """How many times faster than real."""
    try:
        speed = float(text)
    except ValueError:
        raise Refused(f"--speed is a number like 60, not {text!r:.40}") from None
    if not 0 < speed <= 1000:
        raise Refused(f"--speed lies above 0 and at most 1000, not {speed:g}")
    return speed


def port(text: str) -> int | None:
    """A TCP port, 0 for any, None where none is said."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise Refused(f"--ble-port is a number from 0 to 65535, not {text!r:.40}")
    return int(text)


# ---------------------------------------------------------------- printing


def describe(scenario: Scenario) -> dict[str, object]:
    """What somebody who sets the stage must know."""
    return {
        "name": scenario.name,
        "says": scenario.says,
        "start": f"{scenario.start // 60:02d}:{scenario.start % 60:02d}",
        "tz": scenario.zone.key,
        "registry": str(scenario.registry.resolve()) if scenario.registry else None,
        "homes": list(scenario.homes),
        "keys": {
            one.settings["key"]: one.kind.key_bytes
            for one in scenario.devices.values()
            if "key" in one.settings
        },
        "wires": sorted({one.kind.wire for one in scenario.devices.values()}),
    }


def dry(scenario: Scenario, first: date, day: int) -> Iterator[dict[str, object]]:
    """A day's events in the order in which they are heard; what is never heard is left out."""
    lasting = troubles(scenario, first, day)
    told = [
        (heard(beat, scenario, lasting), n, beat) for n, beat in enumerate(day_plan(scenario, first, day))
    ]
    for at, n, beat in sorted((at, n, beat) for at, n, beat in told if at is not None):
        yield dry_line(n, beat, at)


def dry_line(number: int, beat: Beat, heard_at: Millis) -> dict[str, object]:
    """An event as the hub's replay reads it."""
    where = {"home": beat.home, "device": beat.device, "kind": beat.kind}
    return {"id": str(number), "at": iso(beat.at), "heard": iso(heard_at), **where, "data": beat.data}


def iso(at: Millis) -> str:
    """Ms UTC as `2026-01-15T12:00:00.000Z`."""
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def print_line(value: object) -> None:
    """One JSON line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
