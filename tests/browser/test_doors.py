"""Unlocking a door in a real browser: the dialog, its keyboard, live progress, lost answers, a fresh sign-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect
from sqlalchemy import delete, update
from sqlmodel import col, select

from hub.centre import commands
from hub.clock import SystemClock
from hub.store.centre_tables import Change, CommandRow, DeviceState, Gateway, Municipality, WebSession
from tests.browser.axe import violations

LAPTOP, PHONE, NARROW = (
    {"width": 1366, "height": 850},
    {"width": 390, "height": 844},
    {"width": 320, "height": 640},
)
SIZES = {"laptop": LAPTOP, "phone": PHONE}
HOUR = 3_600_000


@dataclass
class Lock:
    """Astrid's lock and the box before it, played by the test: it hears commands and says what it wants."""

    house: Any

    async def says(self, value: str, ago: int = 0) -> None:
        """The bolt stands there now; the gateway is heard."""
        town = self.house.town
        now = town.clock.now() - ago
        async with self.house.store.writing() as session:
            await session.exec(update(Gateway).values(last_heard=town.clock.now()))
            state = {"device": "lock-1", "state": "lock.bolt", "home": "h1", "value": value}
            await session.merge(DeviceState(**state, at=now, heard=now))
        await town.hear(f"lock.{value}", "h1", "lock-1", ago=ago)

    async def asked(self, name: str = "") -> list[CommandRow]:
        """What it was asked for, in order."""
        async with self.house.store.reading() as session:
            rows = (await session.exec(select(CommandRow).order_by(col(CommandRow.asked)))).all()
        return [row for row in rows if name in {"", row.name}]

    async def sent(self, row: CommandRow) -> None:
        """The centre has sent it on."""
        async with self.house.store.writing() as session:
            await session.exec(update(CommandRow).where(col(CommandRow.id) == row.id).values(status="sent"))
            session.add(Change(at=row.asked, subject="device", ref="lock-1", home="h1", zone="nord"))

    async def ends(self, row: CommandRow, outcome: str, reason: str = "") -> None:
        """The gateway tells how it went."""
        now = self.house.town.clock.now()
        body = {"command": row.id, "outcome": outcome, "at": now, "reason": reason}
        async with self.house.store.writing() as session:
            await commands.settle(session, row.gateway, body, now)


@pytest_asyncio.fixture(loop_scope="session")
async def lock(house: Any) -> AsyncIterator[Lock]:
    """A lock that nobody has asked for anything, and that has just said it is locked."""

    async def forget() -> None:
        async with house.store.writing() as session:
            await session.exec(delete(CommandRow))
            await session.exec(delete(DeviceState).where(col(DeviceState.device) == "lock-1"))
            row = await session.get_one(Municipality, 1)
            row.body = {name: value for name, value in row.body.items() if name != "remote_unlock"}
            session.add(row)

    await forget()
    made = Lock(house)
    await made.says("locked")
    yield made
    await forget()


Eventually = Callable[..., Awaitable[Any]]


async def first(lock: Lock, eventually: Eventually, name: str) -> CommandRow:
    """The command of this name, when it has come."""
    return (await eventually(lambda: lock.asked(name), bool))[-1]


async def answer_alarm(house: Any, enter: Any, **options: Any) -> tuple[Page, Any]:
    """Nils has taken an alarm of Astrid's and stands on its page."""
    alert = await house.town.alarm()
    nils = await enter(house, **options)
    page = await nils.open(f"/nb/alarms/{alert.id}")
    await page.locator("form[data-act=take] button").click()
    await expect(page.locator("#panel")).to_contain_text("Nils Berge har tatt den")
    return page, alert


async def open_door(page: Page) -> None:
    """Open the dialog."""
    await page.locator("[data-open-door]").click()
    await expect(page.locator("#door-dialog")).to_be_visible()


async def test_the_dialog_by_keyboard_alone(house: Any, enter: Any, lock: Lock) -> None:
    """Focus begins on the way out, stays inside, Escape closes and gives it back; nothing was asked for."""
    page, _ = await answer_alarm(house, enter)
    await page.locator("[data-open-door]").focus()
    await page.keyboard.press("Enter")
    dialog = page.locator("#door-dialog")
    await expect(dialog).to_be_visible()
    await expect(dialog.get_by_role("button", name="Avbryt")).to_be_focused()
    await expect(dialog.get_by_role("heading", name="Døren hos Astrid Berg")).to_be_visible()
    for _ in range(12):
        await page.keyboard.press("Tab")
        inside = (
            "document.activeElement === document.body || !!document.activeElement.closest('#door-dialog')"
        )
        assert await page.evaluate(inside)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(page.locator("[data-open-door]")).to_be_focused()
    assert await lock.asked("unlock") == []


async def test_from_the_alarm_to_an_unlocked_door_and_back(
    house: Any, enter: Any, lock: Lock, eventually: Eventually
) -> None:
    """Asked, sent, unlocked by the lock's own word: all shown as it happens, without loading the page; then locked."""
    page, alert = await answer_alarm(house, enter)
    await open_door(page)
    dialog = page.locator("#door-dialog")
    await expect(dialog.locator(f"input[value=alarm-{alert.id}]")).to_be_checked()
    await expect(dialog.locator("#door-house")).to_be_hidden()
    await dialog.get_by_role("button", name="Lås opp døren").click()
    await expect(dialog).to_contain_text("Sendes til hjemmet")
    await expect(dialog.locator("[aria-current=step]")).to_have_text("Bedt om")
    row = await first(lock, eventually, "unlock")
    assert (row.alert, row.asked_by) == (alert.id, "nils")
    await lock.sent(row)
    await expect(dialog).to_contain_text("Venter på låsen")
    await lock.says("unlocked")
    await lock.ends(row, "done")
    await expect(dialog.locator("#door-progress")).to_contain_text("Låsen sier: låst opp kl.")
    await expect(dialog.locator(".bolt")).to_contain_text("ulåst")
    await expect(dialog.locator("#unlock-form")).to_have_count(0)
    await expect(dialog.get_by_role("button", name="Lukk")).to_be_visible()
    await dialog.get_by_role("button", name="Lås døren").click()
    row = await first(lock, eventually, "lock")
    await lock.says("locked")
    await lock.ends(row, "done")
    await expect(dialog).to_contain_text("Låsen sier: låst kl.")
    await page.keyboard.press("Escape")
    await expect(page.locator("#locks .bolt")).to_contain_text("låst")
    assert [one.name for one in await lock.asked() if one.name != "state"] == ["unlock", "lock"]


async def test_from_the_residents_page_the_house_number_is_asked(
    house: Any, enter: Any, lock: Lock, eventually: Eventually
) -> None:
    """A refusal is a sentence that is read out and focused; what was chosen and written stays; the right one goes."""
    nils = await enter(house, viewport=PHONE)
    page = await nils.open("/nb/residents/astrid")
    await open_door(page)
    dialog = page.locator("#door-dialog")
    await dialog.get_by_role("button", name="Lås opp døren").click()
    await expect(dialog.get_by_role("alert").filter(has_text="Velg hvorfor")).to_be_focused()
    await dialog.get_by_label("Utrykning").check()
    await dialog.get_by_label("Med egne ord").fill("Ambulansen står utenfor")
    await dialog.get_by_label("Husnummer").fill("17")
    await dialog.get_by_role("button", name="Lås opp døren").click()
    await expect(dialog.locator("#door-says")).to_contain_text("Husnummeret stemmer ikke")
    await expect(dialog.get_by_label("Med egne ord")).to_have_value("Ambulansen står utenfor")
    await dialog.get_by_label("Husnummer").fill("1")
    await dialog.get_by_role("button", name="Lås opp døren").click()
    row = await first(lock, eventually, "unlock")
    assert row.reason == "Ambulansen står utenfor"
    await lock.ends(row, "refused", "the battery is too low")
    await expect(dialog).to_contain_text("Låsen avviste det. Ingenting ble flyttet.")
    await expect(dialog).to_contain_text("Bruk nøkkelboksen: 4711.")


async def test_an_old_word_is_asked_for_while_a_reason_is_chosen(
    house: Any, enter: Any, lock: Lock, eventually: Eventually
) -> None:
    """The lock is asked when the dialog opens; too early a press is refused, and its answer clears the refusal."""
    await lock.says("locked", ago=HOUR // 4)
    page, _ = await answer_alarm(house, enter)
    await open_door(page)
    dialog = page.locator("#door-dialog")
    question = await first(lock, eventually, "state")
    await expect(dialog).to_contain_text("Låsen blir spurt hvor den står")
    await dialog.get_by_label("Med egne ord").fill("Hun roper")
    await dialog.get_by_role("button", name="Lås opp døren").click()
    await expect(dialog.locator("#door-says")).to_contain_text(
        "Den spørres nå; prøv igjen når den har svart."
    )
    await lock.says("locked")
    await lock.ends(question, "done")
    await expect(dialog.locator("#door-says")).to_be_hidden()
    await expect(dialog.locator("#door-ask")).to_have_count(0)
    await expect(dialog.get_by_label("Med egne ord")).to_have_value("Hun roper")
    await dialog.get_by_role("button", name="Lås opp døren").click()
    assert (await first(lock, eventually, "unlock")).reason == "Hun roper"


async def test_a_lost_answer_of_the_lock(house: Any, enter: Any, lock: Lock, eventually: Eventually) -> None:
    """What is known is said, with the key box; there is nothing to unlock with until the lock has spoken."""
    page, _ = await answer_alarm(house, enter)
    await open_door(page)
    dialog = page.locator("#door-dialog")
    await dialog.get_by_role("button", name="Lås opp døren").click()
    row = await first(lock, eventually, "unlock")
    await lock.ends(row, "failed", "no answer within 10 s")
    await expect(dialog).to_contain_text("Døren kan være låst opp eller ikke: ingen vet.")
    await expect(dialog).to_contain_text("Bruk nøkkelboksen: 4711.")
    await expect(dialog.locator(".bolt")).to_contain_text("ukjent")
    await expect(dialog.locator("#unlock-form")).to_have_count(0)
    await expect(dialog.get_by_role("button", name="Lås døren")).to_be_visible()
    await lock.says("locked")
    await expect(dialog).to_contain_text("men låsen har sagt det siden: låst kl.")
    await expect(dialog.locator("#unlock-form")).to_be_visible()
    assert len(await lock.asked("unlock")) == 1


async def test_a_lost_answer_of_the_centre_unlocks_once(
    house: Any, enter: Any, lock: Lock, eventually: Eventually
) -> None:
    """The request arrives, its answer does not: the dialog shows what has become of it, and nothing is asked twice."""
    page, _ = await answer_alarm(house, enter)
    await open_door(page)
    dialog = page.locator("#door-dialog")

    async def swallow(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/unlock?alone=1", swallow)
    await dialog.get_by_role("button", name="Lås opp døren").click()
    await expect(dialog).to_contain_text("Sendes til hjemmet")
    await expect(dialog.locator("#unlock-form")).to_have_count(0)
    assert len(await lock.asked("unlock")) == 1


async def test_nothing_reached_the_centre(house: Any, enter: Any, lock: Lock) -> None:
    """The request itself is lost: that is said loudly, the button works again, and nothing was asked for."""
    page, _ = await answer_alarm(house, enter)
    await open_door(page)
    dialog = page.locator("#door-dialog")
    await page.route("**/unlock?alone=1", lambda route: route.abort())
    await dialog.get_by_role("button", name="Lås opp døren").click()
    await expect(dialog.locator("#door-says")).to_contain_text("Ikke svar fra sentralen.")
    await expect(dialog.locator("#unlock-form button")).not_to_have_attribute("aria-busy", "true")
    assert await lock.asked("unlock") == []


async def test_a_fresh_sign_in_inside_the_dialog(
    house: Any, enter: Any, lock: Lock, eventually: Eventually
) -> None:
    """Another reason an hour after signing in: the link is pasted where one stands, and nothing written is lost."""
    nils = await enter(house)
    page = await nils.open("/nb/residents/astrid")
    async with house.store.writing() as session:
        await session.exec(update(WebSession).values(created=WebSession.created - HOUR))
    await open_door(page)
    dialog = page.locator("#door-dialog")
    await dialog.get_by_label("En annen grunn").check()
    await dialog.get_by_label("Med egne ord").fill("Naboen hører rop")
    await dialog.get_by_label("Husnummer").fill("1")
    await dialog.get_by_role("button", name="Lås opp døren").click()
    await expect(dialog.locator("#door-says")).to_contain_text("Logg inn på nytt for å låse opp")
    await expect(dialog.get_by_label("Ny innloggingslenke")).to_be_focused()
    assert await lock.asked("unlock") == []
    token = await house.town.link("nils", SystemClock().now())
    await dialog.get_by_label("Ny innloggingslenke").fill(f"{house.address}/nb/sign-in?token={token}")
    await dialog.get_by_role("button", name="Lås opp døren").click()
    row = await first(lock, eventually, "unlock")
    assert row.reason == "Naboen hører rop"
    await lock.says("unlocked")
    await lock.ends(row, "done")
    await expect(dialog.get_by_text("Låsen sier: låst opp kl.")).to_be_visible()
    async with page.expect_response("**/nb/live*"):
        await page.reload()
    await expect(page.locator("#conn")).to_have_attribute("data-state", "live")


async def test_a_page_that_has_lost_its_line_unlocks_nothing(house: Any, enter: Any, lock: Lock) -> None:
    """Where the connection is lost the form is gone and the sentence says why."""
    page, _ = await answer_alarm(house, enter)
    await open_door(page)
    dialog = page.locator("#door-dialog")
    house.freeze()
    try:
        await page.evaluate("(() => { const now = performance.now.bind(performance); const then = now();"
                            " performance.now = () => then + (now() - then) * 20; })()")  # fmt: skip
        await expect(page.locator("html")).to_have_attribute("data-fresh", "offline")
        await expect(dialog.locator(".offline-only")).to_be_visible()
        await expect(dialog.get_by_role("button", name="Lås opp døren")).to_be_hidden()
    finally:
        house.thaw()


async def test_where_it_is_switched_off(house: Any, enter: Any, lock: Lock) -> None:
    """The alarm says so in one sentence, and there is nothing to open."""
    async with house.store.writing() as session:
        row = await session.get_one(Municipality, 1)
        row.body = {**row.body, "remote_unlock": {"allowed": False}}
        session.add(row)
    page, _ = await answer_alarm(house, enter)
    await expect(page.locator("#locks")).to_contain_text(
        "Kommunen har slått av opplåsing av dører fra skjermen."
    )
    await expect(page.locator("[data-open-door]")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["laptop", "phone"])
async def test_axe_finds_nothing(
    house: Any, enter: Any, lock: Lock, eventually: Eventually, axe_source: str, scheme: str, size: str
) -> None:
    """Neither in the form, nor in a refusal, nor in progress, nor after a lost answer, nor on the page of its own."""
    look = {"color_scheme": scheme, "viewport": SIZES[size], "reduced_motion": "reduce", "bypass_csp": True}
    page, alert = await answer_alarm(house, enter, **look)
    found = {"alarm": await violations(page, axe_source)}
    await open_door(page)
    dialog = page.locator("#door-dialog")
    found["form"] = await violations(page, axe_source)
    await dialog.get_by_label("Planlagt besøk").check()
    await dialog.get_by_role("button", name="Lås opp døren").click()
    await expect(dialog.locator("#door-says")).to_contain_text("Husnummeret")
    found["refused"] = await violations(page, axe_source)
    await dialog.locator(f"input[value=alarm-{alert.id}]").check()
    await dialog.get_by_role("button", name="Lås opp døren").click()
    await expect(dialog).to_contain_text("Sendes til hjemmet")
    found["under way"] = await violations(page, axe_source)
    await lock.ends(await first(lock, eventually, "unlock"), "failed", "no answer within 10 s")
    await expect(dialog).to_contain_text("ingen vet")
    found["lost"] = await violations(page, axe_source)
    await page.goto(f"{house.address}/nb/doors/lock-1?alarm={alert.id}")
    await page.wait_for_selector("#conn[data-state=live]")
    found["page"] = await violations(page, axe_source)
    assert not any(found.values()), "\n".join(
        f"{at}: {line}" for at, lines in found.items() for line in lines
    )


@pytest.mark.parametrize("width", [320, 390, 768])
async def test_nothing_scrolls_sideways(house: Any, enter: Any, lock: Lock, width: int) -> None:
    """Reflow of the dialog, also with text at twice the size; its buttons are large enough for a thumb."""
    page, _ = await answer_alarm(house, enter, viewport={"width": width, "height": 700})
    await open_door(page)
    for size in ("100%", "200%") if width != 320 else ("100%",):
        wide = await page.evaluate(
            "(size) => { const root = document.documentElement, one = document.getElementById('door-dialog');"
            " root.style.fontSize = size;"
            " return Math.max(one.scrollWidth - one.clientWidth, root.scrollWidth - innerWidth) }",
            size,
        )
        assert wide <= 0, size
    heights = await page.evaluate(
        "[...document.querySelectorAll('#door-dialog button, .reason')].map(e => e.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44


async def test_without_script_the_page_does_the_same(
    house: Any, scriptless: Any, lock: Lock, eventually: Eventually
) -> None:
    """Plain forms: a link to the page, a refusal with everything kept, progress that loads itself."""
    page = await scriptless(house, "nils")
    await page.goto(f"{house.address}/nb/residents/astrid")
    await page.click("[data-open-door]")
    await page.check("input[value=visit]")
    await page.fill("#door-house", "5")
    await page.click("#unlock-form button")
    await expect(page.locator("#door-says")).to_contain_text("Husnummeret stemmer ikke")
    assert await page.is_checked("input[value=visit]")
    await page.fill("#door-house", "1")
    await page.click("#unlock-form button")
    await expect(page.locator("#door")).to_contain_text("Sendes til hjemmet")
    row = await first(lock, eventually, "unlock")
    await lock.says("unlocked")
    await lock.ends(row, "done")
    await expect(page.locator("#door")).to_contain_text("Låsen sier: låst opp kl.", timeout=15_000)
