"""Ways between us and the other side of a SIP message: one UDP socket for all, or a TCP or TLS connection each."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

from drivers.links.link import LinkDown


class Way(Protocol):
    """How to reach the other side of a message."""

    transport: str
    host: str
    port: int
    local: tuple[str, int]

    def put(self, data: bytes) -> None:
        """Send; what does not arrive is the transaction's concern."""
        ...


@dataclass(slots=True)
class Datagrams:
    """A UDP socket towards one peer."""

    socket: asyncio.DatagramTransport
    host: str
    port: int
    local: tuple[str, int]
    transport: str = "UDP"

    def put(self, data: bytes) -> None:
        """Send."""
        self.socket.sendto(data, (self.host, self.port))


@dataclass(slots=True)
class Stream:
    """A TCP connection, or one under TLS."""

    writer: asyncio.StreamWriter
    host: str
    port: int
    local: tuple[str, int]
    transport: str = "TCP"

    def put(self, data: bytes) -> None:
        """Send."""
        self.writer.write(data)


@dataclass(frozen=True, slots=True)
class TlsPort:
    """Where to listen under TLS (port 0 picks one), and with which certificate."""

    port: int
    context: ssl.SSLContext = field(repr=False)


class Listener(asyncio.DatagramProtocol):
    """Hands every datagram up, with the way back to its sender."""

    def __init__(self, heard: Callable[[bytes, Way], None]) -> None:
        self._heard = heard
        self._socket: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._socket = cast(
            "asyncio.DatagramTransport", transport
        )  # uvloop's and asyncio's own are no subclasses

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A message came."""
        assert self._socket is not None
        local = self._socket.get_extra_info("sockname")
        self._heard(data, Datagrams(self._socket, addr[0], addr[1], (local[0], local[1])))


def stream(writer: asyncio.StreamWriter) -> Stream:
    """The way behind a connection."""
    peer, local = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
    transport = "TLS" if writer.get_extra_info("ssl_object") is not None else "TCP"
    return Stream(writer, str(peer[0]), int(peer[1]), (str(local[0]), int(local[1])), transport)


def target(address: str) -> tuple[str, int, str]:
    """Host, port and transport (udp, tcp, tls) of `sip:user@host:port;transport=tcp` or `sips:…`. Raises LinkDown."""
    rest, _, parameters = address.partition(";")
    scheme, _, where = rest.partition(":")
    host, _, port = where.rpartition("@")[2].partition(":")
    if scheme.lower() not in ("sip", "sips") or not host or not (port or "5060").isdigit():
        raise LinkDown(f"expected an address like sip:user@host:port, got {address!r:.100}")
    named = re.search(r"transport=(udp|tcp|tls)", parameters.lower())
    transport = "tls" if scheme.lower() == "sips" else (named.group(1) if named else "udp")
    return host, int(port or (5061 if transport == "tls" else 5060)), transport
