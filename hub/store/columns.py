"""Column shapes that all tables share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Integer
from sqlmodel import Field

BIG = BigInteger().with_variant(Integer, "sqlite")
"""64 bits on every database; on SQLite the type that makes a primary key the row number."""


def row_number() -> Any:
    """An ever-growing 64-bit primary key: the order of the world as this database saw it."""
    return Field(default=None, sa_column=Column(BIG, primary_key=True, autoincrement=True))


def millis(*, index: bool = False) -> Any:
    """A required point in time: ms since 1970 UTC, an integer, so no time zone can be lost (CK-4)."""
    return Field(sa_column=Column(BigInteger, nullable=False, index=index))


def maybe_millis(*, index: bool = False) -> Any:
    """A point in time that may not have come yet."""
    return Field(default=None, sa_column=Column(BigInteger, nullable=True, index=index))


def document() -> Any:
    """A JSON object; its shape is stated in the table's docstring."""
    return Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


def documents() -> Any:
    """A JSON list; the shape of its items is stated in the table's docstring."""
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False))
