"""Upkeep: what is forgotten, what never is, and who is told when room runs short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from drivers.events import Frame
from hub.clock import ManualClock
from hub.gateway.hearing import Hearing
from hub.gateway.own_facts import OwnFacts
from hub.gateway.reserve import Reserve
from hub.gateway.store_watch import StoreWatch
from hub.gateway.upkeep import KEEP, Upkeep
from hub.store.errors import StoreError
from hub.store.writer import Writer, WriterState

Says = Callable[..., Frame]
WARM = {"kind": "room.temperature", "data": {"value": 21.5}}


@pytest.fixture
def own(writer: Writer, clock: ManualClock) -> OwnFacts:
    """The gateway's word about itself."""
    return OwnFacts("gw1", writer, clock, lambda: "h1", lambda _lanes: None)


@pytest.fixture
def upkeep(writer: Writer, clock: ManualClock, own: OwnFacts) -> Upkeep:
    """Upkeep on a disk with plenty of room."""
    return Upkeep(writer, clock, own, disk=lambda _path: 1 << 40)


async def covered(writer: Writer) -> None:
    """The rules have judged everything, and their state is stored."""
    await writer.write(lambda db: db.execute("UPDATE engine_state SET covers = 1000000"))


async def acknowledged(writer: Writer) -> None:
    """The centre holds everything that has a number."""
    await writer.write(lambda db: db.execute("UPDATE lane_mark SET acked = last"))


async def test_acknowledged_lines_go_after_three_days(
    upkeep: Upkeep, hearing: Hearing, writer: Writer, says: Says, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """What the centre holds stays for three days, then it goes, frames and all."""
    await hearing.hear(says("pendant-1", {"kind": "pendant.pressed"}))
    await covered(writer)
    await acknowledged(writer)
    await upkeep.round()
    assert stored.rows("SELECT kind FROM journal") == ["pendant.pressed", "gateway.disk"]
    await acknowledged(writer)
    await clock.advance(KEEP / 1000 + 1)
    await upkeep.round()
    assert stored.rows("SELECT count(*) FROM journal") == [0]
    assert stored.rows("SELECT count(*) FROM frame") == [0]


async def test_what_the_centre_lacks_stays_for_ever(
    upkeep: Upkeep, hearing: Hearing, writer: Writer, says: Says, clock: ManualClock, stored: SimpleNamespace
) -> None:
    """Without an acknowledgement a line outlives any number of rounds, in any crowd."""
    upkeep.quota = 1
    await hearing.hear(says("pendant-1", {"kind": "pendant.pressed"}))
    await covered(writer)
    await clock.advance(365 * 86_400)
    await upkeep.round()
    assert stored.bodies("event")[0]["kind"] == "pendant.pressed"


async def test_only_unsent_telemetry_is_evicted(
    upkeep: Upkeep, hearing: Hearing, writer: Writer, says: Says, stored: SimpleNamespace
) -> None:
    """In a full store measurements go, oldest first, and a line says how many; calls and their answers stay."""
    await hearing.hear(says("pendant-1", {"kind": "pendant.pressed"}))
    for _ in range(20):
        await hearing.hear(says("room-1", WARM))
    await covered(writer)
    upkeep.quota = 1
    await upkeep.round()
    kinds = [body["kind"] for body in stored.bodies("event")]
    assert kinds == ["pendant.pressed", "gateway.disk"]
    evicted = stored.bodies("health")[0]
    assert (evicted["what"], evicted["data"]["count"]) == ("telemetry evicted", 20)
    assert evicted["says"]["nb"].startswith("Lageret er fullt: 20")


async def test_a_filling_store_is_told_at_half_and_at_four_fifths(
    upkeep: Upkeep, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """Each step is told once on the way up, and the end of it on the way down, with a margin."""
    for level in (0.49, 0.51, 0.55, 0.81, 0.79, 0.74, 0.6, 0.46, 0.44):
        upkeep.disk = lambda _path, level=level: int((1 - level) * 2 * upkeep.quota)  # type: ignore[misc]
        await upkeep.round()
        await clock.advance(300)
    told = [(body["data"]["percent"], body["data"]["over"]) for body in stored.bodies("health")]
    assert told == [(51.0, False), (81.0, False), (74.0, False), (44.0, True)]


async def test_free_storage_is_told_where_rules_ask(
    upkeep: Upkeep, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """At a start, when it moved by ten per cent, and when it passes what the shipped rules look at: 10 and 15."""
    for free in (80, 75, 69, 16, 14, 12, 9.9, 10, 15.1, 15.2):
        upkeep.disk = lambda _path, free=free: int(free / 100 * 2 * upkeep.quota)  # type: ignore[misc]
        await upkeep.round()
        await clock.advance(300)
    told = [body["data"]["value"] for body in stored.bodies("event")]
    assert [round(one) for one in told] == [80, 69, 16, 14, 10, 10, 15]
    assert told[4] < 10 <= told[5]


async def test_it_says_for_how_many_hours_there_is_room(upkeep: Upkeep, clock: ManualClock) -> None:
    """The pace of the last rounds gives the hours left."""
    upkeep._history = [(clock.now(), 100), (clock.now() + 3_600_000, 200)]
    upkeep.quota = 1200
    assert upkeep.hours_left() == 10


@pytest.fixture
def watch(writer: Writer, clock: ManualClock, own: OwnFacts, upkeep: Upkeep, tmp_path: Path) -> StoreWatch:
    """The watch over the writer."""
    return StoreWatch(writer, clock, own, upkeep, Reserve(tmp_path / "reserve"))


async def test_a_full_disk_releases_the_reserve(
    watch: StoreWatch, stored: SimpleNamespace, clock: ManualClock
) -> None:
    """When the disk is full the space kept back is given up; afterwards a line says what was."""
    assert watch.reserve.make()
    watch.writer.state = WriterState("full", "the disk is full")
    await watch.look()
    assert watch.writer.state.condition == "ok"
    assert not watch.reserve.path.exists()
    await clock.advance(60)
    await watch.look()
    [body] = stored.bodies("health")
    assert body["says"]["en"] == "The gateway's disk was full (60 s)"
    assert watch.reserve.path.exists()


async def test_a_writer_beyond_help_ends_the_process(watch: StoreWatch) -> None:
    """When only a new process can help, this one says so and ends."""
    watch.writer.state = WriterState("broken", "the writer broke")
    with pytest.raises(StoreError, match="the writer broke"):
        await watch.look()
