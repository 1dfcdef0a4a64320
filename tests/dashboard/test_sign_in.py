"""Ways in and out: one-time links, sessions that end, and cookies that stay where they belong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select

from dashboard.auth import sessions
from hub.clock import ManualClock
from hub.store.centre_tables import Audit, WebSession
from hub.store.engine import Store

MINUTE = 60_000


async def test_a_link_lets_in_once(town: Any, real: ManualClock, browser: Callable[[], Any]) -> None:
    """The first use of a link signs in; the second is told that it is used."""
    token = await town.link("nils", real.now())
    first, second = browser(), browser()
    assert (await first.post("/nb/sign-in", token=token)).headers["location"] == "/nb/alarms"
    assert (await first.get("/nb/alarms")).status_code == 200
    refused = await second.post("/nb/sign-in", token=token)
    assert refused.status_code == 403
    assert "Denne lenken er brukt eller for gammel." in refused.text


async def test_looking_at_a_link_does_not_use_it(
    town: Any, real: ManualClock, browser: Callable[[], Any]
) -> None:
    """A mail scanner that opens the link changes nothing; the button still works."""
    token = await town.link("nils", real.now())
    for _ in range(3):
        page = await browser().get(f"/en/sign-in?token={token}")
        assert page.status_code == 200
        assert f'value="{token}"' in page.text
        assert "Sign in as Nils Berge</button>" in page.text
    assert "Logg inn som Nils Berge" in (await browser().get(f"/nb/sign-in?token={token}")).text
    assert (await browser().post("/en/sign-in", token=token)).status_code == 303


async def test_a_used_or_old_link_says_so_before_anybody_presses(
    town: Any, real: ManualClock, browser: Callable[[], Any]
) -> None:
    """No button, no name, and what to do instead."""
    used, old = await town.link("nils", real.now()), await town.link("eva", real.now() - 16 * MINUTE)
    await browser().post("/nb/sign-in", token=used)
    for token in (used, old, "never-made"):
        text = (await browser().get(f"/nb/sign-in?token={token}")).text
        assert "Denne lenken er brukt eller for gammel." in text
        assert "<button" not in text
        assert "Nils" not in text


async def test_a_link_is_too_old_after_a_quarter_of_an_hour(
    town: Any, real: ManualClock, browser: Callable[[], Any]
) -> None:
    """Real time counts for a link, not the homes' time."""
    token = await town.link("nils", real.now())
    await real.advance(16 * 60)
    assert (await browser().post("/nb/sign-in", token=token)).status_code == 403


async def test_without_a_session_pages_lead_to_the_sign_in_page(
    town: Any, browser: Callable[[], Any]
) -> None:
    """A person is sent to sign in; a script is told 401 and nothing else."""
    stranger = browser()
    answer = await stranger.get("/en/alarms")
    assert (answer.status_code, answer.headers["location"]) == (303, "/en/sign-in")
    scripted = await stranger.http.get("/en/alarms", headers={"accept": "*/*"})
    assert (scripted.status_code, scripted.json()) == (
        401,
        {"says": {"nb": "Logg inn først.", "en": "Sign in first."}},
    )


async def test_the_cookie_is_kept_from_scripts_and_other_sites(
    town: Any, real: ManualClock, browser: Callable[[], Any]
) -> None:
    """HttpOnly and SameSite always; Secure and the __Host- name as soon as there is TLS."""
    answer = await browser().post("/nb/sign-in", token=await town.link("nils", real.now()))
    local = answer.headers["set-cookie"]
    assert local.startswith("trygghub-local=")
    assert "HttpOnly" in local
    assert "SameSite=lax" in local
    secure = browser()
    secure.http.base_url = "https://alarm.example"
    answer = await secure.post("/nb/sign-in", token=await town.link("nils", real.now()))
    assert answer.headers["set-cookie"].startswith("__Host-trygghub=")
    assert "Secure" in answer.headers["set-cookie"]


async def test_nobody_signs_in_over_an_open_network(
    town: Any, real: ManualClock, browser: Callable[[], Any]
) -> None:
    """Plain HTTP to another machine is refused with a sentence, and the link stays unused."""
    token = await town.link("nils", real.now())
    far = browser()
    far.http.base_url = "http://alarm.example"
    assert "https" in (await far.get(f"/nb/sign-in?token={token}")).text
    assert (await far.post("/nb/sign-in", token=token)).status_code == 403
    assert (await browser().post("/nb/sign-in", token=token)).status_code == 303


async def test_a_session_ends_when_nobody_uses_it(sign_in: Any, real: ManualClock) -> None:
    """Half an hour without a sign of life ends it; use draws it on."""
    nils = await sign_in("nils")
    await real.advance(29 * 60)
    assert (await nils.get("/nb/alarms")).status_code == 200
    await real.advance(29 * 60)
    assert (await nils.get("/nb/alarms")).status_code == 200
    await real.advance(31 * 60)
    assert (await nils.get("/nb/alarms")).status_code == 303


async def test_a_session_lasts_one_shift(sign_in: Any, real: ManualClock) -> None:
    """After twelve hours it is over, however busy it was, unless the person chose to stay."""
    nils = await sign_in("nils")
    for _ in range(24):
        await real.advance(29 * 60)
        assert (await nils.get("/nb/alarms")).status_code == 200
    assert (await nils.ask("/nb/me/stay")).status_code == 200
    await real.advance(29 * 60)
    assert (await nils.get("/nb/alarms")).status_code == 200
    for _ in range(3):
        await real.advance(29 * 60)
        answer = await nils.get("/nb/alarms")
    assert answer.status_code == 303


async def test_a_session_can_be_drawn_out_ten_times_and_no_more(store: Store, town: Any) -> None:
    """WCAG 2.2.1 asks for ten extensions; a session that never ends would be a key left in the door."""
    async with store.writing() as session:
        secret = await sessions.open_session(session, "nils", 0, "test")
    identity = sessions.hashed(secret)
    now = 1
    for _ in range(15):
        async with store.writing() as session:
            viewer = (await sessions.viewers(session, [identity], now, town.clock.now()))[identity]
            await sessions.extend(session, viewer, now)
    async with store.reading() as session:
        row = await session.get_one(WebSession, identity)
    assert row.expires == sessions.SHIFT + sessions.EXTENSIONS * sessions.EXTENSION


async def test_signing_out_ends_the_session_on_the_server(sign_in: Any, browser: Callable[[], Any]) -> None:
    """A cookie that somebody copied before is worth nothing afterwards."""
    nils = await sign_in("nils")
    thief = browser()
    thief.http.cookies.update(nils.http.cookies)
    assert (await thief.get("/nb/alarms")).status_code == 200
    assert (await nils.post("/nb/sign-out")).headers["location"] == "/nb/sign-in"
    assert (await thief.get("/nb/alarms")).status_code == 303


async def test_a_person_ends_their_own_sessions_only(sign_in: Any, store: Store) -> None:
    """Eva can end the session on her lost telephone, but not that of Nils."""
    nils, eva, phone = await sign_in("nils"), await sign_in("eva"), await sign_in("eva")
    async with store.reading() as session:
        rows = (await session.exec(select(WebSession).order_by(WebSession.staff))).all()
    own = sessions.hashed(phone.http.cookies["trygghub-local"])
    foreign = next(row.id for row in rows if row.staff == "nils")
    for identity in (own, foreign):
        assert (await eva.post(f"/nb/me/sessions/{identity}/end")).status_code == 303
    assert (await phone.get("/nb/alarms")).status_code == 303
    assert (await nils.get("/nb/alarms")).status_code == 200


async def test_somebody_who_has_left_is_out_at_once(sign_in: Any, store: Store) -> None:
    """The registry is asked at every request."""
    from hub.store.centre_tables import Staff

    nils = await sign_in("nils")
    async with store.writing() as session:
        (await session.get_one(Staff, "nils")).active = False
    assert (await nils.get("/nb/alarms")).status_code == 303


async def test_guessing_is_braked(browser: Callable[[], Any], town: Any, real: ManualClock) -> None:
    """Ten wrong tokens within a minute, and even a right one has to wait."""
    guesser = browser()
    for number in range(10):
        assert (await guesser.post("/nb/sign-in", token=f"wrong{number}")).status_code == 403
    token = await town.link("nils", real.now())
    assert (await guesser.post("/nb/sign-in", token=token)).status_code == 429
    await real.advance(61)
    assert (await guesser.post("/nb/sign-in", token=token)).status_code == 303


async def test_coming_and_going_stand_in_the_trail(sign_in: Any, store: Store) -> None:
    """Link, sign-in and sign-out are audit rows with the person's name."""
    nils = await sign_in("nils")
    await nils.post("/nb/sign-out")
    async with store.reading() as session:
        trail = [
            (row.actor, row.action) for row in (await session.exec(select(Audit).order_by(Audit.seq))).all()
        ]
    assert trail == [("test", "sign_in.link"), ("nils", "sign_in"), ("nils", "session.sign_out")]


@pytest.mark.parametrize(
    "path", ["/nb/sign-in?token=" + "x" * 5000, "/nb/sign-in?token=%00%ff", "/xx/sign-in"]
)
async def test_a_strange_link_breaks_nothing(browser: Callable[[], Any], town: Any, path: str) -> None:
    """Whatever stands in the address, the answer is a page."""
    assert (await browser().get(path)).status_code in {200, 404}
