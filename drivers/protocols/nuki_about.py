"""What a Nuki Smart Lock says of itself to who installs it: its configuration and how its battery does.

Smart Lock API 2.2: Config (0x0015) and Battery Report (0x0011). Firmwares append fields; what is missing is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.events import DecodeError

CONFIG_BYTES = 71  # to the hardware revision
REPORT_BYTES = 9  # to the lowest voltage is more; to the voltages is enough


@dataclass(frozen=True, slots=True)
class Config:
    """name: in the maker's app. firmware: `3.5.4`. pairing: whether holding the button may pair."""

    number: str
    name: str
    firmware: str
    pairing: bool
    keypad: bool
    fob: bool


@dataclass(frozen=True, slots=True)
class Battery:
    """volts: of all cells together."""

    volts: float
    critical: bool


def config(payload: bytes) -> Config:
    """Read a configuration. Raises DecodeError."""
    if len(payload) < CONFIG_BYTES:
        raise DecodeError(
            f"a Nuki lock's configuration has at least {CONFIG_BYTES} bytes, not {len(payload)}"
        )
    name = payload[4:36].partition(b"\0")[0].decode("utf-8", "replace").strip()
    return Config(
        number=f"{int.from_bytes(payload[:4], 'little'):08X}",
        name="".join(letter for letter in name if letter.isprintable()),
        firmware=".".join(map(str, payload[66:69])),
        pairing=bool(payload[45]),
        keypad=bool(payload[65]),
        fob=bool(payload[59]),
    )


def battery(payload: bytes) -> Battery:
    """Read a battery report. Raises DecodeError."""
    if len(payload) < REPORT_BYTES:
        raise DecodeError(
            f"a Nuki lock's battery report has at least {REPORT_BYTES} bytes, not {len(payload)}"
        )
    return Battery(int.from_bytes(payload[2:4], "little") / 1000, bool(payload[4]))
