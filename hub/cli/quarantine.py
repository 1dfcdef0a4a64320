"""`trygghub quarantine list|show|replay|drop`: what gateways sent and nobody could read."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from hub.cli.outcome import FAILED, OK, Refused
from hub.settings import StoreSettings, from_arguments
from hub.settings import add_arguments as add_settings

if TYPE_CHECKING:
    from hub.centre.intake.replaying import Aside
    from hub.store.engine import Store

HELP = "Look at messages of gateways that could not be read; replay them after an upgrade, or drop them."

BY, ORIGIN = "console", "console"
ACTIONS = {
    "list": "what waits, oldest first: id, when it came last, how often, gateway, why",
    "show": "one of them with its content",
    "replay": "read it again and carry it out; `all` for everything that waits",
    "drop": "give it up for a stated reason",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Four actions."""
    actions = parser.add_subparsers(dest="action", metavar="|".join(ACTIONS), required=True)
    for name, says in ACTIONS.items():
        action = actions.add_parser(name, help=says)
        if name != "list":
            action.add_argument("id", help="as the list names it" + (", or all" if name == "replay" else ""))
        if name == "drop":
            action.add_argument("--reason", required=True, help="why; it stands in the audit trail")
        add_settings(StoreSettings, action)


def run(args: argparse.Namespace) -> int:
    """Carry out one action."""
    from hub.centre.alerts.refusals import AlertError
    from hub.store.errors import StoreError

    act = {"list": _list, "show": _show, "replay": _replay, "drop": _drop}[args.action]
    try:
        return asyncio.run(_with_store(args, act))
    except AlertError as why:
        raise Refused(why.says["en"], FAILED) from None
    except StoreError as wrong:
        raise Refused(str(wrong)) from None


async def _with_store(
    args: argparse.Namespace, act: Callable[[Store, argparse.Namespace], Awaitable[int]]
) -> int:
    from hub.store.engine import open_existing

    store = await open_existing(from_arguments(StoreSettings, args).database_url, "centre")
    try:
        return await act(store, args)
    finally:
        await store.close()


async def _list(store: Store, _args: argparse.Namespace) -> int:
    waiting = await _waiting(store)
    for one in waiting:
        sys.stdout.write(_line(one) + "\n")
    if not waiting:
        sys.stderr.write("nothing waits: everything could be read\n")
    return OK


async def _show(store: Store, args: argparse.Namespace) -> int:
    from hub.centre.intake import replaying

    async with store.reading() as session:
        one = await replaying.shown(session, args.id)
    sys.stdout.write(f"{_line(one)}\n{one.topic}, {one.size} bytes\n{one.content}\n")
    return OK


async def _replay(store: Store, args: argparse.Namespace) -> int:
    from hub.centre.alerts.refusals import AlertError
    from hub.centre.intake import replaying
    from hub.clock import clock_from_environment

    clock, left = clock_from_environment(), 0
    ids = [one.id for one in await _waiting(store)] if args.id == "all" else [args.id]
    for id_ in ids:
        try:
            done = await replaying.replay(store, clock, id_, by=BY, origin=ORIGIN)
        except AlertError as why:
            left += 1
            sys.stderr.write(f"{id_}: {why.says['en']}\n")
            continue
        sys.stdout.write(f"{id_}: {done.new} new entries, {done.known} known already\n")
    return FAILED if left else OK


async def _drop(store: Store, args: argparse.Namespace) -> int:
    from hub.centre.intake import replaying
    from hub.clock import clock_from_environment

    clock = clock_from_environment()
    await replaying.drop(store, clock, args.id, reason=args.reason, by=BY, origin=ORIGIN)
    sys.stdout.write(f"{args.id} is dropped\n")
    return OK


async def _waiting(store: Store) -> list[Aside]:
    from hub.centre.intake import replaying

    async with store.reading() as session:
        return await replaying.listed(session)


def _line(one: Aside) -> str:
    from drivers.events import iso

    return f"{one.id}\t{iso(one.last_at)}\t{one.times} times\t{one.gateway or '-'}\t{one.problem}"
