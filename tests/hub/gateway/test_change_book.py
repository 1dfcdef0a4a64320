"""Another rule book between two events: open alerts go on, new rules look back, and a restart changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from drivers.events import Frame
from hub.clock import ManualClock
from hub.gateway.hearing import Hearing
from hub.gateway.judging import Judging
from hub.store.writer import Writer
from rules import Book, DeviceSpec, Engine, HomeSpec, load_book

Says = Callable[..., Frame]
JAMMED = {"kind": "lock.jammed"}
HOME = HomeSpec("h1", devices={"lock-1": DeviceSpec("lock"), "pendant-1": DeviceSpec("pendant")})
OLD = load_book("rules: {fall: {when: pendant.fall}}").judged_by("gateway")
NEW = load_book(
    "rules: {fall: {when: pendant.fall}, stuck: {while: lock.bolt is jammed, for: 5 min}}"
).judged_by("gateway")


@pytest.fixture
def judging_by(writer: Writer, hearing: Hearing, clock: ManualClock) -> Callable[[Book], Judging]:
    """Makes the judging of Astrid's gateway, as after a start with this book."""

    def make(book: Book) -> Judging:
        judging = Judging(writer, clock, book, Engine, lambda: [HOME], lambda _lanes: None)
        hearing.after = lambda committed: judging.take(committed.events)
        return judging

    return make


def told(stored: SimpleNamespace) -> list[tuple[str, str, str]]:
    """What was decided: action, rule and reason."""
    return [(body["action"], body["rule"], body["reason"]) for body in stored.bodies("decision")]


async def test_a_new_rule_looks_back(
    judging_by: Callable[[Book], Judging],
    hearing: Hearing,
    says: Says,
    stored: SimpleNamespace,
    clock: ManualClock,
) -> None:
    """Nils's lock has been jammed for ten minutes when the rule about it comes: it raises at once, and only once."""
    judging = judging_by(OLD)
    await judging.start()
    await hearing.hear(says("lock-1", JAMMED))
    await judging.turn()
    await clock.advance(600)
    await judging.turn()
    assert told(stored) == []
    judging.use(NEW)
    await judging.turn()
    assert told(stored) == [("raise", "stuck", "by new rule")]
    assert judging.book is NEW
    await clock.advance(600)
    await judging.turn()
    again = judging_by(NEW)
    await again.start()
    await again.turn()
    assert len(told(stored)) == 1


async def test_a_removed_rule_ends_its_alert(
    judging_by: Callable[[Book], Judging],
    hearing: Hearing,
    says: Says,
    stored: SimpleNamespace,
    clock: ManualClock,
) -> None:
    """What nobody judges any more is cleared, and says why."""
    judging = judging_by(NEW)
    await judging.start()
    await hearing.hear(says("lock-1", JAMMED))
    await judging.turn()
    await clock.advance(600)
    await judging.turn()
    judging.use(OLD)
    await judging.turn()
    assert [(action, rule) for action, rule, _ in told(stored)] == [("raise", "stuck"), ("clear", "stuck")]
    assert told(stored)[1][2] == "the rule was removed"


async def test_an_engine_that_breaks_on_it_keeps_the_old_book(
    judging_by: Callable[[Book], Judging],
    hearing: Hearing,
    says: Says,
    stored: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fault is told, and Astrid's fall in that very moment is judged by the old book, once."""

    def breaks(*_: object) -> None:
        raise ZeroDivisionError("in the swap")

    judging = judging_by(OLD)
    await judging.start()
    monkeypatch.setattr(Engine, "reload", breaks)
    judging.use(NEW)
    await hearing.hear(says("pendant-1", {"kind": "pendant.fall"}))
    await judging.turn()
    await judging.turn()
    assert sorted(rule for _action, rule, _reason in told(stored)) == ["broken-rules", "fall"]
    assert judging.book is OLD
