"""What the three back ends have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from hub.broker.logins import Login

LARGEST_PACKET = 8 * 1_048_576 + 65_536
"""Bytes of one message that our own brokers take: the largest registry part of a gateway, and its head."""


class BrokerMissing(Exception):  # noqa: N818  # a finding about the machine
    """The broker's program is not on this machine; the text says what to install."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where our own broker listens; loopback unless somebody decides otherwise."""

    port: int
    host: str = "127.0.0.1"


class Broker(Protocol):
    """A broker to use: perhaps to be started as a child, in any case reachable by URL."""

    @property
    def name(self) -> str:
        """What it is called at the console."""
        ...

    def prepare(self) -> Sequence[str]:
        """Write the configuration; the command that starts it, empty for a broker somebody else runs."""
        ...

    def url(self, login: str) -> str:
        """`mqtt://user:password@host:port` for this login name."""
        ...


def login_url(logins: Sequence[Login], listener: Listener, name: str) -> str:
    """The URL of one of our logins at our own listener. Raises KeyError for a login that does not exist."""
    one = {login.name: login for login in logins}[name]
    return f"mqtt://{quote(one.name)}:{quote(one.password)}@{listener.host}:{listener.port}"


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner can enter."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path
