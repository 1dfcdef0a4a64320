"""`trygghub backup TARGET`: copy all that is kept in a data folder into one file, while everything runs.

    trygghub backup --data /var/lib/trygghub /backup                 a file named by role and time, in that folder
    trygghub backup --data /var/lib/trygghub /backup --keep 14       and no more than 14 of them
    trygghub backup --data /var/lib/trygghub /media/stick/box.tar.gz

The file holds the databases (one moment of each), the registry's copy, rule books, keys and passwords, with a
manifest and a SHA-256 of everything. It is read again from the disk before success is said. A centre on PostgreSQL
is named by --database; pg_dump must be there. Put back with `trygghub restore`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli.bar import Bar
from hub.cli.outcome import FAILED, OK, Refused
from hub.clock import SystemClock
from hub.settings import RULES, StoreSettings, from_arguments
from hub.settings import add_arguments as add_settings

if TYPE_CHECKING:
    from hub.backup.making import Made, Wish

HELP = __doc__

OTHERS = 0o077
SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSettings(StoreSettings):
    """What is backed up."""

    rules: Path | None = field(default=None, metadata=RULES)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, and how many stay."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("target", type=Path, help="a folder, or the file to write; it must not be there yet")
    parser.add_argument(
        "--keep",
        type=_count,
        metavar="N",
        help="in a folder: drop older backups of the same name but the newest N",
    )
    parser.add_argument(
        "--without-secrets",
        action="store_true",
        help="leave out keys, PINs, passwords and Bluetooth pairings; devices are then paired again after a restore",
    )
    add_settings(BackupSettings, parser)


def run(args: argparse.Namespace) -> int:
    """Make it, and say what it is."""
    from hub.backup.making import make
    from hub.backup.manifest import BackupError
    from hub.store.errors import StoreError

    settings = from_arguments(BackupSettings, args)
    if args.keep is not None and not args.target.is_dir():
        raise Refused(f"--keep goes with a folder, and {args.target} is none")
    try:
        wish = _wish(settings, secrets=not args.without_secrets)
        made = make(wish, args.target, SystemClock().now(), lambda whole: Bar(whole).add, args.keep)
    except (BackupError, StoreError) as wrong:
        raise Refused(str(wrong), FAILED) from None
    _report(made)
    return OK


def _wish(settings: BackupSettings, *, secrets: bool) -> Wish:
    from sqlalchemy import make_url

    from hub.backup.making import Wish

    url = make_url(settings.database) if settings.database else None
    on_server = url is not None and url.get_backend_name() != "sqlite"
    return Wish(
        data=settings.data,
        database=settings.database if on_server else None,
        centre=Path(str(url.database)) if url is not None and not on_server else None,
        books=[settings.rules] if settings.rules else [],
        secrets=secrets,
    )


def _report(made: Made) -> None:
    manifest, size = made.manifest, made.path.stat().st_size
    sys.stdout.write(
        f"{made.path}: {' and '.join(sorted(manifest.roles))}, {len(manifest.files)} files, {size / 1e6:.1f} MB,"
        " written and read again\n"
    )
    for old in made.dropped:
        sys.stdout.write(f"{old} was dropped\n")
    for name in made.left[:SHOWN]:
        sys.stderr.write(f"left out: {name!r:.120} is no name that a backup can hold\n")
    if len(made.left) > SHOWN:
        sys.stderr.write(f"left out: {len(made.left) - SHOWN} more\n")
    sys.stderr.write(_warning(secrets=manifest.secrets))
    if made.path.stat().st_mode & OTHERS:
        sys.stderr.write(
            f"warning: this disk keeps no file modes; whoever can read it can read {made.path.name}\n"
        )


def _warning(*, secrets: bool) -> str:
    what = "keys, passwords and " if secrets else ""
    return f"warning: the file holds {what}residents' data in the clear; keep it as locked away as the machine itself\n"


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 9999:
        raise argparse.ArgumentTypeError(f"a number from 1 to 9999 is expected, not {text!r:.40}")
    return int(text)
