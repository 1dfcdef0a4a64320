"""A door as a person reads it: where its bolt stands and since when, and how far what was asked of it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard.look.device_words import shown_device
from dashboard.look.moments import Moment, moment, seconds_clock
from dashboard.look.words import Language, mark, pick, say
from dashboard.reads.doors import UNDER_WAY, Door, takes
from drivers.catalogue import CATALOGUE
from drivers.events import Millis
from hub.centre import door
from hub.store.centre_tables import CommandRow, DeviceState

ICONS: Mapping[str, str] = {
    "locked": "lock",
    "unlocked": "lock-open",
    "jammed": "triangle-alert",
    "unknown": "circle-help",
}
TOWARDS: Mapping[str, str] = {"lock": "locked", "unlock": "unlocked", "unlatch": "unlocked"}
LOW_BATTERY = 20
"""Per cent from which a lock's battery is worth a word before somebody relies on it."""

ASKED: Mapping[str, str] = {
    "unlock": mark("%(name)s asked to unlock the door at %(time)s."),
    "unlatch": mark("%(name)s asked to open the door at %(time)s."),
    "lock": mark("%(name)s asked to lock the door at %(time)s."),
}
GOES: Mapping[str, str] = {
    "queued": mark("Being sent to the home …"),
    "sent": mark("Sent to the home. Waiting for the lock …"),
}
DONE: Mapping[str, str] = {
    "locked": mark("The lock says: locked at %(time)s."),
    "unlocked": mark("The lock says: unlocked at %(time)s."),
}
NOT_SAID_YET = mark("The lock has taken it, but has not said yet where it stands.")
REFUSED = mark("The lock refused. Nothing was moved.")
JAMMED = mark("The lock is jammed. Whether the door can be opened is not known.")
LOST: Mapping[str, str] = {
    "unlock": mark(
        "No answer from the lock. The door may be unlocked, or not: nobody knows. It is not unlocked a second time."
    ),
    "unlatch": mark(
        "No answer from the lock. The door may be open, or not: nobody knows. It is not opened a second time."
    ),
    "lock": mark("No answer from the lock. Do not count the door as locked until the lock says so."),
}
SINCE_THEN: Mapping[str, str] = {
    "locked": mark("There was no answer in time, but the lock has said since: locked at %(time)s."),
    "unlocked": mark("There was no answer in time, but the lock has said since: unlocked at %(time)s."),
}
AFTERWARDS: Mapping[str, str] = {
    "locked": mark("It was done, and since then the lock has said: locked at %(time)s."),
    "unlocked": mark("It was done, and since then the lock has said: unlocked at %(time)s."),
}
ASKING = mark("The lock is being asked where it stands …")
NO_ANSWER = mark("The lock does not answer when it is asked.")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a command has come. step: 0 being sent, 1 waiting for the lock, 2 over. end: done, refused, lost, jammed.

    device_says: the device's or gateway's own words, for who digs.
    """

    asked: str
    why: str
    says: str
    step: int
    end: str
    device_says: str

    @property
    def under_way(self) -> bool:
        """Whether something is still to come."""
        return self.step < 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorShown:
    """One lock for a page. value: of its bolt; words: the same for people; last: an older word, where it is unknown.

    spoke: when the lock said or confirmed it. stale: too old to open on, so the lock is asked when somebody wants to.
    lost: nobody knows how the last opening ended. locks, asks: whether it takes these commands.
    """

    id: str
    home: str
    name: str
    room: str
    value: str
    icon: str
    words: str
    last: str
    spoke: Moment | None
    battery: str
    low: bool
    stale: bool
    lost: bool
    locks: bool
    asks: bool
    asking: bool
    ask_says: str
    progress: Progress | None


def door_shown(
    one: Door, names: Mapping[str, str], now: Millis, tz: str, language: Language, fresh: Millis
) -> DoorShown:
    """Write a door in a language, on its home's clock. names: of staff. fresh: ms that its word stays good for."""
    device, value = one.known.device, one.value
    bolt = CATALOGUE.states[door.BOLT].value_words
    shown = shown_device(one.known, now, tz, language)
    older = one.bolt.value if one.bolt is not None and value == "unknown" else ""
    return DoorShown(
        id=device.id,
        home=device.home,
        name=shown.name,
        room=device.room,
        value=value,
        icon=ICONS.get(value, "circle-help"),
        words=pick(bolt.get(value, {}), language, value),
        last=pick(bolt.get(older, {}), language, older) if older != "unknown" else "",
        spoke=moment(one.spoke, now, tz, language) if one.spoke is not None else None,
        battery=_battery(one, language),
        low=_percent(one) is not None and (_percent(one) or 0) <= LOW_BATTERY,
        stale=door.can_be_asked(device) and (one.spoke is None or one.lost or now - one.spoke > fresh),
        lost=one.lost,
        locks=takes(device, "lock"),
        asks=door.can_be_asked(device),
        asking=one.asked is not None and one.asked.status in UNDER_WAY,
        ask_says=_ask_says(one, language),
        progress=_progress(one, one.last, names, tz, language) if one.last is not None else None,
    )


def _ask_says(one: Door, language: Language) -> str:
    if one.asked is None:
        return ""
    if one.asked.status in UNDER_WAY:
        return say(language, ASKING)
    heard_since = one.spoke is not None and one.spoke >= one.asked.asked
    return "" if heard_since else say(language, NO_ANSWER)


def _percent(one: Door) -> float | None:
    text = next((state.value for state in one.known.states if state.state.endswith(".battery")), "")
    try:
        return float(text)
    except ValueError:
        return None


def _battery(one: Door, language: Language) -> str:
    percent = _percent(one)
    return "" if percent is None else f"{percent:g} %".replace(".", "," if language == "nb" else ".")


def _progress(one: Door, row: CommandRow, names: Mapping[str, str], tz: str, language: Language) -> Progress:
    asked_at = seconds_clock(row.asked, tz)
    who = names.get(row.asked_by, row.asked_by)
    says, end = _standing(one, row, tz, language)
    return Progress(
        asked=say(language, ASKED[row.name], name=who, time=asked_at),
        why=row.reason,
        says=says,
        step={"queued": 0, "sent": 1}.get(row.status, 2),
        end=end,
        device_says="" if row.status in {*UNDER_WAY, "done"} else row.answer,
    )


def _standing(one: Door, row: CommandRow, tz: str, language: Language) -> tuple[str, str]:
    """What is known of it now, and how it ended. Only the lock's own word counts as locked or unlocked."""
    if row.status in UNDER_WAY:
        return say(language, GOES[row.status]), ""
    since = one.bolt if one.bolt is not None and one.bolt.heard > row.asked else None
    value = since.value if since is not None else ""
    time = seconds_clock(since.at, tz) if since is not None else ""
    if value == "jammed":
        return say(language, JAMMED), "jammed"
    if row.status == "refused":
        return say(language, REFUSED), "refused"
    if row.status == "done":
        return say(language, _done(value, since, row), time=time), "done"
    if value in SINCE_THEN and not one.lost:
        return say(language, SINCE_THEN[value], time=time), "done"
    return say(language, LOST[row.name]), "lost"


def _done(value: str, since: DeviceState | None, row: CommandRow) -> str:
    """What the lock itself has said of something that was done: that it got there, that it moved on, or nothing yet."""
    if value == TOWARDS[row.name]:
        return DONE[value]
    moved_on = since is not None and row.settled is not None and since.heard > row.settled
    return AFTERWARDS[value] if moved_on and value in AFTERWARDS else NOT_SAID_YET
