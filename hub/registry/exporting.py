"""Exporting the registry: the file that, imported, would change nothing. And reading it back from the database."""

from __future__ import annotations

from typing import Any

import yaml
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.registry.tables import KINDS, Stored, file_of
from hub.store.centre_tables import Shift


class NothingStoredError(LookupError):
    """No registry has been imported yet."""


async def stored(session: AsyncSession) -> Stored:
    """Everything of the registry that stands in the database. Raises NothingStoredError."""
    sections: dict[str, Any] = {}
    for section, kind in KINDS.items():
        table: Any = kind.table
        sections[section] = (await session.exec(select(table).order_by(table.id))).all()
    if not sections["municipality"]:
        raise NothingStoredError("no registry has been imported yet")
    shifts = (await session.exec(select(Shift).order_by(col(Shift.id)))).all()
    return Stored(sections, shifts)


async def export(session: AsyncSession) -> dict[str, Any]:
    """The registry file as plain data. Raises NothingStoredError."""
    return file_of(await stored(session))


def as_yaml(told: dict[str, Any]) -> str:
    """The file's text, in the order in which a person would write it."""
    return yaml.safe_dump(told, allow_unicode=True, sort_keys=False, width=110, default_flow_style=None)
