"""Debian's Chromium, driven through Playwright, against a real web process on a real database."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from sqlalchemy import update
from sqlmodel import select

from dashboard.auth.cookie import LOCAL
from dashboard.auth.sessions import open_session
from hub.clock import SystemClock
from hub.store.centre_tables import Alert, Change
from hub.store.engine import Store, open_store, sqlite_url
from tests.ports import free_port

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LAPTOP, PHONE = {"width": 1366, "height": 850}, {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here drives the browser, and all share one event loop with it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.xdist_group("browser"))


def load_cast() -> ModuleType:
    """The cast of the dashboard's tests."""
    spec = importlib.util.spec_from_file_location("dashboard_cast", HERE.parent / "dashboard" / "cast.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


CAST = load_cast()
expect.set_options(timeout=30_000)  # Playwright gives a page five seconds, which a busy machine may need


# ---------------------------------------------------------------- the web process


@dataclass
class House:
    """One database and the web process on it, which can be stopped, frozen and started again."""

    folder: Path
    store: Store
    town: Any
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where browsers go."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the process and wait until it is ready."""
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dashboard", "--data", str(self.folder), "--port", str(self.port)],
            env={key: value for key, value in os.environ.items() if not key.startswith("TRYGGHUB_")}
            | {"TRYGGHUB_LOG": "error"},
        )
        deadline = time.monotonic() + 60
        async with httpx.AsyncClient() as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{self.address}/readyz")).status_code == 200:
                        return
                assert self.process.poll() is None, "the web process ended at its start"
                assert time.monotonic() < deadline, "the web process is not ready after 60 s"
                await asyncio.sleep(0.05)

    def freeze(self) -> None:
        """Let it hang as it is, with every connection open."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run again."""
        os.kill(self._pid, signal.SIGCONT)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End this one process."""
        if self.process is None or self.process.poll() is not None:
            return
        self.thaw()
        self.process.send_signal(how)
        try:
            await asyncio.to_thread(self.process.wait, 6)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def _pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def session_of(self, staff: str) -> str:
        """Begin a web session; gives the cookie. (Signing in by hand is a test of its own.)"""
        async with self.store.writing() as session:
            return await open_session(session, staff, SystemClock().now(), "test")

    async def calm(self) -> None:
        """Close every alarm, so that the next test begins with an empty list."""
        now = SystemClock().now()
        async with self.store.writing() as session:
            rows = (await session.exec(select(Alert).where(Alert.handling != "resolved"))).all()
            closed = update(Alert).values(
                handling="resolved", version=Alert.version + 1, handled=Alert.version + 1, resolved_at=now
            )
            await session.exec(closed.where(Alert.handling != "resolved"))
            for row in rows:
                session.add(Change(at=now, subject="alert", ref=str(row.id), home=row.home, zone=row.zone))


async def make_house(folder: Path) -> House:
    """A fresh database with the cast in it, and the web process on it."""
    store = await open_store(sqlite_url(folder / "centre" / "centre.db"), "centre")
    house = House(folder, store, await CAST.settle_town(store, SystemClock()))
    await house.start()
    return house


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The house in which tests live that leave the process alone."""
    house = await make_house(tmp_path_factory.mktemp("house"))
    yield house
    await house.stop()
    await house.store.close()


@pytest_asyncio.fixture(loop_scope="session")
async def house(shared_house: House) -> AsyncIterator[House]:
    """The shared house, with an empty list of alarms."""
    await shared_house.calm()
    yield shared_house
    await shared_house.calm()


@pytest_asyncio.fixture(loop_scope="session")
async def own_house(tmp_path: Path) -> AsyncIterator[House]:
    """A house of one's own, to stop and freeze."""
    house = await make_house(tmp_path)
    yield house
    await house.stop()
    await house.store.close()


# ---------------------------------------------------------------- a wire that can be cut


@dataclass
class Wire:
    """A TCP relay between browser and web process; all its connections can be cut at once."""

    target: int
    port: int = 0
    server: asyncio.Server | None = None
    pairs: set[asyncio.StreamWriter] = field(default_factory=set)

    async def open(self) -> None:
        """Begin to relay."""
        self.server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.pairs |= {writer, far_writer}
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            self.pairs -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while content := await reader.read(65536):
                writer.write(content)
                await writer.drain()
        writer.close()

    def cut(self) -> int:
        """Break every connection without a word; gives how many there were."""
        broken = len(self.pairs) // 2
        for writer in list(self.pairs):
            writer.transport.abort()
        return broken


@pytest_asyncio.fixture(loop_scope="session")
async def wire(house: House) -> AsyncIterator[Wire]:
    """A wire to the shared house."""
    made = Wire(house.port)
    await made.open()
    yield made
    made.cut()
    assert made.server is not None
    made.server.close()


# ---------------------------------------------------------------- browsers


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Debian's Chromium; without it these tests say so."""
    found = CHROMIUM if Path(CHROMIUM).exists() else shutil.which("chromium")
    if found is None:
        reason = "Chromium is not installed (apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(chromium_path: str) -> AsyncIterator[Browser]:
    """One browser for the whole run; each test has contexts of its own."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium_path, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@dataclass
class Person:
    """A person at a browser window."""

    page: Page
    context: BrowserContext
    address: str

    async def open(self, path: str, page: Page | None = None) -> Page:
        """Go to a page and wait until it is live."""
        page = page or self.page
        await page.goto(self.address + path)
        await page.wait_for_selector("#conn[data-state=live]", timeout=60_000)
        return page

    async def another_tab(self, path: str) -> Page:
        """A further tab of the same browser."""
        return await self.open(path, await self.context.new_page())


Enter = Callable[..., Awaitable[Person]]


@pytest_asyncio.fixture(loop_scope="session")
async def enter(chromium: Browser) -> AsyncIterator[Enter]:
    """Sign a person in; a script that breaks or a policy that is violated fails the test at its end."""
    wrong: list[str] = []
    async with AsyncExitStack() as stack:

        async def sign_in(house: House, staff: str = "nils", address: str = "", **options: Any) -> Person:
            settings = {"locale": "nb-NO", "timezone_id": "Europe/Oslo", "viewport": LAPTOP} | options
            context = await chromium.new_context(**settings)
            stack.push_async_callback(context.close)
            context.on("weberror", lambda error: wrong.append(f"script error: {error.error}"))
            context.on("console", lambda line: _note(line.text, wrong))
            address = address or house.address
            cookie = {"name": LOCAL, "value": await house.session_of(staff), "url": address}
            await context.add_cookies([cookie | {"httpOnly": True, "sameSite": "Lax"}])
            page = await context.new_page()
            return Person(page, context, address)

        yield sign_in
    assert not wrong, "\n".join(wrong)


@pytest_asyncio.fixture(loop_scope="session")
async def scriptless(chromium_path: str) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """A browser that runs no script at all; switching it off in a context would still hide `noscript`."""
    async with async_playwright() as play, AsyncExitStack() as stack:
        off = (*ARGUMENTS, "--blink-settings=scriptEnabled=false")
        browser = await play.chromium.launch(executable_path=chromium_path, args=list(off))
        stack.push_async_callback(browser.close)

        async def sign_in(house: House, staff: str) -> Page:
            context = await browser.new_context(locale="nb-NO", viewport=LAPTOP)
            cookie = {"name": LOCAL, "value": await house.session_of(staff), "url": house.address}
            await context.add_cookies([cookie])
            return await context.new_page()

        yield sign_in


def _note(text: str, wrong: list[str]) -> None:
    if "Content Security Policy" in text or "Uncaught" in text:
        wrong.append(text)


@pytest.fixture(scope="session")
def axe_source() -> str:
    """The accessibility checker."""
    return (HERE / "vendor" / "axe.min.js").read_text("utf-8")


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    """Ask again until an answer is as wanted; polls because a browser cannot be waited for otherwise."""

    async def ask(
        question: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool], seconds: float = 30.0
    ) -> Any:
        deadline = time.monotonic() + seconds
        while not wanted(answer := await question()):
            assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
            await asyncio.sleep(0.02)
        return answer

    return ask
