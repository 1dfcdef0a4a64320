"""A meter that must be bonded with, perhaps by the passkey printed on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.links.ble.commission import CommissionError, bond, find
from drivers.links.ble.radio import Radio
from drivers.registry import DEVICE_TYPES
from hub.provisioning.entry import Entry, NotProvisioned, Place, Secrets
from hub.provisioning.nuki import heard

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Meter:
    """What is asked for. passkey: the six digits on it, empty for none."""

    address: str
    place: Place
    type: str
    passkey: str = field(default="", repr=False)

    @property
    def files(self) -> tuple[str, ...]:
        """Name of its passkey in the secrets folder, if it has one."""
        return (f"{self.place.id}.passkey",) if self.passkey else ()


async def provision(meter: Meter, radio: Radio, secrets: Secrets, say: Say, within: float) -> Entry:
    """Find it, bond, keep the passkey for the day the bond is lost. Raises NotProvisioned."""
    use = DEVICE_TYPES[meter.type].ble
    assert use is not None
    say(f"looking for the meter at {meter.address.lower()}; switch it on, in its pairing mode if it has one")
    try:
        found = await find(radio, meter.address, within)
        say(heard(found))
        if secrets.dry:
            say("a meter is there; nothing was bonded and nothing written")
        else:
            say("bonding")
            await bond(radio, found, use.subscribe)
            say("bonded")
    except CommissionError as wrong:
        raise NotProvisioned(f"{wrong}{'' if meter.passkey else _PASSKEY}") from None
    for name in meter.files:
        say(secrets.write(name, meter.passkey))
    settings = {"passkey_secret": meter.files[0]} if meter.files else {}
    return Entry(meter.place, meter.type, meter.address.lower(), settings=settings)


_PASSKEY = ". If six digits are printed on it, or shown by it, give them with --passkey-file"
