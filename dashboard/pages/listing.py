"""The list of rows as a page shows it: filtered, at most 200, the rest counted (reference sections 1 and 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from sqlmodel.ext.asyncio.session import AsyncSession

from dashboard.live.board import Mark
from dashboard.look.moments import seconds_clock
from dashboard.look.rows import Row, row_of
from dashboard.look.words import Language, say
from dashboard.pages.common import Frame, link_with
from dashboard.reads.alerts import alerts_by_id, told

WINDOW = 200
"""Live rows in one page; more saturate the browser, whatever the framework (trap 8)."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What the query of the address asks for. Unknown words are no filter."""

    zone: str = ""
    queue: str = ""
    mine: bool = False
    untaken: bool = False
    page: int = 1

    @property
    def any(self) -> bool:
        """Whether rows may be left out."""
        return bool(self.zone or self.queue or self.mine or self.untaken)

    def keeps(self, mark: Mark, me: str) -> bool:
        """Whether an alert passes; live.js decides the same from its row's data attributes."""
        return (
            (not self.zone or mark.zone == self.zone)
            and (not self.queue or mark.queue == self.queue)
            and (not self.mine or mark.owner == me)
            and (not self.untaken or mark.untaken)
        )


def filter_of(query: Mapping[str, str]) -> Filter:
    """Read the filter from an address."""
    number = query.get("page", "1")
    return Filter(
        zone=query.get("zone", "")[:64],
        queue=query.get("queue", "") if query.get("queue") in {"care", "technical"} else "",
        mine=query.get("mine") == "1",
        untaken=query.get("untaken") == "1",
        page=max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 5 else 1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of rows. total: all open rows of this list; outside: critical ones that the filter leaves out."""

    name: str
    label: str
    source: str
    rows: list[Row]
    total: int
    more: bool
    page: int
    outside: int
    filtered: bool
    clock: str
    all_link: str
    previous: str
    next: str
    zone: str
    queue: str
    mine: bool
    untaken: bool


async def listing(
    session: AsyncSession, request: Request, language: Language, around: Frame, name: str, wanted: Filter
) -> Listing:
    """Filter, sort and cut the open alerts of `alarms` or `work`, and read those that are shown."""
    me = around.viewer.actor.staff
    every = [mark for mark in around.marks if mark.listed == (name == "alarms")]
    kept = [mark for mark in every if wanted.keeps(mark, me)]
    begin = (wanted.page - 1) * WINDOW
    window = [mark.id for mark in kept[begin : begin + WINDOW]]
    alerts = await told(session, await alerts_by_id(session, window))
    rows = [row_of(one, around.scope.redaction, language, around.now) for one in alerts]
    more = len(kept) > begin + WINDOW
    base = f"/{language}/{name}"
    return Listing(
        name=name,
        label=say(language, "Work list") if name == "work" else say(language, "Open alarms"),
        source=f"/{language}/live/{name}?{request.url.query}",
        rows=sorted(rows, key=lambda row: row.key),
        total=len(every),
        more=more,
        page=wanted.page,
        outside=sum(mark.tier == "p1" and not wanted.keeps(mark, me) for mark in every),
        filtered=wanted.any,
        clock=seconds_clock(around.now, around.place.tz),
        all_link=base,
        previous=link_with(request, page=str(wanted.page - 1)) if wanted.page > 1 else "",
        next=link_with(request, page=str(wanted.page + 1)) if more else "",
        zone=wanted.zone,
        queue=wanted.queue,
        mine=wanted.mine,
        untaken=wanted.untaken,
    )
