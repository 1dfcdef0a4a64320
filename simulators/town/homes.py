"""The homes of a town as a scenario: which devices of which makers stand in them, and what goes wrong in two weeks.

A pure function of its order: home 17 of seed 7 has the same devices and the same Tuesday in a town of 20 and of 1,000.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from simulators.scenario.model import Device, Home, Incident, Scenario
from simulators.town.faults import faults
from simulators.town.people import SERIOUS, Person, calls, person

MOST_HOMES = 1000
DAYS = 14
"""Days until what goes wrong comes round again."""
START = 5 * 60
"""A town's day begins at 05:00, when it is quietest."""
OSLO = ZoneInfo("Europe/Oslo")
HOUR = 3600.0

NATIVE, ZIGBEE, NUKI, LORA, ANNOUNCED = "native", "zigbee", "nuki", "lorawan", "announced"

MIX: Mapping[str, tuple[float, Mapping[str, float]]] = {
    "dispenser": (0.6, {NATIVE: 1}),
    "lock": (0.5, {NATIVE: 5, ZIGBEE: 2.5, NUKI: 2.5, ANNOUNCED: 1}),
    "door": (0.7, {NATIVE: 4, ZIGBEE: 4.5, ANNOUNCED: 1.5}),
    "motion": (0.95, {NATIVE: 4.5, ZIGBEE: 4.5, ANNOUNCED: 1}),
    "safety_pendant": (0.9, {NATIVE: 4.5, LORA: 2.5, ZIGBEE: 2, ANNOUNCED: 1}),
    "smoke": (0.8, {NATIVE: 3, ZIGBEE: 6, ANNOUNCED: 1}),
    "bed": (0.2, {NATIVE: 7, ANNOUNCED: 3}),
    "water": (0.15, {NATIVE: 3, ZIGBEE: 7}),
    "climate": (0.15, {NATIVE: 5, ANNOUNCED: 5}),
}
"""Type → share of homes that have one, and the makers' families by weight."""

HEARTBEAT: Mapping[tuple[str, str], float] = {
    ("dispenser", NATIVE): HOUR / 6,
    ("lock", NATIVE): HOUR / 3,
    **{(type_, LORA): 8 * HOUR for type_ in MIX},
    **{(type_, NUKI): 8 * HOUR for type_ in MIX},
    **{(type_, ANNOUNCED): 6 * HOUR for type_ in MIX},
    **{(type_, ZIGBEE): HOUR for type_ in MIX},
}
"""Type and family → seconds between signs of life; 40 minutes where nothing is said."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. ble, serial: how many homes have Bluetooth pendants or a nurse-call line instead.

    trouble: how many times as often as usual wires, batteries and clocks fail; 0 for never.
    """

    homes: int
    seed: int
    ble: int = 0
    serial: int = 0
    trouble: float = 1.0

    @property
    def name(self) -> str:
        """Under which a run remembers where it is."""
        return f"town-{self.homes}-{self.seed}"


def town(order: Order, numbers: range | None = None) -> Scenario:
    """The whole town, or the homes with these numbers, from 1."""
    homes: dict[str, Home] = {}
    incidents: list[Incident] = []
    for number in numbers or range(1, order.homes + 1):
        name, somebody = f"t{number:04d}", person(_draw(order, number, "person"))
        homes[name] = _home(order, number, name, somebody)
        incidents += trouble(homes[name], somebody, _draw(order, number, "trouble"))
        incidents += faults(homes[name], _draw(order, number, "faults"), DAYS, order.trouble)
    return Scenario(
        name=order.name,
        says=f"{order.homes} homes from seed {order.seed}, with the lives and troubles of two weeks.",
        seed=order.seed,
        start=START,
        zone=OSLO,
        registry=None,
        homes=homes,
        incidents=tuple(incidents),
    )


def incidents_on(incidents: list[Incident], number: int) -> list[Incident]:
    """Those of the `number`-th day, which come round every two weeks."""
    return [replace(one, day=None) for one in incidents if one.day == (number - 1) % DAYS + 1]


def _draw(order: Order, number: int, what: str) -> random.Random:
    return random.Random(f"{order.seed}/{number}/{what}")


# ---------------------------------------------------------------- devices


def _home(order: Order, number: int, name: str, somebody: Person) -> Home:
    draw = _draw(order, number, "devices")
    devices = {one.id: one for one in _devices(name, somebody, draw)}
    if number <= order.ble:
        devices = {k: v for k, v in devices.items() if v.type != "safety_pendant"}
        devices |= {f"{name}-pendant": _ble_pendant(name, number)}
    if order.homes - number < order.serial:
        devices |= {
            f"{name}-call": Device(f"{name}-call", name, "nurse_call", {"port": f"serial/{name}-call"})
        }
    return Home(
        id=name,
        resident=somebody.name,
        zone=OSLO,
        wakes=somebody.wakes,
        sleeps=somebody.sleeps,
        goes_out=somebody.goes_out,
        carers=somebody.carers,
        devices=devices,
    )


def _devices(home: str, somebody: Person, draw: random.Random) -> Iterator[Device]:
    """One of each type that the draw gives; a home without any gets a pendant."""
    found = False
    for type_, (share, families) in MIX.items():
        has, family = draw.random() < share, draw.choices(list(families), list(families.values()))[0]
        battery = draw.randint(35, 100)
        if not has and (found or type_ != "safety_pendant"):
            continue
        found = True
        settings: dict[str, Any] = {
            "family": family,
            "battery": battery,
            "heartbeat": (period := HEARTBEAT.get((type_, family), HOUR * 2 / 3)),
            "offset": round(draw.uniform(0, period)),
        }
        if type_ == "dispenser":
            settings |= {"doses": somebody.doses, "forgets": somebody.forgets}
        yield Device(f"{home}-{type_.replace('safety_', '')}", home, type_, settings)


def _ble_pendant(home: str, number: int) -> Device:
    address = f"c0:7a:20:00:{number >> 8:02x}:{number & 0xFF:02x}"
    settings = {"address": address, "key": f"{home}-pendant.key", "heartbeat": HOUR, "battery": 80}
    return Device(f"{home}-pendant", home, "pendant", settings)


# ---------------------------------------------------------------- what goes wrong


def trouble(home: Home, somebody: Person, draw: random.Random) -> Iterator[Incident]:
    """Two weeks of calls for help, nights on the stairs, burnt porridge, jams, flat batteries and silence."""
    by_type = {device.type: device for device in home.devices.values()}
    for day in range(1, DAYS + 1):
        for at in calls(draw):
            yield from _call(by_type, at, day, draw)
        if somebody.wanders and draw.random() < 0.15 and "door" in by_type:
            yield _incident(
                by_type["door"], "opened", draw.randrange(60, 270), day, lasting=draw.randint(4, 40) * 60.0
            )
        for type_, do, chance, since, until, longest in _TROUBLES:
            happens, at = draw.random() < chance, draw.randrange(since, until)
            device = by_type.get(type_)
            if happens and device is not None and do in device.kind.incidents:
                lasts = draw.randint(4, max(5, longest)) * 60.0 if longest else None
                yield _incident(device, do, at, day, lasting=lasts)


_TROUBLES = (
    ("smoke", "detected", 0.003, 11 * 60, 19 * 60, 8),
    ("water", "detected", 0.001, 7 * 60, 21 * 60, 90),
    ("lock", "jammed", 0.003, 7 * 60, 22 * 60, 40),
    ("dispenser", "jammed", 0.002, 7 * 60, 21 * 60, 120),
    ("dispenser", "mains_lost", 0.003, 6 * 60, 22 * 60, 180),
    ("motion", "battery_low", 0.003, 6 * 60, 22 * 60, 0),
    ("door", "battery_low", 0.002, 6 * 60, 22 * 60, 0),
    ("safety_pendant", "silent", 0.002, 0, 23 * 60, 540),
    ("motion", "silent", 0.002, 0, 23 * 60, 540),
)
"""Type, incident, chance a day, from and to (minutes after midnight), and the longest it lasts in minutes."""


def _call(by_type: Mapping[str, Device], at: int, day: int, draw: random.Random) -> Iterator[Incident]:
    """Somebody calls: mostly a press or two, now and then a fall."""
    serious, presses = draw.random() < SERIOUS, draw.choice((1, 1, 1, 2))
    device = by_type.get("safety_pendant") or by_type.get("pendant") or by_type.get("nurse_call")
    if device is None:
        return
    if device.type == "nurse_call":
        yield _incident(device, "raised", at, day, lasting=600.0, data={"place": "1", "text": "BAD"})
    elif serious and "fall" in device.kind.incidents:
        yield _incident(device, "fall", at, day)
    else:
        yield _incident(device, "pressed", at, day, times=4 if serious else presses)


def _incident(
    device: Device, do: str, at: int, day: int, *, times: int = 1, lasting: float | None = None,
    data: Mapping[str, Any] | None = None,
) -> Incident:  # fmt: skip
    if do in device.kind.ends and lasting is None:
        lasting = 600.0
    return Incident(device.home, device.id, do, at, day, times, 60.0, lasting, data or {})
