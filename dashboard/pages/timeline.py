"""A resident's timeline: what happened, when it happened and when it was heard, which rule acted on it and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from dashboard.auth.scope import Scope
from dashboard.look import alarm_words, event_words
from dashboard.look.causes import Why, why_of
from dashboard.look.moments import WORTH_TELLING_APART, Moment, day, moment
from dashboard.look.priority import tier_of
from dashboard.look.words import Language, mark, pick, say
from dashboard.reads.journal import Happening, Place, Wanted, entries_of, happenings
from dashboard.reads.place import names
from drivers.catalogue.commands import COMMANDS
from drivers.events import Millis
from hub.store.centre_tables import Alert, Entry
from rules.reasons import say_reason

AT_ONCE = 60
"""Happenings in one page."""

QUIET = ("heartbeat", "battery", "humidity", "motion")
"""Facts that come by the hundred and say that all is well; the plain view leaves them out."""

FILTERS: Mapping[str, tuple[str, Wanted]] = {
    "": (
        mark("The important"),
        Wanted(
            types=("event", "unknown", "unreadable", "result", "health", "decision"),
            without=QUIET,
            not_of=("gateway",),
            late=False,
            asking=False,
        ),
    ),
    "alarms": (mark("Alarms"), Wanted(entries=False)),
    "medicine": (mark("Medicine"), Wanted(types=("event",), classes=("dispenser",), lines=False)),
    "doors": (
        mark("Doors"),
        Wanted(types=("event", "result"), classes=("lock", "door"), lines=False, asking=False),
    ),
    "health": (
        mark("Measurements"),
        Wanted(types=("event",), classes=("vitals", "bed", "chair"), lines=False),
    ),
    "strange": (mark("Not understood"), Wanted(types=("unknown", "unreadable"), lines=False)),
    "all": (mark("Everything"), Wanted()),
}
"""Word in the address → what the chip says and what it lets through."""

REASONS: Mapping[str, str] = {
    "no answer in time": mark("no answer in time"),
    "planned visit": mark("planned visit"),
    "blue-light services": mark("blue-light services"),
    "before opening": mark("before opening"),
}
"""What the hub itself writes as a reason, of an outcome or for asking; a device's and a person's own words stay."""

OUTCOMES: Mapping[str, str] = {
    "done": mark("The device did what it was asked"),
    "refused": mark("The device refused what it was asked"),
    "failed": mark("The device could not do what it was asked"),
    "expired": mark("Nobody knows whether the device did what it was asked"),
    "not_asked": mark("It was not allowed"),
}
"""How something that was asked of a device went; not_asked: the hub refused before the device was asked."""

BY_RULE = "rule "
"""What stands before the name of a rule that asked a device for something."""

WITH_WHY = frozenset({"opened", "repeat"})
"""Lines of an alert that say on which events a rule acted."""

TOLD_BY_LINES = frozenset({"raise", "repeat", "clear"})
"""Decisions that the alert's own lines tell already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the timeline. look: event, alarm, unread or quiet. details: name and value, for who digs."""

    anchor: str
    look: str
    tier: str
    icon: str
    at: Moment
    heard: Moment | None
    what: str
    sub: str
    link: str
    why: Why | None
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Day:
    """The items of one day, newest first."""

    name: str
    items: list[Item]


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page of it. older: the address word of the next page, empty at the end."""

    days: list[Day]
    older: str
    chosen: str


@dataclass(frozen=True, slots=True)
class Teller:
    """What is needed to write items: names, found evidence, and whose clock and language."""

    devices: Mapping[str, str]
    classes: Mapping[str, str]
    staff: Mapping[str, str]
    found: Mapping[str, Entry]
    now: Millis
    tz: str
    language: Language
    base: str

    def moment(self, at: Millis) -> Moment:
        """A point in time on the home's clock."""
        return moment(at, self.now, self.tz, self.language)


async def timeline(
    session: AsyncSession,
    *,
    home: str,
    scope: Scope,
    chosen: str,
    before: Place | None,
    now: Millis,
    tz: str,
    language: Language,
    base: str,
) -> Timeline:
    """Read one page of a home's timeline. base: the address of the page, for links to its own lines."""
    chosen = chosen if chosen in FILTERS else ""
    rows = await happenings(session, home, FILTERS[chosen][1], before, AT_ONCE + 1, scope.queues)
    shown = rows[:AT_ONCE]
    teller = await _teller(session, home, shown, now, tz, language, base)
    items = [(row.place, item) for row in shown if (item := _item(row, teller))]
    days: list[Day] = []
    for place, item in items:
        name = day(place.at, now, tz, language)
        if not days or days[-1].name != name:
            days.append(Day(name, []))
        days[-1].items.append(item)
    return Timeline(days, rows[AT_ONCE - 1].place.text() if len(rows) > AT_ONCE else "", chosen)


async def _teller(
    session: AsyncSession,
    home: str,
    rows: Iterable[Happening],
    now: Millis,
    tz: str,
    language: Language,
    base: str,
) -> Teller:
    rows = list(rows)
    wanted = {event for row in rows for event in _events(row)}
    found = await entries_of(session, wanted, home)
    entries = [*found, *(row.entry for row in rows if row.entry)]
    known = await names(
        session,
        homes=(),
        devices={entry.device for entry in entries if entry.device},
        staff={row.line.by for row in rows if row.line} | {asked_by(entry) for entry in entries},
    )
    return Teller(
        classes={key: device.device_class for key, device in known.devices.items()},
        devices={key: _device_name(device.name or key, device.room) for key, device in known.devices.items()},
        staff=known.staff,
        found={entry.event_id or "": entry for entry in found},
        now=now,
        tz=tz,
        language=language,
        base=base,
    )


def _device_name(name: str, room: str) -> str:
    return f"{name}, {room}" if room else name


def _events(row: Happening) -> list[str]:
    if row.line is None or row.line.what not in WITH_WHY:
        return []
    events = row.line.data.get("events")
    return [str(event) for event in events] if isinstance(events, list) else []


def _item(row: Happening, teller: Teller) -> Item | None:
    if row.entry is not None:
        return ENTRY_ITEMS.get(row.entry.type, _other)(row.entry, teller)
    return _line_item(row, teller)


def _base(entry: Entry, teller: Teller, **changes: object) -> Item:
    apart = abs(entry.heard - entry.at) > WORTH_TELLING_APART
    parts: dict[str, object] = {
        "anchor": f"e{entry.seq}",
        "look": "event",
        "tier": "",
        "icon": "cpu",
        "at": teller.moment(entry.at),
        "heard": teller.moment(entry.heard) if apart else None,
        "what": "",
        "sub": teller.devices.get(entry.device, entry.device),
        "link": "",
        "why": None,
        "details": (),
    }
    return Item(**(parts | changes))  # type: ignore[arg-type]


def _event(entry: Entry, teller: Teller) -> Item:
    data = entry.body.get("data")
    fields = data if isinstance(data, Mapping) else {}
    said = event_words.values(entry.kind, fields, teller.tz, teller.language)
    phrase = event_words.phrase(entry.kind, teller.language)
    details = [
        (say(teller.language, "Kind"), entry.kind),
        (say(teller.language, "Happened"), teller.moment(entry.at).full),
        (say(teller.language, "Heard by the gateway"), teller.moment(entry.heard).full),
        (say(teller.language, "Received here"), teller.moment(entry.received).full),
        (say(teller.language, "Event"), entry.event_id or ""),
    ]
    return _base(
        entry,
        teller,
        icon=event_words.icon_of(entry.kind),
        what=f"{phrase} · {said}" if said else phrase,
        details=tuple(details),
    )


def _not_understood(entry: Entry, teller: Teller) -> Item:
    words = {
        "unknown": mark("A message from an unknown device"),
        "unreadable": mark("A message that could not be read"),
    }
    body = entry.body
    shown = [
        (say(teller.language, "Link"), str(body.get("link", ""))),
        (say(teller.language, "Address"), str(body.get("address", ""))),
        (say(teller.language, "Bytes"), str(body.get("hex", ""))[:256]),
        (say(teller.language, "Gateway"), entry.gateway),
    ]
    return _base(
        entry,
        teller,
        look="unread",
        icon="file-question",
        what=say(teller.language, words[entry.type]),
        sub=str(body.get("error", "")),
        details=tuple((name, value) for name, value in shown if value),
    )


def _decision(entry: Entry, teller: Teller) -> Item | None:
    action = str(entry.body.get("action", ""))
    if action in TOLD_BY_LINES:
        return None
    words = {"held": mark("A rule held an alarm back"), "late": mark("A rule learnt of this too late")}
    rule, reason = str(entry.body.get("rule", "")), str(entry.body.get("reason") or "")
    return _base(
        entry,
        teller,
        look="quiet",
        icon="clock",
        what=say(teller.language, words.get(action, mark("A rule decided"))),
        sub=f"{rule}: {say_reason(reason, teller.language)}" if reason else rule,
    )


def _result(entry: Entry, teller: Teller) -> Item:
    """What became of something that was asked of a device: what, how it went, who asked, and why."""
    outcome = str(entry.body.get("outcome", ""))
    says = say(teller.language, OUTCOMES.get(outcome, mark("The device answered")))
    asked = _asked_for(entry, teller)
    device = teller.devices.get(entry.device, entry.device)
    return _base(
        entry,
        teller,
        icon="zap",
        what=f"{asked}: {says[:1].lower()}{says[1:]}" if asked else says,
        sub=_by_whom(entry, teller),
        details=((say(teller.language, "Device"), device),) if asked else (),
    )


def _asked_for(entry: Entry, teller: Teller) -> str:
    """`Unlock the door`, where the line says what was asked and the catalogue knows it."""
    name = f"{teller.classes.get(entry.device, '')}.{entry.body.get('name', '')}"
    known = COMMANDS.get(name)
    return pick(known.words, teller.language) if known is not None else ""


def _by_whom(entry: Entry, teller: Teller) -> str:
    """The rule or person that asked, their reason, and what the hub or the device says of the outcome."""
    person = teller.staff.get(asked_by(entry), "")
    why = _reason(str(entry.body.get("why") or ""), teller.language) if person else ""
    said = entry.body.get("says")
    reason = str(entry.body.get("reason", ""))
    last = pick(said, teller.language) if isinstance(said, Mapping) else ""
    last = last or (say(teller.language, REASONS[reason]) if reason in REASONS else reason)
    who = " · ".join(filter(None, (person, why)))
    return ": ".join(filter(None, (who or _rule(entry), last)))


def _reason(why: str, language: Language) -> str:
    """A reason as it was stated; the hub's own words for one in the reader's language."""
    number = why.removeprefix("alert ")
    if number != why and number.isdigit():
        return say(language, "alarm %(number)s", number=number)
    return say(language, REASONS[why]) if why in REASONS else why


def asked_by(entry: Entry) -> str:
    """The staff id behind a result, empty where a rule asked or nobody is named."""
    who = entry.body.get("asked_by") if entry.type == "result" else None
    return who if isinstance(who, str) and not who.startswith(BY_RULE) else ""


def _rule(entry: Entry) -> str:
    """The rule that asked, where no person did."""
    asked = str(entry.body.get("asked_by", ""))
    return asked.removeprefix(BY_RULE) if asked.startswith(BY_RULE) else ""


def _health(entry: Entry, teller: Teller) -> Item:
    says = entry.body.get("says")
    what = str(entry.body.get("what", ""))
    return _base(
        entry,
        teller,
        icon="router",
        what=pick(says, teller.language, what) if isinstance(says, Mapping) else what,
        sub=entry.gateway,
    )


def _other(entry: Entry, teller: Teller) -> Item:
    return _base(entry, teller, what=entry.type)


ENTRY_ITEMS = {
    "event": _event,
    "unknown": _not_understood,
    "unreadable": _not_understood,
    "decision": _decision,
    "result": _result,
    "health": _health,
}


def _line_item(row: Happening, teller: Teller) -> Item | None:
    line, alert = row.line, row.alert
    if line is None or alert is None:
        return None
    language = teller.language
    title = pick(alert.says, language) or event_words.phrase(alert.kind, language)
    text = alarm_words.line(line.what, line.data, language)
    by = say(language, "The hub") if line.by == "hub" else teller.staff.get(line.by, line.by)
    begins = line.what in WITH_WHY
    return Item(
        anchor=f"l{line.id}",
        look="alarm",
        tier=tier_of(alert.urgency, alert.queue) if begins else "",
        icon=alarm_words.LINE_ICONS.get(line.what, "activity"),
        at=teller.moment(line.at),
        heard=None,
        what=f"{say(language, 'Alarm')}: {title}" if line.what == "opened" else text,
        sub=by if line.what == "opened" else f"{title} · {alarm_words.reached(line.data, language) or by}",
        link=f"/{language}/alarms/{alert.id}",
        why=_why(row, alert, teller) if begins else None,
        details=((say(language, "Note"), str(line.data["note"])),) if line.data.get("note") else (),
    )


def _why(row: Happening, alert: Alert, teller: Teller) -> Why:
    found = [teller.found[event] for event in _events(row) if event in teller.found]
    opened = row.line is not None and row.line.what == "opened"
    return why_of(
        alert.rule,
        alert.because if opened else {},
        found,
        device_names=teller.devices,
        link=teller.base,
        now=teller.now,
        tz=teller.tz,
        language=teller.language,
    )
