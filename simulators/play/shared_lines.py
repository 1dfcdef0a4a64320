"""Serial hardware that serves several devices of a scenario: an EnOcean stick, lock boards, a GSM modem, a reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulators.play.keys import key_of
from simulators.play.osdp_unit import ReaderUnit
from simulators.play.serial_units import LineUnit, NurseCallUnit
from simulators.scenario.faults import amount
from simulators.scenario.model import Beat, Device
from simulators.scenario.plan import Trouble
from simulators.serial.enocean_stick import EnoceanRadio
from simulators.serial.gsm_modem import GsmModem
from simulators.serial.lock_board import LockBoard, LockBoards
from simulators.world import World

GOOD_VOLTS, LOW_VOLTS = 3.0, 2.1
COMPARTMENTS = 24

SMS: Mapping[str, str] = {
    "pendant.pressed": "SOS",
    "pendant.fall": "FALL",
    "pendant.battery_low": "LOW BAT",
    "pendant.heartbeat": "TEST",
}
"""What a mobile alarm writes."""


def unit_part(device: Device) -> str:
    """Who on the line: the part of the address after its port."""
    return str(device.settings["address"]).partition("#")[2]


class StickUnit(LineUnit):
    """An EnOcean stick with everything around it that speaks by radio."""

    def __init__(self, devices: Sequence[Device], path: Path, world: World, secrets: Path) -> None:  # noqa: ARG002
        self._radio = EnoceanRadio()
        self._devices = {one.id: one for one in devices}
        self._closed = dict.fromkeys(self._devices, True)
        self._muted: set[str] = set()
        super().__init__(self._radio, path, world)

    def silence(self, device: str, *, over: bool) -> None:
        """One sensor of many falls silent; the stick stays."""
        (self._muted.discard if over else self._muted.add)(device)

    async def _perform(self, beat: Beat) -> None:
        device = self._devices[beat.device]
        if beat.device not in self._muted:
            self._tell(device, unit_part(device), beat)

    def _tell(self, device: Device, sender: str, beat: Beat) -> None:
        radio = self._radio
        match device.type, beat.word:
            case "door", _:
                self._closed[device.id] = {"opened": False, "closed": True}.get(
                    beat.word, self._closed[device.id]
                )
                radio.contact(sender, closed=self._closed[device.id])
            case "motion", _:
                volts = LOW_VOLTS if beat.word == "battery_low" else GOOD_VOLTS
                radio.motion(sender, moved=beat.word == "motion", volts=volts)
            case "smoke", "detected":
                radio.smoke(sender, "alarm")
            case "smoke", "battery_low":
                radio.smoke(sender, "energy low")
            case "smoke", _:
                radio.smoke(sender, "quiet")
            case "water", "detected":
                radio.leak(sender)
            case "water", _:
                radio.telegram(sender, 0xF6, b"\x00", 0x20)
            case "key_card", _:
                radio.key_card(sender, inserted=bool(beat.data.get("value", True)))
            case _ if device.settings.get("profile") == "button":
                radio.push(sender)
            case _:
                radio.press(sender)


class CabinetUnit(LineUnit):
    """Medicine cabinets on one line: hands open and shut compartments, the hub asks how they are."""

    def __init__(self, devices: Sequence[Device], path: Path, world: World, secrets: Path) -> None:  # noqa: ARG002
        self._boards = {
            one.id: LockBoard(int(unit_part(one)), channels=one.settings.get("compartments", COMPARTMENTS))
            for one in devices
        }
        super().__init__(LockBoards(*self._boards.values()), path, world)

    def fail(self, trouble: Trouble, *, over: bool) -> None:
        """`stuck`: what is commanded open stays shut."""
        if trouble.do != "stuck":
            super().fail(trouble, over=over)
            return
        board = self._boards[trouble.device]
        board.faults.stuck = set() if over else set(range(1, board.channels + 1))

    async def _perform(self, beat: Beat) -> None:
        board = self._boards[beat.device]
        found = re.search(r"\d+", str(beat.data.get("how", "")))
        if beat.word == "unlocked":
            board.open.add(int(found[0]) if found else 1)
        elif beat.word == "locked":
            board.open.clear()


class ModemUnit(LineUnit):
    """A GSM modem; the mobile alarms of a scenario write to its number."""

    def __init__(self, devices: Sequence[Device], path: Path, world: World, secrets: Path) -> None:  # noqa: ARG002
        self._modem = GsmModem()
        self._numbers = {one.id: unit_part(one) for one in devices}
        self._muted: set[str] = set()
        self._held: list[Beat] = []
        super().__init__(self._modem, path, world)

    def silence(self, device: str, *, over: bool) -> None:
        """One alarm of many is out of power; the modem stays."""
        (self._muted.discard if over else self._muted.add)(device)

    async def _perform(self, beat: Beat) -> None:
        if beat.device in self._muted:
            return
        if self._happens("disorder") and not self._held:
            self._held.append(beat)
            return
        for one in (beat, *self._held):
            self._arrive(one)
        self._held.clear()

    def _arrive(self, beat: Beat) -> None:
        hours = amount(self._broken["clock_wrong"], "hours") if "clock_wrong" in self._broken else 0.0
        at = datetime.fromtimestamp(beat.at / 1000, UTC) + timedelta(hours=hours)
        text = SMS.get(beat.kind) or str(beat.data.get("text", "Jeg trenger hjelp"))
        self._modem.arrive(self._numbers[beat.device], text, at)


def _reader(devices: Sequence[Device], path: Path, world: World, secrets: Path) -> LineUnit:
    return ReaderUnit(devices[0], path, world, key_of(devices[0], secrets))


HARDWARE: Mapping[str, Callable[[Sequence[Device], Path, World, Path], LineUnit]] = {
    "enocean": StickUnit,
    "cabinet": CabinetUnit,
    "mobile_alarm": ModemUnit,
    "door_reader": _reader,
}
"""What is spoken on a line → the hardware at its port."""


def speaks(device: Device) -> str:
    """What is spoken on a device's line."""
    return "enocean" if device.type == "key_card" or device.family == "enocean" else device.type


def line_units(devices: Iterable[Device], data: Path, world: World) -> dict[str, LineUnit]:
    """Device id → the hardware it is behind; those that share a port share it. Raises KeyMissing."""
    units: dict[str, LineUnit] = {}
    ports: dict[str, list[Device]] = {}
    for device in devices:
        if device.type == "nurse_call":
            units[device.id] = NurseCallUnit(device, data, world)
        else:
            ports.setdefault(str(device.settings["address"]).partition("#")[0], []).append(device)
    for port, together in ports.items():
        unit = HARDWARE[speaks(together[0])](together, data / port, world, data / "gateway" / "secrets")
        units.update(dict.fromkeys((one.id for one in together), unit))
    return units
