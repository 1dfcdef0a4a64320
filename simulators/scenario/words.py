"""What each simulated device can say and which settings it takes: the table that scenario files are checked by.

The facts are those of the hub's published catalogue, copied here by hand as a device maker would; a test
compares the two. `do:` of an incident is the second half of a fact (`jammed`), one of the words in `does` and ALSO,
or a fault of its wire (faults.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from simulators.scenario.faults import FAULTS
from simulators.scenario.measuring import METERS, words_of
from simulators.scenario.text import (
    account,
    bluetooth,
    clock,
    controller,
    endpoint,
    identity,
    number,
    one_of,
    share,
    shared_line,
    span,
    whole,
    words,
)

Wire = Literal["mqtt", "ble", "serial", "sip", "tcp", "itself"]
"""`itself`: a gateway, which is no device on a wire; a dry run tells what it would say of itself."""
Read = Callable[[str], Any]

ANY = ("heartbeat", "battery", "battery_low", "tamper", "fault", "recovered")
ALSO = {"silent": "says nothing for a while, as if out of power or range"}
DOSE_HABITS = frozenset({"miss", "leave"})
"""Incidents of a dispenser that change a dose's usual course; their `at` is the dose's clock time."""
LASTING = frozenset({"silent", "reading", "drain", "cut_off"}) | {
    name for name, one in FAULTS.items() if one.lasts
}
"""Incident words of no fact that last; all but `reading` must say for how long."""
DRAIN = {"drain": "its battery runs down: data from (%) and to (%)"}
LOW = {"battery_low": "its battery is nearly empty"}

MESSAGES = ("wrong_bytes", "dropped", "doubled", "disorder", "slow", "link_lost", "reboot")
"""Faults of what publishes messages on a broker."""
ADVERTISED = ("wrong_bytes", "dropped", "doubled", "slow", "reboot")
METERED = ("wrong_bytes", "dropped", "doubled", "disorder", "slow", "clock_wrong", "link_lost", "reboot")
CABLED = ("wrong_bytes", "dropped", "slow", "link_lost", "reboot")
KEY_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type of simulated device.

    says: second halves of its facts. facts: word → whole fact where its class is another, or the word is not the
    fact's. alone: false where `do:` cannot say one fact by itself. ends: word → the word that ends it after an
    incident's `for`. does: further incident words. faults: those of its wire (FAULTS). settings: its own keys in a
    scenario, with their readers; `many` may be lists, `needs` must be there. heartbeat: seconds between signs of life
    unless a scenario says otherwise. key_bytes: length of its key.
    """

    device_class: str
    wire: Wire = "mqtt"
    says: tuple[str, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    alone: bool = True
    ends: Mapping[str, str] = field(default_factory=dict)
    does: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    settings: Mapping[str, Read] = field(default_factory=dict)
    many: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    heartbeat: float = 15 * 60.0
    key_bytes: int = KEY_BYTES

    def fact(self, word: str) -> str:
        """The full kind, `class.fact`."""
        return self.facts.get(word) or f"{self.device_class}.{word}"

    @property
    def incidents(self) -> tuple[str, ...]:
        """Every word that may stand behind `do:`."""
        return (*(self.says if self.alone else ()), *self.does, *ALSO, *self.faults)


FAULT = {"fault": "recovered"}
HAZARD = {"detected": "cleared", **FAULT}
NATIVE = (*MESSAGES, "clock_wrong")

ON_AIR: Mapping[str, Read] = {"address": bluetooth, "key": words}
ON_LINE: Mapping[str, Read] = {"address": shared_line}
ADDRESS = frozenset({"address"})


def _meter(name: str, *faults: str) -> Kind:
    values = ", ".join(one.name for one in METERS[name])
    return Kind(
        device_class="vitals",
        wire="ble",
        says=(*words_of(name), "battery_low"),
        alone=False,
        does={"reading": f"a measurement: data {values}", **LOW},
        faults=faults or METERED,
        settings={
            "address": bluetooth, "measured": clock, **{one.name: number for one in METERS[name]},
        },
        many=frozenset({"measured"}),
        needs=ADDRESS,
    )  # fmt: skip


KINDS: Mapping[str, Kind] = {
    "dispenser": Kind(
        device_class="dispenser",
        says=(
            "due", "reminded", "dispensed", "taken", "missed", "secured", "early_request", "jammed", "low_stock",
            "empty", "no_schedule", "pouch_unreadable", "wrong_person", "drawer_full", "opened", "broken_into",
            "tilted", "refilled", "message_read", "message_unread", "mains_lost", "mains_back", "unconfirmed",
            "out_of_medicine", "short_for_trip", "plan_changed", "roll_fault", "roll_handled", "shut_down", *ANY,
        ),
        ends={
            "jammed": "recovered", "mains_lost": "mains_back", "roll_fault": "refilled", "low_stock": "refilled",
            "empty": "refilled", **FAULT,
        },
        does={
            "miss": "the resident does not come for a dose",
            "leave": "the resident takes a dose out of the machine and does not take it",
            **DRAIN,
        },
        faults=NATIVE,
        settings={"doses": clock, "window": span, "forgets": share},
        many=frozenset({"doses"}),
    ),
    "lock": Kind(
        device_class="lock",
        says=("locked", "unlocked", "jammed", "refused", "unknown", *ANY),
        ends={"jammed": "locked", "unlocked": "locked", "unknown": "locked", **FAULT},
        faults=NATIVE,
        settings={"motor": span},
    ),
    "door": Kind(
        device_class="door",
        says=("opened", "closed", *ANY),
        ends={"opened": "closed", **FAULT},
        faults=NATIVE,
    ),
    "motion": Kind(
        device_class="room",
        says=("motion", "presence", "temperature", "humidity", *ANY),
        ends=FAULT,
        faults=NATIVE,
        settings={"room": words},
    ),
    "climate": Kind(
        device_class="room",
        says=("temperature", "humidity", *ANY),
        ends=FAULT,
        faults=NATIVE,
        heartbeat=30 * 60.0,
    ),
    "bed": Kind(
        device_class="bed",
        says=("left", "entered", "sat_up", "wet", *ANY),
        ends={"left": "entered", **FAULT},
        faults=NATIVE,
    ),
    "safety_pendant": Kind(
        device_class="pendant",
        says=("pressed", "fall", "cancelled", "out_of_range", *ANY),
        ends=FAULT,
        faults=NATIVE,
    ),
    "smoke": Kind(device_class="smoke", says=("detected", "cleared", *ANY), ends=HAZARD, faults=NATIVE),
    "water": Kind(device_class="water", says=("detected", "cleared", *ANY), ends=HAZARD, faults=NATIVE),
    "pendant": Kind(
        device_class="pendant",
        wire="ble",
        says=("pressed", "heartbeat", "battery", "battery_low"),
        faults=ADVERTISED,
        settings=ON_AIR,
        needs=ADDRESS,
    ),
    "oximeter": _meter("oximeter"),
    "cuff": _meter("cuff"),
    "glucose_meter": _meter("glucose_meter", "wrong_bytes", "doubled", "slow", "clock_wrong", "reboot"),
    "thermometer": _meter("thermometer"),
    "scale": _meter("scale"),
    "heart_strap": _meter("heart_strap", "dropped", "slow", "reboot"),
    "nurse_call": Kind(
        device_class="call",
        wire="serial",
        says=("raised", "cleared", "fault", "heartbeat"),  # the line itself is the sign of life
        ends={"raised": "cleared"},
        faults=(*CABLED, "doubled"),
        heartbeat=120.0,
        settings={"port": words, "role": identity},
        needs=frozenset({"port"}),
    ),
    "cabinet": Kind(
        device_class="lock",
        wire="serial",
        says=("unlocked", "locked", "heartbeat"),
        ends={"unlocked": "locked"},
        faults=(*CABLED, "stuck"),
        settings={**ON_LINE, "compartments": whole},
        needs=ADDRESS,
        heartbeat=120.0,
    ),
    "door_reader": Kind(
        device_class="lock",
        wire="serial",
        says=("opened", "closed", "card", "tamper", "heartbeat"),
        facts={"opened": "door.opened", "closed": "door.closed", "card": "lock.refused"},
        ends={"opened": "closed"},
        faults=CABLED,
        settings={**ON_LINE, "key": words},
        needs=frozenset({"address", "key"}),
        heartbeat=120.0,
    ),
    "key_card": Kind(
        device_class="room",
        wire="serial",
        says=("presence",),
        faults=(*CABLED, "doubled"),
        settings=ON_LINE,
        needs=ADDRESS,
    ),
    "mobile_alarm": Kind(
        device_class="pendant",
        wire="serial",
        says=("pressed", "fall", "battery_low", "heartbeat", "raised"),
        facts={"raised": "call.raised"},
        faults=(*CABLED, "doubled", "disorder", "clock_wrong"),
        settings=ON_LINE,
        needs=ADDRESS,
        heartbeat=12 * 3600.0,
    ),
    "care_phone": Kind(
        device_class="call",
        wire="sip",
        says=(
            "raised", "cleared", "pressed", "fall", "smoke", "smoke_over", "leak", "leak_over", "battery_low", "tamper",
            "fault", "recovered", "heartbeat",
        ),
        facts={
            "pressed": "pendant.pressed", "fall": "pendant.fall", "smoke": "smoke.detected",
            "smoke_over": "smoke.cleared", "leak": "water.detected", "leak_over": "water.cleared",
        },
        ends={"raised": "cleared", "smoke": "smoke_over", "leak": "leak_over", **FAULT},
        faults=("wrong_bytes", "dropped", "doubled", "slow", "reboot"),
        settings={"address": controller, "receiver": endpoint, "transport": one_of("UDP", "TCP")},
        needs=frozenset({"address", "receiver"}),
        heartbeat=3600.0,
    ),
    "alarm_panel": Kind(
        device_class="call",
        wire="tcp",
        says=(
            "raised", "cleared", "pressed", "smoke", "smoke_over", "gas", "gas_over", "battery_low", "tamper",
            "fault", "recovered", "heartbeat",
        ),
        facts={
            "pressed": "pendant.pressed", "smoke": "smoke.detected", "smoke_over": "smoke.cleared",
            "gas": "gas.detected", "gas_over": "gas.cleared",
        },
        ends={"raised": "cleared", "smoke": "smoke_over", "gas": "gas_over", **FAULT},
        faults=("wrong_bytes", "dropped", "doubled", "slow", "clock_wrong", "link_lost", "reboot"),
        settings={
            "address": account, "receiver": endpoint, "key": words, "coding": one_of("contact_id", "letters"),
        },
        needs=frozenset({"address", "receiver"}),
    ),
    "gateway": Kind(
        device_class="gateway",
        wire="itself",
        says=("heartbeat", "battery", "mains_lost", "mains_back", "path", "fault", "recovered", "started"),
        ends={"mains_lost": "mains_back", **FAULT},
        does={**DRAIN, "cut_off": "nothing of it reaches the centre; what it says meanwhile comes afterwards"},
        heartbeat=60.0,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A maker's family beside the native one. types: what it offers → what that can say; the rest as in Kind."""

    says: str
    types: Mapping[str, tuple[str, ...]]
    wire: Wire = "mqtt"
    faults: tuple[str, ...] = MESSAGES
    settings: Mapping[str, Read] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    heartbeat: float = 0.0
    key_bytes: int = KEY_BYTES


_ON_ZIGBEE = ("heartbeat", "battery", "battery_low", "tamper", "fault", "recovered")
_ANNOUNCED = ("heartbeat", "battery", "fault", "recovered")
_BTHOME = ("heartbeat", "battery", "battery_low", "tamper")

MAKERS: Mapping[str, Family] = {
    "zigbee": Family(
        says="behind Zigbee2MQTT",
        types={
            "door": ("opened", "closed", *_ON_ZIGBEE),
            "motion": ("motion", "temperature", "humidity", *_ON_ZIGBEE),
            "smoke": ("detected", "cleared", *_ON_ZIGBEE),
            "water": ("detected", "cleared", *_ON_ZIGBEE),
            "safety_pendant": ("pressed", *_ON_ZIGBEE),
            "lock": ("locked", "unlocked", "jammed", *_ON_ZIGBEE),
        },
    ),
    "nuki": Family(
        says="a lock with its own MQTT",
        types={
            "lock": (
                "locked",
                "unlocked",
                "jammed",
                "heartbeat",
                "battery",
                "battery_low",
                "fault",
                "recovered",
            )
        },
    ),
    "lorawan": Family(
        says="behind ChirpStack", types={"safety_pendant": ("pressed", "heartbeat", "battery")}
    ),
    "announced": Family(
        says="by Home Assistant's discovery",
        types={
            "door": ("opened", "closed", *_ANNOUNCED),
            "motion": ("motion", *_ANNOUNCED),
            "smoke": ("detected", "cleared", "tamper", *_ANNOUNCED),
            "water": ("detected", "cleared", *_ANNOUNCED),
            "bed": ("left", "entered", *_ANNOUNCED),
            "lock": ("locked", "unlocked", "jammed", *_ANNOUNCED),
            "climate": ("temperature", "humidity", *_ANNOUNCED),
            "safety_pendant": ("pressed", *_ANNOUNCED),
        },
    ),
    "bthome": Family(
        says="BTHome v2 over Bluetooth",
        wire="ble",
        types={
            "door": ("opened", "closed", *_BTHOME),
            "motion": ("motion", *_BTHOME),
            "smoke": ("detected", "cleared", *_BTHOME),
            "water": ("detected", "cleared", *_BTHOME),
            "climate": ("temperature", "humidity", "heartbeat", "battery", "battery_low"),
        },
        faults=ADVERTISED,
        settings=ON_AIR,
        needs=ADDRESS,
        heartbeat=3600.0,
    ),
    "nuki_ble": Family(
        says="a Nuki lock over its own Bluetooth API",
        wire="ble",
        types={"lock": ("locked", "unlocked", "jammed", "heartbeat", "battery", "battery_low")},
        faults=("slow", "link_lost", "reboot"),
        settings=ON_AIR,
        needs=frozenset({"address", "key"}),
        heartbeat=6 * 3600.0,
        key_bytes=36,
    ),
    "enocean": Family(
        says="by radio to an EnOcean stick, which several may share",
        wire="serial",
        types={
            "door": ("opened", "closed", "heartbeat"),
            "motion": ("motion", "heartbeat", "battery_low"),
            "smoke": ("detected", "cleared", "heartbeat", "battery_low"),
            "water": ("detected", "cleared"),
            "safety_pendant": ("pressed",),
        },
        faults=(*CABLED, "doubled"),
        settings={**ON_LINE, "profile": one_of("rocker", "button")},
        needs=ADDRESS,
        heartbeat=3600.0,
    ),
}
"""Makers' families beside the native one."""

FAMILIES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    name: one.types for name, one in MAKERS.items() if one.wire == "mqtt"
}
"""Makers with a broker → the types they offer, and what those can say."""


@cache
def kind_of(type_: str, family: str = "native") -> Kind:
    """What a device of this type can say in this family."""
    kind = KINDS[type_]
    if family == "native":
        return kind
    maker = MAKERS[family]
    says = maker.types[type_]
    ends = {fact: end for fact, end in kind.ends.items() if fact in says and end in says}
    return replace(
        kind,
        says=says,
        ends=ends,
        does={},
        wire=maker.wire,
        faults=maker.faults,
        settings={**kind.settings, **maker.settings},
        needs=maker.needs,
        heartbeat=maker.heartbeat or kind.heartbeat,
        key_bytes=maker.key_bytes,
    )


def every_kind() -> Mapping[tuple[str, str], Kind]:
    """(type, family) → kind, of everything that a scenario can have."""
    own = {(name, "native"): kind for name, kind in KINDS.items()}
    theirs = {(type_, name): kind_of(type_, name) for name, one in MAKERS.items() for type_ in one.types}
    return {**own, **theirs}


COMMON: Mapping[str, Read] = {"heartbeat": span, "battery": whole, "family": one_of("native", *MAKERS)}
"""Settings that every device takes: how often it shows a sign of life, its battery in percent, its maker's family."""
