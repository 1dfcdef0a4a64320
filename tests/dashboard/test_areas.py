"""An outage of an area on the screens: one alarm with its homes, and each home's own, which points to it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from hub.store.centre_tables import Audit
from hub.store.engine import Store


async def test_the_list_has_the_outage_and_every_home(sign_in: Any, town: Any) -> None:
    """Nothing is hidden: three rows; the homes' own say what they are part of and name no next step of their own."""
    area = await town.outage()
    text = (await (await sign_in("nils")).get("/nb/alarms")).text
    assert "Strøm eller nett kan være ute i Nord" in text
    assert "2 hjemmesentraler" in text
    assert text.count("Del av et utfall") == 2
    assert text.count(f'href="/nb/alarms/{area.id}"') >= 3
    assert text.count("data-next=") == 1


async def test_the_outages_page_lists_its_homes(sign_in: Any, town: Any, store: Store) -> None:
    """Who lives there, what calls for care, the number to call, and a way to each home's own alarm; audited."""
    area = await town.outage()
    text = (await (await sign_in("nils")).get(f"/nb/alarms/{area.id}")).text
    for word in (
        "Hjem i utfallet",
        "Astrid Berg",
        "Bruker blodfortynnende",
        "tel:+4755101010",
        "Solveig Ødegård",
    ):
        assert word in text
    assert "hjemmesentralen er taus" in text
    assert "Ingen beboer er registrert" not in text
    assert "Storgata 1" in text
    async with store.reading() as session:
        looks = (await session.exec(select(Audit).where(Audit.action == "alert.read"))).all()
    assert [(row.actor, row.subject) for row in looks] == [("nils", f"alert {area.id}")]


async def test_why_an_outage_is_there(sign_in: Any, town: Any) -> None:
    """What the gateways last said, each with its address."""
    area = await town.outage()
    text = (await (await sign_in("nils")).get(f"/nb/alarms/{area.id}")).text
    why = text[text.index("Hvorfor") :]
    assert "Den bygger på disse hendelsene:" in why
    assert "Lillegata 2" in why


async def test_a_home_points_to_its_outage(sign_in: Any, town: Any) -> None:
    """With what that means for who is told."""
    area = await town.outage()
    text = (await (await sign_in("nils")).get(f"/nb/alarms/{area.id - 1}")).text
    assert f'href="/nb/alarms/{area.id}">Del av et utfall i området' in text
    assert "Det varsles om utfallet, ikke om dette hjemmet for seg." in text


async def test_a_technician_sees_where_but_not_who(sign_in: Any, town: Any) -> None:
    """The sentence on an area names nobody, so it is shown; addresses yes, names, warnings and numbers no."""
    area = await town.outage()
    tor = await sign_in("tor")
    assert "Strøm eller nett kan være ute i Nord" in (await tor.get("/nb/alarms")).text
    text = (await tor.get(f"/nb/alarms/{area.id}")).text
    assert "Storgata 1" in text
    for secret in ("Astrid", "blodfortynnende", "4755101010", "4711"):
        assert secret not in text


@pytest.mark.parametrize("who", ["olga", "siri"])
async def test_nobody_else_sees_it(sign_in: Any, town: Any, who: str) -> None:
    """Neither without a role nor from another zone, in the list or by its number."""
    area = await town.outage()
    browser = await sign_in(who)
    assert (await browser.get(f"/nb/alarms/{area.id}")).status_code == 404
    text = (await browser.get("/nb/alarms")).text
    assert "kan være ute" not in text


async def test_it_is_told_live(sign_in: Any, town: Any, listen: Any, look: Any) -> None:
    """An open list hears of the outage and of the homes that joined it."""
    ear = await listen(await sign_in("nils"))
    await town.outage()
    await look()
    rows = {one["id"]: one["html"] for one in ear.of("a")}
    assert sum("Del av et utfall" in html for html in rows.values()) == 2
    assert sum("2 hjemmesentraler" in html for html in rows.values()) == 1
