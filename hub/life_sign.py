"""Signs of life for whoever started this process and watches it: sd_notify(3) and its watchdog.

Under systemd's `Type=notify` a process says when it is at work, with `WatchdogSec=` that it still is, and when it
begins to stop. Each is one datagram to the socket that NOTIFY_SOCKET names; without that nothing is said. A process
that falls silent is ended with SIGABRT, says where it hung (faulthandler), and is started again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

SIGNS_IN_TIME = 4
"""Signs within the time after which silence counts as death: one or two may come late."""

Proof = Callable[[], Awaitable[None]]


async def the_loop_turns() -> None:
    """The proof that needs no more: whoever gets to run it is not stuck."""


@dataclass(frozen=True, slots=True)
class LifeSign:
    """Where signs go. address: a socket's path, `@…` in the abstract space, empty where nobody listens.

    within: seconds of silence that count as death; 0 where nobody watches.
    """

    address: str = ""
    within: float = 0.0

    def ready(self, status: str = "") -> None:
        """At work from now on; the watch begins. status: a few words for `systemctl status`."""
        self._say("READY=1", *([f"STATUS={status}"] if status else ()))

    def stopping(self) -> None:
        """The end has begun and is in order; the watch is over."""
        self._say("STOPPING=1")

    async def keep(self, proof: Proof = the_loop_turns) -> None:
        """Give a sign each time `proof` has come back, until cancelled; nothing to do where nobody watches."""
        while self.within:
            await proof()
            self._say("WATCHDOG=1")
            await asyncio.sleep(self.within / SIGNS_IN_TIME)

    def _say(self, *words: str) -> None:
        if not self.address:
            return
        where = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
            try:
                out.sendto("\n".join(words).encode(), where)
            except OSError:
                return  # who should listen is gone or busy; the next sign follows


def life_sign(environment: Mapping[str, str] = os.environ, pid: int | None = None) -> LifeSign:
    """The signs that the environment asks of this very process; what cannot be read asks for none."""
    address = environment.get("NOTIFY_SOCKET", "")
    meant = environment.get("WATCHDOG_PID", "")
    micros = environment.get("WATCHDOG_USEC", "")
    watched = meant in {"", str(pid or os.getpid())} and micros.isascii() and micros.isdigit()
    return LifeSign(address if address[:1] in {"/", "@"} else "", int(micros) / 1e6 if watched else 0.0)
