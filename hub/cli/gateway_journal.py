"""A gateway's own database for `trygghub rules`: what it heard, judged again, with nobody else to ask."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from drivers.events import Event, Millis
from drivers.registry import DEVICE_TYPES
from hub.cli.outcome import Refused
from rules import HomeSpec


class GatewayJournal:
    """Homes as the gateway's copy of the registry names them, events as it heard them. Nothing is written.

    folder: the gateway's, with gateway.db and registry.json.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "gateway.db"
        self.homes: Sequence[HomeSpec] = _homes(folder / "registry.json", self._ask(_LAST)[0][0] or 0)

    @property
    def begin(self) -> Millis:
        """When the first event was heard."""
        return int(self._ask(_FIRST)[0][0] or 0)

    @property
    def end(self) -> Millis:
        """When the last event was heard."""
        return int(self._ask(_LAST)[0][0] or 0)

    def load(self, homes: Sequence[str], since: Millis = 0) -> list[Event]:
        """The events of these homes heard since then; of all where none is named."""
        from hub.hindsight.past import read_event
        from rules.replay import in_order

        rows = self._ask(_EVENTS, since)
        events = (read_event(orjson.loads(body)) for home, body in rows if not homes or home in homes)
        return in_order([event for event in events if event is not None])

    async def explain(self, number: int, language: str) -> Sequence[str]:  # noqa: ARG002  the shape of a stream
        """Numbers are given to alerts by the centre."""
        raise Refused(f"a gateway numbers no alerts; ask for RULE@TIME instead of {number}")

    def _ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as database:
                return database.execute(query, values).fetchall()
        except sqlite3.Error as wrong:
            raise Refused(f"{self.file} cannot be read as a gateway's database: {wrong}") from None


_FIRST = "SELECT min(heard) FROM journal WHERE type = 'event'"
_LAST = "SELECT max(heard) FROM journal WHERE type = 'event'"
_EVENTS = "SELECT home, body FROM journal WHERE type = 'event' AND heard >= ? ORDER BY seq"


def _homes(copy: Path, now: Millis) -> list[HomeSpec]:
    from hub.gateway.home_specs import home_specs
    from hub.gateway.registry_copy import PartError, read
    from hub.gateway.roll import call_the_roll
    from hub.uplink.messages import Part

    try:
        message = Part.model_validate_json(copy.read_bytes())
        part = read(message, str(message.registry.get("gateway", ""))).part
    except (OSError, ValueError, PartError) as wrong:
        raise Refused(f"{copy} cannot be read as a registry part: {str(wrong).splitlines()[0]}") from None
    return home_specs(call_the_roll(part, DEVICE_TYPES, copy.parent / "secrets"), now)
