"""How the file's parts stand in the database: one row a part, and back. Pure.

`rows_of(file)` gives every row the file means; `file_of(rows)` gives the file that these rows mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from drivers.events import iso
from hub.registry.models import FORMAT, RegistryFile
from hub.store.centre_tables import (
    CentreTable,
    Chain,
    Device,
    District,
    Gateway,
    Home,
    Municipality,
    Resident,
    Shift,
    Staff,
    Team,
    Zone,
)
from rules.spans import SECOND, parse_span, say_span

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of row. word: for sentences and the trail. table: where it stands; its key is `id`."""

    word: str
    table: type[CentreTable]


KINDS: Mapping[str, Kind] = {
    "municipality": Kind("municipality", Municipality),
    "districts": Kind("district", District),
    "zones": Kind("zone", Zone),
    "teams": Kind("team", Team),
    "staff": Kind("staff", Staff),
    "chains": Kind("chain", Chain),
    "gateways": Kind("gateway", Gateway),
    "homes": Kind("home", Home),
    "residents": Kind("resident", Resident),
    "devices": Kind("device", Device),
}
"""In an order in which everything named stands before what names it. Shifts have no id and are apart."""


def rows_of(registry: RegistryFile) -> Iterator[tuple[Kind, Row]]:
    """Every row with an id that the file means, in the order of KINDS."""
    yield KINDS["municipality"], {"id": 1, "body": registry.municipality.model_dump(mode="json")}
    for section in list(KINDS)[1:]:
        for id_, part in getattr(registry, section).items():
            yield KINDS[section], {"id": id_, **_columns(section, part)}


def _columns(section: str, part: Any) -> Row:
    if section == "chains":
        steps = [{"after": parse_span(step.after) // SECOND, "tell": step.tell} for step in part]
        return {"steps": steps}
    columns: Row = part.model_dump(mode="json")
    if section == "homes":
        columns["body"] = {name: columns.pop(name) for name in ("key_box", "notes")}
    if section == "residents":
        columns["body"] = {name: columns.pop(name) for name in ("next_of_kin", "warnings")}
    return columns


def shifts_of(registry: RegistryFile) -> list[Row]:
    """The rota, as rows."""
    return [shift.model_dump(mode="json") for shift in registry.shifts]


@dataclass(slots=True)
class Stored:
    """What stands in the database, by section of the file."""

    sections: dict[str, Sequence[Any]] = field(default_factory=dict)
    shifts: Sequence[Shift] = ()


def file_of(stored: Stored) -> dict[str, Any]:
    """The registry file that the stored rows mean, as plain data for YAML."""
    (municipality,) = stored.sections["municipality"]
    told: dict[str, Any] = {"format": FORMAT, "municipality": dict(municipality.body)}
    for section in list(KINDS)[1:]:
        told[section] = {row.id: _written(section, row) for row in stored.sections[section]}
    told["shifts"] = [
        {"team": row.team, "staff": row.staff, "duty": row.duty, "from": row.from_clock, "to": row.to_clock}
        for row in stored.shifts
    ]
    return {name: told[name] for name in RegistryFile.model_fields}


LEFT_OUT: Mapping[str, frozenset[str]] = {
    "staff": frozenset({"id", "active"}),
    "gateways": frozenset({"id", "last_heard", "part_hash"}),
    "homes": frozenset({"id", "body"}),
    "residents": frozenset({"id", "body"}),
}
"""Columns that are not the file's."""

TIMES = frozenset({"since", "until"})


def _written(section: str, row: Any) -> Any:
    if section == "chains":
        return [{"after": say_span(step["after"] * SECOND, "en"), "tell": step["tell"]} for step in row.steps]
    columns: Row = row.model_dump(exclude=LEFT_OUT.get(section, frozenset({"id"})))
    if section in {"homes", "residents"}:
        columns |= row.body
    if section == "devices":
        columns["class"] = columns.pop("device_class")
    for name in TIMES & columns.keys():
        columns[name] = None if columns[name] is None else iso(columns[name])
    return _said(columns)


def _said(columns: Mapping[str, Any]) -> Row:
    """Without what is empty anyway, so that the file reads like one a person wrote."""
    return {name: value for name, value in columns.items() if value not in (None, "", [], {}, ())}


def changed(before: Any, after: Row) -> list[str]:
    """Names of the columns that an import would change."""
    return sorted(name for name, value in after.items() if getattr(before, name) != value)
