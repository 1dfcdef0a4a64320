"""A child's output: every line to a file, trouble also to the console in one short line."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

LARGEST = 10_000_000
"""Bytes of one log file; then it becomes `….log.1`, of which one is kept."""
SAME_LINE_EVERY = 30.0
"""Seconds before the same complaint is shown again."""
WIDEST = 200

OUR_OWN_CHECK = '"check-'
"""Part of the client id with which we try at start what a broker must refuse; its complaints are as it should be."""
ALWAYS_THERE = {"event", "level", "timestamp", "process", "logger", "exception"}


class LogFile:
    """Follows one child's output. tell: shows a line at the console."""

    def __init__(self, name: str, path: Path, tell: Callable[[str], None]) -> None:
        self.name = name
        self.path = path
        self.last = ""
        self._tell = tell
        self._shown: dict[str, float] = {}

    async def follow(self, stream: asyncio.StreamReader | None) -> None:
        """Read until the stream ends."""
        assert stream is not None
        while raw := await self._line(stream):
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self._write(line)
            if line.strip():
                self.last = line
                self._perhaps_show(line)

    @staticmethod
    async def _line(stream: asyncio.StreamReader) -> bytes:
        try:
            return await stream.readline()
        except ValueError:  # a line longer than the limit was dropped
            return b"(a line was too long to keep)\n"

    def _write(self, line: str) -> None:
        with self._open() as file:
            file.write(line + "\n")

    def _open(self) -> TextIO:
        if self.path.exists() and self.path.stat().st_size > LARGEST:
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        return self.path.open("a", encoding="utf-8")

    def _perhaps_show(self, line: str) -> None:
        if (short := trouble(line)) is None:
            return
        now = time.monotonic()
        if now - self._shown.get(short, -SAME_LINE_EVERY) >= SAME_LINE_EVERY:
            self._shown = {one: at for one, at in self._shown.items() if now - at < SAME_LINE_EVERY}
            self._shown[short] = now
            self._tell(f"{self.name}: {short}"[:WIDEST])


def trouble(line: str) -> str | None:
    """The gist of a line that a person should see: warnings and errors, whoever wrote them; else None."""
    if line.startswith("{"):
        return _structured(line)
    if OUR_OWN_CHECK in line:
        return None
    if any(mark in line for mark in ("[ERR]", "[FTL]", ": Error:", "Traceback (most", "trygghub ")):
        return line
    return None


def _structured(line: str) -> str | None:
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    if said.get("level") not in {"warning", "error", "critical"}:
        return None
    rest = " ".join(f"{name}={value}" for name, value in said.items() if name not in ALWAYS_THERE)
    return f"{said.get('event', '')} {rest}".strip()
