"""The random id of a database, by which a browser notices that it talks to another one."""

from __future__ import annotations

import secrets

from sqlalchemy.exc import IntegrityError

from hub.store.centre_tables import StoreFact
from hub.store.engine import Store

NAME = "epoch"


async def ensure_epoch(store: Store) -> None:
    """Give the database an id unless it has one; of two processes that try at once one succeeds, which is enough."""
    async with store.reading() as session:
        if await session.get(StoreFact, NAME) is not None:
            return
    try:
        async with store.writing() as session:
            session.add(StoreFact(name=NAME, value=secrets.token_hex(8)))
    except IntegrityError:
        pass
