"""What goes through the air: advertisements, and the two ends of a connection.

bumble's own link finds the receiver of a packet by its address, which loses data when a device uses its
public address. Here each end of a connection knows the other end, as two radios on one hopping sequence do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bumble import hci, ll
from bumble.controller import Connection

if TYPE_CHECKING:
    from simulators.radio.controller import RadioController
    from simulators.radio.ether import Ether

ADV_IND, ADV_DIRECT_IND, ADV_SCAN_IND, ADV_NONCONN_IND, ADV_DIRECT_LOW = 0, 1, 2, 3, 4
"""Advertising types of HCI LE Set Advertising Parameters (Core 5.4, vol 4, part E, 7.8.5)."""

CONNECTABLE = frozenset({ADV_IND, ADV_DIRECT_IND, ADV_DIRECT_LOW})
SCANNABLE = frozenset({ADV_IND, ADV_SCAN_IND})
REPORTED_AS = {ADV_IND: 0, ADV_DIRECT_IND: 1, ADV_SCAN_IND: 2, ADV_NONCONN_IND: 3, ADV_DIRECT_LOW: 1}
"""Advertising type → event type of the advertising report (7.7.65.2)."""


@dataclass(frozen=True)
class Advertisement(ll.AdvertisingPdu):
    """One advertising event: who, of what type, the data, and what a scan request would be answered."""

    sender: RadioController
    address: hci.Address
    type: int
    data: bytes
    scan_response: bytes
    target: hci.Address | None = None

    @property
    def connectable(self) -> bool:
        """Whether a connection request would be taken."""
        return self.type in CONNECTABLE

    @property
    def scannable(self) -> bool:
        """Whether a scan request would be answered."""
        return self.type in SCANNABLE


@dataclass
class AirLink(Connection):
    """One end of a connection. other: the peer's end; timeout: supervision timeout in seconds."""

    other: AirLink | None = None
    timeout: float = 0.72
    open: bool = True

    @property
    def ether(self) -> Ether:
        """The ether both ends share."""
        return self.controller.link  # type: ignore[return-value]  # our controllers know only our ether

    def on_acl_pdu(self, pdu: bytes) -> None:
        """Carry one L2CAP packet to the other end."""
        self.ether.carry(self, lambda end: end.controller.on_air_data(end, pdu))  # type: ignore[attr-defined]

    def send_ll_control_pdu(self, packet: ll.ControlPdu) -> None:
        """Carry one link-layer control packet to the other end."""
        self.ether.carry(self, lambda end: end.controller.on_ll_control_pdu(end.peer_address, packet))
