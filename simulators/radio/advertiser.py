"""Legacy advertising with the right timing and event types (Core 5.4, vol 6, part B, 4.4.2.2)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bumble.controller import LegacyAdvertiser

from simulators.radio.airlink import CONNECTABLE, Advertisement

if TYPE_CHECKING:
    from simulators.radio.ether import Ether

UNIT = 0.000_625  # seconds; the advertising interval's unit
MOST_DELAY = 0.010  # seconds; advDelay, so that two advertisers do not stay in step
SHORTEST = 0.020  # seconds; the shortest interval the specification allows


@dataclass
class Advertiser(LegacyAdvertiser):
    """The advertising state of one controller."""

    delay: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def connectable(self) -> bool:
        """Whether a connection request is taken now."""
        return self.enabled and self.advertising_type in CONNECTABLE

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        interval = max(SHORTEST, self.advertising_interval_min * UNIT)
        wait = interval + self.delay.uniform(0, MOST_DELAY)
        self.timer_handle = asyncio.get_running_loop().call_later(wait, self._on_timer_fired)

    def send_advertising_data(self) -> None:
        """Put one advertisement on the air."""
        if not self.enabled:
            return
        ether: Ether = self.controller.link  # type: ignore[assignment]
        ether.advertise(
            Advertisement(
                sender=self.controller,  # type: ignore[arg-type]
                address=self.address,
                type=self.advertising_type,
                data=bytes(self.advertising_data),
                scan_response=bytes(self.scan_response_data),
                target=self.peer_address,
            )
        )
