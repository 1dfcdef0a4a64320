"""Equipment: gateways and devices of my zones, when they were last heard, and what was not understood."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from fastapi import APIRouter, Request
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import HTMLResponse

from dashboard.auth.scope import Scope
from dashboard.look.device_words import DeviceShown, shown_device
from dashboard.look.moments import Moment, moment
from dashboard.look.people import joined
from dashboard.look.words import Language
from dashboard.pages.common import Forbidden, Frame, Here, Lang, Person, frame, page
from dashboard.reads.devices import LIMITS, known_devices
from dashboard.reads.place import Names, names, silence_allowed
from drivers.events import Millis
from hub.centre.access import Right
from hub.store.centre_tables import Entry, Gateway, Home

router = APIRouter()
MOST_STRANGE = 20


@dataclass(frozen=True, slots=True)
class HomeShown:
    """A home beside its devices. resident, name: empty for those who may not know."""

    address: str
    resident: str
    name: str


@dataclass(frozen=True, slots=True)
class Box:
    """A gateway."""

    id: str
    name: str
    heard: Moment | None
    unknown: bool


@dataclass(frozen=True, slots=True)
class Strange:
    """Something heard that nobody could read, or from a sender nobody knows."""

    at: Moment
    gateway: str
    link: str
    address: str
    error: str


@router.get("/{lang}/devices")
async def devices(request: Request, lang: Lang, person: Person, web: Here, only: str = "") -> HTMLResponse:
    """All devices of the homes that this person's zones hold."""
    if not person.actor.has(Right.SEE_DEVICES):
        raise Forbidden
    async with web.store.reading() as session:
        around = await frame(session, web, person)
        homes = await homes_in(session, around.scope)
        known = await names(session, homes=homes)
        rows = await _devices(session, around, known, lang)
        boxes = await _boxes(session, {home.gateway for home in homes.values() if home.gateway}, around, lang)
        strange = await _strange(session, {box.id for box in boxes}, homes, around, lang)
    silent = sum(device.unknown for device, _ in rows)
    shown = [row for row in rows if row[0].unknown or only != "silent"]
    return page(
        request,
        lang,
        "devices.html",
        around,
        here="devices",
        devices=shown,
        silent=silent,
        only=only,
        gateways=boxes,
        strange=strange,
    )


async def homes_in(session: AsyncSession, scope: Scope) -> dict[str, Home]:
    """The homes a scope reaches."""
    query = select(Home).order_by(col(Home.address))
    rows = (await session.exec(query)).all()
    return {row.id: row for row in rows if scope.reaches(zone=row.zone, home=row.id)}


async def _devices(
    session: AsyncSession, around: Frame, known: Names, lang: Language
) -> list[tuple[DeviceShown, HomeShown]]:
    found = await known_devices(session, known.homes.keys(), around.now, LIMITS)
    full = around.scope.redaction == "full"
    rows = [
        (
            shown_device(one, around.now, known.tz(one.device.home), lang),
            _home(one.device.home, known, full, lang),
        )
        for one in found
    ]
    return sorted(rows, key=lambda row: (not row[0].unknown, row[1].address, row[0].name))


def _home(home: str, known: Names, full: bool, lang: Language) -> HomeShown:
    people = known.residents.get(home, ()) if full else ()
    return HomeShown(
        address=known.homes[home].address,
        resident=people[0].id if people else "",
        name=joined((person.name for person in people), lang),
    )


async def _boxes(session: AsyncSession, ids: set[str], around: Frame, lang: Language) -> list[Box]:
    rows = (
        await session.exec(select(Gateway).where(col(Gateway.id).in_(ids)).order_by(col(Gateway.name)))
    ).all()
    allowed = silence_allowed(around.place)
    return [
        Box(
            id=row.id,
            name=row.name,
            heard=moment(row.last_heard, around.now, around.place.tz, lang) if row.last_heard else None,
            unknown=_unknown(row.last_heard, around.now, allowed),
        )
        for row in rows
    ]


def _unknown(heard: Millis | None, now: Millis, allowed: Millis) -> bool:
    return heard is None or now - heard > allowed


async def _strange(
    session: AsyncSession, gateways: set[str], homes: Collection[str], around: Frame, lang: Language
) -> list[Strange]:
    """What nobody could read: from unknown senders, and from devices of homes that this person may see."""
    query = (
        select(Entry)
        .where(
            col(Entry.gateway).in_(gateways),
            col(Entry.type).in_(("unknown", "unreadable")),
            col(Entry.home).in_(("", *homes)),
        )
        .order_by(col(Entry.seq).desc())
        .limit(MOST_STRANGE)
    )
    rows = (await session.exec(query)).all()
    return [
        Strange(
            at=moment(row.at, around.now, around.place.tz, lang),
            gateway=row.gateway,
            link=str(row.body.get("link", "")),
            address=str(row.body.get("address", "")),
            error=str(row.body.get("error", "")),
        )
        for row in rows
    ]
