"""What hits many homes at once is one alert of the area; each home's own stays, and points to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlmodel import col, select

from hub.centre.alerts import opening, rows
from hub.centre.alerts.decisions import Judged
from hub.centre.alerts.desk import AlertDesk
from hub.centre.areas import grouping
from hub.centre.areas.counting import Change, Ledger, Out, Town, largest, signs_of
from hub.centre.areas.judging import AreaJudging
from hub.centre.judging import book_or_standard
from hub.store.centre_tables import Alert, AlertLine, EngineState, Gateway, Home, Zone
from rules import load_book

MINUTE = 60_000
SPAN = 15 * MINUTE
HOMES = ("gw1", "gw3", "gw4", "gw5")
TOWN = Town(dict.fromkeys(HOMES, ("nord",)), {"nord": "Nord"})

Said = Callable[..., Awaitable[None]]


def out(gateway: str, since: int) -> Out:
    """A gateway that is silent since a minute."""
    return Out("gateway-silent", gateway, "silent", since * MINUTE, ("nord",))


# ---------------------------------------------------------------- counting


def test_what_an_alert_says_of_a_gateway_follows_from_its_rule() -> None:
    """Silence and lost mains put a gateway out, whatever a book calls the rule; a low battery does not."""
    assert signs_of(book_or_standard(None)[0]) == {
        "gateway-silent": "silent",
        "gateway-off-mains": "off_mains",
    }
    own = load_book(
        "rules:\n  stille: {missing: gateway.heartbeat, for: 5 min}\n"
        "  back: {while: gateway.mains is on}\n  mørkt: {while: gateway.mains is off}\n"
    )
    assert signs_of(own) == {"stille": "silent", "mørkt": "off_mains"}


@pytest.mark.parametrize(
    ("since", "group"),
    [
        ([], []),
        ([0], [0]),
        ([0, 15], [0, 15]),
        ([0, 16], [16]),
        ([0, 14, 16, 29], [14, 16, 29]),
        ([0, 10, 40, 41], [40, 41]),
        ([0, 1, 2, 60], [0, 1, 2]),
    ],
)
def test_who_went_out_together(since: list[int], group: list[int]) -> None:
    """The largest group within a quarter of an hour, both ends included; of equal ones the newest."""
    found = largest([out(f"gw{number}", at) for number, at in enumerate(since)], SPAN)
    assert [one.since // MINUTE for one in found] == group


def test_a_gateway_with_two_reasons_counts_once() -> None:
    """Off mains and then silent is one box, out since the first; it is back when the last reason is over."""
    ledger = Ledger(SPAN)
    ledger.take(Change("gateway-off-mains", "gw1", MINUTE, raised=True), "off_mains", TOWN)
    ledger.take(Change("gateway-silent", "gw1", 200 * MINUTE, raised=True), "silent", TOWN)
    data = ledger.counted("nord", TOWN, None, ledger.at).data
    assert data == {"out": 1, "together": 1, "silent": 1, "off_mains": 1, "gateways": 4}
    assert ledger.take(Change("gateway-off-mains", "gw1", 210 * MINUTE, raised=False), "off_mains", TOWN) == (
        "nord",
    )
    ledger.take(Change("gateway-silent", "gw1", 211 * MINUTE, raised=False), "silent", TOWN)
    assert ledger.counted("nord", TOWN, None, ledger.at).data["out"] == 0


def test_a_ledger_survives_as_json() -> None:
    """Packed and read again it counts the same."""
    ledger = Ledger(SPAN)
    ledger.take(Change("gateway-silent", "gw1", MINUTE, True, ("gw1:7",), 17), "silent", TOWN)
    again = Ledger(SPAN)
    again.unpack(ledger.pack())
    assert (again.at, again.outs) == (ledger.at, ledger.outs)


# ---------------------------------------------------------------- judging


async def settle(store) -> None:
    """Three more homes in the north, each with a gateway of its own."""
    async with store.writing() as session:
        for name in HOMES[1:]:
            home = name.replace("gw", "h")
            session.add(Gateway(id=name, name=f"Boks {name[2:]}", since=0))
            session.add(
                Home(
                    id=home,
                    address=f"Storgata {name[2:]}",
                    tz="Europe/Oslo",
                    zone="nord",
                    gateway=name,
                    body={},
                )
            )


@pytest.fixture
async def said(store, clock) -> Said:
    """Let the rules on gateways decide something about one, as hub.centre.judging would."""
    await settle(store)
    return sayer(store, clock)


def sayer(store, clock) -> Said:
    """The same for a centre the test made itself."""

    async def decide(gateway: str, action: str = "raise", rule: str = "gateway-silent", **more: Any) -> None:
        says = {"nb": f"{gateway} er taus", "en": f"{gateway} is silent"}
        body = {"home": gateway, "because": [f"{gateway}:{clock.now()}"]}
        judged = Judged(
            **{
                "action": action, "rule": rule, "key": gateway, "home": gateway.replace("gw", "h"),
                "device": gateway, "at": clock.now(), "because": tuple(body["because"]), "says": says,
                "urgency": "critical", "queue": "technical", "reason": "heard again", "body": body,
            }
            | more
        )  # fmt: skip
        async with store.writing() as session:
            await opening.carry_out(session, judged, await rows.policy_of(session), clock.now())

    return decide


@pytest.fixture
def new_judging(store, clock) -> Callable[[], Awaitable[AreaJudging]]:
    """Start the judging of areas, as after a restart of the process."""

    async def start() -> AreaJudging:
        judging = AreaJudging(store, clock, book_or_standard(None)[0])
        await judging.start()
        return judging

    return start


async def areas(store) -> list[Alert]:
    """The alerts of areas, oldest first."""
    async with store.reading() as session:
        wanted = select(Alert).where(Alert.rule == "area-outage").order_by(col(Alert.id))
        return list((await session.exec(wanted)).all())


async def of(store, gateway: str) -> Alert:
    """The newest alert of a gateway."""
    async with store.reading() as session:
        wanted = select(Alert).where(Alert.device == gateway).order_by(col(Alert.id).desc())
        found = (await session.exec(wanted)).first()
        assert found is not None
        return found


async def outage(clock, said: Said, judging: AreaJudging, gateways: tuple[str, ...] = HOMES[:3]) -> None:
    """One gateway after the other falls silent, a minute apart."""
    for gateway in gateways:
        clock.at += MINUTE
        await said(gateway)
        await judging.step()


async def test_three_silent_gateways_are_one_outage(store, clock, said, new_judging):
    """One technical alert of the zone, with what each gateway said as evidence; the homes' own point to it."""
    judging = await new_judging()
    await outage(clock, said, judging, HOMES[:2])
    assert await areas(store) == []
    await outage(clock, said, judging, HOMES[2:3])
    (area,) = await areas(store)
    assert (area.key, area.home, area.zone, area.queue) == ("nord", "", "nord", "technical")
    assert (area.count, area.kind) == (3, "area.counted")
    assert "Nord" in area.says["nb"]
    assert {one.split(":")[0] for one in area.evidence} == set(HOMES[:3])
    singles = [await of(store, gateway) for gateway in HOMES[:3]]
    assert {(single.area, single.handling, single.condition) for single in singles} == {
        (area.id, "new", "active")
    }
    async with store.reading() as session:
        assert await grouping.members(session, area.id) == [single.id for single in singles]


async def test_a_fourth_joins_the_open_outage(store, clock, said, new_judging):
    """It grows the area's alert: whoever would close it must have seen that; it grows no more urgent by it."""
    judging = await new_judging()
    await outage(clock, said, judging)
    clock.at += 30 * MINUTE
    await said("gw5")
    await judging.step()
    (area,) = await areas(store)
    assert (area.count, area.urgency, area.grown) == (4, "critical", area.version)
    assert (await of(store, "gw5")).area == area.id


async def test_far_apart_is_no_outage(store, clock, said, new_judging):
    """Three gateways that fall silent in the course of an afternoon have nothing to do with each other."""
    judging = await new_judging()
    for gateway in HOMES:
        clock.at += 16 * MINUTE
        await said(gateway)
        await judging.step()
    assert await areas(store) == []


async def test_long_silent_ones_stay_out_of_it(store, clock, said, new_judging):
    """A box that has been unplugged since yesterday does not belong to tonight's outage."""
    judging = await new_judging()
    await outage(clock, said, judging, ("gw1",))
    clock.at += 1000 * MINUTE
    await outage(clock, said, judging, HOMES[1:])
    (area,) = await areas(store)
    assert (await of(store, "gw1")).area is None
    assert (await of(store, "gw3")).area == area.id


async def test_a_restart_at_any_point_raises_once(store, clock, said, new_judging):
    """Taken up from what is stored, or killed before that was stored, it comes to the same decisions."""
    judging = await new_judging()
    await outage(clock, said, judging, HOMES[:2])
    judging = await new_judging()
    await outage(clock, said, judging, HOMES[2:3])
    async with store.writing() as session:
        state = await session.get(EngineState, "areas")
        state.judged, state.snapshot = 0, {}
    for _ in range(2):
        judging = await new_judging()
        await judging.step()
    await outage(clock, said, judging, HOMES[3:])
    (area,) = await areas(store)
    assert area.count == 4


async def test_a_snapshot_from_before_the_newest_decisions(store, clock, said, new_judging):
    """What came after the snapshot is judged again, and each decision of it counts once."""
    judging = await new_judging()
    await outage(clock, said, judging, HOMES[:1])
    async with store.reading() as session:
        state = await session.get(EngineState, "areas")
        old = (state.judged, state.snapshot)
    await outage(clock, said, judging, HOMES[1:])
    async with store.writing() as session:
        state = await session.get(EngineState, "areas")
        state.judged, state.snapshot = old
    judging = await new_judging()
    await judging.step()
    (area,) = await areas(store)
    assert area.count == 4
    async with store.reading() as session:
        lines = (await session.exec(select(AlertLine.what).where(AlertLine.alert == area.id))).all()
    assert sorted(lines) == ["joined", "joined", "opened"]


async def test_several_centres_raise_once(store, clock, said, new_judging):
    """Two processes that judge the same table come to one alert with one list."""
    first, second = await new_judging(), await new_judging()
    for gateway in HOMES:
        clock.at += MINUTE
        await said(gateway)
        await second.step()
        await first.step()
    (area,) = await areas(store)
    assert (area.count, area.version) == (4, 3)


async def test_the_past_is_not_raised(store, clock, said, new_judging):
    """A centre that judges areas for the first time counts what stands now, and leaves last year alone."""
    for action in ("raise", "clear"):
        for gateway in HOMES:
            await said(gateway, action)
        clock.at += 60 * MINUTE
    await (await new_judging()).step()
    assert await areas(store) == []
    for gateway in HOMES:
        await said(gateway, rule="gateway-off-mains", urgency="moderate")
    async with store.writing() as session:
        await session.delete(await session.get(EngineState, "areas"))
    await (await new_judging()).step()
    (area,) = await areas(store)
    assert area.count == 4


async def test_it_is_over(store, clock, said, new_judging):
    """Fewer than two are left: the area's alert clears and waits for a person; who is still silent stands by itself."""
    judging = await new_judging()
    await outage(clock, said, judging)
    clock.at += 60 * MINUTE
    for gateway in HOMES[:2]:
        await said(gateway, "clear")
        await judging.step()
    await judging.step()
    (area,) = await areas(store)
    assert (area.condition, area.handling) == ("cleared", "new")
    assert (await of(store, "gw4")).area is None
    assert (await of(store, "gw1")).area == area.id
    async with store.reading() as session:
        wanted = select(AlertLine.what).where(AlertLine.alert == (await of(store, "gw4")).id)
        assert list((await session.exec(wanted)).all()) == ["opened", "grouped", "released"]


async def test_a_person_closes_it(store, clock, said, new_judging, desk, people):
    """What is over is closed with it in that person's name, once that cannot be undone; what still stands goes on."""
    judging = await new_judging()
    await outage(clock, said, judging)
    await said("gw1", "clear")
    await judging.step()
    (area,) = await areas(store)
    area = await desk.take(area.id, area.version, people.tor, "test")
    await desk.resolve(area.id, area.version, people.tor, "test", cause="technical_fault", measure="visit")
    await judging.step()
    assert (await of(store, "gw1")).handling == "new"
    clock.at += MINUTE
    await judging.step()
    over, still = await of(store, "gw1"), await of(store, "gw3")
    assert (over.handling, over.resolved_by, over.cause) == ("resolved", "tor", "technical_fault")
    assert (still.handling, still.area) == ("new", None)


async def test_another_book_is_taken_over_at_work(store, clock, said, new_judging):
    """A municipality that asks for four of them hears of four; what was raised by a rule that is gone is over."""
    judging = await new_judging()
    await outage(clock, said, judging)
    (area,) = await areas(store)
    book = load_book(
        "rules:\n  gateway-silent: {missing: gateway.heartbeat, for: 11 min}\n"
        "  many: {while: area.silent >= 4, until: area.silent < 2, queue: technical}\n"
    )
    await judging.use(book)
    await judging.take_over()
    assert (await areas(store))[0].condition == "cleared"
    await outage(clock, said, judging, HOMES[3:])
    async with store.reading() as session:
        (many,) = (await session.exec(select(Alert).where(Alert.rule == "many"))).all()
    assert (many.zone, many.condition) == ("nord", "active")
    assert (await areas(store))[0].id == area.id


async def test_a_zone_without_outage_is_left_alone(store, clock, said, new_judging):
    """Gateways of another zone, and boxes that serve no home, do not count here."""
    async with store.writing() as session:
        session.add(Zone(id="vest", name="Vest", district="dal"))
        (await session.get(Home, "h4")).zone = "vest"
        (await session.get(Home, "h5")).gateway = None
    judging = await new_judging()
    await outage(clock, said, judging, HOMES)
    assert await areas(store) == []


@pytest.mark.postgres
async def test_several_centres_on_postgresql(on_postgres, clock, people):
    """Side by side, on the database where they can really get into each other's way."""
    await settle(on_postgres)
    said, book = sayer(on_postgres, clock), book_or_standard(None)[0]
    centres = [AreaJudging(on_postgres, clock, book) for _ in range(3)]
    await asyncio.gather(*(centre.start() for centre in centres))
    for action in ("raise", "clear"):
        clock.at += 20 * MINUTE
        for gateway in HOMES:
            clock.at += 1000
            await said(gateway, action)
            await asyncio.gather(*(centre.step() for centre in centres))
        (area,) = await areas(on_postgres)
        assert (area.count, area.condition) == (4, {"raise": "active", "clear": "cleared"}[action])
    desk = AlertDesk(on_postgres, clock)
    taken = await desk.take(area.id, area.version, people.tor, "test")
    await desk.resolve(area.id, taken.version, people.tor, "test", cause="no_contact", measure="visit")
    clock.at += MINUTE
    await asyncio.gather(*(centre.step() for centre in centres))
    assert {(await of(on_postgres, gateway)).resolved_by for gateway in HOMES} == {"tor"}
