"""Residents: the list of those in my zones, and one resident's page with the timeline."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import HTMLResponse, Response

from dashboard.auth.scope import Scope
from dashboard.auth.sessions import Viewer
from dashboard.look.device_words import DeviceShown, shown_device
from dashboard.look.door_words import DoorShown
from dashboard.look.moments import Moment, moment
from dashboard.look.priority import tier_of
from dashboard.look.rows import Row, row_of
from dashboard.look.words import Language, say
from dashboard.pages import timeline as times
from dashboard.pages.common import (
    Forbidden,
    Frame,
    Here,
    Lang,
    Missing,
    Person,
    frame,
    link_with,
    origin,
    page,
)
from dashboard.pages.door_panel import closed_to, doors_of
from dashboard.pages.looking import look
from dashboard.pages.panel import PersonCard, calls_of, person_card
from dashboard.reads.alerts import OPEN, told, within
from dashboard.reads.devices import LIMITS, Known, known_devices
from dashboard.reads.journal import place_from
from dashboard.reads.place import names
from dashboard.web import Web
from drivers.events import Millis
from hub.centre.access import Right
from hub.store.centre_tables import Alert, Home, Resident

router = APIRouter()
LONGEST_SEARCH = 60


@dataclass(frozen=True, slots=True)
class Listed:
    """One resident of the list. health: the worst of the home's devices, in words."""

    id: str
    name: str
    address: str
    zone: str
    alarms: int
    tier: str
    last: Moment | None
    silent: tuple[str, ...]
    devices: int


@router.get("/{lang}/residents")
async def residents(request: Request, lang: Lang, person: Person, web: Here, q: str = "") -> HTMLResponse:
    """All residents in the person's zones, those with open alarms first."""
    if not person.actor.has(Right.SEE_RESIDENT):
        raise Forbidden
    words = q.strip()[:LONGEST_SEARCH]
    async with web.store.reading() as session:
        around = await frame(session, web, person)
        rows = await _listed(session, around, words, lang)
    template = "residents_rows.html" if request.headers.get("hx-request") else "residents.html"
    return page(request, lang, template, around, here="residents", residents=rows, q=words)


async def _listed(session: AsyncSession, around: Frame, words: str, lang: Language) -> list[Listed]:
    query = select(Resident, Home).where(col(Resident.home) == col(Home.id))
    if not around.scope.everywhere:
        query = query.where(col(Home.zone).in_(around.scope.zones) | col(Home.id).in_(around.scope.homes))
    # Databases fold case differently (SQLite only A to Z), so the words are compared here.
    every = (await session.exec(query.order_by(col(Resident.name)))).all()
    folded = words.casefold()
    found = [
        (resident, home)
        for resident, home in every
        if folded in f"{resident.name}\n{home.address}".casefold()
    ]
    homes = {home.id for _, home in found}
    alarms = await _open_by_home(session, around.scope, homes)
    devices: dict[str, list[Known]] = {}
    for known in await known_devices(session, homes, around.now, LIMITS):
        devices.setdefault(known.device.home, []).append(known)
    last = {home: heard for home in homes if (heard := _last_heard(devices.get(home, [])))}
    zones = (await names(session, homes=())).zones
    rows = [
        Listed(
            id=resident.id,
            name=resident.name,
            address=home.address,
            zone=zones.get(home.zone, home.zone),
            alarms=len(alarms.get(home.id, [])),
            tier=min(alarms.get(home.id, [""])),
            last=moment(last[home.id], around.now, home.tz, lang) if home.id in last else None,
            silent=tuple(
                known.device.name or known.device.id for known in devices.get(home.id, []) if known.silent
            ),
            devices=len(devices.get(home.id, [])),
        )
        for resident, home in found
    ]
    return sorted(rows, key=lambda row: (not row.alarms, row.tier, row.name))


def _last_heard(devices: list[Known]) -> Millis | None:
    """When a home's devices were last heard; what a gateway says of itself is no sign of life."""
    return max((known.heard for known in devices if known.heard is not None), default=None)


async def _open_by_home(session: AsyncSession, scope: Scope, homes: set[str]) -> dict[str, list[str]]:
    query = select(Alert.home, Alert.urgency, Alert.queue).where(
        OPEN, within(scope), col(Alert.home).in_(homes), col(Alert.urgency) != "low"
    )
    by_home: dict[str, list[str]] = {}
    for home, urgency, queue in (await session.exec(query)).all():
        by_home.setdefault(home, []).append(tier_of(urgency, queue))
    return by_home


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentShown:
    """The page of one resident, beside the timeline. no_unlock: why this person unlocks no door from here."""

    card: PersonCard
    home: str
    address: str
    zone: str
    key_box: str
    notes: str
    calls: list[object]
    rows: list[Row]
    devices: list[DeviceShown]
    locks: list[DoorShown]
    no_unlock: str


@router.get("/{lang}/residents/{resident}")
async def resident_page(
    request: Request,
    lang: Lang,
    resident: str,
    person: Person,
    web: Here,
    show: str = "",
    before: str = "",
) -> Response:
    """One resident: what stands now, and the timeline, filtered and paged."""
    async with web.store.reading() as session:
        row, home = await reach(session, resident, person)
    await look(web, person, origin(request), "resident.read", home=home.id, subject=f"resident {row.id}")
    async with web.store.reading() as session:
        around = await frame(session, web, person)
        told_times = await times.timeline(
            session,
            home=home.id,
            scope=around.scope,
            chosen=show,
            before=place_from(before),
            now=around.now,
            tz=home.tz,
            language=lang,
            base=f"/{lang}/residents/{row.id}",
        )
        shown = await _shown(session, row, home, around, web, lang)
    fragment = request.headers.get("hx-request") or request.query_params.get("alone")
    template = "timeline.html" if fragment else "resident.html"
    return page(
        request,
        lang,
        template,
        around,
        here="residents",
        shown=shown,
        timeline=told_times,
        first=not before,
        filters=[
            (word, say(lang, text), link_with(request, show=word or None, before=None))
            for word, (text, _) in times.FILTERS.items()
        ],
        older=link_with(request, before=told_times.older) if told_times.older else "",
        newest=link_with(request, before=None),
    )


async def reach(session: AsyncSession, resident: str, person: Viewer) -> tuple[Resident, Home]:
    """The resident and the home, if this person has business there. Deny comes before does-not-exist."""
    if not person.actor.has(Right.SEE_RESIDENT):
        raise Forbidden
    row = await session.get(Resident, resident)
    home = await session.get(Home, row.home) if row else None
    if row is None or home is None:
        raise Missing
    if not person.actor.may(Right.SEE_RESIDENT, zone=home.zone, home=home.id):
        raise Forbidden(home.id if person.actor.has(Right.EMERGENCY_ACCESS) else "")
    return row, home


async def _shown(
    session: AsyncSession, row: Resident, home: Home, around: Frame, web: Web, lang: Language
) -> ResidentShown:
    mine = select(Alert).where(OPEN, within(around.scope), col(Alert.home) == home.id)
    alerts = await told(session, (await session.exec(mine)).all())
    rows = [row_of(one, around.scope.redaction, lang, around.now) for one in alerts]
    devices = await known_devices(session, {home.id}, around.now, LIMITS)
    zones = (await names(session, homes=())).zones
    return ResidentShown(
        card=person_card(row, around.now, home.tz),
        home=home.id,
        address=home.address,
        zone=zones.get(home.zone, home.zone),
        key_box=str(home.body.get("key_box", "")),
        notes=str(home.body.get("notes", "")),
        calls=list(calls_of([row], lang)),
        rows=sorted(rows, key=lambda one: one.key),
        devices=[shown_device(known, around.now, home.tz, lang) for known in devices],
        locks=await doors_of(session, home, web, lang),
        no_unlock=await closed_to(session, around.viewer, lang),
    )
