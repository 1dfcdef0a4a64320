"""The ether: everything that is on the air in one simulated neighbourhood.

It closes what bumble 0.0.236's stock LocalLink leaves open: range (a silenced device is neither heard nor
reached, and its links end by supervision timeout), signal strength per device, latency per hop, lost links.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from bumble import hci, ll
from bumble.link import LocalLink

from simulators.radio.airlink import Advertisement, AirLink

if TYPE_CHECKING:
    from bumble.controller import Controller

    from simulators.radio.controller import RadioController

log = logging.getLogger(__name__)

LINK_LOST = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR  # 0x08, supervision timeout
DEFAULT_RSSI = -60  # dBm, a device in the next room


def plain(address: hci.Address | str) -> str:
    """An address as we write it everywhere: lower case, without bumble's type suffix."""
    return str(address).partition("/")[0].lower()


class Ether(LocalLink):
    """A shared medium for controllers.

    latency: seconds per hop, a connection interval's worth makes timing life-like. seed: of the ±3 dB noise.
    rssi: dBm by address. Addresses are compared without case.
    """

    def __init__(self, *, latency: float = 0.0, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.members: list[RadioController] = []
        self.latency = latency
        self.rssi: dict[str, int] = {}
        self._noise = random.Random(seed)
        self._silenced: set[str] = set()
        self._flying: deque[tuple[float, Callable[[], None]]] = deque()
        self._landing: asyncio.TimerHandle | None = None

    def add_controller(self, controller: Controller) -> None:
        """Let a controller join; only ours can, since only ours know the rules of this ether."""
        self.members.append(controller)  # type: ignore[arg-type]

    def remove_controller(self, controller: Controller) -> None:
        """Let a controller leave, which its peers notice as link loss."""
        if controller in self.members:
            self.members.remove(controller)

    def find(self, address: hci.Address | str) -> RadioController | None:
        """The controller that answers to an address now."""
        wanted = plain(address)
        return next((member for member in self.members if wanted in addresses(member)), None)

    def silence(self, address: str) -> None:
        """Take a device out of range: not heard, not reached, its links end by supervision timeout."""
        self._silenced.add(plain(address))
        for end in self._links_of(address):
            asyncio.get_running_loop().call_later(end.timeout, self._lose_if_silenced, end)

    def hear_again(self, address: str) -> None:
        """Bring a silenced device back into range."""
        self._silenced.discard(plain(address))

    def lose_link(self, address: str) -> None:
        """End every connection of a device at once, as interference does: both ends see a supervision timeout."""
        for end in self._links_of(address):
            self.lose(end)

    def lose(self, end: AirLink) -> None:
        """End one connection at both ends with reason 0x08."""
        for side in (end, end.other):
            if side is not None and side.open:
                side.controller.on_le_disconnected(side, LINK_LOST)

    def strength(self, address: hci.Address | str) -> int:
        """Signal strength of a device at this moment, dBm, ±3 dB."""
        strongest = self.rssi.get(plain(address), DEFAULT_RSSI)
        return max(-127, min(20, strongest + self._noise.randint(-3, 3)))

    def advertise(self, advertisement: Advertisement) -> None:
        """Let everyone in range who listens hear one advertisement."""
        if self.is_silenced(advertisement.sender):
            return
        for member in self.members:
            if member is not advertisement.sender and member.listening and not self.is_silenced(member):
                self._after_latency(lambda to=member: to.on_advertisement(advertisement))  # type: ignore[misc]

    def send_advertising_pdu(
        self,
        sender_controller: Controller,  # noqa: ARG002 - bumble calls it by name
        packet: ll.AdvertisingPdu,
    ) -> None:
        """Take the stock controller's way into this ether; extended advertising is switched off here."""
        if isinstance(packet, Advertisement):
            self.advertise(packet)

    def carry(self, sender: AirLink, arrive: Callable[[AirLink], None]) -> None:
        """Carry something to the other end of a connection; what is sent out of range is lost."""
        other = sender.other
        if other is None or self.is_silenced(sender.controller) or self.is_silenced(other.controller):
            return
        self._after_latency(lambda: arrive(other) if other.open else None)

    def is_silenced(self, member: Controller) -> bool:
        """Whether a device is out of range."""
        return bool(self._silenced) and not self._silenced.isdisjoint(addresses(member))

    def _links_of(self, address: str) -> list[AirLink]:
        wanted = plain(address)
        return [
            link
            for member in self.members
            for link in member.air_links()
            if wanted in addresses(member) or plain(link.self_address) == wanted
        ]

    def _lose_if_silenced(self, end: AirLink) -> None:
        if end.open and self.is_silenced(end.controller):
            self.lose(end)

    def _after_latency(self, arrive: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        if not self.latency and not self._flying:
            loop.call_soon(self._guarded, arrive)
            return
        # One queue and one timer: two timers of the same instant may fire in either order.
        self._flying.append((loop.time() + self.latency, arrive))
        if self._landing is None:
            self._landing = loop.call_at(self._flying[0][0], self._land)

    def _land(self) -> None:
        loop = asyncio.get_running_loop()
        while self._flying and self._flying[0][0] <= loop.time() + 1e-6:
            self._guarded(self._flying.popleft()[1])
        self._landing = loop.call_at(self._flying[0][0], self._land) if self._flying else None

    @staticmethod
    def _guarded(arrive: Callable[[], None]) -> None:
        """A stranger's controller in an odd state must not stop the ether for the others."""
        try:
            arrive()
        except Exception:
            log.exception("a controller failed on something from the air")


def addresses(member: Controller) -> Iterable[str]:
    """The addresses a controller answers to."""
    return {plain(member.random_address), plain(member.public_address)}
