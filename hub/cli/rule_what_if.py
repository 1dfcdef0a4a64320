"""What-if over many homes: a few at a time, on all cores, with a bar that says how far it has come."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from drivers.events import Millis
from hub.cli.bar import Bar
from hub.cli.rule_streams import Stream
from rules import Book, HomeSpec
from rules.what_if import Difference, what_if

SHARE = 8
"""Homes judged together; few enough that a month of them fits in memory."""


@dataclass(frozen=True, slots=True)
class Question:
    """Two books, or one and other parameters, over a span of a stream."""

    stream: Stream
    before: Book
    after: Book
    parameters: Mapping[str, Any]
    since: Millis
    until: Millis

    def answer(self, homes: Sequence[HomeSpec]) -> Difference:
        """The difference in some homes."""
        events = self.stream.load([home.id for home in homes], self.since)
        return what_if(
            homes,
            events,
            self.before,
            self.after,
            parameters=self.parameters,
            until=self.until,
            started=self.since,
        )


def ask(question: Question, workers: int = 0) -> Difference:
    """The difference over all homes of the stream."""
    homes = question.stream.homes
    shares = list(_shares(homes))
    workers = min(workers or os.cpu_count() or 1, len(shares))
    bar, total = Bar(len(homes)), Difference()
    for size, found in _answers(question, shares, workers):
        total.add(found)
        bar.add(size)
    total.gone.sort(key=lambda each: (each.at, each.home, each.rule))
    total.new.sort(key=lambda each: (each.at, each.home, each.rule))
    total.moved.sort(key=lambda each: (each.before.at, each.before.home, each.before.rule))
    return total


def _answers(
    question: Question, shares: Sequence[Sequence[HomeSpec]], workers: int
) -> Iterator[tuple[int, Difference]]:
    if workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from ((len(share), question.answer(share)) for share in shares)
        return
    # A fork has books and events already; compiled conditions could not be sent to another process.
    forked = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, forked, initializer=_take, initargs=(question, shares)) as pool:
        waiting = {pool.submit(_answer, number): len(share) for number, share in enumerate(shares)}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


_asked: list[Any] = []


def _take(question: Question, shares: Sequence[Sequence[HomeSpec]]) -> None:
    _asked[:] = [question, shares]


def _answer(number: int) -> Difference:
    question, shares = _asked
    found: Difference = question.answer(shares[number])
    return found


def _shares(homes: Sequence[HomeSpec]) -> Iterator[Sequence[HomeSpec]]:
    for first in range(0, len(homes), SHARE):
        yield homes[first : first + SHARE]
