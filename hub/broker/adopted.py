"""Topics of adopted devices: chosen by their makers, so that no fixed list of rights can have them.

Devices adopted from Home Assistant's discovery carry their topics in the registry. A broker that we start gets them
from there at its start; for any other broker `trygghub adopt` prints the lines that its operator needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from drivers.protocols import home_assistant
from hub.broker.logins import BRIDGES, Login

TYPE: Final = "home_assistant_mqtt"
OURS: Final = ("homes/", "gateways/", "centre/", "$")
"""Begins of topics that nobody gets rights on by announcing them."""

TOPIC: Final = re.compile(r"(?=.{1,200}$)[^/+#*>\s\x00-\x1f\x7f]+(/[^/+#*>\s\x00-\x1f\x7f]+)*")
"""Topics that the rights of every broker can hold: NATS has no spaces, no empty levels, and wildcards of its own."""

MOST: Final = 5000
LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a registry file; a larger one is none."""


@dataclass(frozen=True, slots=True)
class Topics:
    """What adopted devices need. heard: they publish and we listen. told: the other way round."""

    heard: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    def rights(self) -> tuple[str, ...]:
        """The lines of a Mosquitto ACL file for the logins `hearing` and `bridges`."""
        hearing = [f"topic read {one}" for one in self.heard] + [f"topic write {one}" for one in self.told]
        bridges = [f"topic write {one}" for one in self.heard] + [f"topic read {one}" for one in self.told]
        return ("user hearing", *hearing, "", "user bridges", *bridges) if hearing else ()


def topics_of(devices: Iterable[Mapping[str, Any]]) -> Topics:
    """The topics of those devices that are adopted, but for what the ordinary rights cover."""
    heard: dict[str, None] = {}
    told: dict[str, None] = {}
    for device in devices:
        settings = device.get("settings")
        if device.get("type") == TYPE and isinstance(settings, Mapping):
            heard.update(dict.fromkeys(filter(_needs_rights, home_assistant.topics(settings))))
            told.update(dict.fromkeys(filter(_needs_rights, home_assistant.command_topics(settings))))
    return Topics(tuple(heard)[:MOST], tuple(told)[:MOST])


def with_adopted(everybody: Iterable[Login], topics: Topics) -> tuple[Login, ...]:
    """The logins, of which the gateway's ear may hear the adopted devices and the bridges speak for them."""
    return tuple(_with(login, topics) for login in everybody)


def devices_in(path: Path) -> Iterator[Mapping[str, Any]]:
    """The devices that a registry file or a gateway's copy names; one that cannot be read is judged elsewhere."""
    told = _read(path)
    body = told.get("registry", told)
    found = body.get("devices") if isinstance(body, Mapping) else None
    if isinstance(found, Mapping):
        yield from (one for one in found.values() if isinstance(one, Mapping))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            return {}
        text = path.read_text(encoding="utf-8")
        told = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return told if isinstance(told, Mapping) else {}


def _needs_rights(topic: str) -> bool:
    covered = any(topic.startswith(one.removesuffix("#")) for one in BRIDGES)
    return not covered and not topic.startswith(OURS) and TOPIC.fullmatch(topic) is not None


def _with(login: Login, topics: Topics) -> Login:
    ours = {"hearing": (topics.told, topics.heard), "bridges": (topics.heard, topics.told)}
    publish, subscribe = ours.get(login.name, ((), ()))
    return Login(login.name, login.password, (*login.publish, *publish), (*login.subscribe, *subscribe))
