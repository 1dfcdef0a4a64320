"""Line settings and port names, as the registry writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serialx import Parity, StopBits

from drivers.settings import text

LINE: Final = text(30, form='written like "9600 8N1"', pattern=r" *[1-9][0-9]{1,6} +[78][NEOneo][12] *")
"""What a device's setting `line` looks like."""

_PARITY: Final = {"N": Parity.NONE, "E": Parity.EVEN, "O": Parity.ODD}
_STOP: Final = {"1": StopBits.ONE, "2": StopBits.TWO}


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Speed in baud, data bits, parity (N, E, O) and stop bits of a serial line."""

    baud: int
    bits: int
    parity: Parity
    stop: StopBits

    @property
    def doubt(self) -> str:
        """What to look at where bytes come and none of them can be read."""
        parity = next(letter for letter, one in _PARITY.items() if one is self.parity)
        stop = next(digit for digit, one in _STOP.items() if one is self.stop)
        written = f"{self.baud} {self.bits}{parity}{stop}"
        return f"bytes come and none can be read: does the other side speak {written}?"

    @classmethod
    def parse(cls, said: object) -> LineSettings:
        """Read `9600 8N1`. Raises ValueError with a sentence; there is no default, a guess would be noise."""
        found = re.fullmatch(r"([1-9][0-9]{1,6}) +([78])([NEO])([12])", str(said).strip().upper())
        if not found:
            raise ValueError(f'a serial line is written like "9600 8N1" or "1200 7E2", not {said!r:.40}')
        baud, bits, parity, stop = found.groups()
        return cls(int(baud), int(bits), _PARITY[parity], _STOP[stop])


def port_of(address: str) -> str:
    """The port of a device address: `nurse-call`, or `cabinet` of `cabinet#3` (unit 3 on a shared line)."""
    return address.rpartition("#")[0] if "#" in address else address


def unit_of(address: str) -> str:
    """The unit of a device address on a shared line; empty where the line has one device."""
    return address.rpartition("#")[2] if "#" in address else ""


def port_url(port: str, root: Path) -> str:
    """What to open: a URL or an absolute path as it is, a relative path inside the serial folder.

    Raises ValueError for a relative path that leaves the folder.
    """
    if "://" in port or port.startswith("/"):
        return port
    if ".." in Path(port).parts:
        raise ValueError(f"a serial port is a path inside the serial folder, not {port!r:.80}")
    return str(root / port)
