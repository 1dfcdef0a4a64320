"""`trygghub audit verify`: walk the audit trail's chain of hashes."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from hub.cli.outcome import FAILED, OK, Refused
from hub.settings import StoreSettings, from_arguments
from hub.settings import add_arguments as add_settings

if TYPE_CHECKING:
    from hub.centre.audit import Verdict
    from hub.store.centre_tables import Audit

HELP = "Verify that nobody has changed, removed or slipped in a row of the audit trail."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One action, and perhaps a head kept elsewhere."""
    actions = parser.add_subparsers(dest="action", metavar="verify", required=True)
    verify = actions.add_parser(
        "verify", help="walk the whole chain; exits 1 at the first row that does not fit"
    )
    verify.add_argument(
        "--expect",
        metavar="HASH",
        help="a head noted earlier: it must still stand in the chain, so that cutting off the end is found too",
    )
    add_settings(StoreSettings, verify)


def run(args: argparse.Namespace) -> int:
    """Say how many rows hold, and the newest hash, to be noted elsewhere."""
    from hub.store.errors import StoreError

    try:
        verdict, found, restores = asyncio.run(_verify(from_arguments(StoreSettings, args), args.expect))
    except StoreError as wrong:
        raise Refused(str(wrong)) from None
    if verdict.broken is not None:
        sys.stderr.write(f"the audit trail is broken after {verdict.rows} good rows: {verdict.sentence}\n")
        return FAILED
    if not found:
        sys.stderr.write(f"the audit trail has no row with the hash {args.expect}: its end was cut off\n")
        return FAILED
    sys.stdout.write(f"{verdict.rows} rows hold; the newest hash is {verdict.head}\n")
    sys.stdout.writelines(f"{line}\n" for line in restores)
    return OK


async def _verify(settings: StoreSettings, expected: str | None) -> tuple[Verdict, bool, list[str]]:
    from sqlmodel import select

    from hub.centre import audit
    from hub.store.centre_tables import Audit
    from hub.store.engine import open_existing

    store = await open_existing(settings.database_url, "centre")
    try:
        async with store.reading() as session:
            verdict = await audit.verify(session)
        async with store.reading() as session:
            wanted = select(Audit.seq).where(Audit.hash == expected)
            found = expected in {None, audit.FIRST} or (await session.exec(wanted)).first() is not None
            restores = [_restore(row) for row in await audit.restores(session)]
    finally:
        await store.close()
    return verdict, found, restores


def _restore(row: Audit) -> str:
    made, at = row.data.get("backup_made", "?"), row.data.get("restored", "?")
    return f"row {row.seq}: restored on {at} from a backup of {made}; what was done between them is not in this trail"
