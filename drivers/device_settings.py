"""Everything that the registry may say of a device: its own settings, its line's, how long it may be quiet."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from drivers.device_type import DeviceType, LinkName
from drivers.links import ip_lines, sip_settings
from drivers.links.serial_settings import LINE
from drivers.settings import Setting, Settings, file_of_secret, whole

SHORTEST: Final = 60
LONGEST: Final = 30 * 86_400

SILENT_AFTER: Final = whole(SHORTEST, LONGEST, "seconds")
"""A device's own word on how long it may be quiet; its type's holds without it."""


def _is_passkey(value: object) -> bool:
    """A bare number loses its leading zeros, so it counts only where it has six digits."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) <= 6
    return type(value) is int and 100_000 <= value <= 999_999


PASSKEY: Final = Setting("the up to six digits printed on the device, in quotes", _is_passkey)

OF_LINK: Final[Mapping[LinkName, Settings]] = MappingProxyType(
    {
        "mqtt": {},
        "ble": {"passkey": PASSKEY, "passkey_secret": file_of_secret()},
        "serial": {"line": LINE},
        "sip": {**ip_lines.SETTINGS, **ip_lines.TLS, **sip_settings.SETTINGS},
        "tcp": ip_lines.SETTINGS,
    }
)


def settings_of(type_: DeviceType) -> Settings:
    """Every setting that a device of this type may have."""
    own = {} if type_.only_when_used else {"silent_after": SILENT_AFTER}
    return {**OF_LINK[type_.link], **type_.settings, **own}
