"""The registry file's shape, and the part of it a gateway gets (DESIGN.md section 1, *Registry*)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from drivers.events import Millis, TimeError, parse_time

FORMAT: Literal["trygghub-registry-1"] = "trygghub-registry-1"

Id = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write one like Europe/Oslo") from None
    return name


def _instant(value: object) -> Millis:
    try:
        return parse_time(value.isoformat() if hasattr(value, "isoformat") else value)
    except TimeError as wrong:
        raise ValueError(str(wrong)) from None


def _clock(value: object) -> str:
    """YAML 1.1 reads an unquoted 22:00 as 1320; turn it back."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return f"{value // 60:02d}:{value % 60:02d}"
    if isinstance(value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        return value
    raise ValueError(f'a clock time is written like "22:00", not {value!r}')


TimeZoneName = Annotated[str, AfterValidator(_zone)]
Instant = Annotated[Millis, BeforeValidator(_instant)]
ClockTime = Annotated[str, BeforeValidator(_clock)]
Role = Literal["carer", "nurse", "coordinator", "technician", "auditor", "kiosk", "admin"]


class Part(BaseModel):
    """Strict: a misspelt word in the file is an error with its place, never a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


DoorRole = Literal["carer", "nurse", "coordinator"]
"""The roles that may open doors at all (hub.centre.access); a municipality may leave it to fewer."""


class RemoteUnlockPart(Part):
    """Whether doors are opened from the screen, and by whom. teams: none named means every team.

    Locking is never restricted by it.
    """

    allowed: StrictBool = True
    roles: tuple[DoorRole, ...] = get_args(DoorRole)
    teams: tuple[Id, ...] = ()


class MunicipalityPart(Part):
    """Name, the phone that is always answered, and what is policy. timers: seconds, see hub.centre."""

    name: str
    duty_phone: str
    tz: TimeZoneName = "Europe/Oslo"
    timers: dict[str, int] = {}
    remote_unlock: RemoteUnlockPart = RemoteUnlockPart()


class DistrictPart(Part):
    """A part of the municipality."""

    name: str


class ZonePart(Part):
    """What one team serves."""

    name: str
    district: Id


class TeamPart(Part):
    """A group of staff and the zones it serves."""

    name: str
    zones: tuple[Id, ...]


class StaffPart(Part):
    """A care worker."""

    name: str
    phone: str = ""
    roles: tuple[Role, ...]
    teams: tuple[Id, ...] = ()


class ShiftPart(Part):
    """Who has which duty in a team, every day between two local clock times (`to` before `from`: over midnight)."""

    team: Id
    staff: Id
    duty: Literal["nurse", "second nurse", "leader"]
    from_clock: Annotated[ClockTime, Field(alias="from")]
    to_clock: Annotated[ClockTime, Field(alias="to")]


ALWAYS_ANSWERS: Literal["alarm centre"] = "alarm centre"
"""The words for the place that always answers; every chain ends there (DESIGN.md, promise 3)."""


class StepPart(Part):
    """One step of a chain. after: a span such as `3 min`. tell: words that duty resolves to people."""

    after: str
    tell: Literal["nurse on duty", "second nurse", "whole team", "shift leader", "alarm centre", "technician"]


class HomePart(Part):
    """A dwelling."""

    address: str
    zone: Id
    gateway: Id | None = None
    tz: TimeZoneName = "Europe/Oslo"
    key_box: str = ""
    notes: str = ""


class KinPart(Part):
    """Next of kin."""

    name: str
    relation: str = ""
    phone: str = ""


class ResidentPart(Part):
    """A person living in a home. parameters: what rules read as `resident.x` (numbers, spans, clock times)."""

    home: Id
    name: str
    phone: str = ""
    next_of_kin: tuple[KinPart, ...] = ()
    warnings: tuple[str, ...] = ()
    parameters: dict[str, str | int | float | bool] = {}


class GatewayBoxPart(Part):
    """The box that serves one or more homes."""

    name: str
    since: Instant


class DevicePart(Part):
    """One installed unit. secret: the name of a file in the gateway's secrets folder, never the secret itself."""

    home: Id
    device_class: Annotated[str, Field(alias="class")]
    type: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")]
    link: Literal["mqtt", "ble", "serial", "sip", "tcp"]
    address: Annotated[str, Field(min_length=1, max_length=200)]
    name: str = ""
    room: str = ""
    secret: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    settings: dict[str, Any] = {}
    since: Instant
    until: Instant | None = None


class RegistryFile(Part):
    """The whole file. Cross references (zone of a home, home of a device …) are checked by hub.registry.check."""

    format: Literal["trygghub-registry-1"]
    municipality: MunicipalityPart
    districts: dict[Id, DistrictPart]
    zones: dict[Id, ZonePart]
    teams: dict[Id, TeamPart] = {}
    staff: dict[Id, StaffPart] = {}
    shifts: tuple[ShiftPart, ...] = ()
    chains: dict[Id, tuple[StepPart, ...]] = {}
    homes: dict[Id, HomePart]
    residents: dict[Id, ResidentPart] = {}
    gateways: dict[Id, GatewayBoxPart] = {}
    devices: dict[Id, DevicePart] = {}


class GatewayPart(Part):
    """What one gateway needs to know: its homes, their residents' parameters, their devices."""

    gateway: Id
    homes: dict[Id, HomePart]
    residents: dict[Id, ResidentPart]
    devices: dict[Id, DevicePart]
