"""A web process in memory: the small municipality, a clock by hand, browsers that are httpx clients."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from dashboard.app import layered, make_app, make_web
from dashboard.web import Web
from hub.clock import ManualClock
from hub.store.engine import Store, open_store, sqlite_url

HERE = Path(__file__).parent
START = 1_768_460_400_000  # 2026-01-15T07:00:00Z, 08:00 in Oslo
BASE = "http://127.0.0.1:8420"


def load_cast() -> ModuleType:
    """The cast's file, which `tests/browser` uses as well."""
    spec = importlib.util.spec_from_file_location("dashboard_cast", HERE / "cast.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


CAST = load_cast()


@pytest.fixture(scope="session")
def empty_centre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for one migrated, empty database that every test copies."""
    return tmp_path_factory.mktemp("empty") / "centre.db"


@pytest.fixture
async def store(empty_centre: Path, tmp_path: Path) -> AsyncIterator[Store]:
    """A fresh database of the centre."""
    if not empty_centre.exists():
        await (await open_store(sqlite_url(empty_centre), "centre")).close()
    shutil.copy(empty_centre, tmp_path / "centre.db")
    opened = await open_store(sqlite_url(tmp_path / "centre.db"), "centre")
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """The homes' time: eight in the morning in Oslo."""
    return ManualClock(START)


@pytest.fixture
def real() -> ManualClock:
    """The machine's time, for sessions and links."""
    return ManualClock(START)


@pytest.fixture
async def town(store: Store, clock: ManualClock) -> Any:
    """The municipality with its people, devices and nothing going on."""
    return await CAST.settle_town(store, clock)


@pytest.fixture
def web(store: Store, clock: ManualClock, real: ManualClock) -> Web:
    """The web process; its feed looks when a test says so."""
    return make_web(store, clock, real, lambda: real.now() / 1000)


@pytest.fixture
def app(web: Web) -> ASGIApp:
    """The application inside its layers."""
    return layered(make_app(web))


@dataclass
class Browser:
    """A browser of one person, without script."""

    http: httpx.AsyncClient
    name: str = ""

    async def get(self, path: str, **more: Any) -> httpx.Response:
        """Open a page as a browser does."""
        return await self.http.get(path, headers={"accept": "text/html"} | more.pop("headers", {}), **more)

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form as a browser does."""
        return await self.http.post(path, data=fields, headers=FORM)

    async def ask(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form as live.js does."""
        return await self.http.post(path, data=fields, headers=FORM | {"accept": "application/json"})


FORM = {"accept": "text/html", "sec-fetch-site": "same-origin"}
SignIn = Callable[[str], Awaitable[Browser]]


@pytest.fixture
async def browser(app: ASGIApp) -> AsyncIterator[Callable[[], Browser]]:
    """Make browsers in which nobody is signed in."""
    async with AsyncExitStack() as stack:
        made: list[Browser] = []

        def make() -> Browser:
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            made.append(Browser(httpx.AsyncClient(transport=transport, base_url=BASE)))
            stack.push_async_callback(made[-1].http.aclose)
            return made[-1]

        yield make


@pytest.fixture
async def sign_in(town: Any, real: ManualClock, browser: Callable[[], Browser]) -> SignIn:
    """Sign a person in by a one-time link; gives their browser."""

    async def enter(staff: str) -> Browser:
        made = browser()
        made.name = staff
        token = await town.link(staff, real.now())
        answer = await made.post("/nb/sign-in", token=token)
        assert answer.status_code == 303
        return made

    return enter


@dataclass
class Ear:
    """One open stream of a browser: what came, as (event, data, id)."""

    heard: list[tuple[str, Any, str]] = field(default_factory=list)
    raw: bytes = b""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    hang_up: Callable[[], None] = lambda: None

    def of(self, event: str) -> list[Any]:
        """The data of every event of that name."""
        return [data for name, data, _ in self.heard if name == event]

    def take(self, content: bytes) -> None:
        """Cut bytes into events."""
        self.raw += content
        while b"\n\n" in self.raw:
            one, self.raw = self.raw.split(b"\n\n", 1)
            lines = dict(line.split(": ", 1) for line in one.decode().split("\n") if ": " in line)
            if "event" in lines:
                self.heard.append((lines["event"], json.loads(lines["data"]), lines.get("id", "")))


Listen = Callable[..., Awaitable[Ear]]


@pytest.fixture
async def listen(app: ASGIApp, web: Web) -> AsyncIterator[Listen]:
    """Open a stream with a browser's cookie, over ASGI itself, since it never ends."""
    ears: list[Ear] = []

    async def begin(who: Browser, path: str = "/nb/live", after: str | None = None) -> Ear:
        await web.feed.catch_up()
        ear = Ear()
        ears.append(ear)
        gone = asyncio.Event()
        ear.hang_up = gone.set
        cookie = "; ".join(f"{name}={value}" for name, value in who.http.cookies.items())
        place = web.feed.epoch + f"-{web.feed.seq}" if after is None else after
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": f"after={place}".encode(),
            "headers": [
                (b"cookie", cookie.encode()),
                (b"host", b"127.0.0.1:8420"),
                (b"accept-encoding", b"gzip"),
            ],
            "client": ("127.0.0.1", 5000),
            "server": ("127.0.0.1", 8420),
        }
        started = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                ear.status = message["status"]
                ear.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            else:
                ear.take(message["body"])
                started.set()

        ear.task = asyncio.create_task(app(scope, receive, send))  # type: ignore[arg-type]
        await started.wait()
        return ear

    yield begin
    for ear in ears:
        ear.hang_up()
        if ear.task:
            await ear.task


@pytest.fixture
def look(web: Web, real: ManualClock) -> Callable[[], Awaitable[None]]:
    """A second later the feed looks at the database, and everybody hears of it."""

    async def now() -> None:
        await real.advance(1)
        await web.feed.catch_up()
        for _ in range(10):
            await asyncio.sleep(0)

    return now
