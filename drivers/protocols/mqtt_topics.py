"""Which device a topic belongs to, and the way back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.protocols import native

SUBSCRIPTIONS = ("homes/#",)
"""Topic filters of everything that a device type of ours may speak on."""

LONGEST = 200
"""Characters of an address; longer topics are cut."""

_NATIVE = re.compile(r"homes/([a-z0-9_-]{1,64})/devices/([a-z0-9_-]{1,64})/([^/]{1,64})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message came from. native: in the shape of our contract. ours: we published it ourselves."""

    address: str
    channel: str
    native: bool = False
    ours: bool = False


def read(topic: str) -> Place:
    """The address and channel of a topic; a topic that nobody knows is its own address."""
    if found := _NATIVE.fullmatch(topic):
        home, device, channel = found.groups()
        return Place(f"{home}/{device}", channel, native=True, ours=channel in native.SAID)
    return Place(topic[:LONGEST], "")


def write(address: str, channel: str) -> str:
    """The topic on which a device at `address` (`{home}/{device}`) hears. Raises ValueError with a sentence."""
    home, _, device = address.partition("/")
    topic = f"homes/{home}/devices/{device}/{channel}"
    if not _NATIVE.fullmatch(topic):
        raise ValueError(f"a native device's address is home/device, not {address!r:.80}")
    return topic
