"""What-ifs under way: each person's newest question of a kind, how far it is, and its answer for a while.

Nothing here must last: a question stands whole in the page's address, so a process that is started again answers it
anew. A new question of the same web session ends the old one, and only so many are worked on at a time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from rules.what_if import Difference

AT_ONCE = 2
"""Questions worked on side by side: judging a month takes a core, and the stream needs one too."""

MOST_KEPT = 32
FRESH = 60.0
"""Seconds of real time for which an answer is given again; after that the journal has gone on."""

PATIENCE = 0.4
"""Seconds of real time that a page waits for an answer before it shows how far it is."""

Tell: TypeAlias = Callable[[float], None]
Work: TypeAlias = Callable[[Tell], Awaitable[Difference]]

log = structlog.get_logger()


@dataclass(slots=True)
class Study:
    """One question. question: all of it, as text. share: how much is done, 0 to 1. failed: it broke.

    ended: on the loop's clock, when it was answered.
    """

    question: str
    share: float = 0.0
    answer: Difference | None = None
    failed: bool = False
    ended: float = 0.0
    task: asyncio.Task[None] | None = None

    def tell(self, share: float) -> None:
        """So much is done."""
        self.share = max(self.share, min(share, 1.0))

    @property
    def done(self) -> bool:
        """Answered, or broken."""
        return self.failed or self.answer is not None


class Studies:
    """The newest question of each web session."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Study] = OrderedDict()
        self._places = asyncio.Semaphore(AT_ONCE)

    async def ask(self, session: str, question: str, work: Work) -> Study:
        """Begin to work on a question, or go on with it, and wait a little for the answer."""
        study = self._kept.get(session)
        if study is None or study.question != question or self._stale(study):
            study = self._begin(session, Study(question), work)
        if study.task is not None and not study.done:
            await asyncio.wait({study.task}, timeout=PATIENCE)
        return study

    def _stale(self, study: Study) -> bool:
        old = asyncio.get_running_loop().time() - study.ended > FRESH
        return study.failed or (study.done and old)

    def _begin(self, session: str, study: Study, work: Work) -> Study:
        former = self._kept.pop(session, None)
        if former is not None and former.task is not None:
            former.task.cancel()
        self._kept[session] = study
        while len(self._kept) > MOST_KEPT:
            self._forget_oldest()
        study.task = asyncio.create_task(self._work(study, work), name="what-if")
        return study

    def _forget_oldest(self) -> None:
        _, oldest = self._kept.popitem(last=False)
        if oldest.task is not None:
            oldest.task.cancel()

    async def _work(self, study: Study, work: Work) -> None:
        try:
            async with self._places:
                found = await work(study.tell)
            study.ended, study.answer = asyncio.get_running_loop().time(), found
        except Exception:
            log.exception("a what-if could not be answered")
            study.failed = True

    async def end(self) -> None:
        """Stop all work: the process ends."""
        tasks = [study.task for study in self._kept.values() if study.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
