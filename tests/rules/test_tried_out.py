"""What a critical rule tries out on arrival leaves no trace in what settles afterwards."""

from __future__ import annotations

from drivers.events import Event
from rules import Engine, HomeSpec, load_book

NOON = 1_768_478_400_000
MINUTE = 60_000

BOOK = """
rules:
  calls-for-help-often:
    alert: {nb: "{resident} trykker ofte", en: "{resident} presses often"}
    when: pendant.pressed
    times: 3
    within: 10 min
    urgency: critical
"""


def test_four_presses_are_three_and_one() -> None:
    """The third press within ten minutes raises, and spends all three; the fourth is the first of the next three."""
    engine = Engine(load_book(BOOK, source="trial"), started=NOON)
    engine.set_home(HomeSpec("h1", late_ms=2 * MINUTE))
    told = []
    for number in range(4):
        at = NOON + number * MINUTE
        told += engine.observe(Event(f"p{number}", at, at, "h1", "pendant", "pendant.pressed", {}))
    told += engine.advance(NOON + 60 * MINUTE)
    raised = [
        (one.at, one.because) for one in told if one.action == "raise" and one.rule == "calls-for-help-often"
    ]
    assert raised == [(NOON + 2 * MINUTE, ("p0", "p1", "p2"))]
