"""Asking the rules through the API: why, why not, and what if, for those who have business with the home."""

from __future__ import annotations

import pytest
from sqlmodel import select

from drivers.events import Event, iso
from hub.store.centre_tables import Alert, Audit, Entry
from rules import Engine, load_book, standard_book_text

MINUTE = 60_000


@pytest.fixture
async def night(store, clock):
    """A pulse that was high for a quarter of an hour, the alert it led to, and its number."""
    start = clock.now() - 60 * MINUTE
    plan = [(0, 130), (15, 90)]
    events = [
        Event(f"e{n}", start + m * MINUTE, start + m * MINUTE, "h1", "oximeter", "vitals.pulse", {"value": v})
        for n, (m, v) in enumerate(plan)
    ]
    engine = Engine(load_book(standard_book_text()))
    raised = next(
        each for each in [*engine.feed(events), *engine.finish(clock.now())] if each.action == "raise"
    )
    async with store.writing() as session:
        for number, event in enumerate(events, start=1):
            session.add(
                Entry(gateway="gw1", epoch="00c0ffee", lane="care", number=number, type="event", event_id=event.id,
                      home="h1", device="oximeter", kind=event.kind, at=event.at, heard=event.heard,
                      received=event.heard, body=event.as_json())
            )  # fmt: skip
        alert = Alert(
            rule=raised.rule, key=raised.key, home="h1", zone="nord", urgency="high", queue="care", chain="high",
            because=raised.as_json(), evidence=list(raised.because), at=start, heard=start, opened=start, last_at=start,
        )  # fmt: skip
        session.add(alert)
        await session.flush()
        return alert.id, start


async def test_why_an_alert_is_there(ask, store, night) -> None:
    """Rule, numbers and evidence in both languages; the look is in the trail."""
    number, _ = night
    answer = await ask("nils", "GET", f"/alerts/{number}/why")
    assert answer.status_code == 200
    assert answer.json()["rule"] == "pulse-high"
    assert any("for 10 min" in each for each in answer.json()["en"])
    assert any("Puls målt" in each for each in answer.json()["nb"])
    async with store.reading() as session:
        looks = (await session.exec(select(Audit).where(Audit.action == "look"))).all()
    assert [row.actor for row in looks] == ["nils"]


async def test_why_one_is_not(ask, night) -> None:
    """Five minutes after the first high pulse, the rule was waiting."""
    _, start = night
    path = f"/homes/h1/why-not?rule=pulse-high&at={start + 5 * MINUTE}&language=en"
    answer = await ask("nils", "GET", path)
    assert answer.status_code == 200, answer.text
    assert answer.json()["at"] == iso(start + 5 * MINUTE)
    assert "so since" in answer.json()["says"][0]
    assert (await ask("nils", "GET", "/homes/h1/why-not?rule=no-such-rule")).status_code == 404
    assert (await ask("nils", "GET", "/homes/h1/why-not?rule=fall&at=yesterday")).status_code == 422


async def test_what_if(ask, night) -> None:
    """With another limit the pulse would not have been told; a book with a slip is refused with its line."""
    asked = {"parameters": {"pulse_high": 140}, "days": 1}
    answer = await ask("eva", "POST", "/homes/h1/what-if", json=asked)
    assert answer.status_code == 200, answer.text
    assert [each["rule"] for each in answer.json()["gone"]] == ["pulse-high"]
    assert answer.json()["new"] == []
    slip = await ask("eva", "POST", "/homes/h1/what-if", json={"book": "rules: {a: {whn: x}}"})
    assert slip.status_code == 422
    assert "did you mean 'when'" in slip.json()["detail"]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"pulse_high": "very"}, "resident.pulse_high: a number is needed here, not 'very'"),
        ({"pulse_hihg": 140}, "no rule reads 'pulse_hihg'; did you mean 'pulse_high'?"),
        ({"dose_time": 30}, "resident.dose_time: 30 is not a time span; write it like '10 min'"),
    ],
)
async def test_a_value_nobody_can_read_is_refused(ask, night, parameters, sentence) -> None:
    """Judged without it the rule would be off, and its alerts would be told as gone."""
    answer = await ask("eva", "POST", "/homes/h1/what-if", json={"parameters": parameters, "days": 1})
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]


async def test_what_if_is_for_those_who_set_limits(ask, night) -> None:
    """A nurse may ask why not; what other limits would have changed is a coordinator's question."""
    asked = {"parameters": {"pulse_high": 140}, "days": 1}
    assert (await ask("nils", "POST", "/homes/h1/what-if", json=asked)).status_code == 403


async def test_olga_sees_nothing(ask, night) -> None:
    """A home outside one's zones does not exist, whatever is asked of it."""
    number, _ = night
    assert (await ask("olga", "GET", f"/alerts/{number}/why")).status_code == 404
    assert (await ask("olga", "GET", "/homes/h1/why-not?rule=fall")).status_code == 404
    assert (
        await ask("olga", "POST", "/homes/h1/what-if", json={"parameters": {"dose_time": "5 min"}})
    ).status_code == 404
    assert (await ask("nobody", "GET", f"/alerts/{number}/why")).status_code == 401


async def test_the_rules_in_force_are_listed(ask) -> None:
    """By name, with what they are."""
    answer = await ask("nils", "GET", "/rules")
    fall = {"name": "fall", "form": "when", "urgency": "critical", "queue": "care", "life_safety": True}
    assert fall in answer.json()
