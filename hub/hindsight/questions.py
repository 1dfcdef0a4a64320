"""Why is this alert here, why is one not, and what would another book have said: asked of the centre's journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Event, Millis
from hub.hindsight.past import begin_of, events_of, homes_of, read_event
from hub.store.centre_tables import Alert, Entry
from rules import Book, Decision
from rules.explain import explain
from rules.homes import zone
from rules.replay import in_order, judge
from rules.spans import DAY, Language
from rules.what_if import Difference, what_if
from rules.why_not import why_not

LOOK_BACK: Millis = 3 * DAY
"""How much of the journal `why_not` reads: more than the longest wait of an ordinary book."""


READING = 0.8
"""How much of the work of a what-if is reading the journal; the rest is judging it twice."""


class UnknownAlertError(LookupError):
    """There is no alert of that number, or its decision cannot be read."""


@dataclass(frozen=True, slots=True)
class Explained:
    """An alert's decision, the events it rests on, and the sentences."""

    decision: Decision
    events: Sequence[Event]
    sentences: Mapping[Language, Sequence[str]]


async def explain_alert(session: AsyncSession, number: int) -> Explained:
    """Why an alert is there, in both languages. Raises UnknownAlertError."""
    alert = await session.get(Alert, number)
    if alert is None:
        raise UnknownAlertError(f"there is no alert {number}")
    try:
        decision = Decision.from_json(alert.because)
    except (KeyError, TypeError, ValueError):
        raise UnknownAlertError(f"the decision of alert {number} cannot be read") from None
    found = await session.exec(select(Entry.body).where(col(Entry.event_id).in_(alert.evidence)))
    events = {event.id: event for event in map(read_event, found.all()) if event is not None}
    tz = zone(next((home.tz for home in await homes_of(session, [alert.home])), "Europe/Oslo"))
    languages: tuple[Language, Language] = ("nb", "en")
    sentences = {language: explain(decision, events, tz, language) for language in languages}
    return Explained(decision, list(events.values()), sentences)


async def ask_why_not(
    session: AsyncSession, book: Book, rule: str, home: str, at: Millis, language: Language = "en"
) -> list[str]:
    """Why a rule has not raised in a home at an instant. Raises rules.why_not.Unasked."""
    homes = await homes_of(session, [home])
    events = await events_of(session, [home], since=at - LOOK_BACK, until=at)
    stream = in_order(events)
    started = max(at - LOOK_BACK, await begin_of(session))
    _, engine = await asyncio.to_thread(
        judge, book, homes, stream, until=at, started=started, believe_late=True
    )
    return why_not(engine, rule, home, language)


async def ask_what_if(
    session: AsyncSession,
    before: Book,
    after: Book,
    homes: Sequence[str],
    *,
    since: Millis,
    until: Millis,
    parameters: Mapping[str, Any] | None = None,
    share: Callable[[float], None] = lambda _done: None,
) -> Difference:
    """What another book or other parameters would have changed in these homes.

    share: told how much is done, from 0 to 1, after each day of the journal; reading is most of the work.
    """
    specs, events = await homes_of(session, homes), list[Event]()
    for begin in range(since, until + 1, DAY):
        end = min(begin + DAY - 1, until)
        events += await events_of(session, homes, since=begin, until=end)
        share(READING * (end + 1 - since) / (until + 1 - since))
    started = max(since, await begin_of(session))
    found = await asyncio.to_thread(
        what_if, specs, in_order(events), before, after, parameters=parameters, until=until, started=started
    )
    share(1.0)
    return found
