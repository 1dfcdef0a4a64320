"""The gateway's copy of its part of the registry: kept in a file, so that it works with nobody to ask.

Replaced only by a part that can be read, is meant for this gateway and does not take every home away (ST-1,
ST-5); the file is written aside and moved, so that a power cut leaves the old or the new one, never half.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import ValidationError

from hub.registry.models import GatewayPart
from hub.uplink.messages import Part

MAX_BYTES = 16 * 1024 * 1024
"""A larger file is not a registry part."""


class PartError(ValueError):
    """A part that is not taken over, and why, in one sentence."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A part and the hash the centre gave it; an empty hash where it came from a file of its own."""

    hash: str
    part: GatewayPart


def nothing_yet(gateway: str) -> Copy:
    """What a gateway knows before it has heard from anybody: no home, no device."""
    return Copy("", GatewayPart(gateway=gateway, homes={}, residents={}, devices={}))


def load(path: Path, gateway: str) -> Copy | None:
    """Read the copy; None where there is none yet. Raises PartError when the file makes no sense."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PartError(f"{path} is larger than {MAX_BYTES} bytes and cannot be a registry part")
        message = Part.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise PartError(f"{path} cannot be read as a registry part: {_first(error)}") from None
    return read(message, gateway)


def read(message: Part, gateway: str) -> Copy:
    """Check a part from the centre. Raises PartError."""
    try:
        part = GatewayPart.model_validate(message.registry)
    except ValidationError as error:
        raise PartError(f"the registry part cannot be read: {_first(error)}") from None
    if part.gateway != gateway:
        raise PartError(f"the registry part is for the gateway {part.gateway!r}, this is {gateway!r}")
    strays = sorted(name for name, one in part.devices.items() if one.home not in part.homes)
    if strays:
        raise PartError(f"the device {strays[0]!r} stands in a home that is not in the registry part")
    return Copy(message.hash, part)


def from_file(path: Path, gateway: str) -> Copy:
    """Cut one gateway's part out of a whole registry file, for one that stands alone. Raises PartError."""
    from hub.registry.check import check  # noqa: PLC0415  only a gateway that stands alone reads whole files

    try:
        checked = check(path.read_bytes())
    except OSError as error:
        raise PartError(f"{path} cannot be read: {error.strerror}") from None
    whole = checked.registry
    if whole is None:
        raise PartError(f"{path.name}: {checked.problems[0]}")
    if gateway not in whole.gateways:
        raise PartError(
            f"{path} knows no gateway {gateway!r}; it knows {', '.join(whole.gateways) or 'none'}"
        )
    homes = {name: one for name, one in whole.homes.items() if one.gateway == gateway}
    part = GatewayPart(
        gateway=gateway,
        homes=homes,
        residents={name: one for name, one in whole.residents.items() if one.home in homes},
        devices={name: one for name, one in whole.devices.items() if one.home in homes},
    )
    return Copy("", part)


def may_replace(old: Copy, new: Copy) -> str:
    """Why a part must not replace the one we have; empty when it may."""
    if old.part.homes and not new.part.homes:
        return "it holds no home at all, and an empty registry never replaces a full one"
    return ""


def save(path: Path, message: Part) -> None:
    """Write the copy aside, sync it and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    with aside.open("wb") as file:
        file.write(orjson.dumps(message.model_dump(), option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    aside.chmod(0o600)
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
    return str(error)
