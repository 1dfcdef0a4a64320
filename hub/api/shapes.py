"""What the API answers, and what it takes. Times are ISO 8601 in UTC; ids are the registry's words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from drivers.events import Millis, iso, parse_time
from hub.api.problems import Says


def _time(value: object) -> object:
    return iso(value) if isinstance(value, int) else value


Time = Annotated[str, BeforeValidator(_time), Field(examples=["2026-01-15T12:00:00.000Z"])]


class Out(BaseModel):
    """An answer, read from a row."""

    model_config = ConfigDict(from_attributes=True)


class SeenOut(Out):
    """Who silenced it for themselves, and when."""

    staff: str
    at: Time


class AlertOut(Out):
    """An alert as a list shows it."""

    id: int
    version: int = Field(description="Send it back with every action; a stale one is refused.")
    rule: str = Field(description="The rule that raised it; `hub:` for what the hub found by itself.")
    key: str = Field(description="What the rule watches: a home, a device, or home/dose.")
    home: str
    zone: str
    device: str
    kind: str = Field(description="The event kind behind it, if one is.")
    urgency: Literal["critical", "high", "moderate", "low"]
    queue: Literal["care", "technical"]
    life_safety: bool
    says: Says
    condition: Literal["active", "cleared", "unknown"]
    handling: Literal["new", "seen", "taken", "snoozed", "resolved"]
    count: int = Field(description="How often it matched while open.")
    at: Time = Field(description="When it happened.")
    heard: Time = Field(description="When the gateway heard it.")
    opened: Time = Field(description="When the centre opened the alert.")
    last_at: Time
    owner: str | None
    owner_since: Time | None
    step: str
    seen_by: list[SeenOut]
    escalated: int
    next_due: Time | None = Field(description="When the next step of its chain is due.")
    next_tell: str
    snoozed_until: Time | None
    resolved_at: Time | None
    resolved_by: str | None
    cause: str
    measure: str
    area: int | None = Field(description="The alert of an area that this one belongs to just now.")


class AlertDetail(AlertOut):
    """An alert with everything behind it."""

    staff_action: Says = Field(description="What staff are to do.")
    chain: str
    evidence: list[str] = Field(description="Ids of the events behind it.")
    because: dict[str, Any] = Field(description="The decision that opened it, with its numbers.")
    cleared_at: Time | None
    clear_reason: str
    snooze_reason: str
    note: str
    before: int | None = Field(description="The former alert of the same rule and key.")


class LineOut(Out):
    """One line of an alert's timeline."""

    at: Time
    what: str
    by: str = Field(description="A staff id, or `hub`.")
    vkp: str = Field(description="VKP composition event, where one fits.")
    data: dict[str, Any]


class CodeOut(BaseModel):
    """A cause or measure to choose from."""

    code: str
    says: Says
    group: str = ""


class Codes(BaseModel):
    """What an alert is resolved with."""

    causes: list[CodeOut]
    measures: list[CodeOut]


class In(BaseModel):
    """A request's body; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class Based(In):
    """An action on an alert, based on the version the person saw."""

    version: Annotated[int, Field(ge=1)]


class StepIn(Based):
    """What the person who took it is doing."""

    step: Literal["calling", "on_the_way", "at_the_door"]


def _millis(value: object) -> Millis:
    return parse_time(value)


class SnoozeIn(Based):
    """Put it off. until: ISO 8601 with offset, or ms since 1970 UTC, on the homes' clock."""

    until: Annotated[Millis, BeforeValidator(_millis)]
    reason: Annotated[str, Field(max_length=200)]


class ResolveIn(Based):
    """End it."""

    cause: Annotated[str, Field(max_length=64)]
    measure: Annotated[str, Field(max_length=64)]
    note: Annotated[str, Field(max_length=500)] = ""


class EntryOut(Out):
    """One line of a home's journal."""

    seq: int = Field(description="Its place; use the last one as `before` for the next page.")
    type: str
    kind: str
    device: str
    at: Time
    heard: Time
    received: Time
    body: dict[str, Any]


class KinOut(Out):
    """Next of kin."""

    name: str
    relation: str = ""
    phone: str = ""


class ResidentOut(Out):
    """A resident as a list shows them."""

    id: str
    name: str
    home: str
    address: str
    zone: str


class ResidentDetail(ResidentOut):
    """A resident with what staff need at the door."""

    phone: str
    tz: str
    key_box: str
    notes: str
    next_of_kin: list[KinOut]
    warnings: list[str]
    parameters: dict[str, Any]


class StateOut(Out):
    """The newest known value of one state."""

    state: str
    value: str
    at: Time
    heard: Time


class DeviceOut(Out):
    """An installed device."""

    id: str
    home: str
    device_class: str
    type: str
    link: str
    name: str
    room: str
    since: Time
    until: Time | None


class DeviceDetail(DeviceOut):
    """A device with what is known of it and what may be asked of it."""

    states: list[StateOut]
    commands: dict[str, list[str]] = Field(description="Command name → names of its arguments.")
    no_unlock: Says | None = Field(
        description="Why the municipality does not let this person unlock it from afar; null where it does."
    )


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) > 20 or any(len(str(one)) > 500 for one in value.values()):
        raise ValueError("at most 20 arguments of at most 500 characters")
    return value


class CommandIn(In):
    """Ask a device for something. A door needs an alert the person has taken, or a reason.

    403 `sign-in-again`: the sign-in is too old for this. 403 `forbidden`: not this person's right, or switched off by
    the municipality. 409 `too-old`: the lock's state was, or nobody knows how the last opening went; it is being asked.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)]
    args: Annotated[dict[str, Any], AfterValidator(_small)] = {}
    reason: Annotated[str, Field(max_length=200)] = ""
    alert: int | None = None
    purpose: Annotated[
        Literal["visit", "emergency", "other"],
        Field(
            description="For a door without an alert: planned visit, blue-light services, or another reason."
        ),
    ] = "other"
    id: Annotated[
        str,
        Field(
            pattern=r"^([0-9a-f]{24})?$",
            description="24 random hex digits of the caller's: the same request sent again asks for nothing twice.",
        ),
    ] = ""


class CommandOut(Out):
    """A command and what became of it."""

    id: str
    home: str
    device: str
    name: str
    args: dict[str, Any]
    status: Literal["queued", "sent", "done", "refused", "failed", "expired"]
    asked_by: str
    reason: str
    alert: int | None
    asked: Time
    expires: Time
    settled: Time | None
    answer: str


class LaneOut(Out):
    """How far one lane of a gateway has come in."""

    epoch: str
    lane: str
    upto: int
    gap_since: Time | None


class GatewayOut(Out):
    """A gateway as registered and as last heard."""

    id: str
    name: str
    since: Time
    last_heard: Time | None
    homes: list[str]


class GatewayDetail(GatewayOut):
    """A gateway with its lanes and states."""

    part_hash: str
    lanes: list[LaneOut]
    states: list[StateOut]


class MeOut(BaseModel):
    """Who asks."""

    staff: str
    name: str
    roles: list[str]
    rights: list[str]
    zones: list[str]
