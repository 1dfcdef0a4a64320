"""One opened serial port: serialx with its errors said in one way."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, Final

import serialx

from drivers.links.link import LinkDown
from drivers.links.serial_settings import LineSettings

READ_SIZE: Final = 4096
MAX_UNWRITTEN: Final = 65_536
"""Bytes the device may leave unread; beyond that it has stopped reading and the port is closed."""
OPEN_WITHIN: Final = 15.0
CLOSE_WITHIN: Final = 2.0


@dataclass(slots=True)
class SerialPort:
    """An open port. lost: why it was given up, empty while it is good."""

    name: str
    reader: asyncio.StreamReader
    writer: Any
    lost: str = ""

    async def read(self) -> bytes:
        """The next bytes. Raises LinkDown when the port is gone."""
        try:
            data = await self.reader.read(READ_SIZE)
        except OSError as wrong:
            raise LinkDown(self.lost or f"{self.name} was unplugged: {wrong.strerror or wrong}") from None
        if not data:
            raise LinkDown(self.lost or f"{self.name} was closed by the other side")
        return data

    def write(self, data: bytes) -> None:
        """Send; a port that cannot be written to is lost, which the next `read` says."""
        if self.lost:
            return
        try:
            self.writer.write(data)
        except OSError as wrong:
            self.lose(f"{self.name} was unplugged: {wrong.strerror or wrong}")
            return
        if self.writer.transport.get_write_buffer_size() > MAX_UNWRITTEN:
            self.lose(f"{self.name} stopped reading")

    def lose(self, reason: str) -> None:
        """Give the port up."""
        if not self.lost:
            self.lost = reason
            self.writer.transport.abort()

    async def close(self) -> None:
        """Close, without waiting for ever."""
        self.writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self.writer.wait_closed()


async def open_port(name: str, url: str, line: LineSettings) -> SerialPort:
    """Open a port. Raises LinkDown with the reason."""
    try:
        async with asyncio.timeout(OPEN_WITHIN):
            reader, writer = await serialx.open_serial_connection(
                url=url, baudrate=line.baud, byte_size=line.bits, parity=line.parity, stopbits=line.stop
            )
    except TimeoutError:
        raise LinkDown(f"{name} did not open within {OPEN_WITHIN:g} s") from None
    except FileNotFoundError:
        raise LinkDown(f"{name} is not there") from None
    except Exception as wrong:
        raise LinkDown(f"{name} could not be opened: {wrong}") from wrong
    return SerialPort(name, reader, writer)
