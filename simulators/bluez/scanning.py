"""What the kernel does to what a controller hears, before bluetoothd is told (`process_adv_report` of Linux 6.1).

An active scan runs in rounds of ten seconds, with the controller's filter of duplicates unless an advertisement monitor
is there. An advertisement that can be asked for more is kept back until its scan response comes and both are told
together; until another device is heard; or until the round ends. The next one of the same device takes its place, so
that a device alone on the air whose scan response is a duplicate is heard once in a round.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bumble import hci
from bumble.device import Device

ROUND = 10.24
Type = hci.HCI_LE_Advertising_Report_Event.EventType
ASKED_FOR_MORE = frozenset({Type.ADV_IND, Type.ADV_SCAN_IND})


@dataclass(frozen=True, slots=True)
class Heard:
    """A device as bluetoothd is told of it. data: advertisement and scan response, one after the other."""

    address: hci.Address
    data: bytes
    rssi: int


class KeptBack:
    """Merges advertisements with their scan responses."""

    def __init__(self, tell: Callable[[Heard], None]) -> None:
        self._tell = tell
        self._kept: Heard | None = None

    def report(self, event_type: int, heard: Heard) -> None:
        """Take one report of the controller."""
        kept, self._kept = self._kept, None
        same = kept is not None and kept.address == heard.address
        if kept is not None and same and event_type == Type.SCAN_RSP:
            self._tell(Heard(kept.address, kept.data + heard.data, kept.rssi))
            return
        if kept is not None and not same:
            self._tell(kept)
        if event_type in ASKED_FOR_MORE:
            self._kept = heard
        else:
            self._tell(heard)

    def let_go(self) -> None:
        """Tell what is kept: the round is over."""
        kept, self._kept = self._kept, None
        if kept is not None:
            self._tell(kept)


class Rounds:
    """One discovery, round after round. unfiltered: asked at the beginning of each."""

    def __init__(self, device: Device, unfiltered: Callable[[], bool], tell: Callable[[Heard], None]) -> None:
        self._device = device
        self._unfiltered = unfiltered
        self._kept_back = KeptBack(tell)
        self._going_on: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin the first round."""
        await self._begin()
        self._going_on = asyncio.create_task(self._go_on(), name="discovery")

    async def stop(self) -> None:
        """End the round that is going on."""
        going_on, self._going_on = self._going_on, None
        if going_on is not None:
            going_on.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await going_on
            await self._device.stop_scanning(legacy=True)
            self._kept_back.let_go()

    def end(self) -> None:
        """End without a word to the controller, which is gone."""
        if self._going_on is not None:
            self._going_on.cancel()
            self._going_on = None

    def report(self, report: Any) -> None:
        """Take a report of the controller (bumble's event `advertising_report`)."""
        if self._going_on is not None:
            heard = Heard(report.address, bytes(report.data), report.rssi)
            self._kept_back.report(report.event_type, heard)

    async def _begin(self) -> None:
        await self._device.start_scanning(legacy=True, active=True, filter_duplicates=not self._unfiltered())

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(ROUND)
            await self._device.stop_scanning(legacy=True)
            self._kept_back.let_go()
            await self._begin()
