"""Who may log in to a broker that we start, and which topics each may use.

Everybody gets a password of their own, made on first start; there is no anonymous login and no default password.
A publish that is not allowed is dropped by every broker with an ordinary PUBACK (MQTT 3.1.1 has no refusal).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from drivers.protocols.mqtt_topics import SUBSCRIPTIONS
from hub.files import write_private

PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True)
class Login:
    """One user of the broker. publish, subscribe: MQTT topic filters it may use."""

    name: str
    password: str = field(repr=False)
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


FROM_DEVICES = tuple(f"homes/+/devices/+/{part}" for part in ("event", "state", "result"))
TO_DEVICES = tuple(f"homes/+/devices/+/{part}" for part in ("ack", "command"))
BRIDGES = ("zigbee2mqtt/#", "nuki/#", "application/#", "homeassistant/#", "trygghub/#")
"""Topics of makers' own bridges: Zigbee2MQTT, Nuki, ChirpStack; announcements, and what we show Home Assistant."""


def rights(gateway: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Login name → what it may publish and subscribe, for a broker that carries one gateway's traffic.

    gateway-<id>: the uplink side of a gateway; other gateways' topics are out of its reach.
    hearing: the same box's other side, towards the homes. devices: native MQTT devices, which cannot
    speak as us. bridges: makers' own bridges, and Home Assistant. centre, web: the municipality's side. The
    `check` topics are those of `hub.broker.check`.
    """
    own = (f"gateways/{gateway}/#",)
    return {
        f"gateway-{gateway}": (own, own),
        "hearing": (TO_DEVICES + BRIDGES, (*SUBSCRIPTIONS, "homeassistant/#")),
        "bridges": (BRIDGES, BRIDGES),
        "devices": (FROM_DEVICES, TO_DEVICES),
        "centre": (
            ("gateways/+/down/#", "gateways/+/check/#", "centre/#"),
            ("gateways/#", "centre/#"),
        ),
        "web": (("centre/#",), ("centre/#",)),
    }


def logins(folder: Path, gateways: Iterable[str]) -> tuple[Login, ...]:
    """Every login for these gateways; passwords are read from `folder` or made there, one file each."""
    table = {name: may for gateway in gateways for name, may in rights(gateway).items()}
    return tuple(
        Login(name, password(folder / f"broker-{name}"), publish, subscribe)
        for name, (publish, subscribe) in table.items()
    )


def password(path: Path) -> str:
    """The password kept in this file, made if it is not there. The file is readable by its owner only."""
    if path.is_file() and (kept := path.read_text(encoding="ascii").strip()):
        return kept
    made = secrets.token_urlsafe(PASSWORD_BYTES)
    write_private(path, made + "\n")
    return made
