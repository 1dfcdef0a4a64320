"""The layers around every request: headers, same origin, bounds, ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dashboard.web import Web


@pytest.mark.parametrize("path", ["/nb/alarms", "/nb/sign-in", "/healthz", "/nowhere", "/nb/alarms/abc"])
async def test_every_answer_carries_the_security_headers(sign_in: Any, path: str) -> None:
    """Pages, errors and health checks alike."""
    answer = await (await sign_in("nils")).get(path)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"


async def test_no_page_needs_an_inline_script_or_style(sign_in: Any, town: Any) -> None:
    """What the policy forbids is not there: no handlers, no style attributes, no inline code."""
    alert = await town.alarm()
    nils = await sign_in("nils")
    paths = (
        "alarms",
        f"alarms/{alert.id}",
        "work",
        "residents",
        "residents/astrid",
        "devices",
        "me",
        "about",
    )
    for path in paths:
        text = (await nils.get(f"/nb/{path}")).text
        assert " style=" not in text, path
        assert " onclick=" not in text, path
        assert "<style" not in text, path
        assert "<script>" not in text, path


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8420"}, 303),
        ({"sec-fetch-site": "same-origin"}, 303),
    ],
)
async def test_only_our_own_pages_can_change_anything(
    sign_in: Any, headers: dict[str, str], status: int
) -> None:
    """Another site's form, sent by a signed-in browser, does nothing."""
    nils = await sign_in("nils")
    answer = await nils.http.post("/nb/sign-out", headers={"accept": "text/html"} | headers)
    assert answer.status_code == status


async def test_a_huge_body_is_refused_before_it_is_read(sign_in: Any) -> None:
    """Ten megabytes of note are a sentence, not a memory problem; also when the length is not said."""
    nils = await sign_in("nils")
    said = await nils.post("/nb/alarms/1/resolve", note="x" * 10_000_000)
    assert said.status_code == 413
    assert "too large" in said.text

    async def endless() -> Any:
        for _ in range(100):
            yield b"x" * 100_000

    unsaid = await nils.http.post(
        "/nb/alarms/1/resolve",
        content=endless(),
        headers={"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"},
    )
    assert unsaid.status_code in {400, 413}
    assert (await nils.get("/nb/alarms")).status_code == 200


async def test_a_fault_of_ours_names_its_code_and_the_duty_phone(
    sign_in: Any, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code on the page is the one in the log; the way back and the telephone stand beside it."""
    nils = await sign_in("nils")

    def broken(*_: object) -> None:
        raise RuntimeError("a fault for this test")

    monkeypatch.setattr("dashboard.pages.alarms.filter_of", broken)
    answer = await nils.get("/nb/alarms")
    assert answer.status_code == 500
    assert f"Feilkode {answer.headers['x-request-id']}." in answer.text
    assert "+47 55 00 11 22" in answer.text
    assert 'href="/nb/alarms"' in answer.text
    assert "a fault for this test" not in answer.text
    assert "default-src" in answer.headers["content-security-policy"]


async def test_static_files_may_be_kept_and_change_their_name_with_their_content(
    browser: Callable[[], Any],
) -> None:
    """A year's caching is safe because the address holds a hash of everything."""
    from dashboard.look.static import static_path

    answer: httpx.Response = await browser().get(static_path("js/live.js"))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert (await browser().get("/static/0000000000000000/js/live.js")).status_code == 404
    assert (await browser().get(static_path("../app.py"))).status_code == 404


async def test_health_says_what_is_wrong(browser: Callable[[], Any], web: Web, look: Any) -> None:
    """Alive at once; ready only while the changes are being read."""
    client = browser()
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).status_code == 503
    await look()
    assert (await client.get("/readyz")).json() == {"status": "ready"}
    assert "trygghub_web_streams 0.0" in (await client.get("/metrics")).text
    await web.store.close()
