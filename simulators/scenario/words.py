"""What each simulated device can say and which settings it takes: the table that scenario files are checked by.

The facts are those of the hub's published catalogue, copied here by hand as a device maker would; a test
compares the two. `do:` of an incident is the second half of a fact (`jammed`), or one of the words in ALSO.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from simulators.scenario.text import clock, identity, number, one_of, share, span, whole, words

Wire = Literal["mqtt", "ble", "serial", "itself"]
"""`itself`: a gateway, which is no device on a wire; a dry run tells what it would say of itself."""
Read = Callable[[str], Any]

ANY = ("heartbeat", "battery", "battery_low", "tamper", "fault", "recovered")
ALSO = {"silent": "says nothing for a while, as if out of power or range"}
DOSE_HABITS = frozenset({"miss", "leave"})
"""Incidents of a dispenser that change a dose's usual course; their `at` is the dose's clock time."""
LASTING = frozenset({"silent", "slow", "reading", "drain", "cut_off"})
"""Incident words of no fact that last; all but `reading` must say for how long."""
DRAIN = {"drain": "its battery runs down: data from (%) and to (%)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type of simulated device.

    says: second halves of its facts. alone: false where `do:` cannot say one fact by itself. ends: fact → the fact
    that ends it after an incident's `for`. does: further incident words. settings: its own keys in a scenario, with
    their readers; `many` may be lists. heartbeat: seconds between signs of life unless a scenario says otherwise.
    """

    device_class: str
    wire: Wire = "mqtt"
    says: tuple[str, ...]
    alone: bool = True
    ends: Mapping[str, str] = field(default_factory=dict)
    does: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Read] = field(default_factory=dict)
    many: frozenset[str] = frozenset()
    heartbeat: float = 15 * 60.0

    def fact(self, word: str) -> str:
        """The full kind, `class.fact`."""
        return f"{self.device_class}.{word}"

    @property
    def incidents(self) -> tuple[str, ...]:
        """Every word that may stand behind `do:`."""
        return (*(self.says if self.alone else ()), *self.does, *ALSO)


FAULT = {"fault": "recovered"}
HAZARD = {"detected": "cleared", **FAULT}

KINDS: Mapping[str, Kind] = {
    "dispenser": Kind(
        device_class="dispenser",
        says=(
            "due", "reminded", "dispensed", "taken", "missed", "secured", "early_request", "jammed", "low_stock",
            "empty", "no_schedule", "pouch_unreadable", "wrong_person", "drawer_full", "opened", "broken_into",
            "tilted", "refilled", "message_read", "message_unread", "mains_lost", "mains_back", *ANY,
        ),
        ends={"jammed": "recovered", "mains_lost": "mains_back", "low_stock": "refilled", "empty": "refilled", **FAULT},
        does={
            "miss": "the resident does not come for a dose",
            "leave": "the resident takes a dose out of the machine and does not take it",
            **DRAIN,
        },
        settings={"doses": clock, "window": span, "forgets": share},
        many=frozenset({"doses"}),
    ),
    "lock": Kind(
        device_class="lock",
        says=("locked", "unlocked", "jammed", "refused", "unknown", *ANY),
        ends={"jammed": "locked", "unlocked": "locked", "unknown": "locked", **FAULT},
        does={"slow": "answers commands late"},
        settings={"motor": span},
    ),
    "door": Kind(device_class="door", says=("opened", "closed", *ANY), ends={"opened": "closed", **FAULT}),
    "motion": Kind(
        device_class="room",
        says=("motion", "presence", "temperature", "humidity", *ANY),
        ends=FAULT,
        settings={"room": words},
    ),
    "bed": Kind(
        device_class="bed",
        says=("left", "entered", "sat_up", "wet", *ANY),
        ends={"left": "entered", **FAULT},
    ),
    "safety_pendant": Kind(
        device_class="pendant",
        says=("pressed", "fall", "cancelled", "out_of_range", *ANY),
        ends=FAULT,
    ),
    "smoke": Kind(device_class="smoke", says=("detected", "cleared", *ANY), ends=HAZARD),
    "water": Kind(device_class="water", says=("detected", "cleared", *ANY), ends=HAZARD),
    "pendant": Kind(
        device_class="pendant",
        wire="ble",
        says=("pressed", "heartbeat", "battery"),
        settings={"address": words, "key": words},
    ),
    "oximeter": Kind(
        device_class="vitals",
        wire="ble",
        says=("spo2", "pulse"),
        alone=False,
        does={"reading": "a measurement: data spo2 (%) and pulse (/min)"},
        settings={"address": words, "measured": clock, "spo2": number, "pulse": number},
        many=frozenset({"measured"}),
    ),
    "nurse_call": Kind(
        device_class="call",
        wire="serial",
        says=("raised", "cleared", "fault", "heartbeat"),  # the line itself is the sign of life
        ends={"raised": "cleared"},
        heartbeat=120.0,
        settings={"port": words, "role": identity},
    ),
    "gateway": Kind(
        device_class="gateway",
        wire="itself",
        says=("heartbeat", "battery", "mains_lost", "mains_back", "path", "fault", "recovered", "started"),
        ends={"mains_lost": "mains_back", **FAULT},
        does={**DRAIN, "cut_off": "nothing of it reaches the centre; what it says meanwhile comes afterwards"},
        heartbeat=300.0,
    ),
}  # fmt: skip

_ON_ZIGBEE = ("heartbeat", "battery", "battery_low", "tamper", "fault", "recovered")
_ANNOUNCED = ("heartbeat", "battery", "fault", "recovered")
FAMILIES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "zigbee": {
        "door": ("opened", "closed", *_ON_ZIGBEE),
        "motion": ("motion", "temperature", "humidity", *_ON_ZIGBEE),
        "smoke": ("detected", "cleared", *_ON_ZIGBEE),
        "water": ("detected", "cleared", *_ON_ZIGBEE),
        "safety_pendant": ("pressed", *_ON_ZIGBEE),
        "lock": ("locked", "unlocked", "jammed", *_ON_ZIGBEE),
    },
    "nuki": {
        "lock": ("locked", "unlocked", "jammed", "heartbeat", "battery", "battery_low", "fault", "recovered")
    },
    "lorawan": {"safety_pendant": ("pressed", "heartbeat", "battery")},
    "announced": {
        "door": ("opened", "closed", *_ANNOUNCED),
        "motion": ("motion", *_ANNOUNCED),
        "smoke": ("detected", "cleared", "tamper", *_ANNOUNCED),
        "water": ("detected", "cleared", *_ANNOUNCED),
        "bed": ("left", "entered", *_ANNOUNCED),
        "safety_pendant": ("pressed", *_ANNOUNCED),
    },
}
"""Makers' families beside the native one → the types they offer, and what those can say.

zigbee: behind Zigbee2MQTT. nuki: a lock with its own MQTT. lorawan: behind ChirpStack. announced: by Home
Assistant's discovery.
"""


@cache
def kind_of(type_: str, family: str = "native") -> Kind:
    """What a device of this type can say in this family."""
    kind = KINDS[type_]
    if family == "native":
        return kind
    says = FAMILIES[family][type_]
    ends = {fact: end for fact, end in kind.ends.items() if fact in says and end in says}
    return replace(kind, says=says, ends=ends)


COMMON: Mapping[str, Read] = {"heartbeat": span, "battery": whole, "family": one_of("native", *FAMILIES)}
"""Settings that every device takes: how often it shows a sign of life, its battery in percent, its maker's family."""
