"""`python -m dashboard`: one web process. `trygghub web` is the same."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from functools import partial

import structlog
import uvicorn
from starlette.types import ASGIApp

from dashboard.app import layered, make_app, make_web
from dashboard.live.epoch import ensure_epoch
from dashboard.live.feed import Feed
from hub.clock import Clock, clock_from_environment
from hub.life_sign import LifeSign
from hub.process import opening, run_process
from hub.settings import SettingError, WebSettings, read
from hub.store.engine import open_store

GRACE = 2
"""Seconds that open answers may take when the process is asked to stop."""
REFUSED = 2


class Server(uvicorn.Server):
    """Says when it serves, and good-bye to the open streams before it waits for them to end."""

    def __init__(self, config: uvicorn.Config, feed: Feed, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._feed = feed
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell the browsers, then stop."""
        self._feed.farewell()
        await super().shutdown(sockets)


async def run_web(settings: WebSettings, clock: Clock, sign: LifeSign) -> None:
    """Serve until cancelled. Raises SettingError when the port is taken, CannotStartError for the database."""
    with listening(settings.host, settings.port, settings.listener) as listener:
        with opening():
            store = await open_store(settings.database_url, "centre")
        try:
            await ensure_epoch(store)
            web = make_web(store, clock)
            app = layered(make_app(web, settings.broker))
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(sign.keep(), name="life sign")
                await _serve(Server(_config(app), web.feed, sign.ready), listener)
                keeping.cancel()
        finally:
            await store.close()


def listening(host: str, port: int, handed: int | None = None) -> socket.socket:
    """A socket that listens; opened first, so that a taken port is one sentence. handed: its descriptor."""
    if handed is not None:
        return _handed(handed)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as wrong:
        raise SettingError(
            f"--port: port {port} on {host} cannot be opened: {wrong.strerror or wrong}"
        ) from None


def _handed(descriptor: int) -> socket.socket:
    try:
        held = socket.socket(fileno=descriptor)
        if held.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return held
    except OSError as wrong:
        raise SettingError(f"--listener: {descriptor} is no socket: {wrong.strerror or wrong}") from None
    raise SettingError(f"--listener: the socket {descriptor} does not listen")


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        proxy_headers=True,
        lifespan="on",
    )


async def _serve(server: Server, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    structlog.get_logger().info("serving", address=f"http://{host}:{port}/")
    # uvicorn's own serve() would take the process's signals.
    serving = asyncio.create_task(server._serve([listener]), name="serve")  # noqa: SLF001
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


def main(argv: list[str]) -> int:
    """Read the settings and run; the answer is the exit code."""
    try:
        settings = read(WebSettings, argv, prog="trygghub web")
    except SettingError as wrong:
        sys.stderr.write(f"trygghub web: {wrong}\n")
        return REFUSED
    return run_process("web", partial(run_web, settings, clock_from_environment()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
