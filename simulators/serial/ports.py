"""Serial ports that are not there: pty pairs under names that stay the same through every unplugging.

Rules learnt by measurement: the program's side is made raw before a byte is written, else the pty echoes; the
simulator keeps that side open while plugged in, else its own side spins; unplugging closes both and removes the
name; plugging in again makes a new pty under the same name. A port that was just opened drops what came
before, so hardware that must be heard speaks again.
"""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable
from pathlib import Path

from simulators.serial.cable import Cable

MAX_UNSENT = 65_536
"""Bytes that wait while the program does not read; beyond that they are lost, as on a wire."""


class Port:
    """One end of a cable whose other end a program opens at `path`. Use it inside a running event loop."""

    def __init__(self, path: Path, hear: Callable[[bytes], None], *, cable: Cable | None = None) -> None:
        self.path = path
        self.cable = cable or Cable()
        self._hear = hear
        self._master: int | None = None
        self._slave: int | None = None
        self._unsent = bytearray()
        self.lost = 0

    @property
    def plugged(self) -> bool:
        """Whether the name leads somewhere."""
        return self._master is not None

    def plug(self) -> None:
        """Make the pty and its name."""
        if self._master is not None:
            return
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._master, self._slave = master, slave
        self._name(os.ttyname(slave))
        loop = asyncio.get_running_loop()
        loop.add_reader(master, self._readable)
        self.cable.connect(to_program=self._put, to_unit=self._hear)

    def unplug(self) -> None:
        """Pull it out: the program's port fails at once."""
        if self._master is None or self._slave is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        self.cable.disconnect()
        self.path.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = None
        self._unsent.clear()

    def write(self, data: bytes) -> None:
        """Send towards the program, through the cable; into the air while unplugged."""
        if self._master is not None:
            self.cable.from_unit(data)

    def _name(self, target: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(self.path)

    def _readable(self) -> None:
        assert self._master is not None
        try:
            data = os.read(self._master, 4096)
        except (BlockingIOError, OSError):
            return
        self.cable.from_program(data)

    def _put(self, data: bytes) -> None:
        if self._master is None:
            return
        room = MAX_UNSENT - len(self._unsent)
        self.lost += max(0, len(data) - room)
        first = not self._unsent
        self._unsent += data[:room]
        if first:
            self._flush()

    def _flush(self) -> None:
        if self._master is None:
            return
        loop = asyncio.get_running_loop()
        try:
            sent = os.write(self._master, self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(self._unsent)
        del self._unsent[:sent]
        if self._unsent:
            loop.add_writer(self._master, self._flush)
        else:
            loop.remove_writer(self._master)
