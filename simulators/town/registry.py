"""A registry file for simulated homes, their people and devices, as whoever runs the hub would import it.

Every name, number and address is invented. The devices' types are the hub's published ids, written here by hand.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from simulators.mqtt_devices.home_assistant_device import BATTERY, SORTS
from simulators.play.foreign_units import ANNOUNCED_SORT, lora_eui, nuki_id
from simulators.scenario.model import Device, Scenario
from simulators.town.people import FIRST, LAST

SINCE = "2020-01-02T09:00:00Z"
HOMES_IN_A_ZONE = 100

NAMES: Mapping[str, tuple[str, str]] = {
    "dispenser": ("Medisindispenser", "kjøkken"),
    "lock": ("Dørlås", "gang"),
    "door": ("Ytterdør", "gang"),
    "motion": ("Bevegelse", "stue"),
    "safety_pendant": ("Alarmknapp", ""),
    "pendant": ("Alarmknapp", ""),
    "smoke": ("Røykvarsler", "stue"),
    "bed": ("Sengesensor", "soverom"),
    "water": ("Vannvarsler", "bad"),
    "climate": ("Klimasensor", "stue"),
    "nurse_call": ("Anropsanlegg", ""),
    "oximeter": ("Pulsoksymeter", ""),
}
"""Type → what people call it, and the room it stands in."""

NATIVE: Mapping[str, str] = {"dispenser": "native_dispenser", "lock": "native_lock"}
OWN_WIRE: Mapping[str, str] = {
    "pendant": "bthome_pendant", "nurse_call": "espa_nurse_call", "oximeter": "sig_pulse_oximeter",
}  # fmt: skip
FAMILY: Mapping[str, str] = {
    "zigbee": "zigbee2mqtt", "nuki": "nuki_mqtt", "lorawan": "lorawan_pendant", "announced": "home_assistant_mqtt",
}  # fmt: skip

WRITTEN_OUT: Mapping[str, str] = {
    "dev_cla": "device_class", "pl_on": "payload_on", "pl_off": "payload_off", "evt_typ": "event_types",
    "unit_of_meas": "unit_of_measurement", "cmd_t": "command_topic",
}  # fmt: skip
"""Of an announcement's abbreviations, those that the announced devices use."""

Entry = dict[str, Any]


class _Plain(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # libyaml's where it is there
    """Writes everything out: a registry file has no references."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Never refer back."""
        return True


def registry(scenario: Scenario, homes_per_gateway: int = 0) -> str:
    """The file's text. homes_per_gateway: 0 puts all homes on one gateway, but for those that have one of their own."""
    each = homes_per_gateway or len(scenario.homes)
    gateways = {
        name: next(
            (one.id for one in home.devices.values() if one.type == "gateway"), f"gw{1 + place // each}"
        )
        for place, (name, home) in enumerate(scenario.homes.items())
    }
    zones = {name: f"zone{1 + place // HOMES_IN_A_ZONE}" for place, name in enumerate(scenario.homes)}
    whole = {
        "format": "trygghub-registry-1",
        "municipality": {
            "name": "Simulert kommune",
            "duty_phone": "+47 55 50 10 00",
            "tz": "Europe/Oslo",
            "timers": {"silent": 900},
        },
        "districts": {"byen": {"name": "Byen"}},
        "zones": {
            one: {"name": f"Sone {one[4:]}", "district": "byen"} for one in dict.fromkeys(zones.values())
        },
        **people_at_work(list(dict.fromkeys(zones.values()))),
        "homes": {
            name: {"address": f"Storgata {place}", "zone": zones[name], "gateway": gateways[name]}
            for place, name in enumerate(scenario.homes, start=1)
        },
        "residents": {
            f"r-{one.id}": _resident(scenario, one.id, one.resident) for one in scenario.homes.values()
        },
        "gateways": {
            one: {"name": f"Hjemmesentral {one[2:]}", "since": SINCE}
            for one in dict.fromkeys(gateways.values())
        },
        "devices": {one.id: _device(one) for one in scenario.devices.values() if one.type != "gateway"},
    }
    head = f"# {scenario.says}\n# Written by `trygghub simulate --registry`; every name and number is invented.\n"
    return head + as_yaml(whole)


def as_yaml(whole: Entry) -> str:
    """A registry as its file's text."""
    return str(yaml.dump(whole, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=120))


def people_at_work(zones: list[str]) -> Entry:
    """Four who work in turns, and one who mends."""
    staff = {
        "eva": ("Eva Haugen", ["coordinator", "nurse", "admin"], "home-care"),
        "nils": ("Nils Moen", ["nurse"], "home-care"),
        "marit": ("Marit Solberg", ["nurse"], "home-care"),
        "tor": ("Tor Vik", ["technician"], "technical"),
    }
    duties = (
        ("home-care", "marit", "nurse", "07:00", "15:00"), ("home-care", "eva", "nurse", "15:00", "22:00"),
        ("home-care", "nils", "nurse", "22:00", "07:00"), ("home-care", "eva", "second nurse", "07:00", "15:00"),
        ("home-care", "marit", "second nurse", "15:00", "07:00"), ("home-care", "eva", "leader", "07:00", "07:00"),
        ("technical", "tor", "nurse", "07:00", "07:00"),
    )  # fmt: skip
    return {
        "teams": {
            "home-care": {"name": "Hjemmetjenesten", "zones": zones},
            "technical": {"name": "Velferdsteknologi", "zones": zones},
        },
        "staff": {
            name: {"name": who, "phone": f"+47 55 50 10 0{n}", "roles": roles, "teams": [team]}
            for n, (name, (who, roles, team)) in enumerate(staff.items(), start=1)
        },
        "shifts": [dict(zip(("team", "staff", "duty", "from", "to"), one, strict=True)) for one in duties],
    }


def _resident(scenario: Scenario, home: str, name: str) -> Entry:
    draw = random.Random(f"{scenario.seed}/{home}/kin")
    kin = f"{draw.choice(FIRST)} {name.rsplit(maxsplit=1)[-1] if draw.random() < 0.6 else draw.choice(LAST)}"
    relation = draw.choice(("datter", "sønn", "søster", "nevø"))
    number = f"{draw.randrange(10_000):04d}"
    return {
        "home": home,
        "name": name,
        "phone": f"+47 55 51 {number[:2]} {number[2:]}",
        "next_of_kin": [{"name": kin, "relation": relation, "phone": f"+47 55 52 {number[:2]} {number[2:]}"}],
    }


# ---------------------------------------------------------------- devices


def _device(device: Device) -> Entry:
    name, room = NAMES[device.type]
    entry: Entry = {
        "home": device.home,
        "class": device.kind.device_class,
        "type": registered_type(device),
        "link": device.kind.wire,
        "address": _address(device),
        "name": name,
        "since": SINCE,
    }
    optional = {"room": room, "secret": device.settings.get("key", ""), "settings": _settings(device)}
    return entry | {key: value for key, value in optional.items() if value}


def registered_type(device: Device) -> str:
    """The hub's id of its device type."""
    if device.kind.wire != "mqtt":
        return OWN_WIRE[device.type]
    return FAMILY.get(device.family) or NATIVE.get(device.type, "native_alarm")


def _address(device: Device) -> str:
    if device.kind.wire != "mqtt":
        return str(device.settings.get("address") or device.settings.get("port"))
    return {
        "native": f"{device.home}/{device.id}",
        "zigbee": f"zigbee2mqtt/{device.home}/{device.id}",
        "nuki": f"nuki/{nuki_id(device.id)}",
        "lorawan": f"lorawan/{lora_eui(device.id)}",
        "announced": f"homeassistant/{device.id}",
    }[device.family]


def _settings(device: Device) -> Entry:
    if device.family == "lorawan":
        return {"codec": "milesight_button"}
    if device.type == "nurse_call":
        return {"line": "9600 8N1"}
    if device.family != "announced":
        return {}
    entities = list(_entities(device))
    return {"entities": entities, **({"class": "bed"} if device.type == "bed" else {})}


def _entities(device: Device) -> Iterator[Entry]:
    """What the device announces, written out as the registry keeps it."""
    base = f"homeassistant/sim/{device.id}"
    for name, one in {**SORTS[ANNOUNCED_SORT[device.type]], "battery": BATTERY}.items():
        is_event = one["p"] == "event"
        told = {WRITTEN_OUT[key]: _with_base(value, base) for key, value in one.items() if key != "p"}
        yield {
            "component": one["p"],
            "object_id": name,
            **told,
            "state_topic": f"{base}/{'event' if is_event else 'state'}",
            **({} if is_event else {"value_template": f"{{{{ value_json.{name} }}}}"}),
            "availability_topic": f"{base}/status",
        }


def _with_base(value: Any, base: str) -> Any:
    return base + value[1:] if isinstance(value, str) and value.startswith("~") else value
