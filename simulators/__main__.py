"""`python -m simulators SCENARIO`: play homes full of devices over the wires that real ones use."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NoReturn

from simulators.scenario.load import load
from simulators.scenario.model import Beat, Millis, Scenario
from simulators.scenario.plan import day_begin, day_plan, expected, heard, troubles
from simulators.scenario.text import ScenarioError
from simulators.world import ClockError, World, read_clock, starting_at

OK, REFUSED = 0, 2


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
        scenario = load(args.scenario)
        return run(args, scenario)
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
        "scenario", help="a shipped scenario (demo_day) or a YAML file; see simulators/README.md"
    )
    one.add_argument("--data", help="data folder: keys, serial ports, where we are [TRYGGHUB_DATA]")
    one.add_argument("--broker", help="mqtt://user:password@host:port for the devices [TRYGGHUB_BROKER]")
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
        away = [one for one in troubles(scenario, first, args.day) if one.do == "cut_off"]
        for number, beat in enumerate(day_plan(scenario, first, args.day)):
            print_line(dry_line(number, beat, heard(beat, away)))
    elif args.expect:
        for one in expected(scenario, first):
            print_line({"rule": one.rule, "home": one.home, "since": iso(one.since), "until": iso(one.until)})
    else:
        return live(args, scenario, first)
    return OK


def live(args: argparse.Namespace, scenario: Scenario, first: date) -> int:
    """Play until SIGTERM or SIGINT."""
    from simulators.play.stage import StageError, play

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    data = Path(said(args, "data") or "trygghub-data")
    clock = world(said(args, "speed"), scenario, first)

    async def until_told() -> int:
        task = asyncio.create_task(
            play(
                scenario,
                first,
                clock,
                data,
                broker=said(args, "broker"),
                ble_port=port(said(args, "ble_port")),
            )
        )
        for one in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(one, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            pass
        except StageError as wrong:
            raise Refused(str(wrong)) from None
        return OK

    return asyncio.run(until_told())


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
    try:
        speed = float(text)
    except ValueError:
        raise Refused(f"--speed is a number like 60, not {text!r:.40}") from None
    if not 0 < speed <= 1000:
        raise Refused(f"--speed lies above 0 and at most 1000, not {speed:g}")
    return starting_at(day_begin(scenario, first), speed)


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
        "keys": sorted({one.settings["key"] for one in scenario.devices.values() if "key" in one.settings}),
        "wires": sorted({one.kind.wire for one in scenario.devices.values()}),
    }


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
