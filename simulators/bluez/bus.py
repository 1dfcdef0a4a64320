"""A D-Bus daemon of our own: no system bus is touched, and nobody else is on it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
START_WITHIN = 10.0
END_WITHIN = 5.0


class BusMissing(Exception):  # noqa: N818 - it says what is so
    """There is no dbus-daemon on this machine."""


class PrivateBus:
    """Runs a dbus-daemon; `address` is what DBUS_SYSTEM_BUS_ADDRESS must be for its clients.

    socket: where it listens, so that others may know it before; a folder of its own in the temporary one if not said.
    """

    def __init__(self, socket: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="trygghub-bus-"))
        self._socket = socket or self._folder / "bus"
        self._daemon: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"unix:path={self._socket}"

    async def start(self) -> None:
        """Start the daemon and wait until it listens. Raises BusMissing."""
        program = shutil.which("dbus-daemon")
        if program is None:
            raise BusMissing("dbus-daemon is not installed (Debian package dbus-daemon)")
        self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)  # left by one that was killed
        configuration = self._folder / "bus.conf"
        configuration.write_text(CONFIGURATION.format(socket=self._socket), encoding="utf-8")
        self._daemon = await asyncio.create_subprocess_exec(
            program,
            f"--config-file={configuration}",
            "--nofork",
            "--nopidfile",
            "--print-address",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self._daemon.stdout is not None
        async with asyncio.timeout(START_WITHIN):
            if not await self._daemon.stdout.readline():
                raise BusMissing("dbus-daemon ended before it listened")

    async def stop(self) -> None:
        """End the daemon and remove its folder."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None and daemon.returncode is None:
            daemon.terminate()
            async with asyncio.timeout(END_WITHIN):
                await daemon.wait()
        self._socket.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)
