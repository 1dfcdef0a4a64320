"""The clock is handed in, and a whole night takes milliseconds."""

import asyncio
from pathlib import Path

import pytest

from hub.clock import Gate, ManualClock, ScaledClock, SystemClock, clock_from


async def test_a_night_passes_in_a_moment() -> None:
    """Sleepers wake in order, each at its own instant."""
    clock, woke = ManualClock(at=0), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woke.append((seconds, clock.now()))

    async with asyncio.TaskGroup() as group:
        for seconds in (3600.0, 60.0, 28800.0):
            group.create_task(sleeper(seconds))
        await clock.advance(28_800)
    assert woke == [(60.0, 60_000), (3600.0, 3_600_000), (28800.0, 28_800_000)]


async def test_a_sleeper_that_sleeps_again_is_woken_again() -> None:
    """A loop of ten-minute naps runs six times in an hour."""
    clock, naps = ManualClock(at=0), []

    async def loop() -> None:
        while True:
            await clock.sleep(600)
            naps.append(clock.now())

    task = asyncio.create_task(loop())
    await clock.advance(3_600)
    task.cancel()
    assert naps == [600_000 * n for n in range(1, 7)]


def test_a_scaled_clock_starts_at_its_world_time_and_never_earlier() -> None:
    """An anchor in the future (a machine clock set back) does not turn the world back."""
    ahead = ScaledClock(world=1_000, anchor=SystemClock().now() + 60_000, speed=60)
    assert ahead.now() == 1_000
    behind = ScaledClock(world=1_000, anchor=SystemClock().now() - 1_000, speed=60)
    assert behind.now() >= 61_000


def test_a_clock_survives_being_handed_to_a_child_process() -> None:
    """The text form says the same clock."""
    clock = ScaledClock(world=5, anchor=7, speed=60)
    assert clock_from(clock.as_text()) == clock
    assert isinstance(clock_from("system"), SystemClock)
    assert isinstance(clock_from(None), SystemClock)


def test_a_held_clock_stands_until_its_gate_is_open(tmp_path: Path) -> None:
    """Whoever goes by it sees the same moment, also who was started later; opened twice it does not jump."""
    ours = ScaledClock(1_000, 7, 60, Gate(tmp_path / "a:b"))
    theirs = clock_from(ours.as_text())
    assert ours.now() == theirs.now() == 1_000
    assert ours.gate is not None
    ours.gate.open()
    opened = (tmp_path / "a:b").read_text()
    ours.gate.open()
    assert (tmp_path / "a:b").read_text() == opened
    assert 1_000 <= theirs.now() <= ours.now() < 1_000 + 60 * 60_000


@pytest.mark.parametrize(
    "text",
    [
        "held:1:2",
        "held:a:60:/x",
        "held:1:0:/x",
        "sundial",
        "scaled:1:2",
        "scaled:a:b:c",
        "scaled:1:2:0",
        "scaled:1:2:-5",
    ],
)
def test_a_misspelt_clock_is_refused_in_a_sentence(text: str) -> None:
    """The sentence says what a clock looks like."""
    with pytest.raises(ValueError, match="clock"):
        clock_from(text)
