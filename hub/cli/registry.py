"""`trygghub registry check|import|export FILE`: homes, residents, devices and staff as one file."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli.outcome import FAILED, OK, Refused
from hub.settings import StoreSettings, from_arguments
from hub.settings import add_arguments as add_settings

if TYPE_CHECKING:
    from hub.registry.check import Checked
    from hub.registry.importing import Outcome

HELP = "Check, import or export homes, residents, devices and staff."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Three actions."""
    actions = parser.add_subparsers(dest="action", metavar="check|import|export", required=True)
    check = actions.add_parser("check", help="say everything that is wrong with a file, each with its line")
    check.add_argument("file", help="the registry file, - for standard input")
    into = actions.add_parser("import", help="bring the centre's database to what a file says")
    into.add_argument("file", help="the registry file, - for standard input")
    add_settings(StoreSettings, into)
    out = actions.add_parser("export", help="write the file that, imported, would change nothing")
    out.add_argument("file", nargs="?", default="-", help="where to write it, - for standard output")
    add_settings(StoreSettings, out)


def run(args: argparse.Namespace) -> int:
    """Carry out one action."""
    from hub.store.errors import StoreError

    try:
        return {"check": _check, "import": _import, "export": _export}[args.action](args)
    except StoreError as wrong:
        raise Refused(str(wrong)) from None


def _check(args: argparse.Namespace) -> int:
    checked = _read(args.file)
    if checked.registry is None:
        return FAILED
    counts = ", ".join(
        f"{len(part)} {name}"
        for name, part in (
            ("homes", checked.registry.homes),
            ("residents", checked.registry.residents),
            ("gateways", checked.registry.gateways),
            ("devices", checked.registry.devices),
            ("staff", checked.registry.staff),
        )
    )
    sys.stdout.write(f"{args.file}: {counts}; nothing is wrong\n")
    return OK


def _import(args: argparse.Namespace) -> int:
    checked = _read(args.file)
    if checked.registry is None:
        sys.stderr.write("nothing was imported\n")
        return FAILED
    from hub.registry.part import PartTooLargeError

    try:
        outcome = asyncio.run(_bring_in(checked, from_arguments(StoreSettings, args)))
    except PartTooLargeError as wrong:
        raise Refused(f"nothing was imported: {wrong}", FAILED) from None
    if outcome.nothing:
        sys.stdout.write("the registry says the same already; nothing changed\n")
        return OK
    sys.stdout.write(f"{len(outcome.added)} added, {len(outcome.changed)} changed\n")
    return OK


async def _bring_in(checked: Checked, settings: StoreSettings) -> Outcome:
    from hub.clock import clock_from_environment
    from hub.registry.importing import import_file
    from hub.store.engine import open_store

    assert checked.registry is not None
    store = await open_store(settings.database_url, "centre")
    try:
        async with store.writing() as session:
            now = clock_from_environment().now()
            return await import_file(session, checked.registry, by="console", now=now)
    finally:
        await store.close()


def _export(args: argparse.Namespace) -> int:
    from hub.registry.exporting import NothingStoredError

    try:
        text = asyncio.run(_written(from_arguments(StoreSettings, args)))
    except NothingStoredError as wrong:
        raise Refused(str(wrong), FAILED) from None
    if args.file == "-":
        sys.stdout.write(text)
        return OK
    try:
        Path(args.file).write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise Refused(f"{args.file} cannot be written: {wrong.strerror}") from None
    return OK


async def _written(settings: StoreSettings) -> str:
    from hub.registry.exporting import as_yaml, export
    from hub.store.engine import open_existing

    store = await open_existing(settings.database_url, "centre")
    try:
        async with store.reading() as session:
            return as_yaml(await export(session))
    finally:
        await store.close()


def _read(name: str) -> Checked:
    """Check a file and say what was found, each on a line of its own."""
    from hub.registry.check import check
    from hub.registry.words import MAX_BYTES

    try:
        if name == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except OSError as wrong:
        raise Refused(f"{name} cannot be read: {wrong.strerror}") from None
    checked = check(content)
    for problem in checked.problems:
        sys.stderr.write(f"{name}: {problem}\n")
    for advice in checked.advice:
        sys.stderr.write(f"{name}: {advice} (advice)\n")
    return checked
