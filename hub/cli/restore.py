"""`trygghub restore FILE`: put a backup back into a data folder.

    trygghub restore FILE --check                             read all of it, compare every digest
    trygghub restore FILE --list                              what is in it
    trygghub restore FILE --data /var/lib/trygghub            into an empty folder, with nothing at work there
    trygghub restore FILE --data /var/lib/trygghub --replace  what is there is moved aside, not deleted

Everything is unpacked beside and checked before anything is exchanged. A restored gateway numbers anew what it sends;
a restored centre ends every sign-in, notes the restore in the audit trail and opens an alert about it. A backup of a
centre on PostgreSQL goes into an empty database, named by --database; pg_restore must be there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli.bar import Bar
from hub.cli.outcome import FAILED, OK, Refused
from hub.clock import SystemClock
from hub.settings import StoreSettings, from_arguments
from hub.settings import add_arguments as add_settings

if TYPE_CHECKING:
    from hub.backup.manifest import Manifest
    from hub.backup.restoring import Restored

HELP = __doc__


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which file, and whether only to look."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", type=Path, help="the backup")
    look = parser.add_mutually_exclusive_group()
    look.add_argument(
        "--check", action="store_true", help="only read it through; exits 1 where it is not whole"
    )
    look.add_argument("--list", action="store_true", help="only say what is in it")
    look.add_argument(
        "--replace", action="store_true", help="move what is in the data folder aside (before-restore-…)"
    )
    add_settings(StoreSettings, parser)


def run(args: argparse.Namespace) -> int:
    """Look, or put back."""
    from hub.backup.manifest import BackupError
    from hub.store.errors import StoreError

    try:
        if args.list or args.check:
            _show(args.file, whole=args.check)
        else:
            _report(_restore(args), args.data)
    except (BackupError, StoreError) as wrong:
        raise Refused(str(wrong), FAILED) from None
    return OK


def _restore(args: argparse.Namespace) -> Restored:
    from hub.backup.restoring import Request, restore

    settings = from_arguments(StoreSettings, args)
    args.data = settings.data
    request = Request(file=args.file, data=settings.data, database=settings.database, replace=args.replace)
    return restore(request, SystemClock().now(), lambda whole: Bar(whole).add)


def _show(path: Path, *, whole: bool) -> None:
    from hub.backup import archive

    with archive.opened(path) as reading:
        if whole:
            reading.files(lambda _file: None, Bar(reading.manifest.size).add)
            sys.stdout.write(f"{path} is whole: {len(reading.manifest.files)} files, each with its digest\n")
        sys.stdout.writelines(f"{line}\n" for line in _lines(reading.manifest, files=not whole))


def _lines(manifest: Manifest, *, files: bool) -> list[str]:
    from drivers.events import iso

    lines = [f"{manifest.name}, made {iso(manifest.made)} by trygghub {manifest.program}"]
    lines += [
        f"{role}: {' '.join(filter(None, (told.id, told.engine, 'tables', told.schema)))}"
        for role, told in sorted(manifest.roles.items())
    ]
    if not manifest.secrets:
        lines.append("keys and passwords are not in it")
    if files:
        lines += [f"{one.size:>14,}  {one.name}" for one in manifest.files]
    return lines


def _report(restored: Restored, data: Path) -> None:
    from drivers.events import iso

    manifest = restored.manifest
    sys.stdout.write(
        f"{data} is as it was on {iso(manifest.made)}: {' and '.join(sorted(manifest.roles))}, every digest fits\n"
    )
    if restored.aside is not None:
        sys.stdout.write(f"what was there before lies in {restored.aside}; remove it when you are sure\n")
    if not manifest.secrets:
        sys.stdout.write("keys and passwords were not in the backup; those that lacked before lack still\n")
    kinds = {"centre" if role == "centre" else "gateway" for role in manifest.roles}
    sys.stdout.writelines(f"{_NEXT[kind]}\n" for kind in sorted(kinds))


_NEXT = {
    "centre": "centre: every sign-in has ended, and an alert tells that what people did since then is gone; start it",
    "gateway": "gateway: it counts as having slept since then, and numbers anew what it sends; see that the old box is"
    " switched off, then start it",
}
