"""The device types there are, by id, and which of them a stranger's frame looks like.

The list is explicit: a device type is one file in `drivers/devices` and one name here. A test finds files that
were forgotten, ids that are not their file's name and kinds outside the catalogue.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from drivers.device_type import DeviceType
from drivers.events import Frame


class UnknownDeviceType(LookupError):  # noqa: N818  it says what it is
    """No device type of that id; the sentence names the nearest."""


NAMES = (
    "bthome_climate",
    "bthome_door",
    "bthome_leak",
    "bthome_motion",
    "bthome_pendant",
    "bthome_smoke",
    "dc09_panel",
    "enocean_button",
    "enocean_contact",
    "enocean_key_card",
    "enocean_leak",
    "enocean_motion",
    "enocean_pendant",
    "enocean_smoke",
    "espa_nurse_call",
    "home_assistant_mqtt",
    "lock_board_cabinet",
    "lorawan_pendant",
    "native_alarm",
    "native_dispenser",
    "native_lock",
    "nuki_ble",
    "nuki_mqtt",
    "osdp_door",
    "scaip_unit",
    "sig_blood_pressure",
    "sig_glucose_meter",
    "sig_heart_rate",
    "sig_pulse_oximeter",
    "sig_thermometer",
    "sig_weight_scale",
    "sms_pendant",
    "zigbee2mqtt",
)
"""The files in drivers/devices, in alphabetical order."""


def _declared(name: str) -> DeviceType:
    declared: DeviceType = import_module(f"drivers.devices.{name}").DEVICE
    return declared


DEVICE_TYPES: Mapping[str, DeviceType] = MappingProxyType(
    {type_.id: type_ for type_ in map(_declared, NAMES)}
)
"""Every device type by its id, in alphabetical order."""


def device_type(id_: str) -> DeviceType:
    """The device type of that id. Raises UnknownDeviceType with a sentence."""
    known = DEVICE_TYPES.get(id_)
    if known is None:
        near = difflib.get_close_matches(id_[:80], DEVICE_TYPES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(DEVICE_TYPES)}"
        raise UnknownDeviceType(f"no device type is called {id_!r:.80}; {hint}")
    return known


def recognise(frame: Frame) -> tuple[DeviceType, ...]:
    """The device types that this frame could come from; none where frames cannot tell."""
    return tuple(one for one in DEVICE_TYPES.values() if one.recognises is not None and one.recognises(frame))
