"""Ports for what a test starts later, or ends and starts again: no chance takes one away in between.

Outgoing connections get theirs from the system's range and never from below it; `trygghub run` picks its own below
FIRST. Every test process claims whole blocks by an abstract socket (unix(7)), which goes with the process, so that
workers and suites beside each other never get the same port.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

FIRST, BEHIND = 26_000, 32_700
BLOCK = 50
_claims: list[socket.socket] = []


def free_port() -> int:
    """A loopback port for TCP and UDP that nobody has now, and that no test is given twice."""
    port = next(_given, None)
    assert port is not None, f"no port from {FIRST} to {BEHIND} is left"
    return port


def _ports() -> Iterator[int]:
    blocks = range(FIRST, BEHIND, BLOCK)
    begin = os.getpid() % len(blocks)
    for first in (*blocks[begin:], *blocks[:begin]):
        if _claimed(first):
            yield from (port for port in range(first, first + BLOCK) if _is_free(port))


def _claimed(first: int) -> bool:
    if sys.platform != "linux":
        return True  # no abstract sockets there: the process id alone keeps suites apart
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0trygghub-test-ports-{first}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


_given = _ports()
