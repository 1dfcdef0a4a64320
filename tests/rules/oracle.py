"""A second opinion: the meaning of each rule form, worked out again and again from two plain lists.

Nothing here is taken from the engine. At every step everything is derived anew from what has been heard and what
has been told; there is no state, no timer and no clever bookkeeping. Slow on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MINUTE = 60_000
Line = tuple[int, str, str, str, tuple[str, ...]]
"""(at, action, rule, key, because)."""


@dataclass(frozen=True)
class Ask:
    """A rule as the oracle reads it. form: when, then, times, unanswered, while, silence, daily."""

    name: str
    form: str
    kinds: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    span: int = 0
    count: int = 0
    quiet: int = 0
    per_device: bool = False
    same: str = ""
    true: Any = None
    over: Any = None
    window: tuple[str, str] = ("", "")
    only: tuple[str, str] = ("", "")
    started: tuple[str, str] = ("", "")
    held_by: tuple[str, ...] = ()
    critical: bool = False


@dataclass(frozen=True)
class Heard:
    """An event as the oracle reads it."""

    id: str
    at: int
    heard: int
    device: str
    kind: str
    data: tuple[tuple[str, Any], ...] = ()

    def get(self, name: str) -> Any:
        """A field of its data."""
        return dict(self.data).get(name)


@dataclass
class Oracle:
    """One home. since: device → (class, assigned since). late: allowance in ms."""

    asks: list[Ask]
    tz: str = "Europe/Oslo"
    since: dict[str, tuple[str, int]] = field(default_factory=dict)
    late: int = 120_000
    home: str = "h1"
    told: list[Line] = field(default_factory=list)
    told_late: list[Line] = field(default_factory=list)
    notes: list[tuple[int, str, str, str, Any]] = field(default_factory=list)
    past: list[Heard] = field(default_factory=list)

    # ---------------------------------------------------------------- the whole stream

    def judge(self, events: list[Heard], until: int) -> list[Line]:
        """Every raise and clear up to and including `until`, in order of time."""
        seen: set[str] = set()
        coming: list[Heard] = []
        late: list[Heard] = []
        for event in sorted(events, key=lambda e: (e.heard, e.at, _order(e.id))):
            if event.heard > until or event.id in seen:
                continue
            seen.add(event.id)
            (late if event.heard - event.at > self.late else coming).append(
                Heard(event.id, min(event.at, event.heard), event.heard, event.device, event.kind, event.data)
            )
        coming.sort(key=lambda e: (e.at, _order(e.id)))
        while True:
            timer = min(self._timers(), default=None)
            if coming and (timer is None or coming[0].at <= timer[0]) and coming[0].at <= until:
                self._late_before(late, coming[0].at)
                self._happen(coming.pop(0))
            elif timer is not None and timer[0] <= until:
                self._late_before(late, timer[0])
                self._fire(timer[2], timer[3], timer[0])
            else:
                break
        self._late_before(late, until + self.late + 1)
        return sorted([*self.told, *self.told_late], key=lambda line: line[0])

    def _late_before(self, late: list[Heard], settled: int) -> None:
        """What came in too late is dealt with when it is heard: by then all before (heard − late) has settled."""
        while late and late[0].heard - self.late <= settled - (
            0 if late[0].heard - self.late == settled else 1
        ):
            event = late.pop(0)
            for ask in self.asks:
                if ask.form == "when" and ask.critical and event.kind in ask.kinds:
                    place = (event.at, "raise", ask.name, self._key(ask, event))
                    if not any(line[:4] == place for line in (*self.told, *self.told_late)):
                        self.told_late.append((*place, (event.id,)))
                if ask.form == "unanswered" and event.kind in ask.second:
                    self._late_answer(ask, event)

    def _late_answer(self, ask: Ask, event: Heard) -> None:
        key = self._key(ask, event)
        if self._open(ask.name, key) is None:
            return
        asked = self._round(ask, key)
        if asked and event.at > asked[0].at:
            raised = self._open(ask.name, key)
            assert raised is not None
            self.told.append((max(event.heard, raised[0]), "clear", ask.name, key, (event.id,)))
            self.notes.append((event.at, "answered", ask.name, key, None))
            self._let_go(ask, max(event.heard, raised[0]))

    # ---------------------------------------------------------------- looking back

    def _key(self, ask: Ask, event: Heard) -> str:
        owner = event.device if ask.per_device else self.home
        return f"{owner}/{event.get(ask.same)}" if ask.same else owner

    def _of(self, ask: Ask, key: str, kinds: tuple[str, ...]) -> list[Heard]:
        return [event for event in self.past if event.kind in kinds and self._key(ask, event) == key]

    def _open(self, rule: str, key: str) -> Line | None:
        lines = [line for line in self.told if line[2] == rule and line[3] == key]
        return lines[-1] if lines and lines[-1][1] == "raise" else None

    def _holder(self, ask: Ask) -> bool:
        return any(
            self._open(name, key) is not None
            for name in ask.held_by
            for key in {line[3] for line in self.told if line[2] == name}
        )

    def _notes(self, what: str, ask: Ask, key: str) -> list[Any]:
        return [note for note in self.notes if note[1] == what and note[2] == ask.name and note[3] == key]

    def _is_held(self, ask: Ask, key: str) -> bool:
        kinds = ("held", "released", "dropped")
        notes = [note for note in self.notes if note[1] in kinds and note[2:4] == (ask.name, key)]
        return bool(notes) and notes[-1][1] == "held"

    def _released(self, ask: Ask, key: str) -> int:
        kinds = ("released", "dropped")
        notes = [note for note in self.notes if note[1] in kinds and note[2:4] == (ask.name, key)]
        return int(notes[-1][0]) if notes and notes[-1][1] == "released" else 0

    def _drop_hold(self, ask: Ask, key: str, at: int) -> None:
        self.notes.append((at, "dropped", ask.name, key, None))

    # ---------------------------------------------------------------- an event

    def _happen(self, event: Heard) -> None:
        self.past.append(event)
        for ask in self.asks:
            getattr(self, f"_on_{ask.form}")(ask, event)

    def _on_when(self, ask: Ask, event: Heard) -> None:
        if event.kind in ask.kinds:
            self._try(ask, self._key(ask, event), event.at, (event.id,))

    def _on_then(self, ask: Ask, event: Heard) -> None:
        if event.kind not in ask.second:
            return
        key = self._key(ask, event)
        firsts = self._of(ask, key, ask.kinds)
        spent = {note[4] for note in self._notes("spent", ask, key)}
        before = [each for each in firsts if each is not event]
        if before and before[-1].id not in spent and event.at - before[-1].at <= ask.span:
            self.notes.append((event.at, "spent", ask.name, key, before[-1].id))
            self._try(ask, key, event.at, (before[-1].id, event.id))

    def _on_times(self, ask: Ask, event: Heard) -> None:
        if event.kind not in ask.kinds:
            return
        key = self._key(ask, event)
        spent = {each for note in self._notes("spent", ask, key) for each in note[4]}
        fresh = [each for each in self._of(ask, key, ask.kinds) if each.id not in spent][-ask.count :]
        if len(fresh) == ask.count and fresh[-1].at - fresh[0].at <= ask.span:
            ids = tuple(each.id for each in fresh)
            self.notes.append((event.at, "spent", ask.name, key, ids))
            self._try(ask, key, event.at, ids)

    def _round(self, ask: Ask, key: str) -> list[Heard]:
        """The A's not answered, not spent by a new round and not stopped."""
        answers = [each.at for each in self._of(ask, key, ask.second)]
        answers += [note[0] for note in self._notes("answered", ask, key)]
        begun = [note[4] for note in self._notes("round", ask, key)]
        stopped = {note[4] for note in self._notes("stopped", ask, key)}
        asked = self._of(ask, key, ask.kinds)
        if begun:
            asked = asked[[each.id for each in asked].index(begun[-1]) :]
        return [each for each in asked if each.id not in stopped and not any(at > each.at for at in answers)]

    def _on_unanswered(self, ask: Ask, event: Heard) -> None:
        if event.kind in ask.second:
            key = self._key(ask, event)
            if self._open(ask.name, key):
                self._clear(ask, key, event.at, (event.id,))
            if self._is_held(ask, key) and any(e.at < event.at for e in self._of(ask, key, ask.kinds)):
                self._drop_hold(ask, key, event.at)
        if event.kind in ask.kinds:
            key = self._key(ask, event)
            if self._open(ask.name, key):
                self._clear(ask, key, event.at, (event.id,))
                self.notes.append((event.at, "round", ask.name, key, event.id))

    def _on_while(self, ask: Ask, event: Heard) -> None:
        if event.kind not in ask.kinds:
            return
        key = self._key(ask, event)
        if self._open(ask.name, key):
            if ask.over(event):
                self._clear(ask, key, event.at, (event.id,))
        elif not ask.true(event) and self._is_held(ask, key):
            self._drop_hold(ask, key, event.at)

    def _episode(self, ask: Ask, key: str) -> Heard | None:
        """The sample that began what is still so: the first true one after the last that was not, or was told."""
        told = [
            line[0] for line in self.told if line[2] == ask.name and line[3] == key and line[1] == "clear"
        ]
        ids = [
            line[4][0] for line in self.told if line[2] == ask.name and line[3] == key and line[1] == "clear"
        ]
        samples = self._of(ask, key, ask.kinds)
        if told:
            places = [place for place, each in enumerate(samples) if each.id == ids[-1]]
            samples = samples[places[-1] + 1 :]
        begin = None
        for each in samples:
            if not ask.true(each):
                begin = None
            elif begin is None:
                begin = each
        return begin

    def _on_silence(self, ask: Ask, event: Heard) -> None:
        if event.kind in ask.kinds:
            key = self._key(ask, event)
            if self._open(ask.name, key):
                self._clear(ask, key, event.at, (event.id,))
            if self._is_held(ask, key):
                self._drop_hold(ask, key, event.at)

    _on_daily = _on_silence

    # ---------------------------------------------------------------- a deadline

    def _timers(self) -> list[tuple[int, int, Ask, str]]:
        ranks = {ask.name: (1 if ask.held_by else 0) for ask in self.asks}
        found = []
        for place, ask in enumerate(self.asks):
            for key in self._keys(ask):
                if self._open(ask.name, key) is None or ask.form == "daily":
                    due = getattr(self, f"_due_{ask.form}", lambda *_: None)(ask, key)
                    if due is not None:
                        found.append((due, ranks[ask.name] * 1000 + place, ask, key))
        return found

    def _keys(self, ask: Ask) -> list[str]:
        kinds = (*ask.kinds, *ask.second)
        keys = {self._key(ask, event) for event in self.past if event.kind in kinds}
        classes = {kind.partition(".")[0] for kind in ask.kinds}
        if ask.form in ("silence", "daily"):
            keys |= {
                device if ask.per_device else self.home
                for device, (kind, _) in self.since.items()
                if kind in classes
            }
        return sorted(keys)

    def _due_unanswered(self, ask: Ask, key: str) -> int | None:
        waiting = self._round(ask, key)
        if not waiting or self._is_held(ask, key):
            return None
        return max(waiting[0].at, self._released(ask, key)) + ask.span

    def _due_while(self, ask: Ask, key: str) -> int | None:
        begin = self._episode(ask, key)
        if begin is None or self._is_held(ask, key):
            return None
        if ask.started[0] and not self._shows(begin.at, *ask.started):
            return None
        if any(note[4] == begin.id for note in self._notes("stopped", ask, key)):
            return None
        released = [note[0] for note in self._notes("released", ask, key) if note[0] >= begin.at]
        return max([begin.at, *released]) + ask.span

    def _assigned(self, ask: Ask, key: str) -> int | None:
        classes = {kind.partition(".")[0] for kind in ask.kinds}
        found = [
            since
            for device, (kind, since) in self.since.items()
            if kind in classes and (device == key or not ask.per_device)
        ]
        return min(found, default=None)

    def _watched(self, ask: Ask, key: str) -> list[Heard]:
        """Signs of life since the assignment; what came before it is another resident's."""
        since = self._assigned(ask, key) or 0
        return [event for event in self._of(ask, key, ask.kinds) if event.at >= since]

    def _last(self, ask: Ask, key: str) -> tuple[int, tuple[str, ...]] | None:
        heard = self._watched(ask, key)
        if heard:
            return heard[-1].at, (heard[-1].id,)
        since = self._assigned(ask, key)
        return None if since is None else (since, ())

    def _due_silence(self, ask: Ask, key: str) -> int | None:
        last = self._last(ask, key)
        if last is None or self._is_held(ask, key):
            return None
        if any(note[0] >= last[0] for note in self._notes("stopped", ask, key)):
            return None
        return max(last[0], self._released(ask, key)) + ask.span

    def _due_daily(self, ask: Ask, key: str) -> int | None:
        since = self._assigned(ask, key)
        heard = self._of(ask, key, ask.kinds)
        watched = since if since is not None else (heard[0].at if heard else None)
        if watched is None:
            return None
        judged = [note[4] for note in self._notes("judged", ask, key)]
        first = _local(watched, self.tz).date() - timedelta(days=2)
        for days in range(60):
            day = first + timedelta(days=days)
            begin, end = self._window(day, *ask.window)
            if begin >= watched and day.toordinal() not in judged:
                return end
        return None

    def _fire(self, ask: Ask, key: str, at: int) -> None:
        if ask.form == "unanswered":
            first = self._round(ask, key)[0]
            if self._try(ask, key, at, (first.id,)) == "stopped":
                self.notes.append((at, "stopped", ask.name, key, first.id))
        elif ask.form == "while":
            begin = self._episode(ask, key)
            assert begin is not None
            if self._try(ask, key, at, (begin.id,)) == "stopped":
                self.notes.append((at, "stopped", ask.name, key, begin.id))
        elif ask.form == "silence":
            last = self._last(ask, key)
            assert last is not None
            if self._try(ask, key, at, last[1]) == "stopped":
                self.notes.append((at, "stopped", ask.name, key, None))
        else:
            self._fire_daily(ask, key, at)

    def _fire_daily(self, ask: Ask, key: str, at: int) -> None:
        around = _local(at, self.tz).date()
        days = [around + timedelta(days=n) for n in (-2, -1, 0, 1)]
        judged = [note[4] for note in self._notes("judged", ask, key)]
        day = next(d for d in days if self._window(d, *ask.window)[1] == at and d.toordinal() not in judged)
        self.notes.append((at, "judged", ask.name, key, day.toordinal()))
        begin, _ = self._window(day, *ask.window)
        heard = self._watched(ask, key)
        if not any(event.at >= begin for event in heard) and self._open(ask.name, key) is None:
            self._try(ask, key, at, (heard[-1].id,) if heard else ())

    # ---------------------------------------------------------------- telling

    def _try(self, ask: Ask, key: str, at: int, because: tuple[str, ...]) -> str:
        if ask.only[0] and not self._shows(at, *ask.only):
            return "stopped"
        if self._holder(ask):
            self.notes.append((at, "held", ask.name, key, because))
            return "held"
        raises = [line[0] for line in self.told if line[1] == "raise" and line[2:4] == (ask.name, key)]
        if ask.quiet and raises and at - raises[-1] < ask.quiet:
            return "stopped"
        if ask.form in ("when", "then", "times") and raises and raises[-1] == at:
            return "stopped"
        self.told.append((at, "raise", ask.name, key, because))
        return "raised"

    def _clear(self, ask: Ask, key: str, at: int, because: tuple[str, ...]) -> None:
        self.told.append((at, "clear", ask.name, key, because))
        self._let_go(ask, at)

    def _let_go(self, ask: Ask, at: int) -> None:
        for other in self.asks:
            if ask.name not in other.held_by or self._holder(other):
                continue
            for key in sorted(
                {note[3] for note in self.notes if note[1] == "held" and note[2] == other.name}
            ):
                if not self._is_held(other, key):
                    continue
                held = self._notes("held", other, key)
                self.notes.append((at, "released", other.name, key, None))
                if other.form in ("when", "then", "times"):
                    since = [n[0] for n in self._notes("released", other, key)][:-1]
                    because = tuple(
                        each for note in held if not since or note[0] > since[-1] for each in note[4]
                    )
                    self._try(other, key, at, because)
                if other.form == "daily":
                    self._try(other, key, at, held[-1][4])

    # ---------------------------------------------------------------- clocks

    def _shows(self, at: int, start: str, end: str) -> bool:
        local = _local(at, self.tz)
        now = f"{local:%H:%M:%S}.{at % 1000:03d}"
        begin, finish = f"{start}:00.000", f"{end}:00.000"
        return begin <= now <= finish if begin <= finish else now >= begin or now <= finish

    def _window(self, day: Any, start: str, end: str) -> tuple[int, int]:
        after = day + timedelta(days=1) if end <= start else day
        return _instant(day, start, self.tz), _instant(after, end, self.tz)


_found: dict[tuple[Any, str, str], int] = {}


def _instant(day: Any, clock: str, tz: str) -> int:
    """The first minute at which the clock on the wall shows it; where it never does, as if the gap were not there."""
    asked = (day, clock, tz)
    if asked not in _found:
        _found[asked] = _search(day, clock, tz)
    return _found[asked]


def _search(day: Any, clock: str, tz: str) -> int:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    minute = noon - timedelta(hours=36)
    wanted = f"{day:%Y-%m-%d} {clock}"
    before = minute
    while minute < noon + timedelta(hours=36):
        shown = f"{minute.astimezone(ZoneInfo(tz)):%Y-%m-%d %H:%M}"
        if shown == wanted:
            return round(minute.timestamp() * 1000)
        if shown > wanted:
            break
        before = minute
        minute += timedelta(minutes=1)
    offset = before.astimezone(ZoneInfo(tz)).utcoffset() or timedelta(0)
    naive = datetime.fromisoformat(wanted).replace(tzinfo=UTC)
    return round((naive - offset).timestamp() * 1000)


def _local(at: int, tz: str) -> datetime:
    return datetime.fromtimestamp(at // 1000, UTC).astimezone(ZoneInfo(tz))


def _order(event_id: str) -> tuple[int, int, str]:
    return (0, int(event_id), "") if event_id.isdigit() else (1, 0, event_id)
