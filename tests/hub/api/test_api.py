"""The API answers what the person behind it may know, and does what the desk does."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import col, select

from hub.api import Api, make_api
from hub.registry.check import check
from hub.store.centre_tables import Audit, CommandRow, DeviceState, Entry, Quarantined, Staff


async def trail(store) -> list[str]:
    """Actions in the audit trail."""
    async with store.reading() as session:
        return [row.action for row in (await session.exec(select(Audit).order_by(col(Audit.seq)))).all()]


async def test_an_alert_from_list_to_end(ask, judge, store):
    """A nurse lists, takes, goes, and resolves an alert, each step on the version the last one gave."""
    await judge()
    (row,) = (await ask("nils", "GET", "/alerts")).json()
    assert (row["rule"], row["handling"], row["version"]) == ("pendant pressed", "new", 1)
    path = f"/alerts/{row['id']}"
    taken = (await ask("nils", "POST", f"{path}/take", json={"version": 1})).json()
    assert (taken["handling"], taken["owner"]) == ("taken", "nils")
    version = taken["version"]
    going = (
        await ask("nils", "POST", f"{path}/step", json={"version": version, "step": "on_the_way"})
    ).json()
    body = {"version": going["version"], "cause": "fall_unhurt", "measure": "visit", "note": "Alt vel."}
    done = (await ask("nils", "POST", f"{path}/resolve", json=body)).json()
    assert (done["handling"], done["resolved_by"]) == ("resolved", "nils")
    assert (await ask("nils", "GET", "/alerts")).json() == []
    lines = (await ask("nils", "GET", f"{path}/timeline")).json()
    assert [line["what"] for line in lines] == ["opened", "taken", "step", "cause", "measure", "resolved"]
    assert "alert.resolve" in await trail(store)


async def test_stale_is_409(ask, judge):
    """Who comes second gets 409 and the sentence that says who was first."""
    alert = await judge()
    await ask("nils", "POST", f"/alerts/{alert.id}/take", json={"version": 1})
    answer = await ask("eva", "POST", f"/alerts/{alert.id}/take", json={"version": 1})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:trygghub:problem:stale"
    assert problem["says"] == {"nb": "Nils tok den kl. 22:02.", "en": "Nils took it at 22:02."}


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("take", {}, 422),
        ("take", {"version": 0}, 422),
        ("take", {"version": 1, "haste": True}, 422),
        ("step", {"version": 1, "step": "flying"}, 422),
        ("step", {"version": 1, "step": "calling"}, 409),
        ("resolve", {"version": 1, "cause": "x", "measure": "y", "note": "z" * 501}, 422),
        ("snooze", {"version": 1, "until": "soon", "reason": "x"}, 422),
        ("snooze", {"version": 1, "until": 1768424580000, "reason": "x"}, 422),
        ("undo", {"version": 1}, 409),
    ],
)
async def test_what_cannot_be_done(ask, judge, action, body, status):
    """Each refusal is a problem document with a sentence in both languages."""
    alert = await judge()
    answer = await ask("nils", "POST", f"/alerts/{alert.id}/{action}", json=body)
    assert answer.status_code == status
    assert answer.json()["says"].keys() == {"nb", "en"}


def routes(app) -> list[tuple[str, str]]:
    """Every method and path of the API."""
    return [(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods]


async def test_olga_sees_nothing(ask, judge, store, clock, desk):
    """Whatever the route, Olga learns nothing of Astrid's home: no row, no name, no difference from nothing."""
    alert = await judge()

    async def nobody(_request):
        return None

    app = make_api(Api(store, clock, desk, nobody))
    filled = {
        "number": str(alert.id),
        "resident": "astrid",
        "home": "h1",
        "device": "lock-1",
        "gateway": "gw1",
        "command": "c0ffee01c0ffee01",
        "aside": "1",
    }
    bodies = {
        "step": {"version": 1, "step": "calling"},
        "snooze": {"version": 1, "until": clock.now() + 1000, "reason": "x"},
        "resolve": {"version": 1, "cause": "pain", "measure": "visit"},
        "commands": {"name": "lock"},
        "drop": {"reason": "because"},
    }
    for method, template in routes(app):
        path = re.sub(r"{(\w+)}", lambda found: filled[found[1]], template)
        body = bodies.get(path.rsplit("/", 1)[-1], {"version": 1}) if method == "POST" else None
        answer = await ask("olga", method, path, json=body)
        if template in {"/me", "/alerts/codes"}:
            assert answer.status_code == 200
            continue
        if "{" in template or template == "/registry":
            assert answer.status_code in {403, 404}, (method, path, answer.text)
        else:
            assert not re.search(r'"(h1|gw1|lock-1|pendant-1)"', answer.text), (method, path)
        assert "Astrid" not in answer.text
        assert "Storgata" not in answer.text


async def test_nobody_is_let_in_without_a_session(ask, store, clock, desk):
    """Every route but the OpenAPI document asks for a signed-in person."""

    async def nobody(_request):
        return None

    for method, template in routes(make_api(Api(store, clock, desk, nobody))):
        path = re.sub(r"{number}|{aside}", "1", re.sub(r"{command}", "c0ffee01", template))
        answer = await ask(
            "", method, re.sub(r"{\w+}", "h1", path), json={"version": 1} if method == "POST" else None
        )
        assert answer.status_code == 401 or (answer.status_code == 422 and method == "POST"), (method, path)


async def test_tor_reads_no_names(ask, judge):
    """A technician sees technical alerts in words that name nobody, and no care alerts."""
    await judge()
    await judge(rule="lock silent", key="lock-1", queue="technical", urgency="moderate", kind="lock.fault")
    (row,) = (await ask("tor", "GET", "/alerts")).json()
    assert row["rule"] == "lock silent"
    assert "Astrid" not in str(row)
    assert (await ask("tor", "GET", "/residents")).status_code == 403


async def test_looks_are_audited(ask, judge, store):
    """Looking at a resident, their alert or their journal is a row of the trail."""
    alert = await judge()
    for path in ("/residents/astrid", "/homes/h1/journal", f"/alerts/{alert.id}"):
        assert (await ask("nils", "GET", path)).status_code == 200
    assert (await trail(store)).count("look") == 3


async def test_journal_pages(ask, store, clock):
    """The journal comes newest first, a page at a time."""
    async with store.writing() as session:
        for number in range(1, 6):
            session.add(
                Entry(
                    gateway="gw1",
                    epoch="00c0ffee",
                    lane="care",
                    number=number,
                    type="event",
                    home="h1",
                    device="lock-1",
                    kind="door.opened",
                    at=clock.now(),
                    heard=clock.now(),
                    received=clock.now(),
                    body={"n": number},
                )
            )
    first = (await ask("nils", "GET", "/homes/h1/journal?limit=3")).json()
    rest = (await ask("nils", "GET", f"/homes/h1/journal?limit=3&before={first[-1]['seq']}")).json()
    assert [entry["body"]["n"] for entry in first + rest] == [5, 4, 3, 2, 1]


async def test_a_boxs_own_facts_are_no_life_in_the_home(ask, store, clock):
    """The gateway's heartbeats stand under the first of its homes; a home's journal holds them only on request."""
    async with store.writing() as session:
        for number, kind in enumerate(("gateway.heartbeat", "door.opened", ""), start=1):
            session.add(
                Entry(
                    gateway="gw1",
                    epoch="00c0ffee",
                    lane="technical",
                    number=number,
                    type="event" if kind else "unreadable",
                    home="h1",
                    device="gw1" if kind == "gateway.heartbeat" else "lock-1",
                    kind=kind,
                    at=clock.now(),
                    heard=clock.now(),
                    received=clock.now(),
                    body={},
                )
            )
    found = (await ask("nils", "GET", "/homes/h1/journal")).json()
    assert [entry["kind"] for entry in found] == ["", "door.opened"]
    asked = (await ask("nils", "GET", "/homes/h1/journal?kind=gateway.heartbeat")).json()
    assert [entry["kind"] for entry in asked] == ["gateway.heartbeat"]


async def test_resident_at_the_door(ask):
    """A resident's page has what staff need at the door."""
    answer = (await ask("nils", "GET", "/residents?query=ast")).json()
    assert [row["id"] for row in answer] == ["astrid"]
    assert (await ask("nils", "GET", "/residents/astrid")).json()["address"] == "Storgata 1"


async def test_a_door_needs_a_reason(ask, judge, store, fresh_lock):
    """A door opens with an alert the person has taken, or a stated reason; a second press asks for nothing new."""
    alert = await judge()
    path = "/devices/lock-1/commands"
    bare = await ask("nils", "POST", path, json={"name": "unlock"})
    assert (bare.status_code, bare.json()["says"]["en"][:16]) == (422, "A door is opened")
    untaken = await ask("nils", "POST", path, json={"name": "unlock", "alert": alert.id})
    assert untaken.status_code == 409
    await ask("nils", "POST", f"/alerts/{alert.id}/take", json={"version": 1})
    asked = await ask("nils", "POST", path, json={"name": "unlock", "alert": alert.id})
    assert asked.status_code == 202
    again = await ask("nils", "POST", path, json={"name": "unlock", "reason": "planned visit"})
    assert again.status_code == 409
    shown = (await ask("nils", "GET", f"/commands/{asked.json()['id']}")).json()
    assert (shown["status"], shown["reason"]) == ("queued", f"alert {alert.id}")
    assert (await ask("tor", "POST", path, json={"name": "unlock", "reason": "testing"})).status_code == 403
    assert "command.ask" in await trail(store)


async def test_three_doors_in_ten_minutes(ask, store, clock, fresh_lock):
    """One person opens at most three doors in ten minutes."""
    path = "/devices/lock-1/commands"
    for _ in range(3):
        answer = await ask("nils", "POST", path, json={"name": "unlock", "reason": "planned visit"})
        assert answer.status_code == 202
        async with store.writing() as session:
            (await session.get(CommandRow, answer.json()["id"])).status = "done"
    refused = await ask("nils", "POST", path, json={"name": "unlock", "reason": "planned visit"})
    assert refused.status_code == 409
    clock.at += 600_001
    await fresh_lock()
    assert (
        await ask("nils", "POST", path, json={"name": "unlock", "reason": "planned visit"})
    ).status_code == 202


async def test_a_refused_command_opened_no_door(ask, store, clock, fresh_lock):
    """Commands that a gateway or a lock refused do not count: whoever stands outside may ask again."""
    path = "/devices/lock-1/commands"
    for status in ("refused", "refused", "refused", "failed", "expired", "done"):
        clock.at += 1
        await fresh_lock()
        answer = await ask("nils", "POST", path, json={"name": "unlock", "reason": "nobody answers"})
        assert answer.status_code == 202
        async with store.writing() as session:
            (await session.get(CommandRow, answer.json()["id"])).status = status
    again = await ask("nils", "POST", path, json={"name": "unlock", "reason": "nobody answers"})
    assert again.status_code == 409


async def test_a_command_nobody_takes_is_422(ask, fresh_lock):
    """What the device does not take is refused at once, in both languages, and the right one goes through after it."""
    path = "/devices/lock-1/commands"
    for wrong in ({"name": "explode"}, {"name": "unlock", "args": {"a": 1}}):
        answer = await ask("nils", "POST", path, json=wrong | {"reason": "nobody answers"})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        assert "unlock" in answer.json()["says"]["nb"]
    asked = await ask("nils", "POST", path, json={"name": "unlock", "reason": "nobody answers"})
    assert asked.status_code == 202


async def test_a_device_with_its_states(ask, store, clock):
    """A device tells its states, each with its age, and what may be asked of it."""
    async with store.writing() as session:
        session.add(
            DeviceState(
                device="lock-1",
                state="lock.bolt",
                home="h1",
                value="locked",
                at=clock.now(),
                heard=clock.now(),
            )
        )
    device = (await ask("nils", "GET", "/devices/lock-1")).json()
    assert [(state["state"], state["value"]) for state in device["states"]] == [("lock.bolt", "locked")]
    assert "unlock" in device["commands"]
    assert [row["id"] for row in (await ask("nils", "GET", "/devices")).json()] == ["lock-1", "pendant-1"]


async def test_gateways(ask):
    """A person sees the gateways that serve homes of their zones."""
    rows = (await ask("nils", "GET", "/gateways")).json()
    assert [(row["id"], row["homes"], row["last_heard"]) for row in rows] == [("gw1", ["h1"], None)]
    assert (await ask("nils", "GET", "/gateways/gw1")).json()["lanes"] == []


async def test_registry_for_administrators(ask, store):
    """An administrator exports the registry as the file that can be imported again."""
    async with store.writing() as session:
        session.add(Staff(id="ada", name="Ada", roles=["admin"]))
    assert (await ask("nils", "GET", "/registry")).status_code == 403
    answer = await ask("ada", "GET", "/registry")
    assert answer.headers["content-type"].startswith("application/yaml")
    assert check(answer.text).problems == ()


async def test_nothing_rests_in_a_cache(ask, judge):
    """No answer about people may be stored on the way."""
    await judge()
    for path in ("/alerts", "/residents", "/alerts/999", "/nowhere"):
        assert (await ask("nils", "GET", path)).headers["cache-control"] == "no-store"


async def test_faults_give_nothing_away(ask, desk, monkeypatch, judge):
    """A fault of ours is a problem document without its insides."""

    async def broken(*_: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(desk, "take", broken)
    alert = await judge()
    answer = await ask("nils", "POST", f"/alerts/{alert.id}/take", json={"version": 1})
    assert answer.status_code == 500
    assert "swordfish" not in answer.text


async def test_the_bare_address_leads_on(store, clock, desk):
    """Whoever opens /api/v1, signed in or not, is told where the OpenAPI document is and which calls there are."""

    async def nobody(_request):
        return None

    web = FastAPI()
    web.mount("/api/v1", make_api(Api(store, clock, desk, nobody)))
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://centre", follow_redirects=True
    ) as client:
        for bare in ("/api/v1", "/api/v1/"):
            told = (await client.get(bare)).json()
            assert set(told["says"]) == {"nb", "en"}
            document = (await client.get(told["openapi"])).json()
            assert {one["path"] for one in told["routes"]} == {f"/api/v1{path}" for path in document["paths"]}


async def test_openapi_is_complete(store, clock, desk):
    """Every route has a summary, a description and its problem answers; every field of a problem is described."""

    async def nobody(_request):
        return None

    document = make_api(Api(store, clock, desk, nobody)).openapi()
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert route["summary"], (path, method)
            assert route.get("description"), (path, method)
            assert "401" in route["responses"], (path, method)
            for parameter in route.get("parameters", []):
                assert parameter["schema"], (path, parameter["name"])


async def test_a_technician_mends_what_could_not_be_read(ask, store, clock):
    """Tor sees what waits of his gateways, drops it with a reason, and nobody else does."""
    async with store.writing() as session:
        for number, gateway in enumerate(("gw1", "gw2", "stranger")):
            session.add(
                Quarantined(
                    at=clock.now(),
                    topic=f"gateways/{gateway}/up/alarm",
                    gateway=gateway,
                    digest=str(number),
                    problem="an uplink message is JSON",
                    payload=b"nonsense".hex(),
                    size=8,
                    last_at=clock.now(),
                )
            )
    assert (await ask("nils", "GET", "/quarantine")).status_code == 403
    assert [one["id"] for one in (await ask("tor", "GET", "/quarantine")).json()] == ["1", "3"]
    assert (await ask("tor", "GET", "/quarantine/1")).json()["content"] == "nonsense"
    assert (await ask("tor", "GET", "/quarantine/2")).status_code == 404
    assert (await ask("tor", "POST", "/quarantine/1/replay")).status_code == 409
    assert (await ask("tor", "POST", "/quarantine/1/drop", json={"reason": ""})).status_code == 422
    assert (await ask("tor", "POST", "/quarantine/1/drop", json={"reason": "a test"})).status_code == 204
    async with store.reading() as session:
        deeds = (await session.exec(select(Audit).order_by(col(Audit.seq)))).all()
    assert [(deed.actor, deed.action, deed.why) for deed in deeds] == [
        ("tor", "look", ""),
        ("tor", "quarantine.drop", "a test"),
    ]


async def test_a_door_says_what_is_missing(ask, clock, fresh_lock):
    """A program tells "sign in again" from "too old" by one word, a person by the sentence."""
    path, visit = "/devices/lock-1/commands", {"name": "unlock", "purpose": "visit"}
    late = await ask("nils", "POST", path, login_age=13 * 3600, json=visit)
    assert (late.status_code, late.json()["type"]) == (403, "urn:trygghub:problem:sign-in-again")
    clock.at += 120_000
    old = await ask("nils", "POST", path, json=visit)
    assert (old.status_code, old.json()["type"]) == (409, "urn:trygghub:problem:too-old")
    assert old.json()["says"]["en"].startswith("The lock's state is 2 min old. It is being asked now")
    assert (await ask("nils", "POST", path, json={"name": "unlock", "purpose": "whim"})).status_code == 422
