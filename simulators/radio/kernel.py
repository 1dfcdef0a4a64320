"""A controller of the ether as an adapter of the Linux kernel, by `/dev/vhci`: for the real BlueZ on the virtual radio.

The kernel hands over and takes one whole HCI packet (H4) per call (drivers/bluetooth/hci_vhci.c). Power the adapter
off before closing: a kernel whose adapter disappears under open channels has been seen to crash (Linux 6.1).
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from bumble import hci

from simulators.radio.controller import RadioController
from simulators.radio.ether import Ether

log = logging.getLogger(__name__)

DEVICE = Path("/dev/vhci")
VENDOR, PRIMARY = 0xFF, 0x00
LARGEST = 4096
MADE_WITHIN = 10.0


class KernelAdapter:
    """An adapter of this machine's kernel on the ether. slots: connections it keeps. index: the n of hci<n>.

    duplicates: what its filter of duplicates compares, "data" or "address".
    """

    def __init__(
        self,
        ether: Ether,
        *,
        slots: int = 16,
        address: str = "02:7A:10:FF:00:01",
        duplicates: str = "data",
    ) -> None:
        self.ether = ether
        self.slots = slots
        self.address = address
        self.duplicates = duplicates
        self.index = -1
        self._file = -1
        self._made = asyncio.Event()
        self._controller: RadioController | None = None

    async def plug_in(self) -> None:
        """Make the adapter; raises OSError where the kernel has no vhci or we may not use it."""
        self._file = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)
        self._controller = RadioController(
            "kernel",
            self.ether,
            public_address=self.address,
            max_connections=self.slots,
            duplicates=self.duplicates,
        )
        self._controller.host = self
        asyncio.get_running_loop().add_reader(self._file, self._on_readable)
        os.write(self._file, bytes([VENDOR, PRIMARY]))
        async with asyncio.timeout(MADE_WITHIN):
            await self._made.wait()

    def unplug(self) -> None:
        """Take the adapter away; power it off before."""
        if self._file >= 0:
            asyncio.get_running_loop().remove_reader(self._file)
            os.close(self._file)
            self._file = -1
        if self._controller is not None:
            self._controller.vanish()
            self._controller = None
        self._made.clear()

    def on_packet(self, packet: bytes) -> None:
        """From the controller to the kernel."""
        if self._file < 0:
            return
        try:
            os.write(self._file, packet)
        except OSError as error:  # the kernel has closed the adapter meanwhile
            log.debug("the kernel did not take an HCI packet: %s", error)

    def _on_readable(self) -> None:
        try:
            packet = os.read(self._file, LARGEST)
        except BlockingIOError:
            return
        if packet and packet[0] == VENDOR:
            self.index = int.from_bytes(packet[2:4], "little")
            self._made.set()
        elif packet and self._controller is not None:
            self._controller.on_hci_packet(hci.HCI_Packet.from_bytes(packet))
