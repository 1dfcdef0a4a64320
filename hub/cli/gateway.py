"""`trygghub gateway`: one gateway process."""

from __future__ import annotations

import argparse
from functools import partial

from hub.settings import GatewaySettings, from_arguments, handed_clock
from hub.settings import add_arguments as add_settings

HELP = "Run one gateway: hear the devices of its homes, write down, judge, and send up to the centre."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag a setting."""
    add_settings(GatewaySettings, parser)


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    settings = from_arguments(GatewaySettings, args)
    from hub.gateway.__main__ import run_gateway
    from hub.process import run_process

    return run_process("gateway", partial(run_gateway, settings, handed_clock()))
