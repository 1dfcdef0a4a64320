"""The simulators' page is true: its example plays and its table is fresh."""

from __future__ import annotations

import re
from datetime import date

import pytest

from simulators.scenario.load import read
from simulators.scenario.plan import day_plan
from simulators.scenario.table import README, rewritten

PAGE = README.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_whole_scenario(example: str) -> None:
    """What a tester copies from the page can be played."""
    assert day_plan(read(example), date(2026, 1, 15))


def test_there_are_examples() -> None:
    """The test above looks at something."""
    assert EXAMPLES


def test_the_table_of_types_is_fresh() -> None:
    """A new type or setting is on the page, or this says to run `python -m simulators.scenario.table`."""
    assert rewritten(PAGE) == PAGE
