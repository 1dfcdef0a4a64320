"""The API as an application of its own, which the web process mounts at /api/v1.

    app.mount("/api/v1", make_api(Api(store, clock, desk, who=person_behind, changed=feed.nudge)))

Its OpenAPI document is /api/v1/openapi.json.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api import alerts, devices, gateways, homes, problems, quarantine, rules
from hub.api.context import Api

__all__ = ["Api", "make_api"]

DESCRIPTION = """
Alerts, residents, homes, devices and gateways of one municipality's centre.

* Every request speaks for the person of its web session and sees what that person may see; the rest does not exist.
* Every action on an alert names the `version` it is based on; a stale one is answered 409 with who did what.
* Times are ISO 8601 in UTC, on the homes' clock. Texts for people come in Norwegian (`nb`) and English (`en`).
* Errors are `application/problem+json` (RFC 9457), each with a sentence in both languages.
"""

INDEX = {
    "nb": "Dette er adressen for programmer. Alle kall, felt og svar er beskrevet i OpenAPI-dokumentet.",
    "en": "This is the address for programs. The OpenAPI document describes every call, field and answer.",
}

TAGS = [
    {"name": "alerts", "description": "Something a person must answer."},
    {"name": "residents", "description": "People living in homes. Every look is audited."},
    {"name": "journal", "description": "The append-only record of a home. Every look is audited."},
    {
        "name": "devices",
        "description": "What is installed, what is known of it, and asking it for something.",
    },
    {"name": "gateways", "description": "The boxes in the homes, and how far their reports have come in."},
    {"name": "quarantine", "description": "What gateways sent and nobody could read, for technicians."},
    {
        "name": "rules",
        "description": "Why an alert is there, why one is not, and what if. Every look is audited.",
    },
    {"name": "registry", "description": "Everything registered, as one file."},
    {"name": "me", "description": "Who asks."},
]


def make_api(api: Api) -> FastAPI:
    """The application; it needs nothing but what `api` holds."""
    app = FastAPI(
        title="Trygghub",
        version=_version(),
        summary="JSON API of a trygghub centre",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.api = api
    for part in (alerts, homes, devices, gateways, quarantine, rules):
        app.include_router(part.router)
    app.add_api_route("/", index, include_in_schema=False)
    problems.install(app)
    app.add_middleware(NeverStored)
    return app


async def index(request: Request) -> JSONResponse:
    """Where things are, for whoever opens the bare address; as public as the OpenAPI document itself."""
    app: FastAPI = request.app
    at = request.scope.get("root_path", "")
    routes = [
        {"method": method.upper(), "path": at + path, "summary": route["summary"]}
        for path, methods in app.openapi()["paths"].items()
        for method, route in methods.items()
    ]
    told = {
        "title": app.title,
        "version": app.version,
        "openapi": f"{at}/openapi.json",
        "says": INDEX,
        "docs": DESCRIPTION.strip(),
        "routes": routes,
    }
    return JSONResponse(told)


class NeverStored:
    """Nothing here may rest in a cache: it is about people. Pure ASGI: it wraps no body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the header to every answer that has none."""

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, mark)


def _version() -> str:
    try:
        return version("trygghub")
    except PackageNotFoundError:
        return "0"
