"""The live list: alarms come, change hands and go without a reload."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect
from sqlmodel import select

from hub.store.centre_tables import Alert

MINUTE = 60_000


async def shown(page: Page) -> list[int]:
    """The numbers of the rows, in the order they stand."""
    return await page.evaluate(
        "[...document.querySelectorAll('#rows > li')].map(row => Number(row.id.slice(1)))"
    )


async def in_step(house: Any, page: Page, eventually: Any) -> None:
    """What stands in the page is what stands in the database, version by version; both are read anew each time."""

    async def both() -> tuple[dict[str, str], dict[str, str]]:
        async with house.store.reading() as session:
            query = select(Alert).where(Alert.handling != "resolved", Alert.zone == "nord")
            rows = (await session.exec(query)).all()
        shown = await page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('#rows > li:not([data-gone])')]"
            ".map(row => [row.id.slice(1), row.dataset.ver]))"
        )
        return shown, {str(row.id): str(row.version) for row in rows}

    await eventually(both, lambda found: found[0] == found[1])


async def test_a_new_alarm_appears_in_an_empty_list(house: Any, enter: Any) -> None:
    """By itself, with its sentence, and the empty text gone (trap 15); `tests/bench/dom_latency` says how soon."""
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    await expect(page.locator("#empty")).to_contain_text("Ingen åpne alarmer. Sist oppdatert")
    alert = await house.town.alarm()
    row = page.locator(f"#a{alert.id}")
    await expect(row).to_contain_text("Fall oppdaget")
    await expect(row).to_contain_text("Astrid Berg")
    await expect(page.locator("#empty")).to_be_hidden()
    await expect(page.locator('[data-count-untaken="p1"]')).to_have_text("1")
    await expect(page.locator('[data-badge="untaken"]')).to_have_text("1")
    await expect(page.locator("#say-now")).to_contain_text("Fall oppdaget, Astrid Berg")


async def test_each_alarm_takes_its_place_first_middle_and_last(
    house: Any, enter: Any, eventually: Any
) -> None:
    """Order by key, whatever order they come in; the one that sorts last is really there."""
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    warning = await house.town.alarm("dispenser.missed", "h1", "dispenser-1", ago=10 * MINUTE)
    notice = await house.town.alarm("door.opened", "h2", "lock-2", ago=5 * MINUTE)
    young = await house.town.alarm("pendant.pressed", "h1")
    old = await house.town.alarm("pendant.fall", "h2", "pendant-2", ago=3 * MINUTE)
    jam = await house.town.alarm("lock.jammed", "h2", "lock-2", queue="technical", ago=60 * MINUTE)
    wanted = [old.id, young.id, warning.id, notice.id, jam.id]
    assert await eventually(lambda: shown(page), lambda found: found == wanted)


async def test_taken_in_one_browser_changes_in_the_other(house: Any, enter: Any) -> None:
    """The button is gone there and the name stands in its place; here the row is marked as mine."""
    alert = await house.town.alarm()
    nils, mette = await enter(house, "nils"), await enter(house, "mette")
    for who in (nils, mette):
        await who.open("/nb/alarms")
    await nils.page.click(f"#b{alert.id}")
    await expect(mette.page.locator(f"#a{alert.id}")).to_contain_text("Nils Berge har tatt den")
    await expect(mette.page.locator(f"#a{alert.id} form")).to_have_count(0)
    await expect(mette.page.locator(f"#a{alert.id}")).to_have_attribute("data-mine", "0")
    await expect(nils.page.locator(f"#a{alert.id}")).to_have_attribute("data-mine", "1")
    await expect(nils.page.locator(f"#b{alert.id}")).to_contain_text("Avslutt …")
    await expect(nils.page.locator("#toast")).to_contain_text("Du har tatt alarmen.")


async def test_undo_within_ten_seconds(house: Any, enter: Any) -> None:
    """The toast takes it back, in this browser and in the other."""
    alert = await house.town.alarm()
    nils, mette = await enter(house, "nils"), await enter(house, "mette")
    await nils.open("/nb/alarms")
    await mette.open("/nb/alarms")
    await nils.page.click(f"#b{alert.id}")
    await nils.page.click("#toast button")
    for who in (nils, mette):
        await expect(who.page.locator(f"#a{alert.id}")).to_have_attribute("data-handling", "new")


async def test_of_two_takes_at_the_same_moment_one_wins(house: Any, enter: Any, eventually: Any) -> None:
    """One 200, one 409; the loser reads who was first, beside the button, and sees the row as it is."""
    alert = await house.town.alarm()
    people = [await enter(house, who) for who in ("nils", "mette")]
    answers: list[int] = []
    together = asyncio.Barrier(2)

    async def hold(route: Route) -> None:
        await together.wait()
        await route.continue_()

    for who in people:
        await who.open("/nb/alarms")
        await who.page.route("**/take", hold)
        who.page.on("response", lambda answer: "/take" in answer.url and answers.append(answer.status))
    await asyncio.gather(*(who.page.click(f"#b{alert.id}") for who in people))
    for who in people:
        await expect(who.page.locator(f"#a{alert.id}")).to_contain_text("har tatt den")

    async def answered() -> list[int]:
        return sorted(answers)

    await eventually(answered, lambda found: found == [200, 409])

    async def told() -> int:
        said = [await who.page.locator(".says").all_inner_texts() for who in people]
        return sum("tok den kl." in "".join(texts) for texts in said)

    await eventually(told, lambda number: number == 1)


async def test_a_refusal_outlives_the_next_picture_of_its_row(house: Any, enter: Any) -> None:
    """The sentence beside the button stays to be read when the stream changes the row right behind it."""
    alert = await house.town.alarm()
    nils, mette = await enter(house, "nils"), await enter(house, "mette")

    async def refuse(route: Route) -> None:
        await route.fulfill(status=409, json={"says": "Mette Holm tok den kl. 12:00."})

    await nils.open("/nb/alarms")
    await nils.page.route("**/take", refuse)
    await nils.page.click(f"#b{alert.id}")
    said = nils.page.locator(f"#a{alert.id} .says")
    await expect(said).to_contain_text("Mette Holm tok den")
    await mette.open("/nb/alarms")
    await mette.page.click(f"#b{alert.id}")
    await expect(nils.page.locator(f"#a{alert.id}")).to_have_attribute("data-handling", "taken")
    await expect(said).to_contain_text("Mette Holm tok den")


async def test_a_closed_alarm_leaves_every_list(house: Any, enter: Any) -> None:
    """Closed with cause and measure on its page; the list in the other browser is empty and says so."""
    alert = await house.town.alarm()
    nils, mette = await enter(house, "nils"), await enter(house, "mette")
    await mette.open("/nb/alarms")
    page = await nils.open(f"/nb/alarms/{alert.id}")
    await page.click("form[data-act=take] button")
    await page.click("text=På vei")
    await expect(page.locator("[aria-pressed=true]")).to_contain_text("På vei")
    await page.click("#resolve summary")
    await page.select_option("select[name=cause]", "fall_unhurt")
    await page.select_option("select[name=measure]", "visit")
    await page.fill("textarea[name=note]", "Satt på gulvet, uskadd.")
    await page.click("#resolve button")
    await expect(page.locator("#actions")).to_contain_text("Fall uten skade")
    await expect(page.locator("#panel")).to_contain_text("Satt på gulvet, uskadd.")
    await expect(mette.page.locator("#empty")).to_be_visible()
    assert await shown(mette.page) == []


async def test_the_row_in_hand_stays_where_it_is(house: Any, enter: Any, eventually: Any) -> None:
    """A focused row is changed in place and never moved; the pill applies the new order, the focus stays."""
    first = await house.town.alarm(ago=9 * MINUTE)
    second = await house.town.alarm(home="h2", device="pendant-2", ago=5 * MINUTE)
    nils, mette = await enter(house, "nils"), await enter(house, "mette")
    page = await nils.open("/nb/alarms")
    await mette.open("/nb/alarms")
    await page.focus(f"#t{first.id}")
    await mette.page.click(f"#b{first.id}")
    await expect(page.locator(f"#a{first.id}")).to_contain_text("Mette Lie har tatt den")
    assert await shown(page) == [first.id, second.id]
    await expect(page.locator("#pill")).to_have_text("Vis ny rekkefølge (1)")
    assert await page.evaluate("document.activeElement.id") == f"t{first.id}"
    await page.evaluate("document.getElementById('pill').click()")
    assert await eventually(lambda: shown(page), lambda found: found == [second.id, first.id])
    assert await page.evaluate("document.activeElement.id") == f"t{first.id}"
    await expect(page.locator("#pill")).to_be_hidden()


async def test_focus_survives_a_storm(house: Any, enter: Any, eventually: Any) -> None:
    """Sixty changes around a focused row: it keeps the focus and everything is in step afterwards."""
    kept = await house.town.alarm("door.opened", "h1", "lock-1", rule="kept")
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    await page.focus(f"#t{kept.id}")
    for number in range(30):
        kind = ("door.opened", "dispenser.missed", "pendant.pressed")[number % 3]
        await house.town.alarm(kind, "h2", "pendant-2", rule=f"storm {number}", ago=number * 1000)
    await in_step(house, page, eventually)
    assert await page.evaluate("document.activeElement.id") == f"t{kept.id}"


async def test_a_filter_holds_for_what_comes_later(house: Any, enter: Any, eventually: Any) -> None:
    """Rows that do not pass stay out, the critical ones among them are counted in a strip."""
    nils = await enter(house)
    page = await nils.open("/nb/alarms?mine=1")
    alert = await house.town.alarm()
    await expect(page.locator("#outside")).to_contain_text("1 kritiske utenfor filteret")
    await expect(page.locator("#empty")).to_contain_text("Ingen alarmer passer filteret. 1 andre er åpne.")
    assert await shown(page) == []
    other = await nils.another_tab("/nb/alarms")
    await other.click(f"#b{alert.id}")
    assert await eventually(lambda: shown(page), lambda found: found == [alert.id])
    await expect(page.locator("#outside")).to_be_hidden()


async def test_the_panel_beside_the_list_follows(house: Any, enter: Any) -> None:
    """On a wide screen a row opens beside the list, keeps itself fresh, and keeps what is half written."""
    alert = await house.town.alarm("dispenser.missed", "h1", "dispenser-1")
    nils, mette = await enter(house, "nils"), await enter(house, "mette")
    page = await nils.open("/nb/alarms")
    await page.click(f"#t{alert.id}")
    panel = page.locator("#detail #panel")
    await expect(panel).to_contain_text("Ring beboeren.")
    assert f"open={alert.id}" in page.url
    await panel.get_by_text("Utsett …").click()
    await panel.locator("input[name=reason]").fill("Hun dusj")
    await mette.open(f"/nb/alarms/{alert.id}")
    await mette.page.click("form[data-act=seen] button")
    await expect(panel).to_contain_text("Sett av Mette Lie")
    await expect(panel.locator("input[name=reason]")).to_have_value("Hun dusj")
    await expect(panel.locator("input[name=reason]")).to_be_visible()


@pytest.mark.parametrize("press", ["a click", "Enter"])
async def test_a_pressed_button_gives_way_to_the_next_ones(house: Any, enter: Any, press: str) -> None:
    """Taken by a click or by the keyboard: what stands there then bears its own words, and the focus is on it."""
    alert = await house.town.alarm()
    nils = await enter(house)
    page = await nils.open(f"/nb/alarms/{alert.id}")
    take = page.locator("#actions form[data-act=take] button")
    await (take.press(press) if press == "Enter" else take.click())
    await expect(page.locator("#toast")).to_contain_text("Du har tatt alarmen.")
    steps = page.locator("#actions form[data-act=step] button")
    await expect(steps).to_have_text(["Ringer", "På vei", "Ved døren"])
    await expect(steps.first).to_be_focused()
    await steps.nth(1).click()
    await expect(steps.nth(1)).to_have_attribute("aria-pressed", "true")
    await expect(steps).to_have_text(["Ringer", "På vei", "Ved døren"])


async def test_after_closing_the_keyboard_stands_at_the_way_back(house: Any, enter: Any) -> None:
    """Nothing is left to press on a closed alarm: Enter leads back to the alarms."""
    alert = await house.town.alarm()
    nils = await enter(house)
    page = await nils.open(f"/nb/alarms/{alert.id}")
    await page.keyboard.press("t")
    await page.locator("#resolve summary").press("Enter")
    for field in ("cause", "measure"):
        await page.locator(f"#resolve select[name={field}]").select_option(index=1)
    await page.locator("#resolve form button").press("Enter")
    await expect(page.locator("#actions")).to_contain_text("Nils Berge avsluttet den")
    await expect(page.get_by_role("link", name="Til alarmene")).to_be_focused()


async def test_urgency_that_rises_moves_from_the_work_list_to_the_alarms(house: Any, enter: Any) -> None:
    """The row leaves one list and comes into the other."""
    from hub.store.centre_tables import Change

    low = await house.town.alarm("pendant.battery_low", urgency="low", queue="technical")
    nils = await enter(house)
    work = await nils.open("/nb/work")
    alarms = await nils.another_tab("/nb/alarms")
    await expect(work.locator(f"#a{low.id}")).to_be_visible()
    async with house.store.writing() as session:
        row = await session.get_one(Alert, low.id)
        row.urgency, row.version = "high", 2
        session.add(Change(at=row.at, subject="alert", ref=str(low.id), home="h1", zone="nord"))
    await expect(alarms.locator(f"#a{low.id}")).to_be_visible()
    await expect(work.locator(f"#a{low.id}")).to_have_count(0)


async def test_a_timeline_grows_by_itself(house: Any, enter: Any) -> None:
    """An event of the resident appears in the open timeline, and opened details stay open."""
    await house.town.hear("lock.locked", "h1", "lock-1", by="Mette")
    nils = await enter(house)
    page = await nils.open("/nb/residents/astrid")
    await page.locator("#timeline summary").first.click()
    await house.town.hear("door.opened", "h1", "lock-1")
    await expect(page.locator("#timeline")).to_contain_text("Døren ble åpnet")
    await expect(page.locator("#timeline details[open]")).to_have_count(1)


async def test_older_happenings_are_fetched_on_demand(house: Any, enter: Any) -> None:
    """Sixty at a time; the next sixty come below without leaving the page."""
    for number in range(70):
        await house.town.hear("vitals.pulse", "h2", "lock-2", ago=number * MINUTE, value=100 + number)
    nils = await enter(house)
    page = await nils.open("/nb/residents/solveig?show=health")
    await expect(page.locator(".happening")).to_have_count(60)
    await page.click("#older a")
    await expect(page.locator(".happening")).to_have_count(70)
    await expect(page.locator("text=169 /min")).to_be_visible()


async def test_the_list_of_residents_is_searched_while_one_types(house: Any, enter: Any) -> None:
    """Without a reload, and the whole list comes back when the word is taken out."""
    nils = await enter(house)
    page = await nils.open("/nb/residents")
    await page.type("#q", "øde")
    await expect(page.locator("#people tbody tr")).to_have_count(1)
    await expect(page.locator("#people")).to_contain_text("Solveig Ødegård")
    await page.fill("#q", "")
    await expect(page.locator("#people tbody tr")).to_have_count(2)


async def test_the_keyboard_is_enough(house: Any, enter: Any) -> None:
    """J moves, t takes, u takes it back, g b goes to the residents; nothing fires while one writes."""
    alert = await house.town.alarm()
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    await page.keyboard.press("j")
    assert await page.evaluate("document.activeElement.id") == f"t{alert.id}"
    await page.keyboard.press("t")
    await expect(page.locator(f"#a{alert.id}")).to_have_attribute("data-handling", "taken")
    await page.keyboard.press("u")
    await expect(page.locator(f"#a{alert.id}")).to_have_attribute("data-handling", "new")
    await page.keyboard.press("g")
    await page.keyboard.press("b")
    await page.wait_for_url("**/nb/residents")
    await page.type("#q", "gat")
    assert page.url.endswith("/nb/residents")


async def test_an_undo_asked_for_before_the_answer_came_is_not_lost(house: Any, enter: Any) -> None:
    """The stream shows the take before its own answer arrives; u pressed in between takes it back."""
    alert = await house.town.alarm()
    page = await (await enter(house)).open("/nb/alarms")
    undo_was_pressed = asyncio.Event()

    async def answer_late(route: Route) -> None:
        answer = await route.fetch()
        await undo_was_pressed.wait()
        await route.fulfill(response=answer)

    await page.route("**/take", answer_late)
    await page.keyboard.press("j")
    await page.keyboard.press("t")
    await expect(page.locator(f"#a{alert.id}")).to_have_attribute("data-handling", "taken")
    await page.keyboard.press("u")
    undo_was_pressed.set()
    await expect(page.locator(f"#a{alert.id}")).to_have_attribute("data-handling", "new")


async def test_an_old_alarm_s_time_stays_beside_its_button(house: Any, enter: Any) -> None:
    """With a date before it the time takes two lines at 1366 px; a wait of hours is told in hours and minutes."""
    alert = await house.town.alarm(ago=30 * 60 * MINUTE)
    async with house.store.writing() as session:
        row = await session.get_one(Alert, alert.id)
        row.next_due = house.town.clock.now() + (3 * 60 + 57) * MINUTE + MINUTE // 2
        row.next_tell = "shift leader"
        session.add(row)
    page = await (await enter(house)).open("/nb/alarms")
    await expect(page.locator(f"#a{alert.id} .next")).to_have_text("neste: vaktleder om 3 t 57 min")
    right, left = await page.evaluate(
        """row => {
            const time = document.createRange();
            time.selectNodeContents(document.querySelector(row + " .row-when p"));
            const button = document.querySelector(row + " .row-act button");
            return [time.getBoundingClientRect().right, button.getBoundingClientRect().left];
        }""",
        f"#a{alert.id}",
    )
    assert right <= left, "the time must not run under the button"
