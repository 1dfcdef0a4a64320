"""A Nuki lock: paired while its button is held, asked how it is, its key and PIN kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.links.ble.commission import WEAK, CommissionError, Found, find, pair_nuki
from drivers.links.ble.commission_nuki import About, about_nuki
from drivers.links.ble.radio import Radio
from drivers.protocols.nuki_log import PIN
from hub.provisioning.entry import Entry, NotProvisioned, Place, Secrets

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lock:
    """What is asked for. pin: the lock's security PIN, empty for none. called: what its owner sees in the app."""

    address: str
    place: Place
    pin: str = field(default="", repr=False)
    called: str = "trygghub"

    @property
    def files(self) -> tuple[str, str]:
        """Names of its key and its PIN in the secrets folder."""
        return f"{self.place.id}.key", f"{self.place.id}.pin"


async def provision(lock: Lock, radio: Radio, secrets: Secrets, say: Say, within: float) -> Entry:
    """Pair and ask; returns the registry entry. Raises NotProvisioned; nothing is kept of a pairing that failed."""
    if lock.pin and not PIN.fullmatch(lock.pin):
        raise NotProvisioned("a lock's security PIN has four digits")
    key, pin = lock.files
    try:
        say(
            f"looking for the lock at {lock.address.lower()};"
            " hold its button for five seconds, until its ring lights up"
        )
        found = await find(radio, lock.address, within)
        say(heard(found))
        if secrets.dry:
            say("a lock is there; nothing was paired and nothing written")
            return _entry(lock, "")
        say("pairing")
        secret = await pair_nuki(radio, found, lock.called)
        say(secrets.write(key, secret.hex()))
        about = await _about(radio, found, secret, lock, say)
    except CommissionError as wrong:
        raise NotProvisioned(str(wrong)) from None
    if lock.pin and about is not None and about.pin is False:
        say(
            "the lock refused the security PIN; it was not kept. Set it in the maker's app, or give the right one"
        )
        return _entry(lock, about.config.name)
    if lock.pin:
        say(secrets.write(pin, lock.pin))
    return _entry(lock, "" if about is None else about.config.name, pin if lock.pin else "")


async def _about(radio: Radio, found: Found, secret: bytes, lock: Lock, say: Say) -> About | None:
    """The lock's own word; a lock that does not give it is paired all the same."""
    try:
        about = await about_nuki(radio, found, secret, lock.pin)
    except CommissionError as wrong:
        say(f"paired, but the lock was not asked how it is: {wrong}")
        return None
    for line in _told(about):
        say(line)
    return about


def _told(about: About) -> list[str]:
    config, battery = about.config, about.battery
    extras = [word for word, there in (("keypad", config.keypad), ("fob", config.fob)) if there]
    lines = [f"it is called {config.name!r} and has firmware {config.firmware}" + _with(extras)]
    low = "; its batteries are nearly empty: change them today" if battery.critical else ""
    lines.append(f"its batteries give {battery.volts:.1f} V{low}")
    if about.log is False:
        lines.append("it keeps no log; switch logging on in the maker's app, or nobody learns who opened")
    return lines


def _with(extras: list[str]) -> str:
    return f", with {' and '.join(extras)}" if extras else ""


def heard(found: Found) -> str:
    """That a device was heard, and whether well enough."""
    weak = "; that is weak, so place the gateway nearer" if found.rssi < WEAK else ""
    return f"heard at {found.rssi} dBm{weak}"


def _entry(lock: Lock, name: str, pin: str = "") -> Entry:
    settings = {"pin_secret": pin} if pin else {}
    return Entry(lock.place, "nuki_ble", lock.address.lower(), name, secret=lock.files[0], settings=settings)
