"""A door with an OSDP reader in a scenario."""

from __future__ import annotations

from pathlib import Path

from simulators.play.serial_units import LineUnit
from simulators.scenario.model import Beat, Device
from simulators.serial.osdp_reader import OsdpReader
from simulators.world import World

CARD = bytes.fromhex("a1b2c3d0")
CARD_BITS = 26


class ReaderUnit(LineUnit):
    """The reader tells of its contact, of cards held to it and of its casing; the hub polls it."""

    def __init__(self, device: Device, path: Path, world: World, key: bytes | None) -> None:
        self._reader = OsdpReader(int(str(device.settings["address"]).partition("#")[2]), key)
        super().__init__(self._reader, path, world)

    async def _perform(self, beat: Beat) -> None:
        if beat.word in ("opened", "closed"):
            self._reader.door(opened=beat.word == "opened")
        elif beat.word == "refused":
            self._reader.card(CARD, CARD_BITS)
        elif beat.word == "tamper":
            self._reader.tamper()
            self._reader.tamper(on=False)
