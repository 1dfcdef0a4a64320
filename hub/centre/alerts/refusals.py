"""Why an action is refused, as a person reads it: one sentence in Norwegian and one in English."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from drivers.events import Millis
from hub.centre.alerts.codes import Words, words
from hub.centre.alerts.standing import Handling, Standing

OSLO = ZoneInfo("Europe/Oslo")

HUB = "hub"
"""Who acts when no person does."""


class AlertError(Exception):
    """An action that was not carried out. says: the sentence in `nb` and `en`."""

    def __init__(self, says: Words) -> None:
        super().__init__(says["en"])
        self.says = says


class Stale(AlertError):  # noqa: N818 - it names an answer, not a fault
    """The alert changed since the person looked at it."""


class Refused(AlertError):  # noqa: N818 - it names an answer, not a fault
    """The action is not possible, or not allowed, as the alert stands."""


class NotAllowed(Refused):
    """The person's roles do not grant this."""


class StepUp(NotAllowed):
    """The person must sign in anew before this is done."""


class TooOld(Refused):
    """What is known is too old to act on; where it can be asked for, that has been done."""


class Unacceptable(Refused):
    """What the person wrote or chose cannot be accepted, however the alert stands."""


class NotFound(AlertError):  # noqa: N818 - it names an answer, not a fault
    """There is no such alert for this person."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Who acts, when, and how to name people and times in a sentence.

    actor: staff id. name: gives the display name of a staff id. tz: whose clock the sentence speaks.
    """

    actor: str
    now: Millis
    name: Callable[[str], str] = str
    tz: ZoneInfo = OSLO

    def clock(self, at: Millis | None) -> str:
        """A time of day as staff read it, 14:02."""
        moment = datetime.fromtimestamp((self.now if at is None else at) / 1000, UTC)
        return f"{moment.astimezone(self.tz):%H:%M}"


def as_it_stands(standing: Standing, scene: Scene) -> Words:
    """Say who did what with it, and when: the reason an action came too late."""
    sentence = SENTENCES.get(standing.handling)
    return sentence(standing, scene) if sentence else FREE


def _taken(standing: Standing, scene: Scene) -> Words:
    at, owner = scene.clock(standing.owner_since), standing.owner or ""
    if owner == scene.actor:
        return words(f"Du tok den kl. {at}.", f"You took it at {at}.")
    name = scene.name(owner)
    return words(f"{name} tok den kl. {at}.", f"{name} took it at {at}.")


def _resolved(standing: Standing, scene: Scene) -> Words:
    at, by = scene.clock(standing.resolved_at), standing.resolved_by or HUB
    if by == HUB:
        return words(f"Den gikk over av seg selv kl. {at}.", f"It was over by itself at {at}.")
    if by == scene.actor:
        return words(f"Du avsluttet den kl. {at}.", f"You resolved it at {at}.")
    name = scene.name(by)
    return words(f"{name} avsluttet den kl. {at}.", f"{name} resolved it at {at}.")


def _snoozed(standing: Standing, scene: Scene) -> Words:
    at = scene.clock(standing.snoozed_until)
    return words(f"Den er utsatt til kl. {at}.", f"It is snoozed until {at}.")


SENTENCES: Mapping[Handling, Callable[[Standing, Scene], Words]] = MappingProxyType(
    {
        Handling.TAKEN: _taken,
        Handling.SNOOZED: _snoozed,
        Handling.RESOLVED: _resolved,
    }
)


def grew(standing: Standing, scene: Scene) -> Words:
    """More evidence came after the person looked."""
    at, count = scene.clock(standing.last_at), standing.count
    return words(
        f"Det kom mer kl. {at} (×{count}). Se på den på nytt.",
        f"More came at {at} (×{count}). Look at it again.",
    )


FREE = words("Den er ledig. Se på den på nytt.", "It is free. Look at it again.")
NOT_FOUND = words("Alarmen finnes ikke.", "There is no such alarm.")
TAKE_FIRST = words("Ta alarmen først.", "Take the alarm first.")
NOBODY_HAS_IT = words("Ingen har den. Ta den.", "Nobody has it. Take it.")
NO_RIGHT = words("Du har ikke tilgang til å gjøre dette.", "You are not allowed to do this.")
NEVER_SNOOZED = words(
    "Denne alarmen kan ikke utsettes; det kan stå om liv.",
    "This alarm cannot be snoozed; a life may depend on it.",
)
NEEDS_REASON = words("Skriv hvorfor (høyst 200 tegn).", "Say why (at most 200 characters).")
NEEDS_CAUSE = words("Velg en årsak fra listen.", "Choose a cause from the list.")
NEEDS_MEASURE = words("Velg et tiltak fra listen.", "Choose a measure from the list.")
NOTE_TOO_LONG = words("Notatet er lengre enn 500 tegn.", "The note is longer than 500 characters.")
NO_SUCH_STEP = words(
    "Et steg er: ringer, på vei eller ved døren.", "A step is: calling, on the way or at the door."
)
NOTHING_TO_UNDO = words("Det er ingenting å angre lenger.", "There is nothing left to undo.")
RAISED_AGAIN = words(
    "Det har kommet en ny alarm om det samme. Ta den.",
    "A new alarm about the same has come. Take that one.",
)


def snooze_limit(seconds: int) -> Words:
    """The wished end lies too far away, or in the past."""
    minutes = seconds // 60
    return words(
        f"En alarm utsettes fra nå og høyst {minutes} minutter.",
        f"An alarm is snoozed from now and for at most {minutes} minutes.",
    )
