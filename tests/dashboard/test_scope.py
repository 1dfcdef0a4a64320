"""Nobody sees a resident they have no business with: pages, actions and stream, taken from the route table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlmodel import select

from dashboard.app import PARTS
from hub.store.centre_tables import Alert, Audit, EmergencyAccess
from hub.store.engine import Store

SECRETS = (
    "Astrid",
    "Solveig",
    "Storgata",
    "Lillegata",
    "4711",
    "+4755101010",
    "Fall oppdaget",
    "Fall detected",
)
FILL = {
    "lang": "nb",
    "number": "1",
    "resident": "astrid",
    "name": "take",
    "home": "h1",
    "identity": "x",
    "device": "lock-1",
}

OTHERWISE = {"/{lang}/live", "/{lang}/emergency/{home}"}
"""The stream never ends, and emergency access is there to open a closed home: both have tests of their own."""


def routes() -> list[tuple[str, str]]:
    """Every method and address of the dashboard, filled with what lies in zone Nord."""
    table = [
        (method, route.path.format(**FILL))
        for part in PARTS
        for route in part.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
        if route.path not in OTHERWISE
    ]
    assert len(table) >= 19
    return table


@pytest.mark.parametrize("who", ["olga", "siri"])
async def test_no_route_tells_of_another_zone(sign_in: Any, town: Any, store: Store, who: str) -> None:
    """Olga has no role and Siri works in the other zone: no address answers with anything from zone Nord."""
    await town.alarm()
    await town.alarm(home="h2", device="pendant-2")
    for method, path in routes():
        browser = await sign_in(who)
        fields = {"version": 1, "token": "x", "reason": "curious", "cause": "other", "measure": "visit"}
        send = browser.get if method == "GET" else browser.post
        answer = await (send(path) if method == "GET" else send(path, **fields))
        assert answer.status_code != 500, path
        for secret in SECRETS:
            assert secret not in answer.text, (method, path, secret)
    async with store.reading() as session:
        assert {alert.handling for alert in (await session.exec(select(Alert))).all()} == {"new"}


async def test_olga_sees_nothing_at_all(sign_in: Any, town: Any) -> None:
    """Without a role the pages are there, and empty; the closed ones are closed."""
    await town.alarm()
    olga = await sign_in("olga")
    assert "Ingen åpne alarmer" in (await olga.get("/nb/alarms")).text
    for path in ("alarms/1", "residents/astrid", "residents", "devices"):
        assert (await olga.get(f"/nb/{path}")).status_code in {403, 404}, path


async def test_every_page_is_closed_without_a_session(browser: Callable[[], Any], town: Any) -> None:
    """Deny by default: only sign-in, health and the bare address answer a stranger."""
    await town.alarm()
    open_to_all = {"/healthz", "/readyz", "/metrics", "/", "/nb/sign-in"}
    for method, path in routes():
        if path in open_to_all:
            continue
        stranger = browser()
        answer = await (
            stranger.get(path) if method == "GET" else stranger.post(path, version=1, reason="x y z")
        )
        assert answer.status_code in {303, 401}, (method, path)
        assert "sign-in" in answer.headers.get("location", "sign-in")


async def test_siri_may_open_a_home_outside_her_zone_with_a_reason(
    sign_in: Any, town: Any, store: Store
) -> None:
    """403 with a form; the stated reason opens the home for a while, and stands in the trail."""
    await town.alarm()
    siri = await sign_in("siri")
    refused = await siri.get("/nb/residents/astrid")
    assert refused.status_code == 403
    assert "Du har ikke tilgang til denne beboeren. Nødtilgang?" in refused.text
    assert "Astrid" not in refused.text
    assert (await siri.post("/nb/emergency/h1", reason="  ")).status_code in {403, 422}
    assert (await siri.post("/nb/emergency/h1", reason="Ringer og er forvirret")).status_code == 303
    assert "Astrid Berg" in (await siri.get("/nb/residents/astrid")).text
    assert "Fall oppdaget" in (await siri.get("/nb/alarms")).text
    async with store.reading() as session:
        deed = (await session.exec(select(Audit).where(Audit.action == "access.emergency"))).one()
        row = (await session.exec(select(EmergencyAccess))).one()
    assert (deed.actor, deed.home, deed.why) == ("siri", "h1", "Ringer og er forvirret")
    assert row.until - row.at == 8 * 3_600_000


async def test_who_may_not_ask_for_emergency_access_gets_no_form(sign_in: Any, town: Any) -> None:
    """A carer outside the zone reads that there is no access, and the server refuses the form anyway."""
    mette = await sign_in("mette")
    refused = await mette.get("/nb/residents/olav")
    assert refused.status_code == 403
    assert "<textarea" not in refused.text
    assert (await mette.post("/nb/emergency/h3", reason="Ringer og er forvirret")).status_code == 403
    assert (await mette.get("/nb/residents/olav")).status_code == 403
