"""The hub: any program that speaks HCI (H4) over TCP joins the ether as one controller.

One connection is one controller, with a public address of its own; the joining program sets its random
address by HCI as usual. A closed socket is a device without power: its links end with reason 0x08.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Self

from bumble import core, hci
from bumble.transport.common import PacketParser

from simulators.radio.controller import RadioController
from simulators.radio.ether import Ether

log = logging.getLogger(__name__)

MOST_MEMBERS = 2000
MOST_UNREAD = 4 * 1024 * 1024  # bytes a member may leave unread before it is shown the door


class RadioHub:
    """Listens on TCP and makes a controller of every connection.

    host: loopback unless the radio is meant for other machines. port: 0 picks a free one; `port` then tells it.
    """

    def __init__(
        self, ether: Ether, host: str = "127.0.0.1", port: int = 0, *, max_connections: int = 16
    ) -> None:
        self.ether = ether
        self.host = host
        self.port = port
        self.max_connections = max_connections
        self.members: set[Member] = set()
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen; raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Member(self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Show everybody out and stop listening."""
        for member in list(self.members):
            member.leave()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    @property
    def address(self) -> str:
        """The setting under which gateways and simulators find this radio."""
        return f"tcp:{self.host}:{self.port}"

    def next_number(self) -> int:
        """Number the members, for names and public addresses."""
        return next(self._numbers)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class Member(asyncio.Protocol):
    """One program on the hub: parses its H4 stream and hands its controller whole packets."""

    def __init__(self, hub: RadioHub) -> None:
        self.hub = hub
        self.transport: asyncio.Transport | None = None
        self.controller: RadioController | None = None
        self.parser = PacketParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the newcomer a controller."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if len(self.hub.members) >= MOST_MEMBERS:
            log.warning("the radio has %d members already; one more is refused", MOST_MEMBERS)
            transport.abort()
            return
        number = self.hub.next_number()
        self.hub.members.add(self)
        self.controller = RadioController(
            f"member {number}",
            self.hub.ether,
            public_address=public_address(number),
            max_connections=self.hub.max_connections,
            seed=number,
        )
        self.controller.host = Outlet(self)

    def data_received(self, data: bytes) -> None:
        """Feed the stream; a byte that starts no packet means the stream is lost, so the member leaves."""
        try:
            self.parser.feed_data(data)
        except core.InvalidPacketError as error:
            log.warning("a member of the radio sent no HCI packet (%s) and is disconnected", error)
            self.leave()

    def on_packet(self, packet: bytes) -> None:
        """Hand one HCI packet to the controller; answer what cannot be read."""
        if self.controller is None:
            return
        try:
            parsed = hci.HCI_Packet.from_bytes(packet)
            self.controller.on_hci_packet(parsed)
        except Exception as error:  # strangers send anything; the others must not notice
            log.warning("a member of the radio sent an HCI packet nobody understands: %r", error)
            self._refuse(packet)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it by name
        """A closed socket is a device without power."""
        self.hub.members.discard(self)
        if self.controller is not None:
            self.controller.vanish()
            self.controller = None

    def leave(self) -> None:
        """Close the connection."""
        if self.transport is not None:
            self.transport.abort()

    def _refuse(self, packet: bytes) -> None:
        if packet[0] != hci.HCI_COMMAND_PACKET or self.controller is None:
            return
        op_code = int.from_bytes(packet[1:3], "little")
        codes = hci.HCI_ErrorCode
        known = op_code in hci.HCI_Command.command_classes
        status = codes.INVALID_COMMAND_PARAMETERS_ERROR if known else codes.UNKNOWN_HCI_COMMAND_ERROR
        self.controller._send_hci_command_status(status, op_code)  # noqa: SLF001 - bumble has no public one


class Outlet:
    """Writes a controller's packets to its member's socket."""

    def __init__(self, member: Member) -> None:
        self.member = member

    def on_packet(self, packet: bytes) -> None:
        """Write one packet, unless the member has stopped reading."""
        transport = self.member.transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MOST_UNREAD:
            log.warning("a member of the radio left %d bytes unread and is disconnected", MOST_UNREAD)
            transport.abort()
            return
        transport.write(packet)


def public_address(number: int) -> str:
    """A public address for the n-th member; 02 marks it as locally administered."""
    return ":".join(f"{byte:02X}" for byte in (0x02, 0x7A, 0x10, *number.to_bytes(3, "big")))
