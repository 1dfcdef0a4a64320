"""One child process: start, wait until it is ready, write its output to a file, restart when it dies, stop.

A child is asked with SIGTERM and ended with SIGKILL if it does not go in time. Should the supervisor itself be
killed, the kernel tells each child (PR_SET_PDEATHSIG on Linux), so that nothing is left behind holding ports.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.supervisor.log_file import LogFile

BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
"""Real seconds before the n-th restart in a row."""
STEADY = 30.0
"""Seconds a child must live before its next end counts as the first."""
STOP_WITHIN = 6.0
"""Seconds a child has to stop; its own limit is 5."""
MOST_FALSE_STARTS = 6
"""Starts of a child that never got ready, after which the run gives up and says so."""
SETTING_REFUSED = 2
"""Exit code of a process that did not understand its settings: starting it again would not help."""
LONGEST_LINE = 65_536

PR_SET_PDEATHSIG = 1

Tell = Callable[[str], None]
Ready = Callable[[], Awaitable[bool]]


class ChildFailed(Exception):  # noqa: N818  it says what is so
    """A child that cannot be started at all; the text is its own last word."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What to start. environment: added to ours. ready: asked until it says yes; None for ready at once.

    handed: open file descriptors it inherits under the same numbers.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    ready: Ready | None = None
    handed: tuple[int, ...] = ()


class Child:
    """A process kept alive. log: its output. tell: one short line for the console."""

    def __init__(self, spec: Spec, log: Path, tell: Tell) -> None:
        self.spec = spec
        self.starts = 0
        self.ready = asyncio.Event()
        self.log_path = log
        self._log = LogFile(spec.name, log, tell)
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self.stopping = False
        self._was_ready = spec.ready is None

    @property
    def pid(self) -> int | None:
        """The running process's id."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def keep(self) -> None:
        """Start it, and again whenever it ends, until cancelled or stopped. Raises ChildFailed."""
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            code = await self._live()
            if self.stopping:
                return
            if code == SETTING_REFUSED:
                raise ChildFailed(self._log.last or f"{self.spec.name} refused its settings")
            if not self._was_ready and self.starts >= MOST_FALSE_STARTS:
                raise ChildFailed(
                    f"{self.spec.name} ended {self.starts} times before it was ready; see {self.log_path}"
                )
            failures = 0 if loop.time() - began > STEADY else failures + 1
            wait = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
            self._tell(f"{self.spec.name} ended ({_how(code)}); starting it again")
            await asyncio.sleep(wait)

    async def await_ready(self) -> None:
        """Return once it is ready."""
        await self.ready.wait()

    def ask_to_stop(self) -> None:
        """Let it know that it is time."""
        self.stopping = True
        self._signal(signal.SIGTERM)

    async def stop(self) -> None:
        """Ask it to stop and see to it that it has."""
        self.ask_to_stop()
        process = self._process
        if process is None:
            return
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await process.wait()
        except TimeoutError:
            self._tell(f"{self.spec.name} does not stop; ending it")
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """End it at once."""
        self.stopping = True
        self._signal(signal.SIGKILL)

    async def _live(self) -> int:
        """One life, from start to end; the answer is its exit code."""
        self._process = await asyncio.create_subprocess_exec(
            *self.spec.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**_clean(os.environ), **self.spec.environment},
            pass_fds=self.spec.handed,
            start_new_session=True,  # Ctrl-C at the terminal is ours to pass on, in order
            preexec_fn=_end_with_parent(),
            limit=LONGEST_LINE,
        )
        self.starts += 1
        becoming = asyncio.create_task(self._become_ready())
        try:
            await self._log.follow(self._process.stdout)
            return await self._process.wait()
        finally:
            becoming.cancel()
            self.ready.clear()

    async def _become_ready(self) -> None:
        while self.spec.ready is not None and not await self.spec.ready():  # noqa: ASYNC110  nobody tells us
            await asyncio.sleep(0.05)
        self._was_ready = True
        self.ready.set()

    def _signal(self, which: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(which)


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Our environment without settings: a child gets those meant for it and no others, log level excepted."""
    keep = {"TRYGGHUB_LOG"}
    return {
        name: value for name, value in environment.items() if not name.startswith("TRYGGHUB_") or name in keep
    }


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _end_with_parent() -> Callable[[], None] | None:
    """For the moment between fork and exec: ask the kernel for SIGTERM when our parent dies."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask
