"""What a provisioned device leaves behind: files in the secrets folder, and the lines for the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from drivers.registry import DEVICE_TYPES
from hub.files import write_private
from hub.registry.models import DevicePart


class NotProvisioned(Exception):  # noqa: N818  a verdict said to a person
    """It cannot be done, and why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device is to stand. id: in the registry. since: when it comes there, ISO 8601."""

    id: str
    home: str
    since: str
    name: str = ""
    room: str = ""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The gateway's secrets folder. replace: write over what is there. dry: only say what would be written."""

    folder: Path
    replace: bool = False
    dry: bool = False

    def must_be_free(self, *names: str) -> None:
        """Raise before anything is done when a file is there already, or the folder cannot be written to."""
        taken = [name for name in names if (self.folder / name).exists()]
        if taken and not self.replace:
            raise NotProvisioned(
                f"{taken[0]} is in {self.folder} already, so this device was provisioned before;"
                " choose another --id, or say --replace to begin anew"
            )
        if self.dry:
            return
        try:
            for one in (self.folder.parent, self.folder):
                one.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(self.folder / ".provision", "")
            (self.folder / ".provision").unlink()
        except OSError as wrong:
            raise NotProvisioned(
                f"the secrets folder {self.folder} cannot be written to: {wrong.strerror};"
                " run this as the gateway's user"
            ) from None

    def write(self, name: str, text: str) -> str:
        """Write a secret; returns what is said of it, which never repeats it."""
        if self.dry:
            return f"would write {self.folder / name}"
        try:
            write_private(self.folder / name, text + "\n")
        except OSError as wrong:
            raise NotProvisioned(f"{self.folder / name} could not be written: {wrong.strerror}") from None
        return f"wrote {self.folder / name}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A device's part of the registry. type: of drivers.registry. secret: name of its key's file."""

    place: Place
    type: str
    address: str
    name: str = ""
    device_class: str = ""
    secret: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def as_yaml(self) -> str:
        """The `devices:` part, checked as the registry would check it. Raises NotProvisioned."""
        type_ = DEVICE_TYPES[self.type]
        told: dict[str, Any] = {
            "home": self.place.home,
            "class": self.device_class or type_.device_class,
            "type": self.type,
            "link": type_.link,
            "address": self.address,
            "name": self.place.name or self.name or type_.name["nb"],
            "room": self.place.room,
            "secret": self.secret,
            "settings": dict(self.settings),
            "since": self.place.since,
        }
        plain = {name: value for name, value in told.items() if value not in ("", {})}
        try:
            DevicePart.model_validate(plain)
        except ValueError as wrong:
            raise NotProvisioned(f"the registry would not take this entry: {wrong}") from None
        text: str = yaml.safe_dump(
            {"devices": {self.place.id: plain}}, allow_unicode=True, sort_keys=False, width=110
        )
        return text
