"""Ask a process on loopback whether it is ready."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

WITHIN = 2.0
"""Seconds for one answer."""
LONGEST = 1_048_576
"""Bytes of one answer."""


def http_ready(
    port: int, path: str = "/readyz", host: str = "127.0.0.1"
) -> Callable[[], Coroutine[Any, Any, bool]]:
    """Whether the process answers 200."""

    async def ask() -> bool:
        try:
            async with asyncio.timeout(WITHIN):
                return await _status(host, port, path) == 200
        except (OSError, TimeoutError, ValueError, IndexError):
            return False

    return ask


def written(path: Path) -> Callable[[], Coroutine[Any, Any, bool]]:
    """Whether somebody has written this file."""

    async def ask() -> bool:
        return path.is_file()  # noqa: ASYNC240  a look at a local file

    return ask


async def links_of(port: int, host: str = "127.0.0.1") -> dict[str, str]:
    """The links of a gateway and how each is; none where it does not answer or knows of no home yet."""
    try:
        async with asyncio.timeout(WITHIN):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(
                    f"GET /readyz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
                )
                _, _, body = (await reader.read(LONGEST)).partition(b"\r\n\r\n")
            finally:
                writer.close()
        told = json.loads(body)
        return {str(name): str(one["state"]) for name, one in told["links"].items()} if told["homes"] else {}
    except (OSError, TimeoutError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def listening_at(socket: Path) -> Callable[[], Coroutine[Any, Any, bool]]:
    """Whether somebody listens on this Unix socket."""

    async def ask() -> bool:
        try:
            async with asyncio.timeout(WITHIN):
                _, writer = await asyncio.open_unix_connection(str(socket))
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return ask


async def _status(host: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readline()
        return int(line.split()[1])
    finally:
        writer.close()
