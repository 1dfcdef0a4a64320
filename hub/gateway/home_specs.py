"""What the rules are told of the homes: from the gateway's part of the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.events import Millis
from hub.gateway.roll import Assigned, Roll
from hub.registry.models import ResidentPart
from rules import DeviceSpec, HomeSpec
from rules.homes import DEFAULT_LATE


def home_specs(roll: Roll, now: Millis) -> list[HomeSpec]:
    """Every home of this gateway with its resident and the devices assigned to it, now or from a day to come."""
    return [_home(roll, home, now) for home in sorted(roll.part.homes)]


def _home(roll: Roll, home: str, now: Millis) -> HomeSpec:
    devices = [one for one in roll.devices.values() if one.home == home and (one.part.until or now + 1) > now]
    return HomeSpec(
        id=home,
        tz=roll.part.homes[home].tz,
        resident=_resident([each for each in roll.part.residents.values() if each.home == home]),
        devices={one.id: _device(one) for one in devices},
        late_ms=0,
    )


def _resident(living_here: Sequence[ResidentPart]) -> dict[str, Any]:
    """One resident's parameters; where two live together the first named in the registry wins."""
    together: dict[str, Any] = {}
    for one in reversed(living_here):
        together |= one.parameters
    if living_here:
        together["name"] = " / ".join(one.name for one in living_here)
    return together


def _device(device: Assigned) -> DeviceSpec:
    return DeviceSpec(
        device_class=device.part.device_class,
        since=device.part.since,
        silent_after=device.silent_after,
        name=device.part.name or device.id,
        late_ms=DEFAULT_LATE if device.type.own_clock else 0,
        knows_taken=device.type.knows_taken,
    )
