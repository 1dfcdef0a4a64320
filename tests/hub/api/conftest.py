"""The API over the cast's centre, with a header that says who asks in place of a web session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import httpx
import pytest
from fastapi import Request

from hub.api import Api, make_api
from hub.centre.access import Actor, actor_of

Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def ask(store, clock, desk) -> AsyncIterator[Ask]:
    """Give a function that asks the API as somebody."""

    async def who(request: Request) -> Actor | None:
        async with store.reading() as session:
            actor = await actor_of(session, request.headers.get("x-test-person", ""), clock.now())
        return actor and replace(actor, login_age=float(request.headers.get("x-test-login-age", 60)))

    app = make_api(Api(store, clock, desk, who))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://centre") as client:

        async def send(
            person: str, method: str, path: str, login_age: float = 60, **options: object
        ) -> httpx.Response:
            headers = {"x-test-person": person, "x-test-login-age": str(login_age)}
            return await client.request(method, path, headers=headers, **options)

        yield send
