"""`trygghub centre`: one centre process."""

from __future__ import annotations

import argparse
from functools import partial

from hub.settings import CentreSettings, from_arguments, handed_clock
from hub.settings import add_arguments as add_settings

HELP = "Run one centre: take in what gateways send, keep alerts, bring them to people, watch over gateways."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag a setting."""
    add_settings(CentreSettings, parser)


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    settings = from_arguments(CentreSettings, args)
    from hub.centre.__main__ import run_centre
    from hub.process import run_process

    return run_process("centre", partial(run_centre, settings, handed_clock()))
