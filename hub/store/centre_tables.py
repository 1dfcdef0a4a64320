"""The centre's tables: registry, journal, alerts, people's answers, audit.

Only the centre and the web process open this database; they meet nowhere else. Ids of homes, devices,
gateways, staff, teams, zones and chains are the registry's own words, `[a-z0-9_-]{1,64}`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, MetaData, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from hub.store.columns import document, documents, maybe_millis, millis, row_number

CENTRE = MetaData()


class CentreTable(SQLModel):
    """Base of every table in the centre's database."""

    metadata = CENTRE


# ---------------------------------------------------------------- registry: known before an event means something


class Municipality(CentreTable, table=True):
    """The one row of settings of this centre. body: name, duty_phone, tz, timers (see hub.registry)."""

    id: int = Field(default=1, primary_key=True)
    body: dict[str, Any] = document()


class District(CentreTable, table=True):
    """A part of the municipality that holds zones."""

    id: str = Field(primary_key=True)
    name: str


class Zone(CentreTable, table=True):
    """The area one team serves; access to residents is scoped by it."""

    id: str = Field(primary_key=True)
    name: str
    district: str = Field(index=True)


class Team(CentreTable, table=True):
    """A group of staff. zones: list of zone ids it serves."""

    id: str = Field(primary_key=True)
    name: str
    zones: list[str] = documents()


class Staff(CentreTable, table=True):
    """A care worker. roles: of hub.centre.access; teams: list of team ids."""

    id: str = Field(primary_key=True)
    name: str
    phone: str = ""
    roles: list[str] = documents()
    teams: list[str] = documents()
    active: bool = True


class Shift(CentreTable, table=True):
    """Who is on duty when: every day from one local clock time to another. duty: `nurse`, `leader` …"""

    id: int | None = row_number()
    team: str = Field(index=True)
    staff: str
    duty: str
    from_clock: str
    to_clock: str


class Chain(CentreTable, table=True):
    """Whom to tell, and when. steps: list of {after: seconds, tell: words}."""

    id: str = Field(primary_key=True)
    steps: list[dict[str, Any]] = documents()


class Home(CentreTable, table=True):
    """A dwelling with its devices. body: key_box, notes, doors …"""

    id: str = Field(primary_key=True)
    address: str
    tz: str
    zone: str = Field(index=True)
    gateway: str | None = Field(default=None, index=True)
    body: dict[str, Any] = document()


class Resident(CentreTable, table=True):
    """A person living in a home. parameters: numbers, spans and clock times the rules read.

    body: next_of_kin [{name, relation, phone}], warnings [text], services [code], birth_year.
    """

    id: str = Field(primary_key=True)
    home: str = Field(index=True)
    name: str
    phone: str = ""
    parameters: dict[str, Any] = document()
    body: dict[str, Any] = document()


class Gateway(CentreTable, table=True):
    """The box in a home, as registered and as last heard. part_hash: content hash of its registry part."""

    id: str = Field(primary_key=True)
    name: str
    since: int = millis()
    last_heard: int | None = maybe_millis()
    part_hash: str = ""


class Device(CentreTable, table=True):
    """One installed unit. type: id of its device type; settings: line settings; secret: file name of its key."""

    id: str = Field(primary_key=True)
    home: str = Field(index=True)
    device_class: str
    type: str
    link: str
    address: str
    name: str = ""
    room: str = ""
    secret: str = ""
    settings: dict[str, Any] = document()
    since: int = millis()
    until: int | None = maybe_millis()


class Assignment(CentreTable, table=True):
    """Where a device was, from when until when: every record belongs to the home at its time (SC-1)."""

    id: int | None = row_number()
    device: str = Field(index=True)
    home: str = Field(index=True)
    since: int = millis()
    until: int | None = maybe_millis()


class EmergencyAccess(CentreTable, table=True):
    """A person's stated reason to see a home outside their zones, for a while. World time."""

    id: int | None = row_number()
    staff: str = Field(index=True)
    home: str
    reason: str
    at: int = millis()
    until: int = millis()


# ---------------------------------------------------------------- journal


UNREAD = text("type = 'unreadable'")
"""What was stored under its number and not understood; few, and looked for by people."""


class Entry(CentreTable, table=True):
    """One line of the journal of all homes, exactly once per (gateway, epoch, lane, number).

    type: event, decision, unknown, unreadable, result or health (hub.uplink.messages gives the bodies); `dropped` for
    an unreadable one that a person gave up.
    event_id, home, device, kind, at, heard are lifted out of the body for queries; received: our commit time.
    """

    __table_args__ = (
        UniqueConstraint("gateway", "epoch", "lane", "number", name="entry_once"),
        Index("entry_of_home", "home", "at"),
        Index("entry_of_device", "device", "at"),
        Index("entry_unread", "seq", sqlite_where=UNREAD, postgresql_where=UNREAD),
    )
    seq: int | None = row_number()
    gateway: str
    epoch: str
    lane: str
    number: int
    type: str
    event_id: str | None = Field(default=None, index=True)
    home: str = ""
    device: str = ""
    kind: str = ""
    at: int = millis()
    heard: int = millis()
    received: int = millis()
    body: dict[str, Any] = document()


class Lane(CentreTable, table=True):
    """How far one lane of one gateway's epoch is contiguous in our journal; gap_since: a hole that stays."""

    gateway: str = Field(primary_key=True)
    epoch: str = Field(primary_key=True)
    lane: str = Field(primary_key=True)
    upto: int = 0
    gap_since: int | None = maybe_millis()


class Quarantined(CentreTable, table=True):
    """An uplink message that could not be read, kept (bounded, newest win) with one sentence that says why.

    payload: its first bytes in hex. size: of the whole in bytes. times: how often the same content came.
    """

    id: int | None = row_number()
    at: int = millis()
    topic: str
    gateway: str = Field(default="", index=True)
    digest: str = Field(unique=True)
    problem: str
    payload: str
    size: int
    times: int = 1
    last_at: int = millis()


class DeviceState(CentreTable, table=True):
    """The newest known value of one state of one device: highest (at, seq) wins, never the last arrived."""

    device: str = Field(primary_key=True)
    state: str = Field(primary_key=True)
    home: str = Field(index=True)
    value: str
    at: int = millis()
    heard: int = millis()


class EngineState(CentreTable, table=True):
    """A rule engine of the centre: its snapshot, and the entry (`areas`: the decision) up to which it has judged."""

    id: str = Field(primary_key=True)
    judged: int = 0
    snapshot: dict[str, Any] = document()


class DecisionRow(CentreTable, table=True):
    """A decision, once per (rule, key, instant, action), whoever sent it and however often."""

    __tablename__ = "decision"
    __table_args__ = (UniqueConstraint("rule", "key", "at", "action", name="decision_once"),)
    id: int | None = row_number()
    rule: str
    key: str
    at: int = millis()
    action: str
    home: str = Field(index=True)
    alert: int | None = Field(default=None, index=True)
    body: dict[str, Any] = document()


# ---------------------------------------------------------------- alerts


class Alert(CentreTable, table=True):
    """Something a person must answer (DESIGN.md section 6). Condition and handling are two facts.

    key: what the rule watches (home, device or home/dose). says, staff_action: {nb, en}.
    at: when it happened; heard: when the gateway heard it; opened: when this row was written.
    evidence: event ids. seen_by: [{staff, at}]. told: [{staff, channel, at}].
    step: "", calling, on_the_way or at_the_door. version grows by one with every change.
    next_due, next_tell: the next escalation, for the screen; the truth is in Deadline.
    undo: {until, by, action, version, before, closed, opened} while the last action can be taken back.
    handled: the version in which a person or a lapse last changed the handling; grown: the version in which
    the last evidence came. An action based on an older one is stale (hub.centre.alerts.lifecycle).
    area: the alert of an area that this one belongs to just now (hub.centre.areas).
    """

    __table_args__ = (
        Index(
            "alert_open_once",
            "rule",
            "key",
            unique=True,
            sqlite_where=text("handling <> 'resolved'"),
            postgresql_where=text("handling <> 'resolved'"),
        ),
        Index("alert_of_home", "home", "at"),
        Index("alert_of_episode", "rule", "key", "id"),
        Index("alert_by_handling", "handling", "urgency"),
    )
    id: int | None = row_number()
    rule: str
    key: str
    home: str
    zone: str = Field(index=True)
    device: str = ""
    kind: str = ""
    urgency: str
    queue: str
    life_safety: bool = False
    chain: str
    says: dict[str, str] = document()
    staff_action: dict[str, str] = document()
    because: dict[str, Any] = document()
    evidence: list[str] = documents()
    condition: str = "active"
    handling: str = "new"
    version: int = 1
    count: int = 1
    at: int = millis()
    heard: int = millis()
    opened: int = millis()
    last_at: int = millis()
    cleared_at: int | None = maybe_millis()
    clear_reason: str = ""
    repeats: list[int] = documents()
    escalated: int = 0
    next_due: int | None = maybe_millis()
    next_tell: str = ""
    owner: str | None = None
    owner_since: int | None = maybe_millis()
    step: str = ""
    step_at: int | None = maybe_millis()
    handled: int = 1
    grown: int = 1
    seen_by: list[dict[str, Any]] = documents()
    told: list[dict[str, Any]] = documents()
    snoozed_until: int | None = maybe_millis()
    snooze_reason: str = ""
    cause: str = ""
    measure: str = ""
    note: str = ""
    resolved_at: int | None = maybe_millis()
    resolved_by: str | None = None
    before: int | None = None
    area: int | None = Field(default=None, index=True)
    undo: dict[str, Any] = document()


class AlertLine(CentreTable, table=True):
    """One line of an alert's timeline: what, by whom, with the VKP composition event where one fits (5.3)."""

    id: int | None = row_number()
    alert: int = Field(index=True)
    at: int = millis()
    what: str
    by: str
    vkp: str = ""
    data: dict[str, Any] = document()


class Deadline(CentreTable, table=True):
    """A moment at which something must happen to an alert. Claimed by compare-and-set with an expiry.

    purpose: step (data.index), lapse, arrive, wake (snooze over). done: when carried out or fallen away.
    """

    __table_args__ = (Index("deadline_due", "done", "due"),)
    id: int | None = row_number()
    alert: int = Field(index=True)
    purpose: str
    due: int = millis()
    claimed_by: str | None = None
    claimed_until: int | None = maybe_millis()
    done: int | None = maybe_millis()
    outcome: str = ""
    data: dict[str, Any] = document()


class Notification(CentreTable, table=True):
    """One attempt to reach one person through one channel; written before the attempt (NO-3)."""

    __table_args__ = (UniqueConstraint("deadline", "channel", "target", name="notification_once"),)
    id: int | None = row_number()
    alert: int = Field(index=True)
    deadline: int
    channel: str
    target: str
    status: str = "leased"
    attempts: int = 0
    created: int = millis()
    settled: int | None = maybe_millis()
    detail: str = ""


# ---------------------------------------------------------------- commands, audit, change, people at the screen


class CommandRow(CentreTable, table=True):
    """Something a person or rule asks of a device: queued, sent, done, refused, failed or expired (TR-14)."""

    __tablename__ = "command"
    id: str = Field(primary_key=True)
    home: str = Field(index=True)
    device: str = Field(index=True)
    gateway: str
    name: str
    args: dict[str, Any] = document()
    asked_by: str
    reason: str
    alert: int | None = None
    asked: int = millis()
    expires: int = millis()
    status: str = "queued"
    settled: int | None = maybe_millis()
    answer: str = ""


class Audit(CentreTable, table=True):
    """Append-only and hash-chained: who did or saw what, when, for whom, why, from where.

    hash = SHA-256 over (previous hash, canonical JSON of the row without hash).
    """

    seq: int | None = row_number()
    at: int = millis()
    actor: str = Field(index=True)
    action: str
    home: str = Field(default="", index=True)
    subject: str = ""
    why: str = ""
    origin: str = ""
    data: dict[str, Any] = document()
    previous: str
    hash: str


class Change(CentreTable, table=True):
    """The dashboard's outbox: written in the same transaction as what changed; seq is the stream's cursor.

    subject: alert, device or gateway. ref: its id as text. zone: who may see it.
    """

    seq: int | None = row_number()
    at: int = millis()
    subject: str
    ref: str
    home: str = ""
    zone: str = ""


class StoreFact(CentreTable, table=True):
    """Facts about this database itself: `epoch` (a random id made with it), `book` (rule book hash)."""

    name: str = Field(primary_key=True)
    value: str


class SignInLink(CentreTable, table=True):
    """A one-time way in. token: SHA-256 of the secret; real time, not world time."""

    token: str = Field(primary_key=True)
    staff: str
    created: int = millis()
    expires: int = millis()
    used: int | None = maybe_millis()


class WebSession(CentreTable, table=True):
    """A signed-in browser. id: SHA-256 of the cookie; real time, not world time."""

    id: str = Field(primary_key=True)
    staff: str = Field(index=True)
    created: int = millis()
    seen: int = millis()
    expires: int = millis()
    revoked: int | None = maybe_millis()
    agent: str = ""
