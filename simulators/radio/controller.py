"""One Bluetooth LE controller on the ether: bumble's virtual controller with its gaps closed.

What the stock controller of bumble 0.0.236 lacks and this one has: a cancelled connection attempt ends with
status 0x02 and frees the controller; a scan response goes to active scanners only; signal strength and event
type are right; a non-connectable advertiser is heard and cannot be connected to; a reset quiets; slots are
limited; an unknown or malformed command is answered. Extended advertising and LL privacy are switched off.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

from bumble import hci
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport

from simulators.radio.advertiser import Advertiser
from simulators.radio.airlink import REPORTED_AS, Advertisement, AirLink
from simulators.radio.ether import Ether, plain

SWITCHED_OFF = (
    hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
    | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
    | hci.LeFeatureMask.LL_PRIVACY
)
ACTIVE_SCAN = 1
SCAN_RESPONSE = hci.HCI_LE_Advertising_Report_Event.EventType.SCAN_RSP
DUPLICATES = ("data", "address")
MOST_SEEN = 4096  # advertisements a duplicate filter remembers; a real controller remembers far fewer
NOBODY = hci.Address("00:00:00:00:00:00")


class RadioController(Controller):
    """A controller that lives on an `Ether`. max_connections: its slots (dongles have 5 to 7).

    duplicates: what its filter compares, as "duplicate" is left to the maker (Core 5.4, vol 4, part E, 7.8.11): the
    address, type and "data", or the type and "address" alone. Real controllers do either, some with the strength too
    (the kernel's remark in `hci_active_scan_sync`); with "address" new data stays unheard until the scan begins anew.
    """

    le_features = Controller.le_features & ~SWITCHED_OFF
    le_acl_data_packet_length = 251
    acl_data_packet_length = 251

    def __init__(
        self,
        name: str,
        ether: Ether,
        *,
        public_address: str | None = None,
        max_connections: int = 16,
        duplicates: str = "data",
        seed: int = 0,
    ) -> None:
        if duplicates not in DUPLICATES:
            raise ValueError(f"a filter of duplicates compares data or address, not {duplicates!r:.40}")
        super().__init__(name, link=ether, public_address=public_address)
        self.ether = ether
        self.max_connections = max_connections
        self.duplicates = duplicates
        self._seed = f"{seed}/{name}"
        self._seen: set[tuple[str, int, bytes]] = set()
        self.advertiser = self._new_advertiser()

    @property
    def listening(self) -> bool:
        """Whether an advertisement would be noticed now."""
        return self.le_scan_enable or self.pending_le_connection is not None

    def air_links(self) -> Iterator[AirLink]:
        """The ends of its connections."""
        return (link for link in list(self.le_connections.values()) if isinstance(link, AirLink))

    def vanish(self) -> None:
        """Leave the air for good, as a device without power does: peers see a supervision timeout."""
        self._quiet()
        self.host = None
        self.ether.remove_controller(self)

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Quiet everything: advertising, scanning, connections, the random address."""
        self._quiet()
        self.random_address = NOBODY
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_command_packet(self, command: hci.HCI_Command) -> None:
        """Answer every command: an unknown one with status 0x01, so that no host waits for ever."""
        known = hasattr(self, f"on_{command.name.lower()}")
        if known or isinstance(command, hci.HCI_SyncCommand):
            super().on_hci_command_packet(command)
            return
        self._send_hci_command_status(hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR, command.op_code)

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Begin or end scanning; the duplicate filter starts empty each time."""
        self._seen.clear()
        return super().on_hci_le_set_scan_enable_command(command)

    def on_hci_le_create_connection_command(self, command: hci.HCI_LE_Create_Connection_Command) -> None:
        """Begin to connect, unless all slots are taken (status 0x09)."""
        if len(self.le_connections) >= self.max_connections:
            full = hci.HCI_ErrorCode.CONNECTION_LIMIT_EXCEEDED_ERROR
            self._send_hci_command_status(full, command.op_code)
            return
        super().on_hci_le_create_connection_command(command)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Give up connecting; the connection complete event with status 0x02 follows (7.8.13)."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        gone = _connection_complete(
            hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, 0, hci.Role.CENTRAL, pending.peer_address
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, gone)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_advertisement(self, heard: Advertisement) -> None:
        """Report an advertisement to a scanning host, and connect if it is the one waited for."""
        if self.le_scan_enable:
            self._report(heard, REPORTED_AS[heard.type], heard.data)
            if heard.scannable and self.le_scan_type == ACTIVE_SCAN:
                # Every scan request is answered, if with no data at all (vol 6, part B, 4.4.3.2).
                self._report(heard, SCAN_RESPONSE, heard.scan_response)
        pending = self.pending_le_connection
        if pending is not None and heard.connectable and pending.peer_address == heard.address:
            self._connect(heard)

    def on_air_data(self, end: AirLink, pdu: bytes) -> None:
        """Hand an L2CAP packet to the host in pieces its buffers can hold."""
        size = self.le_acl_data_packet_length
        for start in range(0, max(1, len(pdu)), size):
            piece = pdu[start : start + size]
            continuing = 1 if start else 2
            self.send_hci_packet(hci.HCI_AclDataPacket(end.handle, continuing, 0, len(piece), piece))

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """Tell the host that a connection is over; once is enough."""
        if isinstance(connection, AirLink):
            if not connection.open:
                return
            connection.open = False
        super().on_le_disconnected(connection, reason)

    def accept(self, central: AirLink, advertisement: Advertisement) -> AirLink | None:
        """Take a connection request as the advertiser; None when it does not listen any more."""
        free = len(self.le_connections) < self.max_connections
        if not (self.advertiser.connectable and self.advertiser.address == advertisement.address and free):
            return None
        self.advertiser.stop()
        return self._open(hci.Role.PERIPHERAL, advertisement.address, central.self_address, central.timeout)

    def _connect(self, heard: Advertisement) -> None:
        pending = self.pending_le_connection
        if pending is None or plain(heard.address) in map(plain, self.le_connections):
            return
        own = self.public_address if pending.own_address_type in {0, 2} else self.random_address
        timeout = getattr(pending, "supervision_timeout", 72) * 0.01  # unit 10 ms
        end = self._end(hci.Role.CENTRAL, own, heard.address, timeout)
        other = heard.sender.accept(end, heard)
        if other is None:
            return
        self.pending_le_connection = None
        end.other, other.other = other, end
        self._announce(end)

    def _open(self, role: hci.Role, own: hci.Address, peer: hci.Address, timeout: float) -> AirLink:
        end = self._end(role, own, peer, timeout)
        self._announce(end)
        return end

    def _end(self, role: hci.Role, own: hci.Address, peer: hci.Address, timeout: float) -> AirLink:
        return AirLink(
            controller=self,
            handle=self.allocate_connection_handle(),
            role=role,
            self_address=own,
            peer_address=peer,
            link=self.ether,
            transport=PhysicalTransport.LE,
            link_type=hci.HCI_Connection_Complete_Event.LinkType.ACL,
            timeout=timeout,
        )

    def _announce(self, end: AirLink) -> None:
        self.le_connections[end.peer_address] = end
        self.send_hci_packet(
            _connection_complete(
                hci.HCI_ErrorCode.SUCCESS, end.handle, end.role, end.peer_address, end.timeout
            )
        )

    def _report(self, heard: Advertisement, event_type: int, data: bytes) -> None:
        if self.filter_duplicates:
            mark = (plain(heard.address), event_type, data if self.duplicates == "data" else b"")
            if mark in self._seen or len(self._seen) >= MOST_SEEN:
                return
            self._seen.add(mark)
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=event_type,
            address_type=heard.address.address_type,
            address=heard.address,
            data=data,
            rssi=self.ether.strength(heard.address),
        )
        self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))

    def _quiet(self) -> None:
        self.advertiser.stop()
        self.advertiser = self._new_advertiser()
        self.le_scan_enable = False
        self.pending_le_connection = None
        self._seen.clear()
        for end in list(self.air_links()):
            end.open = False  # a reset is not told to the host that asked for it
            del self.le_connections[end.peer_address]
            if end.other is not None:
                self.ether.lose(end.other)

    def _new_advertiser(self) -> Advertiser:
        advertiser = Advertiser(self, delay=random.Random(self._seed))
        self.le_legacy_advertiser = advertiser
        return advertiser


def _connection_complete(
    status: int, handle: int, role: hci.Role, peer: hci.Address, timeout: float = 0.72
) -> hci.HCI_LE_Connection_Complete_Event:
    return hci.HCI_LE_Connection_Complete_Event(
        status=status,
        connection_handle=handle,
        role=role,
        peer_address_type=peer.address_type,
        peer_address=peer,
        connection_interval=24,  # 30 ms, in units of 1.25 ms
        peripheral_latency=0,
        supervision_timeout=round(timeout * 100),
        central_clock_accuracy=0,
    )
