"""Rows of some rules and keys, asked for so that both databases go by an index.

SQLite reads a whole table for `(rule, key) IN (VALUES …)`; rule by rule it searches.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, and_, or_

Episode: TypeAlias = tuple[str, str]
"""A rule and what it watches."""


def among(rule: Any, key: Any, episodes: Collection[Episode]) -> ColumnElement[bool]:
    """The condition that a row's rule and key are among these."""
    keys: dict[str, list[str]] = {}
    for one, watched in sorted(episodes):
        keys.setdefault(one, []).append(watched)
    return or_(*(and_(rule == one, key.in_(watched)) for one, watched in keys.items()))


def spanning(at: Any, instants: Sequence[int]) -> ColumnElement[bool]:
    """The condition that a row's instant lies among these, at most."""
    within: ColumnElement[bool] = at.between(min(instants), max(instants))
    return within
