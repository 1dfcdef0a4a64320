"""Free TCP ports on this machine: the one from last time if it can be had, else another."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from hub.settings import SettingError

PREFERRED_WEB = 8420
SEARCHED = 50
BACKLOG = 2048
OWN: Final = range(20_000, 26_000)
"""Where ports are picked that are kept for years."""
OUTGOING: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""The first and the last port that Linux gives to outgoing connections, ip(7); they are picked last."""


def free(host: str, wanted: int) -> bool:
    """Whether a listener could be opened here now. Raises SettingError for an address that is not ours."""
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as wrong:
            if wrong.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise SettingError(f"--host: nothing can listen on {host!r}: {wrong.strerror}") from None
    return True


def any_free(host: str = "127.0.0.1", but: Collection[int] = ()) -> int:
    """A port nobody has and none of these.

    It is listened on later, again after a crash and on the next start, so that it must not be one that the system
    gives to any outgoing connection in between. Only where there is no other does the system choose.
    """
    lowest, highest = _outgoing()
    quiet = [one for one in OWN if not lowest <= one <= highest and one not in but]
    for port in random.SystemRandom().sample(quiet, min(len(quiet), SEARCHED)):
        if _nobody_has(host, port):
            return port
    return _given_by_the_system(host)


def keep(last: int | None, host: str = "127.0.0.1", but: Collection[int] = ()) -> int:
    """Last time's port if it is free and none of these, else any."""
    return last if last and last not in but and free(host, last) else any_free(host, but)


def web_listener(host: str, asked: int | None, last: int | None) -> socket.socket:
    """Listen on the dashboard's port: as asked for, or refused; else last time's, else the first free one from 8420.

    It is held from here on, so that of two runs that start together each has its own.
    """
    if asked is not None:
        if (held := _listen(host, asked)) is not None:
            return held
        raise SettingError(
            f"--port: {asked} is in use on {host}; stop what listens there or name another port"
        )
    candidates = [last] if last else []
    candidates += range(PREFERRED_WEB, PREFERRED_WEB + SEARCHED)
    held = next((one for port in candidates if (one := _listen(host, port)) is not None), None)
    return held or socket.create_server((host, 0), family=_family(host), backlog=BACKLOG)


def _listen(host: str, wanted: int) -> socket.socket | None:
    """A socket that listens there, or None where somebody does. Raises SettingError for an address not ours."""
    if not free(host, wanted):
        return None
    try:
        return socket.create_server((host, wanted), family=_family(host), backlog=BACKLOG)
    except OSError as wrong:
        if wrong.errno == errno.EADDRINUSE:
            return None
        raise SettingError(f"--host: nothing can listen on {host!r}: {wrong.strerror}") from None


def _outgoing() -> tuple[int, int]:
    with suppress(OSError, ValueError):
        lowest, highest = map(int, OUTGOING.read_text(encoding="ascii").split())
        return lowest, highest
    return 32_768, 65_535


def _nobody_has(host: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(_family(host), kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def _given_by_the_system(host: str) -> int:
    with socket.socket(_family(host)) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
