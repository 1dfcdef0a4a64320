"""Free TCP ports on this machine: the one from last time if it can be had, else another."""

from __future__ import annotations

import errno
import socket

from hub.settings import SettingError

PREFERRED_WEB = 8420
SEARCHED = 50


def free(host: str, wanted: int) -> bool:
    """Whether a listener could be opened here now. Raises SettingError for an address that is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as wrong:
            if wrong.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise SettingError(f"--host: nothing can listen on {host!r}: {wrong.strerror}") from None
    return True


def any_free(host: str = "127.0.0.1") -> int:
    """A port the system gives us."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def keep(last: int | None, host: str = "127.0.0.1") -> int:
    """Last time's port if it is free, else any."""
    return last if last and free(host, last) else any_free(host)


def web_port(host: str, asked: int | None, last: int | None) -> int:
    """The dashboard's port: as asked for, or refused; else last time's, else the first free one from 8420."""
    if asked is not None:
        if free(host, asked):
            return asked
        raise SettingError(
            f"--port: {asked} is in use on {host}; stop what listens there or name another port"
        )
    candidates = [last] if last else []
    candidates += range(PREFERRED_WEB, PREFERRED_WEB + SEARCHED)
    for one in candidates:
        if free(host, one):
            return one
    return any_free(host)
