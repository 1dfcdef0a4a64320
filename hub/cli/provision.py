"""`trygghub provision …`: install a device: pair with it, keep its keys, print its lines for the registry.

    trygghub provision nearby
    trygghub provision nuki 54:d2:72:aa:bb:cc --id front-lock --home h1 --pin-file -
    trygghub provision bthome c4:7c:8d:6a:10:01 --type bthome_pendant --id pendant-1 --home h1 --key-file -
    trygghub provision meter c4:7c:8d:6a:20:01 --type sig_glucose_meter --id meter-1 --home h1
    trygghub provision enocean /dev/serial/by-id/usb-EnOcean… --id door-1 --home h1
    trygghub provision osdp door#1 --id gate-1 --home h1

Run it in the home, on the gateway, as the gateway's user. Keys and PINs go into the gateway's secrets folder and are
never shown; the registry entry goes to standard output, for `trygghub registry import`. A secret is read from a file
or, with `-`, from the terminal or standard input: on a command line everybody on the machine could read it.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from drivers.events import iso
from drivers.registry import DEVICE_TYPES
from hub.cli.outcome import FAILED, OK, Refused
from hub.clock import clock_from_environment
from hub.provisioning.entry import Entry, NotProvisioned, Place, Secrets
from hub.settings import DATA, DEFAULT_DATA, ble_backend, from_arguments, identity, says
from hub.settings import add_arguments as add_settings

if TYPE_CHECKING:
    from drivers.links.ble.radio import Radio

HELP = __doc__
T = TypeVar("T")

ADDRESS = re.compile(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
WAIT = 60.0
LONGEST_WAIT = 600.0
BTHOME = sorted(name for name in DEVICE_TYPES if name.startswith("bthome_"))
METERS = sorted(name for name in DEVICE_TYPES if name.startswith("sig_"))
ENOCEAN = sorted(name for name in DEVICE_TYPES if name.startswith("enocean_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionSettings:
    """Where things are."""

    data: Path = field(default=DEFAULT_DATA, metadata=DATA)
    ble: str = field(
        default="bluez", metadata=says("Bluetooth: bluez, bluez:hci1 or tcp:HOST:PORT", ble_backend)
    )
    serial_root: Path | None = field(
        default=None, metadata=says("folder that relative serial ports lie in; DATA if not said", Path)
    )

    @property
    def secrets(self) -> Path:
        """The gateway's secrets folder."""
        return self.data / "gateway" / "secrets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One action a kind of device."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(dest="action", metavar="|".join(["nearby", *_ACTIONS]), required=True)
    near = actions.add_parser("nearby", help="list the Bluetooth devices that are heard")
    near.add_argument("--all", action="store_true", help="those that nobody here understands, too")
    near.add_argument("--seconds", type=_seconds, default=10.0, help="how long to listen; default 10")
    add_settings(ProvisionSettings, near)
    nuki = _action(actions, "nuki", "pair with a Nuki smart lock", "its Bluetooth address")
    nuki.add_argument("--pin-file", help="the lock's security PIN, to read its log; - to type it in")
    bthome = _action(
        actions, "bthome", "keep the bind key of a BTHome sensor or button", "its Bluetooth address"
    )
    bthome.add_argument("--type", choices=BTHOME, required=True, metavar="TYPE", help=", ".join(BTHOME))
    bthome.add_argument("--key-file", help="its bind key, 32 hexadecimal digits; - to type it in")
    meter = _action(actions, "meter", "bond with a meter", "its Bluetooth address")
    meter.add_argument("--type", choices=METERS, required=True, metavar="TYPE", help=", ".join(METERS))
    meter.add_argument("--passkey-file", help="the six digits printed on it; - to type them in")
    enocean = _action(actions, "enocean", "hear who an EnOcean device is", "the port of the EnOcean stick")
    enocean.add_argument("--type", choices=ENOCEAN, default="", metavar="TYPE", help=", ".join(ENOCEAN))
    osdp = _action(actions, "osdp", "make a key for an OSDP reader", "port and number, like door#1")
    osdp.add_argument("--line", default="9600 8N1", help="line settings; default 9600 8N1")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str, address: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=what, description=what + ".")
    parser.add_argument("address", help=address)
    parser.add_argument("--id", required=True, help="its id in the registry, which names its secrets, too")
    parser.add_argument("--home", required=True, help="id of the home in the registry")
    parser.add_argument("--name", default="", help="what it is called on screens")
    parser.add_argument("--room", default="", help="where it is")
    parser.add_argument(
        "--wait", type=_seconds, default=WAIT, help=f"seconds to wait for it; default {WAIT:g}"
    )
    parser.add_argument("--replace", action="store_true", help="provision anew what was provisioned before")
    parser.add_argument("--dry-run", action="store_true", help="look for it, and neither pair nor write")
    add_settings(ProvisionSettings, parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Provision; the entry on standard output, everything else on standard error."""
    settings = from_arguments(ProvisionSettings, args)
    try:
        if args.action == "nearby":
            return _nearby(args, settings)
        entry = _ACTIONS[args.action](args, settings)
        text = entry.as_yaml()
    except NotProvisioned as why:
        raise Refused(str(why), FAILED) from None
    sys.stdout.write(text)
    _say(
        "dry run: nothing was kept"
        if args.dry_run
        else "now: trygghub registry import, with these lines added"
    )
    return OK


def _nearby(args: argparse.Namespace, settings: ProvisionSettings) -> int:
    from drivers.links.ble.commission import CommissionError, nearby
    from hub.provisioning.nearby import table

    async def listen(radio: Radio) -> list[str]:
        try:
            return list(table(await nearby(radio, args.seconds), everything=args.all))
        except CommissionError as wrong:
            raise NotProvisioned(str(wrong)) from None

    _say(f"listening for {args.seconds:g} s")
    lines = _with_radio(settings, listen)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    if not lines:
        _say("nothing that we know was heard; wake the device, go nearer, or say --all")
    return OK if lines else FAILED


def _nuki(args: argparse.Namespace, settings: ProvisionSettings) -> Entry:
    from hub.provisioning.nuki import Lock, provision

    lock = Lock(_ble_address(args), _place(args), _secret(args.pin_file, "security PIN"))
    secrets = _secrets(args, settings, lock.files)
    return _with_radio(settings, lambda radio: provision(lock, radio, secrets, _say, args.wait))


def _bthome(args: argparse.Namespace, settings: ProvisionSettings) -> Entry:
    from hub.provisioning.bthome import Sensor, provision

    sensor = Sensor(_ble_address(args), _place(args), args.type, _secret(args.key_file, "bind key"))
    secrets, now = _secrets(args, settings, sensor.files), clock_from_environment().now()
    return _with_radio(settings, lambda radio: provision(sensor, radio, secrets, _say, args.wait, now))


def _meter(args: argparse.Namespace, settings: ProvisionSettings) -> Entry:
    from hub.provisioning.meter import Meter, provision

    passkey = _secret(args.passkey_file, "passkey")
    if passkey and not re.fullmatch(r"\d{6}", passkey):
        raise Refused("a passkey has six digits")
    meter = Meter(_ble_address(args), _place(args), args.type, passkey)
    passkeys = {meter.address.lower(): int(passkey)} if passkey else {}
    secrets = _secrets(args, settings, meter.files)
    return _with_radio(settings, lambda radio: provision(meter, radio, secrets, _say, args.wait), passkeys)


def _enocean(args: argparse.Namespace, settings: ProvisionSettings) -> Entry:
    from hub.provisioning.enocean import provision

    root = settings.serial_root or settings.data
    return asyncio.run(provision(args.address, root, _place(args), args.type, _say, args.wait))


def _osdp(args: argparse.Namespace, settings: ProvisionSettings) -> Entry:
    from hub.provisioning.osdp import provision

    secrets = _secrets(args, settings, (f"{args.id}.key",))
    return provision(args.address, args.line, _place(args), secrets, _say)


_ACTIONS: dict[str, Callable[[argparse.Namespace, ProvisionSettings], Entry]] = {
    "nuki": _nuki,
    "bthome": _bthome,
    "meter": _meter,
    "enocean": _enocean,
    "osdp": _osdp,
}


def _with_radio(
    settings: ProvisionSettings,
    act: Callable[[Radio], Awaitable[T]],
    passkeys: Mapping[str, int] | None = None,
) -> T:
    """Do something with a radio that is open for as long as it takes."""
    from hub.provisioning.radio import radio_of

    async def work() -> T:
        bonds = settings.data / "gateway" / "bonds.json"
        async with radio_of(settings.ble, bonds, passkeys) as radio:
            return await act(radio)

    return asyncio.run(work())


def _place(args: argparse.Namespace) -> Place:
    try:
        device, home = identity(args.id), identity(args.home)
    except ValueError as wrong:
        raise Refused(str(wrong)) from None
    return Place(device, home, iso(clock_from_environment().now()), args.name, args.room)


def _secrets(args: argparse.Namespace, settings: ProvisionSettings, names: tuple[str, ...]) -> Secrets:
    """The secrets folder, looked at before anything is done to a device."""
    secrets = Secrets(settings.secrets, replace=args.replace, dry=args.dry_run)
    secrets.must_be_free(*names)
    return secrets


def _ble_address(args: argparse.Namespace) -> str:
    if not ADDRESS.fullmatch(args.address):
        raise Refused(f"a Bluetooth address is written like 54:d2:72:aa:bb:cc, not {args.address!r:.60}")
    return str(args.address)


def _secret(name: str | None, what: str) -> str:
    """A secret from a file, or typed in; never repeated. Raises Refused."""
    if not name:
        return ""
    try:
        if name != "-":
            text = Path(name).read_text(encoding="utf-8")
        elif sys.stdin.isatty():
            text = getpass.getpass(f"{what}: ")
        else:
            text = sys.stdin.readline()
    except (OSError, UnicodeDecodeError) as wrong:
        raise Refused(f"the {what} cannot be read from {name}: {wrong}") from None
    return text.strip().replace(" ", "")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a time is a number of seconds, not {text!r:.40}") from None
    if not 0 < value <= LONGEST_WAIT:
        raise argparse.ArgumentTypeError(
            f"a time lies above 0 and at most {LONGEST_WAIT:g} s, not at {value:g}"
        )
    return value


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()
