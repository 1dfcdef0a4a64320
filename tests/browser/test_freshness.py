"""Silence looks like failure, and the page gets back in step by itself (dashboard reference sections 7, 20, 25)."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import Any

from playwright.async_api import Page, expect
from sqlmodel import select

from hub.store.centre_tables import Alert, Gateway

NOT_LIVE = 60_000
"""Milliseconds to wait for the banner; when it came is measured by the page itself."""

STOPWATCH = """() => {
  window.before = window.last = performance.now();
  window.late = 0;
  setInterval(() => {
    const now = performance.now();
    window.late = Math.max(window.late, now - window.last - 100);
    window.last = now;
  }, 100);
  new MutationObserver(() => { window.noticed ??= performance.now(); })
    .observe(document.getElementById("banner"), { attributes: true, attributeFilter: ["hidden"] });
  window.states = [];
  new MutationObserver(() => window.states.push(document.getElementById("conn").textContent))
    .observe(document.getElementById("conn"), { childList: true, characterData: true, subtree: true });
}"""
GONE = "() => { window.after = performance.now(); }"
TOOK = (
    "() => [window.noticed - window.before, window.noticed - window.after - window.late].map(ms => ms / 1000)"
)
"""Seconds since the server was surely there, and since it was not, less what the machine kept the page waiting."""

LATER = "(() => { const now = performance.now.bind(performance); performance.now = () => now() + 60_000; })()"
"""The page's own clock jumps a minute ahead."""


async def goes_offline(page: Page) -> None:
    """Wait for the banner: it comes ten seconds after the last sign of life, of which there is one in two seconds."""
    await page.wait_for_selector("#banner:not([hidden])", timeout=NOT_LIVE)
    longest, shortest = await page.evaluate(TOOK)
    assert longest > 7.5
    assert shortest < 10.5


async def looks_offline(page: Page) -> None:
    """Everything the contract asks for: words, list, counters, title."""
    banner = page.locator("#banner")
    await expect(banner).to_have_text(
        re.compile(r"Mistet forbindelsen\. Det du ser er \d+ sekunder gammelt\.")
    )
    await expect(banner).to_contain_text("Nye alarmer vises IKKE.")
    await expect(banner).to_contain_text("Vakttelefon +47 55 00 11 22")
    await expect(banner.locator("button")).to_have_text("Prøv igjen")
    assert await banner.get_attribute("role") == "alert"
    await expect(page.locator("#conn")).to_have_text("Frakoblet")
    assert await page.locator("[data-count-untaken]").all_inner_texts() == ["–"] * 4
    assert (await page.title()).startswith("⚠")
    assert "grayscale" in await page.evaluate("getComputedStyle(document.querySelector('.stales')).filter")


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


async def test_a_stopped_server_is_noticed_and_its_return_too(
    own_house: Any, enter: Any, eventually: Any
) -> None:
    """Banner within 10.5 s; after the start it goes, the list is in step, and a P1 raised meanwhile is announced."""
    await own_house.town.alarm("door.opened", "h1", "lock-1")
    nils = await enter(own_house)
    page = await nils.open("/nb/alarms")
    await page.mouse.click(5, 400)
    await page.evaluate(STOPWATCH)
    await own_house.stop(signal.SIGKILL)
    await page.evaluate(GONE)
    await goes_offline(page)
    await looks_offline(page)
    await own_house.town.alarm("pendant.fall", "h2", "pendant-2")
    await own_house.start()
    await expect(page.locator("#banner")).to_be_hidden()
    await expect(page.locator("#conn")).to_have_text("Direkte")
    await in_step(own_house, page, eventually)
    await expect(page.locator("#say-now")).to_contain_text("Fall oppdaget, Solveig Ødegård")
    bursts = await page.evaluate("trygghub.sound.bursts.map(burst => burst.tier)")
    assert bursts == ["p3", "p2", "p1"], "the notice, the fault, the fall"
    assert not (await page.title()).startswith("⚠")


async def test_an_orderly_stop_is_told_as_one(own_house: Any, enter: Any) -> None:
    """`bye`: the page says that it will be back, before the connection is missed."""
    nils = await enter(own_house)
    page = await nils.open("/nb/alarms")
    await own_house.stop()
    await expect(page.locator("#banner")).to_contain_text("Oppdateres, tilbake om ca. 1 min")


async def test_a_frozen_server_is_noticed(own_house: Any, enter: Any, eventually: Any) -> None:
    """The connection stands open and says nothing: delayed, then offline, then back and in step.

    Meanwhile a take is not believed: after five seconds it says loudly that the alarm is not taken.
    """
    alert = await own_house.town.alarm()
    nils = await enter(own_house)
    page = await nils.open("/nb/alarms")
    await page.evaluate(STOPWATCH)
    own_house.freeze()
    await page.evaluate(GONE)
    await page.click(f"#b{alert.id}")
    await expect(page.locator(f"#b{alert.id}")).to_contain_text("Venter på svar …")
    await expect(page.locator(f"#a{alert.id} .says")).to_have_text(
        "Fikk ikke svar. Alarmen er IKKE tatt. Prøv igjen."
    )
    await goes_offline(page)
    delayed, *_, out = [text.strip() for text in await page.evaluate("window.states")]
    assert re.fullmatch(r"Forsinket \d s", delayed)
    assert out == "Frakoblet"
    await looks_offline(page)
    own_house.thaw()
    await expect(page.locator("#banner")).to_be_hidden()
    await in_step(own_house, page, eventually)


async def test_cut_connections_are_replayed(house: Any, enter: Any, wire: Any, eventually: Any) -> None:
    """Every connection is broken while alarms come; the stream comes back by its cursor, without a reset."""
    nils = await enter(house, address=f"http://127.0.0.1:{wire.port}")
    page = await nils.open("/nb/alarms")
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url) if "/live/" in request.url else None)
    for number in range(3):
        assert wire.cut() >= 1
        for part in range(4):
            await house.town.alarm("door.opened", "h1", "lock-1", rule=f"cut {number} {part}")
        await in_step(house, page, eventually)
    assert fetched == []
    await expect(page.locator("#banner")).to_be_hidden()


async def test_a_gateway_error_is_outlived(house: Any, enter: Any, wire: Any, eventually: Any) -> None:
    """503 instead of a stream, which EventSource gives up on for good: the page's own patience brings it back."""
    nils = await enter(house, address=f"http://127.0.0.1:{wire.port}")
    page = await nils.open("/nb/alarms")
    tries: list[str] = []

    async def refuse(route: Any) -> None:
        tries.append(route.request.url)
        await route.fulfill(status=503, body="no")

    await page.route("**/live?**", refuse)
    wire.cut()

    async def tried() -> int:
        return len(tries)

    await eventually(tried, lambda number: number >= 2)
    await house.town.alarm()
    await page.unroute("**/live?**")
    await in_step(house, page, eventually)
    await expect(page.locator("#conn")).to_have_text("Direkte")


async def test_a_lost_frame_is_found_by_the_heartbeat(house: Any, enter: Any, eventually: Any) -> None:
    """The heartbeat's number is ahead of the page's own: after five seconds it fetches everything anew."""
    nils = await enter(house)
    await nils.page.add_init_script(
        """const listen = EventSource.prototype.addEventListener;
        EventSource.prototype.addEventListener = function (type, hear) {
          return listen.call(this, type, (event) => { if (!(window.loseFrames && type === "a")) hear(event); });
        };"""
    )
    page = await nils.open("/nb/alarms")
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url) if "/live/" in request.url else None)
    await page.evaluate("window.loseFrames = true")
    alert = await house.town.alarm()
    await expect(page.locator('[data-count-untaken="p1"]')).to_have_text("1")
    await expect(page.locator(f"#a{alert.id}")).to_be_visible()
    assert fetched


async def test_a_page_that_cannot_fetch_its_list_is_not_live(house: Any, enter: Any, eventually: Any) -> None:
    """Heartbeats come, but the snapshot fails: that is a fault and is shown as one, until it succeeds."""
    from hub.store.centre_tables import StoreFact

    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    refused = asyncio.Event()

    async def refuse(route: Any) -> None:
        refused.set()
        await route.abort()

    await page.route("**/live/alarms**", refuse)
    async with house.store.writing() as session:
        (await session.get_one(StoreFact, "epoch")).value = "feedfeedfeedfeed"
    await refused.wait()
    await page.evaluate(LATER)
    await page.wait_for_selector("#banner:not([hidden])")
    beats = await page.evaluate("document.querySelector('[data-updated]').textContent")
    await page.wait_for_function(
        "(was) => document.querySelector('[data-updated]').textContent !== was", arg=beats
    )
    await expect(page.locator("#conn")).to_have_text("Frakoblet")
    await house.town.alarm()
    await page.unroute("**/live/alarms**")
    await expect(page.locator("#banner")).to_be_hidden()
    await in_step(house, page, eventually)


async def test_a_hidden_tab_still_hears(house: Any, enter: Any) -> None:
    """Nothing pauses when the page is not looked at."""
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    await page.evaluate(
        """Object.defineProperty(document, "hidden", { get: () => true });
        Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
        document.dispatchEvent(new Event("visibilitychange"))"""
    )
    alert = await house.town.alarm()
    await expect(page.locator(f"#a{alert.id}")).to_have_count(1)


async def test_eight_tabs_of_one_browser_are_all_live(house: Any, enter: Any, eventually: Any) -> None:
    """One of them holds the stream and feeds the others; when it closes, another takes over."""
    nils = await enter(house)
    pages = [await nils.open("/nb/alarms")]
    pages += [await nils.another_tab("/nb/alarms") for _ in range(7)]

    async def leaders() -> list[int]:
        return [
            number for number, page in enumerate(pages) if await page.evaluate("trygghub.state().leading")
        ]

    assert await leaders() == [0]
    alert = await house.town.alarm()
    for page in pages:
        await expect(page.locator(f"#a{alert.id}")).to_have_count(1)
    await pages.pop(0).close()
    await eventually(leaders, lambda found: len(found) == 1)
    other = await house.town.alarm(home="h2", device="pendant-2")
    for page in pages:
        await expect(page.locator(f"#a{other.id}")).to_have_count(1)


async def test_signing_out_elsewhere_blanks_the_page(house: Any, enter: Any) -> None:
    """The stream ends with `auth`: personal data goes, and a banner says that there are no alarms here."""
    await house.town.alarm()
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    await nils.context.request.post(
        f"{house.address}/nb/sign-out", headers={"origin": house.address}, max_redirects=0
    )
    await expect(page.locator("#banner")).to_contain_text("Du er logget ut – ingen alarmer her")
    await expect(page.locator("#rows")).to_be_hidden()
    await expect(page.locator("#banner a")).to_have_attribute("href", "/nb/sign-in")


async def test_silent_sensors_are_shown_although_the_server_lives(own_house: Any, enter: Any) -> None:
    """No home has been heard for longer than it may be: a banner, while the stream itself is live."""
    from hub.clock import SystemClock

    nils = await enter(own_house)
    page = await nils.open("/nb/alarms")
    async with own_house.store.writing() as session:
        for box in (await session.exec(select(Gateway))).all():
            box.last_heard = SystemClock().now() - 20 * 60_000
    await expect(page.locator("#banner")).to_contain_text("Sensorene er tause.")
    await expect(page.locator("#conn")).to_have_text("Direkte")


async def test_two_pages_need_not_be_refreshed_to_agree(house: Any, enter: Any, eventually: Any) -> None:
    """A storm of raises, takes and closes by two people; at the end both pages equal the database."""
    nils, mette = await enter(house, "nils"), await enter(house, "mette")
    for who in (nils, mette):
        await who.open("/nb/alarms")
    for number in range(12):
        alert = await house.town.alarm("door.opened", "h1", "lock-1", rule=f"agree {number}")
        who = (nils, mette)[number % 2]
        if number % 3 == 0:
            button = who.page.locator(f"#b{alert.id}")
            await button.click()
    await asyncio.gather(*(in_step(house, who.page, eventually) for who in (nils, mette)))
