"""S1, the list of alarms, and the work list: whole pages, and the rows alone for a re-sync."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import HTMLResponse

from dashboard.look.moments import seconds_clock
from dashboard.pages import panel
from dashboard.pages.common import Frame, Here, Lang, Person, frame, link_with, origin, page
from dashboard.pages.listing import Filter, filter_of, listing
from hub.store.centre_tables import Zone

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ZonePick:
    """One zone to filter by."""

    name: str
    link: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Picks:
    """The filter chips: what is chosen, and where each leads."""

    any: bool
    mine: bool
    untaken: bool
    queue: str
    queues: bool
    zones: list[ZonePick]
    all_link: str
    mine_link: str
    untaken_link: str
    technical_link: str


@router.get("/{lang}/alarms")
async def alarms(request: Request, lang: Lang, person: Person, web: Here, open: str = "") -> HTMLResponse:  # noqa: A002
    """S1. `?open=17` shows that alarm beside the list, for wide screens."""
    opened = int(open) if open.isascii() and open.isdigit() and len(open) < 19 else 0
    shown = await panel.read(web, person, lang, opened, origin(request)) if opened else None
    wanted = filter_of(request.query_params)
    async with web.store.reading() as session:
        around = await frame(session, web, person)
        rows = await listing(session, request, lang, around, "alarms", wanted)
        filters = await _picks(session, request, around, wanted)
    return page(
        request,
        lang,
        "alarms.html",
        around,
        here="alarms",
        listing=rows,
        filters=filters,
        panel=shown,
        opened=opened if shown else 0,
        says="",
        heading="h2",
        clock=seconds_clock(around.now, around.place.tz),
    )


@router.get("/{lang}/work")
async def work(request: Request, lang: Lang, person: Person, web: Here) -> HTMLResponse:
    """The work list: what is not urgent, to be done by the end of the shift."""
    async with web.store.reading() as session:
        around = await frame(session, web, person)
        rows = await listing(session, request, lang, around, "work", filter_of(request.query_params))
    return page(request, lang, "work.html", around, here="work", listing=rows)


@router.get("/{lang}/live/{name}")
async def rows_alone(request: Request, lang: Lang, name: str, person: Person, web: Here) -> HTMLResponse:
    """The rows with their cursor: what a page fetches to be in step again. `none`: only cursor and counts."""
    async with web.store.reading() as session:
        around = await frame(session, web, person)
        if name not in {"alarms", "work"}:
            return page(request, lang, "board_alone.html", around)
        rows = await listing(session, request, lang, around, name, filter_of(request.query_params))
    return page(request, lang, "rows_fragment.html", around, listing=rows)


async def _picks(session: AsyncSession, request: Request, around: Frame, wanted: Filter) -> Picks:
    rows = (await session.exec(select(Zone).order_by(col(Zone.name)))).all()
    seen = [row for row in rows if around.scope.everywhere or row.id in around.scope.zones]
    zones = [
        ZonePick(
            row.name,
            link_with(request, zone=None if row.id == wanted.zone else row.id, page=None, open=None),
            row.id == wanted.zone,
        )
        for row in seen
    ]

    def toggled(name: str, value: str, chosen: bool) -> str:
        return link_with(request, **{name: None if chosen else value, "page": None, "open": None})

    return Picks(
        any=wanted.any,
        mine=wanted.mine,
        untaken=wanted.untaken,
        queue=wanted.queue,
        queues=len(around.scope.queues) > 1,
        zones=zones if len(zones) > 1 else [],
        all_link=request.url.path,
        mine_link=toggled("mine", "1", wanted.mine),
        untaken_link=toggled("untaken", "1", wanted.untaken),
        technical_link=toggled("queue", "technical", wanted.queue == "technical"),
    )
