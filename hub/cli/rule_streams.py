"""Where `trygghub rules` takes homes and events from: files, or the centre's database."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar
from zoneinfo import ZoneInfo

from drivers.events import Event, Millis
from hub.cli.gateway_journal import GatewayJournal
from hub.cli.outcome import FAILED, Refused
from hub.settings import DEFAULT_DATA, StoreSettings
from rules import HomeSpec

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

T = TypeVar("T")


class Stream(Protocol):
    """Homes, and events by home, so that many homes can be looked at a few at a time."""

    @property
    def homes(self) -> Sequence[HomeSpec]:
        """Every home."""
        ...

    @property
    def begin(self) -> Millis:
        """When the first event was heard: silence before it is nobody's."""
        ...

    @property
    def end(self) -> Millis:
        """When the last event was heard."""
        ...

    def load(self, homes: Sequence[str], since: Millis = 0) -> list[Event]:
        """The events of these homes heard since then, in the order of hearing."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """Events in memory, in the order of hearing."""

    homes: Sequence[HomeSpec]
    events: Sequence[Event]

    @property
    def begin(self) -> Millis:
        """When the first event was heard."""
        return self.events[0].heard if self.events else 0

    @property
    def end(self) -> Millis:
        """When the last event was heard."""
        return self.events[-1].heard if self.events else 0

    def load(self, homes: Sequence[str], since: Millis = 0) -> list[Event]:
        """The events of these homes heard since then; of all where none is named."""
        names = frozenset(homes)
        return [each for each in self.events if each.heard >= since and (not names or each.home in names)]


class Database:
    """The centre's database: looked over once, then opened anew for each question, as a worker process must."""

    def __init__(self, url: str) -> None:
        from hub.hindsight.past import begin_of, end_of, homes_of

        async def first(session: AsyncSession) -> tuple[Sequence[HomeSpec], Millis, Millis]:
            return await homes_of(session), await begin_of(session), await end_of(session)

        self.url = url
        self.homes, self._begin, self._end = asyncio.run(self._look_over_and_ask(first))

    @property
    def begin(self) -> Millis:
        """When the first event was heard."""
        return self._begin

    @property
    def end(self) -> Millis:
        """When the last event was heard."""
        return self._end

    def load(self, homes: Sequence[str], since: Millis = 0) -> list[Event]:
        """The journal's events."""
        from hub.hindsight.past import events_of
        from rules.replay import in_order

        return in_order(asyncio.run(self._ask(lambda session: events_of(session, homes, since=since))))

    async def explain(self, number: int, language: str) -> Sequence[str]:
        """The sentences on one stored alert."""
        from hub.hindsight.questions import UnknownAlertError, explain_alert

        try:
            found = await self._ask(lambda session: explain_alert(session, number))
        except UnknownAlertError as wrong:
            raise Refused(str(wrong), FAILED) from None
        return found.sentences[language]  # type: ignore[index]

    async def _look_over_and_ask(self, question: Callable[[AsyncSession], Awaitable[T]]) -> T:
        from hub.store.engine import open_existing

        await (await open_existing(self.url, "centre")).close()
        return await self._ask(question)

    async def _ask(self, question: Callable[[AsyncSession], Awaitable[T]]) -> T:
        from hub.store.engine import open_again

        store = open_again(self.url)
        try:
            async with store.reading() as session:
                return await question(session)
        finally:
            await store.close()


def database(args: argparse.Namespace) -> Database | GatewayJournal:
    """The database that the flags name: the centre's, else the gateway's. Raises Refused where there is none."""
    from hub.store.errors import StoreError

    settings = StoreSettings(data=Path(args.data or DEFAULT_DATA), database=args.database)
    file = settings.data / "centre" / "centre.db"
    if not args.database and not file.is_file():
        for folder in (settings.data, settings.data / "gateway"):
            if (folder / "gateway.db").is_file():
                return GatewayJournal(folder)
        raise Refused(f"there is no database {file}; name --homes and --events, or --data")
    try:
        return Database(settings.database_url)
    except StoreError as wrong:
        raise Refused(str(wrong)) from None


def stream(args: argparse.Namespace) -> Stream:
    """What the flags name: two files, or the database."""
    from hub.cli.rule_files import read_events, read_homes
    from rules.replay import in_order

    if args.homes and args.events:
        return Files(read_homes(args.homes), in_order(read_events(args.events)))
    if args.homes or args.events:
        raise Refused("homes and events come together: --homes HOMES.json --events EVENTS.jsonl")
    return database(args)


def zone_of(homes: Sequence[HomeSpec], home: str) -> ZoneInfo:
    """The time zone of a home."""
    return next((ZoneInfo(each.tz) for each in homes if each.id == home), ZoneInfo("Europe/Oslo"))
