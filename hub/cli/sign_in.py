"""`trygghub sign-in-link`: a one-time link into the dashboard."""

from __future__ import annotations

import argparse
import asyncio
import sys

from hub.cli.outcome import OK, Refused
from hub.settings import StoreSettings, from_arguments
from hub.settings import add_arguments as add_settings

HELP = "Make a one-time link into the dashboard. It works once, for a quarter of an hour."

DEFAULT_PORT = 8420


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom, and where the dashboard is."""
    parser.add_argument("staff", nargs="?", help="staff id in the registry; a coordinator if not said")
    parser.add_argument(
        "--base-url",
        help=f"address of the dashboard; if not said, this machine and the port of the last `trygghub run` in DATA,"
        f" else {DEFAULT_PORT}",
    )
    parser.add_argument("--language", choices=("nb", "en"), default="nb", help="language of the page (nb)")
    add_settings(StoreSettings, parser)


def run(args: argparse.Namespace) -> int:
    """Print the link."""
    from hub.centre import sign_in
    from hub.store.errors import StoreError

    settings = from_arguments(StoreSettings, args)
    try:
        token = asyncio.run(_issue(args.staff, settings))
    except (sign_in.UnknownStaffError, StoreError) as wrong:
        raise Refused(str(wrong)) from None
    sys.stdout.write(sign_in.link(args.base_url or _base(settings), token, args.language) + "\n")
    return OK


def _base(settings: StoreSettings) -> str:
    """Where the dashboard of this data folder listens."""
    from hub.supervisor.folder import DataFolder, FolderUnreadable

    try:
        memory = DataFolder(settings.data).recall()
    except FolderUnreadable:
        memory = None
    port = memory.ports.get("web", DEFAULT_PORT) if memory else DEFAULT_PORT
    return f"http://127.0.0.1:{port}"


async def _issue(staff: str | None, settings: StoreSettings) -> str:
    from hub.centre import sign_in
    from hub.clock import SystemClock, clock_from_environment
    from hub.store.engine import open_existing

    store = await open_existing(settings.database_url, "centre")
    try:
        async with store.writing() as session:
            chosen = staff or await sign_in.somebody(session)
            real, world = SystemClock().now(), clock_from_environment().now()
            return await sign_in.issue(session, chosen, real=real, world=world, by="console")
    finally:
        await store.close()
