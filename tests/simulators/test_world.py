"""The simulators' own reading of a clock that was handed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.world import ClockError, read_clock


def test_a_held_world_stands_until_its_file_says_when_it_moved(tmp_path: Path) -> None:
    """The homes are set up meanwhile; afterwards it has moved since that moment, whoever looked when."""
    world = read_clock(f"held:1000000:240:{tmp_path}/a:b")
    assert world.now() == world.now() == 1_000_000
    moved = read_clock("").now() - 2_000
    (tmp_path / "a:b").write_text(f"{moved}\n")
    assert 1_000_000 + 2_000 * 240 <= world.now() < 1_000_000 + 60_000 * 240
    (tmp_path / "a:b").unlink()
    assert world.now() > 1_000_000


def test_a_world_that_begins_later_is_not_there_yet(tmp_path: Path) -> None:
    """A machine's clock that is set back does not turn the homes' time back."""
    (tmp_path / "gate").write_text(f"{read_clock('').now() + 60_000}\n")
    assert read_clock(f"held:1000000:240:{tmp_path}/gate").now() == 1_000_000


@pytest.mark.parametrize(
    "text", ["held:1:2", "held:x:60:/g", "held:1:0:/g", "held:1:-3:/g", "held:1:fast:/g"]
)
def test_a_misspelt_one_is_refused(text: str) -> None:
    """In a sentence that says what it looks like."""
    with pytest.raises(ClockError, match="held:WORLD:SPEED:FILE"):
        read_clock(text)
