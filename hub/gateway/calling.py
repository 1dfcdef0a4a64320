"""Which devices may call for help: what is lost of them, or cannot be read, may be somebody in need."""

from __future__ import annotations

from drivers.catalogue import CATALOGUE
from hub.gateway.roll import Assigned

CALLING = frozenset({spec.device_class for spec in CATALOGUE.facts.values() if spec.call_for_help} | {"bed"})
"""Device classes with a call for help in the catalogue, and beds: leaving one at night is told like a call."""


def may_call(device: Assigned) -> bool:
    """Whether this device is there so that somebody is called."""
    return bool(CALLING & {device.part.device_class, device.type.device_class})
