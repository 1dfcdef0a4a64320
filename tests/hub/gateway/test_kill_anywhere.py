"""The property behind promises 1 and 2: killed at any commit, as often as you like, the outcome is the same.

A made-up evening is played twice: once without trouble, once with the process killed at chosen commits. Devices
repeat what was not accepted, as their wires do. Journal events, decisions and their identities must be equal.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.events import Frame, Millis
from hub.clock import ManualClock
from hub.gateway import journal, memory, outbox
from hub.gateway.hearing import Hearing
from hub.gateway.home_specs import home_specs
from hub.gateway.ids import Ids
from hub.gateway.judging import Judging
from hub.gateway.roll import Roll, call_the_roll
from hub.registry.models import GatewayPart
from hub.store.errors import StoreError
from hub.store.writer import Writer
from rules import Engine, load_book

START: Millis = 1_768_460_400_000

BOOK = load_book(
    """
rules:
  pressed:
    when: pendant.pressed
    alert: {nb: Trykket, en: Pressed}
    action: {nb: Ring, en: Call}
    urgency: critical
  many-presses:
    when: pendant.pressed
    times: 3
    within: 10 min
    alert: {nb: Mange trykk, en: Many presses}
    action: {nb: Ring, en: Call}
    urgency: high
  fallen-and-silent:
    when: pendant.fall
    missing: room.motion
    within: 5 min
    alert: {nb: Falt, en: Fell}
    action: {nb: Ring, en: Call}
    urgency: high
  still:
    missing: room.motion
    for: 12 min
    alert: {nb: Ingen bevegelse, en: No motion}
    action: {nb: Ring, en: Call}
  cold:
    while: room.temperature < 15
    for: 4 min
    alert: {nb: Kaldt, en: Cold}
    action: {nb: Ring, en: Call}
""",
    source="test book",
)


class KilledError(BaseException):
    """The process is gone."""


@dataclass
class Kills:
    """Ends the process before chosen commits, counted over the whole evening."""

    at: frozenset[int]
    commits: int = 0

    def __call__(self) -> None:
        """Before each commit."""
        self.commits += 1
        if self.commits in self.at:
            raise KilledError


@dataclass
class Box:
    """A gateway that can be killed and started again on the same database."""

    path: Path
    part: GatewayPart
    types: Any
    kills: Kills
    clock: ManualClock = field(default_factory=lambda: ManualClock(at=START))
    run: int = 0

    async def start(self) -> None:
        """Start, again and again if need be."""
        while True:
            try:
                await self._start()
                return
            except StoreError:
                continue

    async def _start(self) -> None:
        self.run += 1
        roll: Roll = call_the_roll(self.part, self.types, self.path.parent)
        self.writer = Writer(self.path, before_commit=self.kills)
        await self.writer.start()
        await self.writer.write(journal.ensure_marks)
        await self.writer.write(outbox.epoch)
        memory.hand_out(roll, await self.writer.write(memory.stored))
        self.hearing = Hearing(
            self.writer,
            lambda: roll,
            lambda committed: self.judging.take(committed.events),
            lambda _device, _frame, _why: (),
            ids=Ids(run=f"{self.run:06x}"),
        )
        self.judging = Judging(
            self.writer,
            self.clock,
            BOOK,
            Engine,
            lambda: home_specs(roll, self.clock.now()),
            lambda _lanes: None,
            self.hearing.oldest_under_way,
        )
        await self.judging.start()

    async def hear(self, frame: Frame) -> None:
        """A device says something until it is accepted."""
        while not (await self.hearing.hear(frame)).accepted:
            await self.start()

    async def judge(self) -> None:
        """Let the rules work, over deaths if need be."""
        while True:
            turning = asyncio.ensure_future(self.judging.turn())
            while not turning.done() and self.writer.state.condition != "broken":
                await asyncio.sleep(0)
            if turning.done() and turning.exception() is None:
                return
            turning.cancel()
            await asyncio.gather(turning, return_exceptions=True)
            await self.start()


FACTS = (
    {"kind": "pendant.pressed"},
    {"kind": "pendant.fall"},
    {"kind": "room.motion"},
    {"kind": "room.temperature", "data": {"value": 12.0}},
    {"kind": "room.temperature", "data": {"value": 21.0}},
)
DEVICE_OF = {"pendant": "pendant-1", "room": "room-1"}
STEP = st.tuples(st.integers(0, len(FACTS) - 1), st.integers(0, 400), st.booleans())


async def evening(box: Box, steps: list[tuple[int, int, bool]]) -> None:
    """Play the steps: a fact, then seconds pass; some facts are said twice, as a wire may do."""
    await box.start()
    for number, (which, seconds, twice) in enumerate(steps):
        fact = FACTS[which]
        name = DEVICE_OF[fact["kind"].partition(".")[0]]
        payload = orjson.dumps({"facts": [fact | {"id": f"{number}"}]})
        for _ in range(1 + twice):
            await box.hear(Frame("mqtt", f"h1/{name}", payload, box.clock.now(), "event"))
        await box.judge()
        await box.clock.advance(seconds)
        await box.judge()
    await box.clock.advance(3600)
    await box.judge()
    await box.writer.close()


def outcome(path: Path) -> tuple[list[Any], list[Any]]:
    """Events and decisions as they stand, without what may differ: when a decision was written."""
    with closing(sqlite3.connect(path)) as db:
        events = db.execute(
            "SELECT once, at, heard FROM journal WHERE type = 'event' ORDER BY seq"
        ).fetchall()
        decisions = db.execute(
            "SELECT once, body FROM journal WHERE type = 'decision' ORDER BY once"
        ).fetchall()
    bodies = [{**orjson.loads(body), "judged": ""} for _, body in decisions]
    return events, bodies


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory, template: bytes) -> Callable[..., tuple[int, Any]]:
    """Plays an evening with kills and gives the number of commits and the outcome."""
    folder = tmp_path_factory.mktemp("evening")
    count = iter(range(10**9))

    def play(part: GatewayPart, types: Any, steps: Any, kills: frozenset[int]) -> tuple[int, Any]:
        path = folder / f"{next(count)}.db"
        path.write_bytes(template)
        box = Box(path, part, types, Kills(kills))
        asyncio.run(evening(box, steps))
        found = outcome(path)
        path.unlink()
        return box.kills.commits, found

    return play


@settings(max_examples=40, deadline=None, derandomize=True)
@given(steps=st.lists(STEP, min_size=1, max_size=8), share=st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_killed_at_any_commits_the_outcome_is_the_same(
    play: Callable[..., tuple[int, Any]],
    part_and_types: tuple[GatewayPart, Any],
    steps: Any,
    share: list[float],
) -> None:
    """Up to four kills at arbitrary commits leave the same events and the same decisions."""
    commits, expected = play(*part_and_types, steps, frozenset())
    kills = frozenset(1 + int(each * (commits - 1)) for each in share)
    assert play(*part_and_types, steps, kills)[1] == expected


def test_killed_at_every_commit_in_turn(
    play: Callable[..., tuple[int, Any]], part_and_types: tuple[GatewayPart, Any]
) -> None:
    """One evening with a fall, cold, presses and stillness: whichever single commit is the last, nothing changes."""
    steps = [(1, 100, False), (0, 60, True), (3, 250, False), (0, 60, False), (0, 30, True), (4, 900, False)]
    commits, expected = play(*part_and_types, steps, frozenset())
    rules = {body["rule"] for body in expected[1]}
    assert rules == {"pressed", "many-presses", "catch-all", "fallen-and-silent", "still", "cold"}
    for kill in range(1, commits + 1):
        assert play(*part_and_types, steps, frozenset({kill}))[1] == expected, f"killed at commit {kill}"
