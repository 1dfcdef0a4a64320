"""What every request of the API needs: the database, the clock, the desk, and who asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeAlias, cast

from fastapi import Depends, Request

from drivers.events import Millis
from hub.api.problems import SIGN_IN, ProblemError
from hub.centre.access import Actor
from hub.centre.alerts.desk import AlertDesk
from hub.clock import Clock
from hub.store.engine import Store

WhoAsks: TypeAlias = Callable[[Request], Awaitable[Actor | None]]
"""Finds the person behind a request, from its web session; None when nobody is signed in."""


@dataclass(frozen=True, slots=True)
class Api:
    """What the API stands on. who: given by the web process. changed: told after every change."""

    store: Store
    clock: Clock
    desk: AlertDesk
    who: WhoAsks
    changed: Callable[[], None] = lambda: None

    def now(self) -> Millis:
        """The homes' time."""
        return self.clock.now()


def api_of(request: Request) -> Api:
    """What this request stands on."""
    return cast("Api", request.app.state.api)


async def signed_in(request: Request) -> Actor:
    """The person who asks. A request without a web session ends here."""
    actor = await api_of(request).who(request)
    if actor is None:
        raise ProblemError(401, "signed-out", SIGN_IN)
    return actor


def origin(request: Request) -> str:
    """Where the request came from, for the trail."""
    return f"api {request.client.host}" if request.client else "api"


Here = Annotated[Api, Depends(api_of)]
Person = Annotated[Actor, Depends(signed_in)]
Origin = Annotated[str, Depends(origin)]
