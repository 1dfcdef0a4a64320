"""A registry file for a recorded journal: its homes and devices, as native ones."""

from __future__ import annotations

from typing import Any

from simulators.recorded.journal import Recorded
from simulators.town.registry import as_yaml, people_at_work

SINCE = "1970-01-02T00:00:00Z"
TYPES = {"dispenser": "native_dispenser", "lock": "native_lock"}


def registry_of(recorded: Recorded) -> str:
    """The file's text. Raises RecordedError."""
    devices = recorded.devices()
    homes = list(dict.fromkeys(home for home, _ in devices))
    whole: dict[str, Any] = {
        "format": "trygghub-registry-1",
        "municipality": {"name": "Avspilling", "duty_phone": "+47 55 50 10 00", "tz": "Europe/Oslo"},
        "districts": {"byen": {"name": "Byen"}},
        "zones": {"zone1": {"name": "Sone 1", "district": "byen"}},
        **people_at_work(["zone1"]),
        "homes": {home: {"address": home, "zone": "zone1", "gateway": "gw1"} for home in homes},
        "residents": {f"r-{home}"[:64]: {"home": home, "name": f"Beboer {home}"} for home in homes},
        "gateways": {"gw1": {"name": "Hjemmesentral", "since": SINCE}},
        "devices": {
            device: {"home": home, "class": classes[0], "type": _type(classes), "link": "mqtt",
                     "address": f"{home}/{device}", "name": device, "since": SINCE}
            for (home, device), classes in devices.items()
        },
    }  # fmt: skip
    return as_yaml(whole)


def _type(classes: list[str]) -> str:
    return next((TYPES[name] for name in classes if name in TYPES), "native_alarm")
