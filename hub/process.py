"""Run one asyncio process to its end: logging, the event loop, signs of life, and stopping on SIGTERM or SIGINT.

A process is asked to stop by cancelling its main coroutine, which then has a few seconds to leave in order;
nothing that matters depends on it (a SIGKILL at any moment loses nothing that was acknowledged).
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from hub import log
from hub.life_sign import LifeSign, life_sign
from hub.settings import SettingError
from hub.store.errors import MAY_PASS, StoreError

GRACE = 4.5
"""Seconds an orderly end may take; then the process ends as if it had been killed."""

SETTING_REFUSED = 2
"""Exit code for settings that cannot be used; starting again would not help."""

START_FAILED = 1
"""Exit code for a start that may go better later, as when the database server is still away."""

Main = Callable[[LifeSign], Coroutine[Any, Any, None]]
"""What a process does. It says by the life sign it is handed when it is at work, and keeps giving signs."""


class CannotStartError(Exception):
    """Why a process cannot start, in one sentence. again: whether a later start may go better."""

    def __init__(self, sentence: str, *, again: bool = False) -> None:
        super().__init__(sentence)
        self.again = again


@contextmanager
def opening() -> Iterator[None]:
    """Around what opens a database at the start: what is wrong with it is all there is to say."""
    try:
        yield
    except StoreError as error:
        raise CannotStartError(str(error), again=isinstance(error, MAY_PASS)) from None


def run_process(name: str, main: Main) -> int:
    """Run `main` until it ends or somebody asks it to; the answer is the exit code."""
    log.configure(name)
    faulthandler.enable()  # where a process hung that a watchdog ends by SIGABRT
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_told(name, main))


async def _until_told(name: str, main: Main) -> int:
    say = structlog.get_logger()
    sign = life_sign()
    task = asyncio.create_task(main(sign), name=name)
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def stop() -> None:
        asked.set()
        sign.stopping()
        task.cancel()
        loop.call_later(GRACE, _end_now)

    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
    except Exception as several:
        fault = first_of(several)
        if isinstance(fault, SettingError | CannotStartError):
            sys.stderr.write(f"trygghub {name}: {fault}\n")
            return START_FAILED if isinstance(fault, CannotStartError) and fault.again else SETTING_REFUSED
        say.error("the process ends because of a fault", fault=str(fault) or repr(fault), exc_info=several)
        return 1
    say.info("stopped")
    return 0


def first_of(fault: BaseException) -> BaseException:
    """The first real fault inside groups of faults."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return fault


def _end_now() -> None:
    os.write(2, f"not stopped after {GRACE} s; ending now\n".encode())
    os._exit(1)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  # not there on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop
