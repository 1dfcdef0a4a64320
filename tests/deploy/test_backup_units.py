"""The nightly backup's units: they run the command as it is, may write where it writes, and stand on the page."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from hub.cli import backup

DEPLOY = Path(__file__).parents[2] / "deploy"
PAGE = (DEPLOY / "backup.md").read_text()


def unit(name: str) -> dict[str, str]:
    """The settings of a unit file."""
    lines = (DEPLOY / "systemd" / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_unit_runs_the_command_and_may_write_its_target() -> None:
    """Its words are the command's, and the folder it names is the one that systemd leaves open."""
    told = unit("trygghub-backup.service")
    program, name, *words = shlex.split(told["ExecStart"])
    assert (program, name) == ("/opt/trygghub/venv/bin/trygghub", "backup")
    parser = argparse.ArgumentParser()
    backup.add_arguments(parser)
    args = parser.parse_args(words)
    assert str(args.target) == told["ReadWritePaths"] == told["RequiresMountsFor"]
    assert args.keep == 14
    assert told["Environment"] == "TRYGGHUB_DATA=/var/lib/trygghub"
    assert told["User"] == "trygghub"
    assert told["UMask"] == "0077"


def test_the_timer_is_enabled_and_makes_up_for_a_night_off() -> None:
    """A box that was switched off at half past two backs up when it is on again."""
    told = unit("trygghub-backup.timer")
    assert told["Persistent"] == "yes"
    assert told["WantedBy"] == "timers.target"
    assert "enable --now trygghub-backup.timer" in PAGE


def test_the_page_says_how_and_the_first_page_leads_to_it() -> None:
    """Folder, units and both commands stand there; whoever reads the README finds it."""
    assert "-m 700 /var/backups/trygghub" in PAGE
    for word in (
        "trygghub-backup.service",
        "trygghub restore FILE --check",
        "--replace",
        "Switch the old machine off",
    ):
        assert word in PAGE
    assert "(backup.md)" in (DEPLOY / "README.md").read_text()
