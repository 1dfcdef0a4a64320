"""The same engine over a stored stream: what a book would have said of it.

Decisions come in settled order: what an event means does not depend on when it came in, as long as it came in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from drivers.events import Event, Millis, iso
from rules.book import Book
from rules.decision import Decision
from rules.engine import Engine
from rules.homes import HomeSpec
from rules.ids import IdOrder, id_order
from rules.unswept import unswept

TOLD = frozenset(("raise", "clear"))


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events in the order of hearing; what was heard at one instant by (at, id), a time ahead of it being its own."""
    return sorted(events, key=_hearing)


def _hearing(event: Event) -> tuple[Millis, Millis, IdOrder]:
    return (event.heard, min(event.at, event.heard), id_order(event.id))


def judge(
    book: Book,
    homes: Iterable[HomeSpec],
    events: Sequence[Event],
    *,
    until: Millis | None = None,
    started: Millis = 0,
    catch_all: bool = False,
    distinct: bool = False,
    believe_late: bool = False,
) -> tuple[list[Decision], Engine]:
    """Every decision on events in the order of hearing, and the engine as it stands at the end.

    until: nothing heard later is read, and every deadline up to and including it falls due; without it the stream's
    last hearing. started: silence before it is nobody's silence. distinct: `once` has been asked already.
    believe_late: as a gateway at work judges late answers, not as the settled record has them.
    """
    if until is not None and events and events[-1].heard > until:
        events = [event for event in events if event.heard <= until]
    end = until if until is not None else (events[-1].heard if events else started)
    engine = Engine(book, started, urgent=False, catch_all=catch_all, believe_late=believe_late)
    with unswept():
        for home in homes:
            engine.set_home(home)
        decisions = engine.feed(events if distinct else once(events), distinct=True)
        decisions += engine.finish(end)
    decisions.sort(key=_at)
    return decisions, engine


def once(events: Sequence[Event]) -> Sequence[Event]:
    """Each event of a home once, as it was heard first, however much later its id comes again."""
    if len({event.id for event in events}) == len(events):
        return events
    first: dict[tuple[str, str], Event] = {}
    for event in events:
        first.setdefault((event.home, event.id), event)
    return list(first.values())


def _at(decision: Decision) -> Millis:
    return decision.at


def line(decision: Decision) -> dict[str, Any]:
    """A decision as `trygghub rules replay` prints it (DESIGN.md section 9)."""
    return {
        "at": iso(decision.at),
        "action": decision.action,
        "rule": decision.rule,
        "key": decision.key,
        "home": decision.home,
        "because": list(decision.because),
        "says": decision.says["nb"] if decision.plain else dict(decision.says),
    }
