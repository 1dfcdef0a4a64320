"""Bonding by a number printed on the device: LE Secure Connections, passkey entry (Core 5.4, vol 3, part H)."""

from __future__ import annotations

from bumble.device import Device
from bumble.pairing import PairingConfig, PairingDelegate


class Printed(PairingDelegate):
    """The device's side: it has a number and no keys."""

    def __init__(self, passkey: int) -> None:
        super().__init__(PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        """The printed number, the same every time."""
        return self._passkey

    async def confirm(self, auto: bool = False) -> bool:  # noqa: ARG002  the shape bumble calls
        """Bonding that "just works" proves nothing: refused, for want of authentication."""
        return False

    async def display_number(self, number: int, digits: int) -> None:
        """Nothing to do: it is printed."""


def bond_by(device: Device, passkey: int) -> None:
    """Let a device bond only with who knows its number."""
    device.pairing_config_factory = lambda _connection: PairingConfig(
        sc=True,
        mitm=True,
        bonding=True,
        delegate=Printed(passkey),
        identity_address_type=PairingConfig.AddressType.RANDOM,
    )
