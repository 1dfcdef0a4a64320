"""Which device a topic belongs to, and the way back.

    homes/{home}/devices/{device}/{part}             native contract      h1/front-lock              event …
    zigbee2mqtt/{friendly name}[/availability]       Zigbee2MQTT          zigbee2mqtt/kitchen/door   state, availability
    nuki/{id}/{property}                             Nuki MQTT API 1.4    nuki/2BB28570              state …
    application/{id}/device/{eui}/event/{event}      ChirpStack v4        lorawan/{eui}              up, status …
    any topic an adopted device announced            Home Assistant       homeassistant/{key}        the topic itself

(topic, who, address, channel). Which topics adopted devices speak on stands in the registry, so the link is told.
A topic that nobody knows is its own address: unknown is a state.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from drivers.protocols import native

NATIVE = tuple(f"homes/+/devices/+/{part}" for part in native.HEARD)
"""What devices of our contract send. Our own words to them are not asked for: they would all come back."""
FORMER = ("homes/#",)
"""Filters that earlier versions asked for; a broker keeps them with the session until it is told otherwise."""
FOREIGN = ("zigbee2mqtt/#", "nuki/#", "application/+/device/+/event/+")
SUBSCRIPTIONS = NATIVE + FOREIGN
"""Topic filters of everything that a device type of ours may speak on."""

LONGEST = 200
"""Characters of an address; longer topics are cut."""

_NATIVE = re.compile(r"homes/([a-z0-9_-]{1,64})/devices/([a-z0-9_-]{1,64})/([^/]{1,64})")
_NUKI = re.compile(r"nuki/([0-9A-Fa-f]{1,16})/([A-Za-z]{1,40})")
_CHIRPSTACK = re.compile(r"application/[^/]{1,64}/device/([0-9A-Fa-f]{16})/event/([a-z]{1,20})")
_SAFE = re.compile(r"[^+#\x00-\x1f]{1,200}")

ADOPTED = "homeassistant/"
"""Begin of the address of a device whose topics are its maker's choice."""

_ZIGBEE = "zigbee2mqtt/"
_LORAWAN = "lorawan/"
_ZIGBEE_SAID = ("set", "get")
_NUKI_SAID = ("lockAction", "lock", "unlock")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message came from. native: in the shape of our contract.

    ours: we said it ourselves, or it is a bridge's talk about itself; no frame. bridge: whether it is the word
    of a bridge on whether it is alive.
    """

    address: str
    channel: str
    native: bool = False
    ours: bool = False
    bridge: bool = False


def read(topic: str) -> Place:
    """The address and channel of a topic."""
    return next(filter(None, (one(topic) for one in _READERS)), Place(topic[:LONGEST], ""))


def heard_of(address: str) -> tuple[str, ...]:
    """The topic filters on which this device is heard; none for one that announced its own topics."""
    if address.startswith(ADOPTED):
        return ()
    if address.startswith(_ZIGBEE):
        return (f"{_ZIGBEE}bridge/state", address, f"{address}/availability")
    if address.startswith("nuki/"):
        return (f"{address}/+",)
    if address.startswith(_LORAWAN):
        return (f"application/+/device/{address.removeprefix(_LORAWAN)}/event/+",)
    return tuple(f"homes/{address.partition('/')[0]}/devices/+/{part}" for part in native.HEARD)


def told_of(address: str) -> tuple[str, ...]:
    """The topic filters on which this device is told something."""
    if address.startswith(_ZIGBEE):
        return tuple(f"{address}/{part}" for part in _ZIGBEE_SAID)
    if address.startswith("nuki/"):
        return tuple(f"{address}/{part}" for part in _NUKI_SAID)
    if address.startswith((ADOPTED, _LORAWAN)):
        return ()
    return tuple(f"homes/{address.partition('/')[0]}/devices/+/{part}" for part in native.SAID)


def write(address: str, channel: str) -> str:
    """The topic on which the device at `address` hears `channel`. Raises ValueError with a sentence."""
    topic = channel if address.startswith(ADOPTED) else f"{address}/{channel}"
    if not address.startswith((_ZIGBEE, "nuki/", ADOPTED)):
        home, _, device = address.partition("/")
        topic = f"homes/{home}/devices/{device}/{channel}"
        if not _NATIVE.fullmatch(topic):
            raise ValueError(f"a native device's address is home/device, not {address!r:.80}")
    if not _SAFE.fullmatch(topic):
        raise ValueError(
            f"an MQTT address has at most {LONGEST} characters without + and #, not {address!r:.80}"
        )
    return topic


def _native(topic: str) -> Place | None:
    if not (found := _NATIVE.fullmatch(topic)):
        return None
    home, device, channel = found.groups()
    return Place(f"{home}/{device}", channel, native=True, ours=channel in native.SAID)


def _zigbee(topic: str) -> Place | None:
    if not topic.startswith(_ZIGBEE):
        return None
    name = topic.removeprefix(_ZIGBEE)
    if name.partition("/")[0] == "bridge":
        return Place("zigbee2mqtt/bridge", name[7:LONGEST], ours=True, bridge=name == "bridge/state")
    device, _, last = name.rpartition("/")
    if device and last in (*_ZIGBEE_SAID, "availability"):
        return Place(f"{_ZIGBEE}{device}"[:LONGEST], last, ours=last in _ZIGBEE_SAID)
    return Place(topic[:LONGEST], "state")


def _nuki(topic: str) -> Place | None:
    if not (found := _NUKI.fullmatch(topic)):
        return None
    lock, channel = found.groups()
    return Place(f"nuki/{lock.upper()}", channel, ours=channel in _NUKI_SAID)


def _chirpstack(topic: str) -> Place | None:
    if not (found := _CHIRPSTACK.fullmatch(topic)):
        return None
    eui, channel = found.groups()
    return Place(f"lorawan/{eui.lower()}", channel)


_READERS: tuple[Callable[[str], Place | None], ...] = (_native, _zigbee, _nuki, _chirpstack)
