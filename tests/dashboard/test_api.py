"""The JSON API behind the dashboard's own sign-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


async def test_the_api_speaks_for_the_signed_in_person(sign_in: Any, town: Any) -> None:
    """Nils sees his zone's alert, Siri does not."""
    alert = await town.alarm()
    nils, siri = await sign_in("nils"), await sign_in("siri")
    assert str(alert.id) in (await nils.http.get(f"/api/v1/alerts/{alert.id}")).text
    assert (await siri.http.get(f"/api/v1/alerts/{alert.id}")).status_code == 404


async def test_the_api_is_closed_to_strangers(browser: Callable[[], Any], town: Any) -> None:
    """401 without a web session, and its errors are not pages."""
    answer = await browser().get("/api/v1/alerts")
    assert answer.status_code == 401
    assert "json" in answer.headers["content-type"]


async def test_the_api_obeys_the_same_origin_rule(sign_in: Any, town: Any) -> None:
    """A foreign site's form does not reach the desk through the API either."""
    alert = await town.alarm()
    nils = await sign_in("nils")
    path = f"/api/v1/alerts/{alert.id}/take"
    foreign = await nils.http.post(path, json={"version": 1}, headers={"sec-fetch-site": "cross-site"})
    own = await nils.http.post(path, json={"version": 1}, headers={"sec-fetch-site": "same-origin"})
    assert (foreign.status_code, own.status_code) == (403, 200)


async def test_openapi_is_served(browser: Callable[[], Any], town: Any) -> None:
    """The document describes the paths of the API and none of the pages."""
    paths = (await browser().http.get("/api/v1/openapi.json")).json()["paths"]
    assert "/alerts" in paths
    assert not any("lang" in path for path in paths)
