"""Logins of several gateways that hear devices at one broker: each has the topics of its own devices and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from drivers.protocols import home_assistant
from drivers.protocols.mqtt_topics import heard_of, told_of
from hub.broker.adopted import TOPIC, TYPE
from hub.broker.logins import Login, password


def ears(folder: Path, devices: Mapping[str, Iterable[Mapping[str, Any]]]) -> tuple[Login, ...]:
    """One login a gateway, `hearing-<id>`; devices: gateway → entries of its devices in the registry."""
    return tuple(_ear(folder, gateway, [*theirs]) for gateway, theirs in devices.items())


def _ear(folder: Path, gateway: str, devices: list[Mapping[str, Any]]) -> Login:
    mqtt = [one for one in devices if one.get("link") == "mqtt"]
    told = _topics(mqtt, told_of, home_assistant.command_topics)
    heard = _topics(mqtt, heard_of, home_assistant.topics)
    name = f"hearing-{gateway}"
    return Login(name, password(folder / f"broker-{name}"), told, heard)


def _topics(
    devices: Iterable[Mapping[str, Any]],
    of_address: Callable[[str], Iterable[str]],
    announced: Callable[[Mapping[str, Any]], Iterable[str]],
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for one in devices:
        settings = one.get("settings")
        found.update(dict.fromkeys(of_address(str(one.get("address")))))
        if one.get("type") == TYPE and isinstance(settings, Mapping):
            found.update(dict.fromkeys(filter(TOPIC.fullmatch, announced(settings))))
    return tuple(found)
