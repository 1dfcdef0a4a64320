"""The web application: layers around every request, the pages, the live stream, the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from dashboard.live import endpoint
from dashboard.live.feed import Feed
from dashboard.live.nudge import hints
from dashboard.look.paint import write_row
from dashboard.look.static import FOLDER, LastingFiles, fingerprint
from dashboard.look.words import preferred
from dashboard.pages import (
    actions,
    alarm,
    alarms,
    devices,
    doors,
    errors,
    health,
    me,
    residents,
    sign_in,
    what_if,
    why_not,
)
from dashboard.pages.common import SignedOut, person_behind
from dashboard.web import Web
from dashboard.wire.bounds import BodyBound
from dashboard.wire.headers import SecurityHeaders
from dashboard.wire.request_id import RequestId
from dashboard.wire.same_origin import SameOrigin
from hub.api import Api, make_api
from hub.centre.access import Actor
from hub.centre.alerts.desk import AlertDesk
from hub.clock import Clock, SystemClock
from hub.store.engine import Store

PARTS = (health, sign_in, alarms, alarm, actions, doors, residents, why_not, what_if, devices, me, endpoint)
LAYERS = (RequestId, SecurityHeaders, SameOrigin, BodyBound)
"""From the outside in. gzip comes innermost; it leaves `text/event-stream` alone."""


def make_web(
    store: Store, clock: Clock, real: Clock | None = None, loop_time: Callable[[], float] | None = None
) -> Web:
    """Put a web process together. real, loop_time: the machine's clock and the loop's, others in tests."""
    real = real or SystemClock()
    feed = Feed(store, clock, real, write_row, loop_time or (lambda: asyncio.get_running_loop().time()))
    return Web(store, clock, real, AlertDesk(store, clock, changed=feed.nudge), feed)


def make_app(web: Web, broker: str | None = None) -> FastAPI:
    """The application. broker: where hints come from; without one the database is read once a second."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(web.feed.follow(), name="follow")]
        tasks.append(asyncio.create_task(web.feed.beat_for_ever(), name="heartbeat"))
        if broker:
            tasks.append(asyncio.create_task(hints(broker, web.feed.nudge).run(), name="hints"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await web.studies.end()

    async def who(request: Request) -> Actor | None:
        """The person behind a request of the API: the same web session, the same access."""
        try:
            return (await person_behind(web, request)).actor
        except SignedOut:
            return None

    app = FastAPI(
        title="Trygghub",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.web = web
    app.mount(f"/static/{fingerprint()}", LastingFiles(directory=FOLDER), name="static")
    app.mount("/api/v1", make_api(Api(web.store, web.clock, web.desk, who=who, changed=web.feed.nudge)))
    for part in PARTS:
        app.include_router(part.router, include_in_schema=False)
    app.add_api_route("/", home, include_in_schema=False)
    errors.install(app)
    return app


def layered(app: ASGIApp) -> ASGIApp:
    """The application inside its layers; also an answer to a fault of ours gets its headers."""
    app = GZipMiddleware(app, minimum_size=1000)
    for layer in reversed(LAYERS):
        app = layer(app)
    return app


async def home(request: Request) -> Response:
    """The bare address leads to the alarms, in the language the browser asks for."""
    return RedirectResponse(
        f"/{preferred(request.headers.get('accept-language', ''))}/alarms", status_code=303
    )
