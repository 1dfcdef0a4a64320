"""`trygghub run`: everything on this machine, with one command."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from hub.cli.outcome import FAILED, OK, Refused
from hub.settings import RunSettings, from_arguments
from hub.settings import add_arguments as add_settings

HELP = (
    "Run everything on this machine: broker, centre, gateway and dashboard, each as a process of its own that is "
    "started again when it dies. With --demo simulated homes (of --scenario) live through a day, 60 times as fast. "
    "Everything kept lies in the data folder; starting again goes on where it was."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag a setting, and --demo."""
    parser.add_argument(
        "--demo", action="store_true", help="play simulated homes; in a data folder of its own"
    )
    add_settings(RunSettings, parser)


def run(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM."""
    settings = from_arguments(RunSettings, args)
    from hub.broker.backend import BrokerMissing
    from hub.supervisor.child import ChildFailed
    from hub.supervisor.folder import DataFolder, FolderInUse, FolderUnreadable
    from hub.supervisor.plan import Stage
    from hub.supervisor.running import BrokerUnfit, Running
    from hub.supervisor.setting_up import set_up
    from hub.supervisor.tools import ToolFailed
    from hub.supervisor.welcome import welcome
    from hub.supervisor.world import ClockUnreadable

    folder = DataFolder(settings.data.absolute())
    try:
        folder.prepare()
        with folder.held():
            start = set_up(settings, folder, demo=args.demo, say=say)
            stage = Stage(settings, folder.root, start.memory, start.broker, start.clock, start.listener)
            running = Running(stage, folder, say, on_ready=lambda: show(welcome(stage, folder)))
            asyncio.run(running.run())
    except (FolderInUse, FolderUnreadable, ClockUnreadable, BrokerMissing, ToolFailed) as wrong:
        raise Refused(str(wrong)) from None
    except (ChildFailed, BrokerUnfit) as wrong:
        raise Refused(str(wrong), FAILED) from None
    except OSError as wrong:
        raise Refused(f"the data folder {_place(wrong, folder.root)} cannot be used: {_why(wrong)}") from None
    say(f"stopped; everything is kept in {folder.root}")
    return OK


def _place(wrong: OSError, root: Path) -> str:
    """The folder, and the file in it where the trouble is another's than its own."""
    inner = wrong.filename if isinstance(wrong.filename, str) else str(root)
    return str(root) if Path(inner) == root else f"{root} ({inner})"


def _why(wrong: OSError) -> str:
    """The system's own words without its number."""
    return (wrong.strerror or str(wrong)).lower()


def say(line: str) -> None:
    """One line for the person at the console."""
    sys.stdout.write(f"trygghub  {line}\n")
    sys.stdout.flush()


def show(text: str) -> None:
    """Several lines, as they are."""
    sys.stdout.write(text)
    sys.stdout.flush()
