"""Seen, heard and read: sound, accessibility, narrow screens, no script, paper."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from hub.clock import SystemClock
from tests.browser.axe import violations

MINUTE = 60_000
PHONE, LAPTOP = {"width": 390, "height": 844}, {"width": 1366, "height": 850}
SIZES = {"laptop": LAPTOP, "phone": PHONE}
LATER = "(() => { const now = performance.now.bind(performance); performance.now = () => now() + 60_000; })()"
"""The page's own clock jumps: it has heard nothing for a minute."""


async def silently(page: Page, expression: str) -> Any:
    """Evaluate without counting as a person's gesture, as `page.evaluate` would."""
    devtools = await page.context.new_cdp_session(page)
    answer = await devtools.send(
        "Runtime.evaluate", {"expression": expression, "userGesture": False, "returnByValue": True}
    )
    return answer["result"].get("value")


async def busy_day(house: Any) -> Any:
    """One alarm of each priority, one of them taken, and things in the timeline."""
    await house.town.hear("lock.locked", "h1", "lock-1", by="Mette", ago=90 * MINUTE)
    await house.town.alarm("dispenser.missed", "h1", "dispenser-1", ago=10 * MINUTE, lag=5 * MINUTE)
    await house.town.alarm("door.opened", "h2", "lock-2", ago=20 * MINUTE)
    await house.town.alarm("lock.jammed", "h2", "lock-2", queue="technical")
    await house.town.alarm("pendant.battery_low", "h2", "pendant-2", urgency="low", queue="technical")
    return await house.town.alarm(ago=3 * MINUTE)


# ---------------------------------------------------------------- sound


async def test_no_sound_before_a_click_then_the_p1_burst(house: Any, enter: Any, eventually: Any) -> None:
    """The button says so until somebody clicks; then an untaken P1 sounds at once, and is quiet when taken."""
    alert = await house.town.alarm()
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    assert await silently(page, "document.getElementById('sound').innerText") == "Lyden er av"
    assert await silently(page, "trygghub.sound.running()") is False
    assert await silently(page, "trygghub.sound.bursts.length") == 0
    await page.mouse.click(5, 400)

    async def tiers() -> list[str]:
        return await page.evaluate("trygghub.sound.bursts.map(burst => burst.tier)")

    assert await eventually(tiers, bool) == ["p1"]
    await expect(page.locator("#sound")).to_have_text("Lyden er på")
    await page.click(f"#b{alert.id}")
    await expect(page.locator(f"#a{alert.id}")).to_have_attribute("data-handling", "taken")
    count = len(await tiers())
    await house.town.alarm("door.opened", "h1", "lock-1")
    assert (await eventually(tiers, lambda found: len(found) > count))[count:] == ["p3"]


async def test_the_p1_burst_is_ten_pulses_of_880_hertz(house: Any, enter: Any) -> None:
    """Rendered offline: on at 0, 0.2, 0.4, 0.75 and 0.95 s for 120 ms each, the group twice, silent between."""
    nils = await enter(house)
    page = await nils.open("/nb/me")
    sounding = await page.evaluate(
        """async () => {
          const rate = 8000, audio = new OfflineAudioContext(1, rate * 3, rate);
          trygghub.sound.draw(audio, "p1", 0);
          const samples = (await audio.startRendering()).getChannelData(0);
          const loud = (at) => samples.slice(at * rate - 20, at * rate + 20).some((one) => Math.abs(one) > 0.1);
          const starts = [0, 0.2, 0.4, 0.75, 0.95, 1.65, 1.85, 2.05, 2.4, 2.6];
          return { on: starts.map((at) => loud(at + 0.06)), off: starts.map((at) => loud(at + 0.16)) };
        }"""
    )
    assert sounding == {"on": [True] * 10, "off": [False] * 10}


async def test_seen_by_me_is_silent_for_me_only(house: Any, enter: Any, eventually: Any) -> None:
    """Seen stops my sound; a page that loads onto an alarm I have not seen sounds."""
    alert = await house.town.alarm()
    nils, mette = await enter(house, "nils"), await enter(house, "mette")
    page = await nils.open(f"/nb/alarms/{alert.id}")
    await page.click("form[data-act=seen] button")
    await expect(page.locator("#panel")).to_contain_text("Sett av Nils Berge")
    other = await mette.open("/nb/residents")
    await other.mouse.click(5, 600)

    async def heard(which: Page) -> int:
        return await which.evaluate("trygghub.sound.bursts.length")

    await eventually(lambda: heard(other), lambda number: number == 1)
    before = await heard(page)
    await page.reload()
    await page.wait_for_selector("#conn[data-state=live]")
    await page.mouse.click(5, 600)
    await expect(page.locator("#sound")).to_have_text("Lyden er på")
    assert before <= 1
    assert await heard(page) == 0


# ---------------------------------------------------------------- accessibility


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["laptop", "phone"])
async def test_axe_finds_nothing(house: Any, enter: Any, axe_source: str, scheme: str, size: str) -> None:
    """No violation of WCAG 2.2 AA or best practice on any screen, and none when it is stale."""
    alert = await busy_day(house)
    look = {"color_scheme": scheme, "viewport": SIZES[size], "reduced_motion": "reduce", "bypass_csp": True}
    nils = await enter(house, **look)
    paths = (
        "residents/astrid",
        f"alarms/{alert.id}",
        f"alarms?open={alert.id}",
        "work",
        "residents",
        "devices",
        "me",
        "about",
    )
    full = (scheme, size) in {("light", "laptop"), ("dark", "phone")}
    found: dict[str, list[str]] = {}
    for path in paths if full else paths[:3]:
        page = await nils.open(f"/nb/{path}")
        found[path] = await violations(page, axe_source)
    await page.route(re.compile(r"/nb/live[?/]"), lambda route: route.abort())
    await page.goto(f"{house.address}/nb/alarms")
    await page.evaluate(LATER)
    await page.wait_for_selector("#banner:not([hidden])")
    found["stale"] = await violations(page, axe_source)
    await nils.context.clear_cookies()
    await page.goto(f"{house.address}/nb/sign-in?token=x")
    found["sign-in"] = await violations(page, axe_source)
    assert not any(found.values()), "\n".join(
        f"{path}: {line}" for path, lines in found.items() for line in lines
    )


@pytest.mark.parametrize("width", [320, 390, 768])
async def test_nothing_scrolls_sideways(house: Any, enter: Any, width: int) -> None:
    """Reflow at 320 px, on a phone and on a tablet, also with text at twice the size."""
    alert = await busy_day(house)
    nils = await enter(house, viewport={"width": width, "height": 700})
    for path in ("alarms", f"alarms/{alert.id}", "residents", "residents/astrid", "devices", "me", "about"):
        page = await nils.open(f"/nb/{path}")
        for size in ("100%", "200%") if width != 320 else ("100%",):
            wide = await page.evaluate(
                "(size) => { document.documentElement.style.fontSize = size;"
                " return document.documentElement.scrollWidth - innerWidth }",
                size,
            )
            assert wide <= 0, (path, size)


async def test_targets_are_large_enough_for_a_thumb(house: Any, enter: Any) -> None:
    """Buttons 48 px high on a phone; nothing that is pressed is lower than 24 px."""
    await busy_day(house)
    nils = await enter(house, viewport=PHONE)
    page = await nils.open("/nb/alarms")
    heights = await page.evaluate(
        "[...document.querySelectorAll('button, a')].filter(e => e.offsetParent && !e.matches('.skip'))"
        ".map(e => [e.id || e.textContent.trim().slice(0, 30), Math.round(e.getBoundingClientRect().height)])"
    )
    assert [one for one in heights if one[1] < 24] == []
    assert min(height for name, height in heights if name.startswith("b")) >= 48


async def test_flashing_stops_where_it_is_not_wanted(house: Any, enter: Any) -> None:
    """On by default and under three a second; off by the device's wish, and by the switch on My page."""
    alert = await house.town.alarm()
    flash = f"getComputedStyle(document.querySelector('#a{alert.id} .chip')).animationName"
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    assert await page.evaluate(flash) == "flash"
    assert await page.evaluate(flash.replace("animationName", "animationDuration")) == "0.6s"
    await page.goto(f"{house.address}/nb/me")
    await page.check("[data-switch=flashing]")
    await nils.open("/nb/alarms")
    assert await page.evaluate(flash) == "none"
    calm = await enter(house, reduced_motion="reduce")
    assert await (await calm.open("/nb/alarms")).evaluate(flash) == "none"


async def test_the_order_of_the_tab_key(house: Any, enter: Any) -> None:
    """Skip link, navigation, sound, language, and on to the rows."""
    alert = await house.town.alarm()
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    order: list[str] = []
    for _ in range(20):
        await page.keyboard.press("Tab")
        order.append(await page.evaluate("(({ id, className }) => id || className)(document.activeElement)"))
    assert order[0] == "skip"
    places = [order.index(name) for name in ("sound", "language", f"t{alert.id}")]
    assert places == sorted(places)


# ---------------------------------------------------------------- without script, signing in, languages, paper


async def test_the_list_works_without_script(house: Any, scriptless: Any) -> None:
    """Complete, refreshed every 15 seconds, and the buttons are plain forms that lead back."""
    alert = await house.town.alarm()
    page = await scriptless(house, "nils")
    await page.goto(f"{house.address}/nb/alarms")
    await expect(page.locator(f"#a{alert.id}")).to_contain_text("Fall oppdaget")
    # Playwright's text selectors skip whatever stands inside `noscript`, so the element is asked for.
    await expect(page.locator("#main noscript p")).to_be_visible()
    await expect(page.locator("#main noscript p")).to_have_text(
        "Siden oppdateres hvert 15. sekund. Ingen lyd."
    )
    assert await page.locator("meta[http-equiv=refresh]").get_attribute("content") == "15"
    await expect(page.locator("#unheard")).to_be_hidden()
    await page.click(f"#b{alert.id}")
    await expect(page.locator(f"#a{alert.id}")).to_contain_text("Nils Berge har tatt den")
    await page.click(f"#b{alert.id}")
    await page.locator("form[data-act=undo] button").click()
    await expect(page.locator("#panel")).to_contain_text("Ikke tatt")


async def test_a_page_whose_script_does_not_start_says_so(house: Any, enter: Any) -> None:
    """The style sheet alone raises the banner after ten seconds, so that a dead page never looks alive."""
    nils = await enter(house)
    page = nils.page
    await page.route("**/js/live.js", lambda route: route.abort())
    await page.goto(f"{house.address}/nb/alarms")
    await expect(page.locator("#unheard")).to_be_hidden()
    delays = "document.getElementById('unheard').getAnimations().map(one => one.effect.getTiming().delay)"
    assert await page.evaluate(delays) == [10_000]
    await page.evaluate("document.getElementById('unheard').getAnimations()[0].currentTime = 10_000")
    await page.wait_for_selector("#unheard", state="visible")
    await expect(page.locator("#unheard")).to_contain_text("Nye alarmer vises IKKE.")
    await expect(page.locator("#unheard")).to_contain_text("+47 55 00 11 22")


async def test_signing_in_by_link_and_out_again(house: Any, chromium: Browser) -> None:
    """One click from the link to the list; signed out, the list is gone."""
    context = await chromium.new_context(locale="nb-NO")
    page = await context.new_page()
    token = await house.town.link("eva", SystemClock().now())
    await page.goto(f"{house.address}/nb/sign-in?token={token}")
    await page.get_by_role("button", name="Logg inn").click()
    await page.wait_for_url("**/nb/alarms")
    await expect(page.locator("#conn")).to_have_text("Direkte")
    await page.click("[href='/nb/me']")
    await page.get_by_role("button", name="Logg ut").click()
    await page.wait_for_url("**/nb/sign-in")
    await page.goto(f"{house.address}/nb/alarms")
    assert page.url.endswith("/nb/sign-in")
    await context.close()


async def test_both_languages_live(house: Any, enter: Any) -> None:
    """The switch leads to the same page in the other language, and the stream speaks it."""
    nils = await enter(house)
    page = await nils.open("/nb/alarms")
    await page.click("#language")
    await page.wait_for_url("**/en/alarms")
    await expect(page.locator("#conn")).to_have_text("Live")
    alert = await house.town.alarm()
    await expect(page.locator(f"#a{alert.id}")).to_contain_text("Fall detected")
    await expect(page.locator(f"#a{alert.id}")).to_contain_text("Not taken")
    assert await page.locator("html").get_attribute("lang") == "en"


async def test_other_zones_see_nothing_live_either(house: Any, enter: Any) -> None:
    """Olga and Siri sit before an open page; an alarm in zone Nord leaves no trace in it."""
    nils, olga, siri = [await enter(house, who) for who in ("nils", "olga", "siri")]
    for who in (nils, olga, siri):
        await who.open("/nb/alarms")
    alert = await house.town.alarm()
    own = await house.town.alarm("smoke.detected", "h3", "pendant-3")
    await expect(nils.page.locator(f"#a{alert.id}")).to_be_visible()
    await expect(siri.page.locator(f"#a{own.id}")).to_be_visible()
    for who in (olga, siri):
        content = await who.page.content()
        assert "Astrid" not in content
        assert f'id="a{alert.id}"' not in content
    await expect(olga.page.locator("#rows > li")).to_have_count(0)


async def test_twenty_rows_fit_on_a_sheet(house: Any, enter: Any) -> None:
    """Printed on A4, the list needs no more than one page for twenty rows, in black and white."""
    for number in range(20):
        await house.town.alarm("door.opened", "h1", "lock-1", rule=f"print {number}")
    nils = await enter(house, reduced_motion="reduce")
    page = await nils.open("/nb/alarms")
    sheet = await page.pdf(
        format="A4", margin={"top": "12mm", "bottom": "12mm", "left": "12mm", "right": "12mm"}
    )
    assert len(re.findall(rb"/Type /Page\b(?!s)", sheet)) == 1
    await page.emulate_media(media="print")
    assert await page.locator(".top").is_hidden()
    assert await page.locator(".row-act").first.is_hidden()
