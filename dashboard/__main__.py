"""`python -m dashboard`: one web process. `trygghub web` is the same."""

from __future__ import annotations

import asyncio
import socket
import sys

import structlog
import uvicorn

from dashboard.app import layered, make_app, make_web
from dashboard.live.epoch import ensure_epoch
from dashboard.live.feed import Feed
from hub.clock import Clock, clock_from_environment
from hub.process import run_process
from hub.settings import SettingError, WebSettings, read
from hub.store.engine import open_store
from hub.store.errors import StoreError

GRACE = 2
"""Seconds that open answers may take when the process is asked to stop."""
REFUSED = 2


class Server(uvicorn.Server):
    """Says good-bye to the open streams before it waits for them to end."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell the browsers, then stop."""
        self._feed.farewell()
        await super().shutdown(sockets)


async def run_web(settings: WebSettings, clock: Clock) -> None:
    """Serve until cancelled."""
    store = await open_store(settings.database_url, "centre")
    try:
        await ensure_epoch(store)
        web = make_web(store, clock)
        config = uvicorn.Config(
            layered(make_app(web, settings.broker)),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
            proxy_headers=True,
            lifespan="on",
        )
        await _serve(Server(config, web.feed), settings)
    finally:
        await store.close()


async def _serve(server: Server, settings: WebSettings) -> None:
    structlog.get_logger().info("serving", address=f"http://{settings.host}:{settings.port}/")
    serving = asyncio.create_task(server._serve(), name="serve")  # noqa: SLF001  serve() would take our signals
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    if not server.started:
        raise OSError(f"port {settings.port} on {settings.host} cannot be opened")


def main(argv: list[str]) -> int:
    """Read the settings and run; the answer is the exit code."""
    try:
        settings = read(WebSettings, argv, prog="trygghub web")
    except SettingError as wrong:
        sys.stderr.write(f"trygghub web: {wrong}\n")
        return REFUSED
    try:
        return run_process("web", lambda: run_web(settings, clock_from_environment()))
    except StoreError as wrong:
        sys.stderr.write(f"trygghub web: {wrong}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
