"""Settings of every process: from flags, then from `TRYGGHUB_*` in the environment, else the default.

A flag `--serial-root` is mirrored by `TRYGGHUB_SERIAL_ROOT`. What may hold a password (a URL, as a rule) can
also be kept in a file: `TRYGGHUB_UPLINK_FILE` names a file whose first line is the value, so that it stands
neither in the process list nor in a unit file. A wrong or missing setting is a SettingError that says in one
sentence which one, what is expected and what came.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from hub.clock import Clock, clock_from

S = TypeVar("S")
Read = Callable[[str], Any]

ENVIRONMENT_PREFIX = "TRYGGHUB_"
LONGEST_VALUE = 4096
"""Characters in one setting; a longer one is a file read by mistake."""


class SettingError(ValueError):
    """A setting that is missing or wrong; the text is one sentence for the person who starts the process."""


def says(text: str, read: Read = str, *, secret: bool = False) -> dict[str, Any]:
    """What a settings field means. read: text → value, its ValueError says why not. secret: may hold a password."""
    return {"says": text, "read": read, "secret": secret}


# ---------------------------------------------------------------- readers: text → value


def port(text: str) -> int:
    """A TCP port."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError(f"a port is a number from 1 to 65535, not {text!r:.60}")
    return int(text)


def identity(text: str) -> str:
    """An id of a gateway, home or device."""
    if not re.fullmatch(r"[a-z0-9_-]{1,64}", text):
        raise ValueError(f"an id is 1 to 64 of a-z, 0-9, _ and -, not {text!r:.80}")
    return text


def broker_url(text: str) -> str:
    """`mqtt://user:password@host:port` or `mqtts://…`. The answer's words never repeat the password."""
    parts = _split(text)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise ValueError("a broker is written like mqtt://user:password@host:1883")
    return text


def broker_choice(text: str) -> str:
    """`nats`, `mosquitto`, or the URL of a broker that runs already."""
    return text if text in {"nats", "mosquitto"} else broker_url(text)


def database_url(text: str) -> str:
    """`sqlite:///file` or `postgresql://user:password@host/name`."""
    scheme = text.partition(":")[0].partition("+")[0]
    if scheme not in {"sqlite", "postgresql"} or "://" not in text:
        raise ValueError(
            "a database is written like sqlite:////var/lib/trygghub/centre.db or postgresql://user:password@host/name"
        )
    return text


def discovery_prefix(text: str) -> str:
    """The first levels of Home Assistant's announcement topics."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}(/[A-Za-z0-9_-]{1,40}){0,3}", text):
        raise ValueError(f"a discovery prefix is a topic like homeassistant, not {text!r:.60}")
    return text


def existing_file(text: str) -> Path:
    """A file that is there now."""
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"there is no file {text!r:.200}")
    return path


BLE_ADAPTERS = r"bluez:ADAPTER(,ADAPTER){0,3}".replace(
    "ADAPTER", "(hci[0-9]{1,2}|([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})"
)
BLE_RADIO = r"tcp:[^:]+:[0-9]{1,5}"


def ble_backend(text: str) -> str:
    """`off`, `bluez`, `bluez:hci0,hci1` (adapters by name or address) or `tcp:HOST:PORT` (a virtual radio)."""
    if text in {"off", "bluez"} or re.fullmatch(BLE_ADAPTERS, text) or re.fullmatch(BLE_RADIO, text):
        return text
    raise ValueError(
        "the Bluetooth link is off, bluez, bluez:hci0 (several adapters with commas between) or tcp:HOST:PORT,"
        f" not {text!r:.80}"
    )


def descriptor(text: str) -> int:
    """A file descriptor that was handed over."""
    if not text.isascii() or not text.isdigit() or not 3 <= int(text) < 65_536:
        raise ValueError("a file descriptor is a number from 3 on")
    return int(text)


def device_topics(text: str) -> str:
    """Which topics of the devices' broker a gateway hears."""
    if text not in {"all", "own"}:
        raise ValueError("write all or own")
    return text


def speed(text: str) -> float:
    """How many times faster than the machine's clock."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"a speed is a number like 60, not {text!r:.60}") from None
    if not 0 < value <= 1000:
        raise ValueError(f"a speed lies above 0 and at most 1000, not {value:g}")
    return value


def heartbeat(text: str) -> float:
    """Seconds between two signs of life of a gateway: the rule on silent ones waits for four minutes."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"an interval is a number of seconds like 60, not {text!r:.60}") from None
    if not 10 <= value <= 120:
        raise ValueError(f"a gateway is heard every 10 to 120 seconds, not every {value:g}")
    return value


def _split(text: str) -> Any:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("a broker's port is a number from 1 to 65535") from None
    return parts


# ---------------------------------------------------------------- the processes' settings

DATA = says("folder that holds everything kept", Path)
DATABASE = says(
    "database, sqlite:///… or postgresql://…; DATA/centre/centre.db if not said", database_url, secret=True
)
RULES = says("rule book instead of the shipped one", existing_file)
HTTP = says("port on 127.0.0.1 for /healthz, /readyz and /metrics", port)
DEFAULT_DATA = Path("trygghub-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """What one gateway process needs. uplink and devices may be the same broker."""

    data: Path = field(default=DEFAULT_DATA, metadata=DATA)
    id: str = field(metadata=says("this gateway's id in the registry", identity))
    uplink: str = field(
        metadata=says("broker towards the centre, mqtt://user:password@host:port", broker_url, secret=True)
    )
    devices: str | None = field(
        default=None,
        metadata=says("broker the devices use; the uplink's if not said", broker_url, secret=True),
    )
    device_topics: str = field(
        default="all",
        metadata=says(
            "what to hear on the devices' broker: all (strangers are seen too), or own, the topics of registered"
            " devices alone, where several gateways share it",
            device_topics,
        ),
    )
    ble: str = field(
        default="off", metadata=says("Bluetooth: off, bluez, bluez:hci0,hci1 or tcp:HOST:PORT", ble_backend)
    )
    serial_root: Path | None = field(
        default=None,
        metadata=says("folder that relative serial addresses start from; DATA if not said", Path),
    )
    registry: Path | None = field(
        default=None, metadata=says("registry file for a gateway that stands alone", existing_file)
    )
    rules: Path | None = field(default=None, metadata=RULES)
    http: int | None = field(default=None, metadata=HTTP)
    heartbeat: float = field(
        default=60.0,
        metadata=says("seconds of the homes' time between two signs of life; 60 if not said", heartbeat),
    )
    home_assistant: str | None = field(
        default=None,
        metadata=says(
            "show our devices to Home Assistant on the devices' broker, under this discovery prefix"
            " (homeassistant, as a rule); off if not said",
            discovery_prefix,
        ),
    )

    @property
    def folder(self) -> Path:
        """Where this gateway keeps its database, its part of the registry and its secrets."""
        return self.data / "gateway"

    @property
    def device_broker(self) -> str:
        """The broker that native MQTT devices use."""
        return self.devices or self.uplink

    @property
    def serial_folder(self) -> Path:
        """Where relative serial addresses start from."""
        return self.serial_root or self.data


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """What a command needs that only opens the centre's database."""

    data: Path = field(default=DEFAULT_DATA, metadata=DATA)
    database: str | None = field(default=None, metadata=DATABASE)

    @property
    def database_url(self) -> str:
        """The database to open."""
        return self.database or embedded_database(self.data)

    @property
    def folder(self) -> Path:
        """Where the centre keeps its embedded database."""
        return self.data / "centre"


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreSettings(StoreSettings):
    """What one centre process needs."""

    broker: str = field(
        metadata=says("uplink broker, mqtt://user:password@host:port", broker_url, secret=True)
    )
    rules: Path | None = field(default=None, metadata=RULES)
    http: int | None = field(default=None, metadata=HTTP)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings(StoreSettings):
    """What one web process needs: the dashboard and the API."""

    broker: str | None = field(
        default=None,
        metadata=says(
            "uplink broker for change hints; without it the database is read once a second",
            broker_url,
            secret=True,
        ),
    )
    host: str = field(default="127.0.0.1", metadata=says("address to listen on"))
    port: int = field(default=8420, metadata=says("port to listen on", port))
    listener: int | None = field(
        default=None,
        metadata=says(
            "file descriptor of a socket that listens already, instead of host and port", descriptor
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings(StoreSettings):
    """What `trygghub run` needs to start everything on this machine."""

    registry: Path | None = field(
        default=None, metadata=says("registry file to import on the first start", existing_file)
    )
    gateway: str | None = field(
        default=None,
        metadata=says("which gateway of the registry runs here, where it names several", identity),
    )
    broker: str = field(
        default="nats",
        metadata=says(
            "nats or mosquitto as a child process, or mqtt://… for one that runs already",
            broker_choice,
            secret=True,
        ),
    )
    rules: Path | None = field(default=None, metadata=RULES)
    scenario: str = field(default="demo_day", metadata=says("scenario that --demo plays"))
    speed: float | None = field(
        default=None, metadata=says("how many times faster the demo's world runs; default 60", speed)
    )
    ble: str = field(
        default="off",
        metadata=says("Bluetooth of the gateway: off, bluez, bluez:hci0,hci1 or tcp:HOST:PORT", ble_backend),
    )
    host: str = field(default="127.0.0.1", metadata=says("address the dashboard listens on"))
    port: int | None = field(
        default=None, metadata=says("port the dashboard listens on; 8420 if free, else another", port)
    )


def embedded_database(data: Path) -> str:
    """The centre's own SQLite file below a data folder, as a URL."""
    return f"sqlite:///{(data / 'centre' / 'centre.db').absolute()}"


# ---------------------------------------------------------------- reading them


def add_arguments(kind: type, parser: argparse.ArgumentParser) -> None:
    """Add one flag for each setting of a settings class."""
    for one in fields(kind):
        parser.add_argument(
            flag(one.name), dest=one.name, metavar=_metavar(one), default=None, help=_help(one)
        )


def from_arguments(kind: type[S], args: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> S:
    """Make a settings object of parsed flags and the environment. Raises SettingError."""
    found = {one.name: _value(one, getattr(args, one.name, None), environment) for one in fields(kind)}  # type: ignore[arg-type]
    return kind(**found)


def read(
    kind: type[S], argv: Sequence[str], environment: Mapping[str, str] = os.environ, *, prog: str = "trygghub"
) -> S:
    """Parse a process's own command line, for `python -m …`. Raises SettingError; `--help` exits."""
    parser = argparse.ArgumentParser(prog=prog, description=kind.__doc__, allow_abbrev=False)
    add_arguments(kind, parser)
    return from_arguments(kind, parser.parse_args(list(argv)), environment)


def handed_clock(environment: Mapping[str, str] = os.environ) -> Clock:
    """The clock that TRYGGHUB_CLOCK names; the machine's own where it names none. Raises SettingError."""
    try:
        return clock_from(environment.get(f"{ENVIRONMENT_PREFIX}CLOCK"))
    except ValueError as wrong:
        raise SettingError(f"{ENVIRONMENT_PREFIX}CLOCK: {wrong}") from None


def flag(name: str) -> str:
    """`serial_root` → `--serial-root`."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """`serial_root` → `TRYGGHUB_SERIAL_ROOT`."""
    return ENVIRONMENT_PREFIX + name.upper()


def _value(one: Field[Any], given: str | None, environment: Mapping[str, str]) -> Any:
    text = given if given is not None else _from_environment(one, environment)
    if text is None:
        if one.default is MISSING:
            raise SettingError(
                f"{flag(one.name)} is needed ({one.metadata['says']}), as a flag or as {variable(one.name)}"
            )
        return one.default
    if len(text) > LONGEST_VALUE:
        raise SettingError(
            f"{flag(one.name)} is {len(text)} characters long, at most {LONGEST_VALUE} are expected"
        )
    try:
        return one.metadata["read"](text)
    except ValueError as wrong:
        raise SettingError(f"{flag(one.name)}: {wrong}") from None


def _from_environment(one: Field[Any], environment: Mapping[str, str]) -> str | None:
    if text := environment.get(variable(one.name)):
        return text
    name = environment.get(variable(one.name) + "_FILE") if one.metadata["secret"] else None
    return _first_line(Path(name), variable(one.name) + "_FILE") if name else None


def _first_line(path: Path, named_by: str) -> str:
    try:
        with path.open(encoding="utf-8") as lines:
            return lines.readline(LONGEST_VALUE + 2).strip()
    except (OSError, UnicodeDecodeError) as wrong:
        raise SettingError(f"{named_by} names {str(path)!r}, which cannot be read: {wrong}") from None


def _help(one: Field[Any]) -> str:
    file = f" or {variable(one.name)}_FILE" if one.metadata["secret"] else ""
    default = "" if one.default in (MISSING, None) else f"; default {one.default}"
    return f"{one.metadata['says']} [{variable(one.name)}{file}]{default}".replace("%", "%%")


def _metavar(one: Field[Any]) -> str:
    return one.name.upper().replace("_", "-")
