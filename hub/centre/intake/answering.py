"""What a gateway is answered after a commit: how far its lane is here, and which of its own words were compared.

A database put back from an old copy uses numbers again that stand here with other content. Such a lane is answered
with a number that nobody ever sent (OLD_COPY), which every gateway takes as the proof it is: it begins a new epoch
and sends again what it does not know to be here. The proof may be lost, and so may what would have given it; so an
answer also names the numbers that came in this run of the gateway and stand here as they came, and it forgets no
others. Nothing of this is remembered: what was not answered is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hub.centre.intake.reading import Sent
from hub.centre.intake.storing import LaneKey, Stored
from hub.centre.intake.watermark import Mark
from hub.uplink.messages import MAX_SPANS, OLD_COPY, Span


@dataclass(frozen=True, slots=True)
class Answer(Mark):
    """A lane's mark with what its gateway was found to have said, in the run it named."""

    run: str = ""
    got: tuple[Span, ...] = ()


def answers(group: Sequence[Sent], stored: Stored, others: Mapping[LaneKey, Mark]) -> dict[LaneKey, Mark]:
    """The answers to a group of messages; others: marks of lanes that said nothing now, which go out last."""
    runs = {(sent.gateway, sent.epoch): sent.run for sent in group}
    twice = {key for key, _ in stored.conflicts}
    marks = {key: mark for key, mark in others.items() if key not in stored.marks} | stored.marks
    return {
        key: _answer(OLD_COPY if key in twice else mark.upto, mark, runs.get(key[:2], ""), key, group)
        for key, mark in marks.items()
    }


def _answer(upto: int, mark: Mark, run: str, key: LaneKey, group: Iterable[Sent]) -> Mark:
    if not run:
        return replace(mark, upto=upto)
    numbers = (
        entry.number
        for sent in group
        if (sent.gateway, sent.epoch, sent.lane) == key and sent.run == run
        for entry in sent.entries
    )
    return Answer(upto, mark.gap_since, run, spans(numbers))


def spans(numbers: Iterable[int]) -> tuple[Span, ...]:
    """Numbers as spans without a hole, the lowest ones first and so many as an acknowledgement takes."""
    found: list[Span] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return tuple(found[:MAX_SPANS])


def joined(earlier: Mark | None, later: Mark) -> Mark:
    """One answer for two of a lane, the earlier of which has not gone out: what it compared is said too."""
    if earlier is None:
        return later
    if earlier.upto >= OLD_COPY:
        later = replace(later, upto=earlier.upto)
    if not isinstance(earlier, Answer) or not isinstance(later, Answer) or earlier.run != later.run:
        return later
    return replace(later, got=tuple(sorted({*earlier.got, *later.got}))[:MAX_SPANS])
