"""Asking the rules in a real browser: why no alarm, what would have happened, and an outage of an area."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete
from sqlmodel import col

from hub.store.centre_tables import Entry
from tests.browser.axe import violations

MINUTE, HOUR = 60_000, 3_600_000
LAPTOP, PHONE = {"width": 1366, "height": 900}, {"width": 390, "height": 844}
SIZES = {"laptop": LAPTOP, "phone": PHONE}
ASTRID = "/nb/residents/astrid"
QUESTION = f"{ASTRID}/what-if?days=7&dose_time=40+min"


async def doses(house: Any) -> None:
    """Yesterday a dose was taken out fifty minutes late; one is due since twenty minutes."""
    town, now = house.town, house.town.clock.now()
    async with house.store.writing() as session:
        await session.exec(delete(Entry).where(col(Entry.device) == "dispenser-1"))
    for ago, dose in ((30 * HOUR, "late"), (20 * MINUTE, "due")):
        await town.hear("dispenser.due", "h1", "dispenser-1", ago=ago, dose=dose, planned=now - ago)
    await town.hear("dispenser.dispensed", "h1", "dispenser-1", ago=30 * HOUR - 50 * MINUTE, dose="late")


async def test_why_no_alarm_is_asked_from_the_residents_page(house: Any, enter: Any) -> None:
    """By link, by choosing and by a button; the answer is in sentences."""
    await doses(house)
    nils = await enter(house)
    page = await nils.open(ASTRID)
    await page.get_by_role("link", name="Hvorfor ingen alarm?").click()
    await page.get_by_label("Alarmen som ikke kom").select_option("missed-dose")
    await page.get_by_role("button", name="Spør").click()
    answer = page.locator("#answer")
    await answer.wait_for()
    assert "venter siden" in await answer.inner_text()
    assert await page.get_by_role("link", name="Hva ville ha skjedd?").count() == 0


async def test_what_would_have_happened(house: Any, enter: Any) -> None:
    """Another limit is written beside the one that holds, and the alarm it would have raised is listed."""
    await doses(house)
    eva = await enter(house, "eva")
    page = await eva.open(ASTRID)
    await page.get_by_role("link", name="Hva ville ha skjedd?").click()
    await page.get_by_label("Tid til å ta en dose", exact=True).fill("40 minutter")
    await page.get_by_label("Hvor langt tilbake?").select_option("7")
    await page.get_by_role("button", name="Spør").click()
    await page.get_by_role("heading", name="Nye").wait_for()
    text = await page.locator("#answer").inner_text()
    assert "40 min i stedet for 1 t" in text
    assert "Astrid Berg har ikke tatt ut medisinen" in text


async def test_progress_turns_into_the_answer_by_itself(house: Any, enter: Any) -> None:
    """While it is worked on the page shows how far it is, and puts the answer in place without being loaded anew."""
    await doses(house)
    eva = await enter(house, "eva")
    asked: list[str] = []

    async def slowly(route: Any) -> None:
        """The first answer is one of a process that still reads; later ones are its own."""
        asked.append(route.request.headers.get("hx-request", ""))
        answer = await route.fetch()
        body = await answer.text()
        if not asked[-1]:
            begin, end = (
                body.index('<section id="answer"'),
                body.index("</section>", body.index('id="answer"')),
            )
            body = body[:begin] + UNDER_WAY + body[end + len("</section>") :]
        await route.fulfill(response=answer, body=body)

    await eva.page.route(f"**{QUESTION}", slowly)
    page = await eva.open(QUESTION)
    assert await page.locator("progress").get_attribute("value") == "37"
    await page.get_by_role("heading", name="Nye").wait_for()
    assert await page.locator("progress").count() == 0
    assert asked == ["", "true"]


UNDER_WAY = (
    '<section id="answer" class="card" aria-label="Svar" aria-busy="true" '
    f'hx-get="{QUESTION.replace("&", "&amp;")}" hx-trigger="load delay:1s" hx-target="this" hx-swap="outerHTML">'
    '<progress max="100" value="37" aria-label="Hvor langt det er kommet">37 %</progress></section>'
)
"""What the page shows of a question under way; that it does is a test of the dashboard's own."""


async def test_without_script_both_questions_are_answered(house: Any, scriptless: Any) -> None:
    """Ordinary forms: the address holds the question, the page the answer."""
    await doses(house)
    page = await scriptless(house, "eva")
    await page.goto(f"{house.address}{ASTRID}/why-not")
    await page.select_option("#rule", "missed-dose")
    await page.click("form.ask button")
    assert "venter siden" in await page.inner_text("#answer")
    await page.goto(f"{house.address}{ASTRID}/what-if")
    await page.fill("#p-dose_time", "40 min")
    await page.select_option("#days", "7")
    await page.click("form.ask button")
    await page.get_by_role("heading", name="Nye").wait_for()


async def test_an_outage_is_one_alarm_with_its_homes(house: Any, enter: Any) -> None:
    """It stands before the homes' own, which lead to it; its page leads to each of them."""
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    area = await house.town.outage()
    fall = await house.town.alarm()
    await page.locator(f"#a{fall.id}").wait_for()
    await page.locator(f"#a{area.id - 1}").wait_for()
    await page.reload()
    await page.wait_for_selector("#conn[data-state=live]")
    order = await page.evaluate("[...document.querySelectorAll('.row')].map(row => row.id)")
    assert order == [f"a{area.id}", f"a{fall.id}", f"a{area.id - 2}", f"a{area.id - 1}"]
    await page.locator(f"#a{area.id - 1}").get_by_role("link", name="Del av et utfall").click()
    await page.locator(f"#panel[data-id='{area.id}']").wait_for()
    await page.locator(".homes").get_by_role("link", name="Solveig Ødegård").first.click()
    await page.wait_for_url(f"**/alarms/{area.id - 1}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["laptop", "phone"])
async def test_axe_finds_nothing(house: Any, enter: Any, axe_source: str, scheme: str, size: str) -> None:
    """No violation of WCAG 2.2 AA on any of these pages: forms, answers, mistakes, an outage."""
    await doses(house)
    area = await house.town.outage()
    look = {"color_scheme": scheme, "viewport": SIZES[size], "reduced_motion": "reduce", "bypass_csp": True}
    eva = await enter(house, "eva", **look)
    paths = (
        f"{ASTRID}/why-not?rule=missed-dose",
        f"{ASTRID}/why-not?rule=fall&at=2999-01-01T00:00",
        f"{ASTRID}/what-if",
        QUESTION,
        f"{QUESTION}&pulse_high=x",
        f"/nb/alarms/{area.id}",
        "/nb/alarms",
    )
    found = {}
    for path in paths:
        page = await eva.open(path)
        await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found[path] = await violations(page, axe_source)
    assert not any(found.values()), "\n".join(
        f"{path}: {line}" for path, lines in found.items() for line in lines
    )


@pytest.mark.parametrize("width", [320, 390, 768])
async def test_nothing_scrolls_sideways(house: Any, enter: Any, width: int) -> None:
    """Reflow at 320 px, on a phone and on a tablet, also with text at twice the size."""
    await doses(house)
    area = await house.town.outage()
    eva = await enter(house, "eva", viewport={"width": width, "height": 700})
    for path in (f"{ASTRID}/why-not?rule=missed-dose", QUESTION, f"/nb/alarms/{area.id}", "/nb/alarms"):
        page = await eva.open(path)
        for size in ("100%", "200%") if width != 320 else ("100%",):
            wide = await page.evaluate(
                "(size) => { document.documentElement.style.fontSize = size;"
                " document.querySelectorAll('details').forEach(one => one.open = true);"
                " return document.documentElement.scrollWidth - innerWidth }",
                size,
            )
            assert wide <= 0, (path, size)
