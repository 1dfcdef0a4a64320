"""The gateway's tables: journal, outbox marks, what decoders and rules remember, commands received.

Only the gateway process opens this database. Rows are written through the group-commit writer; the tables
are declared here so that migrations, tests and tools share one definition.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, LargeBinary, MetaData, text
from sqlmodel import Field, SQLModel

from hub.store.columns import document, maybe_millis, millis, row_number

GATEWAY = MetaData()


class GatewayTable(SQLModel):
    """Base of every table in a gateway's database."""

    metadata = GATEWAY


class StoreNote(GatewayTable, table=True):
    """A fact about this database itself: `epoch` (a random id made with it), `gateway` (whose it is)."""

    __tablename__ = "store_note"
    name: str = Field(primary_key=True)
    value: str


class FrameRow(GatewayTable, table=True):
    """The bytes as a link heard them, at most hub.gateway.hearing.KEPT_BYTES of them; size: how many came."""

    __tablename__ = "frame"
    seq: int | None = row_number()
    link: str
    address: str
    channel: str = ""
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    size: int
    heard: int = millis()


class JournalRow(GatewayTable, table=True):
    """One line of the gateway's journal; seq is the order of the world as this gateway saw it.

    type and body: as hub.uplink.messages.UpEntry. once: what makes the line unique (`event:<id>`,
    `decision:<rule>|<key>|<at>|<action>`, `result:<command>`), None where every line counts.
    lane, number: its place in the outbox; telemetry is numbered when it is first sent, so that what is
    evicted before leaves no hole.
    """

    __tablename__ = "journal"
    __table_args__ = (
        Index(
            "journal_number",
            "lane",
            "number",
            unique=True,
            sqlite_where=text("number IS NOT NULL"),
            postgresql_where=text("number IS NOT NULL"),
        ),
        Index(
            "journal_unnumbered",
            "lane",
            "seq",
            sqlite_where=text("number IS NULL"),
            postgresql_where=text("number IS NULL"),
        ),
    )
    seq: int | None = row_number()
    type: str
    once: str | None = Field(default=None, unique=True)
    lane: str
    number: int | None = None
    home: str = ""
    device: str = ""
    kind: str = ""
    at: int = millis()
    heard: int = millis()
    frame: int | None = None
    body: dict[str, Any] = document()


class LaneMark(GatewayTable, table=True):
    """The outbox's marks of one lane within the epoch: the last number given, and the last one the centre has."""

    __tablename__ = "lane_mark"
    lane: str = Field(primary_key=True)
    last: int = 0
    acked: int = 0


class UnitMemory(GatewayTable, table=True):
    """What a decoder remembers of one device between frames; version grows by one with every change."""

    __tablename__ = "unit_memory"
    device: str = Field(primary_key=True)
    version: int
    memory: dict[str, Any] = document()


class EngineState(GatewayTable, table=True):
    """The rule engine: judged up to this journal line; snapshot: its state as it stood after line `covers`."""

    __tablename__ = "engine_state"
    id: int = Field(default=1, primary_key=True)
    judged: int = 0
    covers: int = 0
    taken: int | None = maybe_millis()
    snapshot: dict[str, Any] = document()


class ReceivedCommand(GatewayTable, table=True):
    """An order from the centre, once per id: who asked, why, and how it went.

    status: under_way, done, refused, failed or expired; under_way is committed before a byte leaves.
    """

    __tablename__ = "received_command"
    id: str = Field(primary_key=True)
    home: str
    device: str = Field(index=True)
    name: str
    args: dict[str, Any] = document()
    asked_by: str = ""
    reason: str = ""
    expires: int = millis()
    received: int = millis()
    status: str
    settled: int | None = maybe_millis()
    answer: str = ""
