"""The uplink's messages: checked on the way in, JSON on the wire (DESIGN.md sections 5 and 9).

gateways/{gateway}/up/{lane}       Batch     entries lane by lane, numbered 1, 2, 3 … within an epoch
gateways/{gateway}/down/ack        Ack       after the centre's commit: everything up to this number is safe
gateways/{gateway}/down/command    Order     ask a device for something; expires; never retained
gateways/{gateway}/down/registry   Part      the gateway's part of the registry; retained, with content hash
centre/hint                        Hint      "something changed": only a nudge, the database is the truth
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

LaneName = Literal["alarm", "care", "technical", "telemetry"]
LANES: tuple[LaneName, ...] = ("alarm", "care", "technical", "telemetry")
"""In order of importance: the first is never kept waiting by the others."""

Id = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
Epoch = Annotated[str, Field(pattern=r"^[0-9a-f]{8,32}$")]
EntryType = Literal["event", "decision", "unknown", "unreadable", "result", "health"]

Span = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
"""Numbers from the first to the last, both of them included."""

MAX_SPANS = 256
"""Spans in one acknowledgement at most; what is left out is shown again and named then."""

OLD_COPY = 2**62
"""An acknowledgement of more than anybody ever sent: the numbers of this epoch say two things, begin a new one."""

MAX_BATCH = 256
"""Entries in one uplink message; keeps a batch far below every broker's payload limit."""

LARGEST_PART = 8 * 1_048_576
"""Bytes of a gateway's part of the registry; a thousand homes behind one gateway are 1.6 MB."""


class Message(BaseModel):
    """Strict: an unknown field is an error, so that a newer peer is noticed rather than half understood."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UpEntry(Message):
    """One journal entry. body by type:

    event: Event.as_json(). decision: Decision.as_json() of the rules package plus `says`, `staff_action`,
    `urgency`, `queue`, `chain`, `life_safety`.
    unknown, unreadable: {link, address, channel, home, device, hex, error, heard}; home and device may be empty.
    result: {command, outcome, reason, home, device, at, name, asked_by, why}; asked_by is `rule NAME` where a rule
    asked and no person. health: {what, says: {nb, en}, data}.
    """

    number: Annotated[int, Field(ge=1)]
    type: EntryType
    body: dict[str, Any]


class Batch(Message):
    """Entries of one lane, in order and without holes, first number first.

    run: made at each start of the gateway's program, so that an answer can say what it was given since then.
    """

    epoch: Epoch
    run: Epoch | None = None
    entries: Annotated[tuple[UpEntry, ...], Field(min_length=1, max_length=MAX_BATCH)]


class Ack(Message):
    """The centre has committed every entry of this epoch and lane up to and including `upto`.

    run, got: where the gateway named its run, the numbers whose content came in that run and stands here. A copy of
    an old database uses numbers again that `upto` covers with other content; these it does not find in `got`.
    """

    epoch: Epoch
    lane: LaneName
    upto: Annotated[int, Field(ge=0)]
    run: Epoch | None = None
    got: Annotated[tuple[Span, ...], Field(max_length=MAX_SPANS)] = ()


class Order(Message):
    """A command for a device. expires: ms UTC, world clock; a second delivery of one id does nothing."""

    id: Annotated[str, Field(min_length=8, max_length=64)]
    home: Id
    device: Id
    name: Annotated[str, Field(max_length=64)]
    args: dict[str, Any] = {}
    expires: int
    asked_by: str = ""
    reason: str = ""


class Part(Message):
    """A gateway's part of the registry: registry: a hub.registry.models.GatewayPart as JSON; hash: of it."""

    hash: str
    registry: dict[str, Any]


class Hint(Message):
    """Changes up to `seq` are in the database."""

    seq: int


def up_topic(gateway: str, lane: LaneName) -> str:
    """Where a gateway's lane goes up."""
    return f"gateways/{gateway}/up/{lane}"


def down_topic(gateway: str, what: Literal["ack", "command", "registry"]) -> str:
    """Where the centre speaks to one gateway."""
    return f"gateways/{gateway}/down/{what}"


HINT_TOPIC = "centre/hint"
