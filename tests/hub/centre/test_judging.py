"""The centre judges what only it can know: that a gateway is silent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
import pytest
from sqlmodel import col, select

from drivers.events import iso
from drivers.links.mqtt_client import Message
from hub.centre.intake.intake import Intake
from hub.centre.judging import Judging, book_or_standard, patient, place_in
from hub.store.centre_tables import Alert, EngineState, Gateway, Home
from rules import load_book

MINUTE = 60_000
Speak = Callable[..., Awaitable[None]]


@pytest.fixture
async def speak(store, clock) -> AsyncIterator[Speak]:
    """Give a function that lets a gateway say something of itself."""
    intake = Intake(store, clock, acked=lambda key, mark: None)
    task = asyncio.create_task(intake.run())
    said = [0]

    async def say(gateway: str, kind: str = "gateway.heartbeat", device: str = "", **data: object) -> None:
        said[0] += 1
        event = {
            "id": f"{gateway}:{said[0]}",
            "at": iso(clock.now()),
            "home": "h1",
            "device": device or gateway,
            "kind": kind,
            "data": data,
        }
        batch = {"epoch": "00c0ffee", "entries": [{"number": said[0], "type": "event", "body": event}]}
        await intake.take(Message(f"gateways/{gateway}/up/technical", orjson.dumps(batch), retain=False))

    yield say
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
def new_judging(store, clock) -> Callable[[], Awaitable[Judging]]:
    """Start the judging, as after a restart of the process."""

    async def start() -> Judging:
        judging = Judging(store, clock, book_or_standard(None)[0])
        await judging.start()
        return judging

    return start


async def alerts(store) -> list[Alert]:
    """All alerts, oldest first."""
    async with store.reading() as session:
        return list((await session.exec(select(Alert).order_by(col(Alert.id)))).all())


async def test_a_silent_gateway(store, clock, speak, new_judging):
    """Silence is a critical technical alert within five minutes of the last sign of life, once, until it speaks."""
    judging = await new_judging()
    await speak("gw1")
    await judging.step()
    clock.at += 3 * MINUTE + 50_000
    await judging.step()
    assert await alerts(store) == []
    clock.at += 20_000
    await judging.step()
    clock.at += 60 * MINUTE
    await judging.step()
    (alert,) = await alerts(store)
    assert (alert.rule, alert.key, alert.home, alert.zone) == ("gateway-silent", "gw1", "h1", "nord")
    assert (alert.urgency, alert.queue, alert.count) == ("critical", "technical", 1)
    assert "Astrid" in alert.says["nb"]
    assert alert.heard == alert.opened >= alert.at
    await speak("gw1")
    await judging.step()
    (alert,) = await alerts(store)
    assert (alert.condition, alert.handling) == ("cleared", "new")


async def test_the_centre_was_away_itself(store, clock, speak, new_judging):
    """Silence while the centre was down is nobody's silence: gateways get their time again after its start."""
    judging = await new_judging()
    await speak("gw1")
    await judging.step()
    clock.at += 300 * MINUTE
    reborn = await new_judging()
    await reborn.step()
    clock.at += 4 * MINUTE
    await reborn.step()
    assert await alerts(store) == []
    clock.at += 2 * MINUTE
    await reborn.step()
    assert [alert.rule for alert in await alerts(store)] == ["gateway-silent"]


async def test_a_gateway_installed_while_nobody_judged(store, clock, speak, new_judging):
    """One that spoke for the first time while the judging was away gets its time again, like all others."""
    judging = await new_judging()
    await speak("gw1")
    await judging.step()
    await speak("gw2")
    clock.at += 300 * MINUTE
    reborn = await new_judging()
    await reborn.step()
    assert [alert.key for alert in await alerts(store) if alert.rule == "gateway-silent"] == []
    clock.at += 6 * MINUTE
    await reborn.step()
    silent = {alert.key for alert in await alerts(store) if alert.rule == "gateway-silent"}
    assert silent == {"gw1", "gw2"}


async def test_restart_in_the_middle(store, clock, speak, new_judging):
    """A silence raised before a restart is not raised again after it, and is cleared by the first sign of life."""
    judging = await new_judging()
    await speak("gw1")
    await judging.step()
    clock.at += 12 * MINUTE
    await judging.step()
    clock.at += 2 * MINUTE
    await judging.step()  # the snapshot that knows of the raise
    reborn = await new_judging()
    clock.at += 30 * MINUTE
    await reborn.step()
    (alert,) = await alerts(store)
    assert alert.count == 1
    await speak("gw1")
    await reborn.step()
    assert (await alerts(store))[0].condition == "cleared"


async def test_killed_before_the_snapshot(store, clock, speak, new_judging):
    """Killed between a decision and its snapshot, the centre judges again and comes to the same decision."""
    judging = await new_judging()
    await judging.step()
    clock.at += 1000
    await speak("gw1", "gateway.mains_lost")
    await judging.step()
    clock.at += 3 * MINUTE
    await speak("gw1")
    clock.at += 2 * MINUTE + 1
    await judging.step()
    async with store.writing() as session:
        row = await session.get(EngineState, "gateways")
        row.judged, row.snapshot = 0, {}
    reborn = await new_judging()
    await reborn.step()
    assert [(alert.rule, alert.count) for alert in await alerts(store)] == [("gateway-off-mains", 1)]


async def test_no_gateway_speaks_for_another(store, clock, speak, new_judging):
    """A heartbeat that another gateway sends in its name keeps no gateway alive."""
    judging = await new_judging()
    await speak("gw1")
    await judging.step()
    clock.at += 8 * MINUTE
    await speak("gw2", device="gw1")
    clock.at += 4 * MINUTE
    await judging.step()
    assert "gateway-silent" in [alert.rule for alert in await alerts(store) if alert.key == "gw1"]


async def test_a_book_with_a_slip(tmp_path):
    """A rule book that cannot be read gives way to the shipped one, and the sentence says why."""
    path = tmp_path / "book.yaml"
    path.write_text("rules:\n  door: {wenn: door.opened}\n", encoding="utf-8")
    book, trouble = book_or_standard(path)
    assert "gateway-silent" in book.rules
    assert trouble is not None
    assert "book.yaml, line 2: door: a rule has no word 'wenn'" in trouble.words["en"]
    assert "book.yaml, linje 2: door: en regel har ikke ordet 'wenn'; mente du 'when'?" in trouble.words["nb"]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("Hjemmesentral Fjordbyen", "Fjordbyen"),
        ("Hjemmesentralen i Storgata 1", "Storgata 1"),
        ("Gateway at Fjordbyen", "Fjordbyen"),
        ("Fjordbyen", "Fjordbyen"),
        ("Hjemmesentral", "Hjemmesentral"),
        ("Boks 2", "Boks 2"),
        ("Bokstun", "Bokstun"),
        ("Gamle sentralen i Dal", "Gamle sentralen i Dal"),
    ],
)
def test_a_box_is_said_once(name, place):
    """A box that is called a gateway is not said to be "the gateway at the gateway"."""
    assert place_in(name) == place


async def test_a_box_of_several_homes_names_no_resident(store, clock, speak, new_judging):
    """Its alert reaches people of more than one zone, so it is told by where it stands."""
    async with store.writing() as session:
        (await session.get(Home, "h2")).gateway = "gw1"
        (await session.get(Gateway, "gw1")).name = "Hjemmesentral Fjordbyen"
    judging = await new_judging()
    await speak("gw1")
    await judging.step()
    clock.at += 12 * MINUTE
    await judging.step()
    (alert,) = await alerts(store)
    assert alert.says["nb"] == "Hjemmesentralen hos Fjordbyen er taus"


async def test_another_book_is_taken_over_at_work(store, clock, speak, new_judging):
    """A shorter patience for silent gateways holds at once; what was raised is not raised again after a restart."""
    judging = await new_judging()
    await speak("gw1")
    await judging.step()
    clock.at += 3 * MINUTE
    await judging.step()
    assert await alerts(store) == []
    book = load_book("rules: {quiet: {missing: gateway.heartbeat, for: 2 min, queue: technical}}")
    await judging.use(book)
    await judging.take_over()
    clock.at += MINUTE
    await judging.step()
    assert [alert.rule for alert in await alerts(store)] == ["quiet"]
    clock.at += 30 * MINUTE
    await judging.step()
    assert [(alert.rule, alert.count) for alert in await alerts(store)] == [("quiet", 1)]


def test_no_fast_world_takes_a_stall_for_silence():
    """Where four minutes pass in four seconds, a gateway may be silent for ten real ones."""
    book = load_book(
        "rules: {quiet: {missing: gateway.heartbeat, for: 4 min, queue: technical},"
        " off: {while: gateway.mains is off, for: 5 min, queue: technical}}"
    ).judged_by("centre")
    spans = {speed: patient(book, speed).rules["quiet"].wait.value for speed in (1.0, 60.0)}
    assert spans == {1.0: 4 * MINUTE, 60.0: 10 * MINUTE}
    assert patient(book, 60.0).rules["off"] == book.rules["off"]
