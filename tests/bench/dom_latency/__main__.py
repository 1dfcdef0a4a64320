"""From the commit of a changed alert to its row in the browser's DOM, at 1, 50 and 200 changes a second.

A web process, a Mosquitto for hints, Debian's Chromium with 200 live rows, and this process as the centre: it
changes alerts at seeded Poisson moments (90 % updates, 5 % new, 5 % closed), commits, and sends the hint. The
page notes when each version stands in its DOM; both clocks are this machine's. The reference is a bare round
trip of the same page to the same server, measured in the same run.

    python tests/bench/dom_latency [SECONDS] [RATE …]
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
from playwright.async_api import Page, async_playwright

from dashboard.auth.cookie import LOCAL
from dashboard.auth.sessions import open_session
from drivers.links.mqtt_client import MqttClient, NotConnected
from hub.clock import SystemClock
from hub.store.centre_tables import Alert, Change
from hub.store.engine import Store, open_store, sqlite_url
from hub.uplink.messages import HINT_TOPIC

SECONDS = 15.0
RATES = (1.0, 50.0, 200.0)
ROWS = 200
SEED = 20260115
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
)

NOTE = """() => {
  window.arrived = {};
  const note = (key) => { window.arrived[key] ??= Date.now(); };
  const shown = (row) => { if (row.dataset?.ver) note(`${row.id.slice(1)}:${row.dataset.ver}`); };
  new MutationObserver((all) => {
    for (const one of all) {
      one.addedNodes.forEach(shown);
      shown(one.target);
      one.removedNodes.forEach((row) => { if (row.dataset?.ver) note(`${row.id.slice(1)}:gone`); });
    }
  }).observe(document.getElementById("rows"),
             { childList: true, subtree: true, attributes: true, attributeFilter: ["data-ver"] });
}"""
ROUND_TRIP = """async () => {
  const waits = [];
  for (let n = 0; n < 40; n++) {
    const begun = performance.now();
    await fetch("/healthz");
    waits.push(performance.now() - begun);
  }
  return waits.sort((a, b) => a - b)[20];
}"""


def load_cast() -> ModuleType:
    """The municipality of the dashboard's tests."""
    path = Path(__file__).parents[2] / "dashboard" / "cast.py"
    spec = importlib.util.spec_from_file_location("dashboard_cast", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def free_port() -> int:
    """A TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def fill(store: Store) -> None:
    """Two hundred open alarms in zone Nord."""
    now = SystemClock().now()
    async with store.writing() as session:
        for number in range(ROWS):
            session.add(alert(number, now - number * 1000))


def alert(number: int, at: int) -> Alert:
    """One open alarm, as the centre writes it."""
    urgency = ("critical", "high", "moderate")[number % 3]
    words = {"nb": f"Ytterdøren står åpen {number}", "en": f"The front door stands open {number}"}
    return Alert(
        rule=f"bench {number}",
        key="h1",
        home="h1",
        zone="nord",
        device="lock-1",
        kind="door.opened",
        urgency=urgency,
        queue="care",
        chain=urgency,
        says=words,
        at=at,
        heard=at,
        opened=at,
        last_at=at,
    )


class Centre:
    """Changes alerts one by one, each in a transaction of its own, and notes when it was committed."""

    def __init__(self, path: Path, client: MqttClient) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._client = client
        self._draw = random.Random(SEED)
        self._next = ROWS
        self.committed: dict[str, float] = {}

    def open_ids(self) -> list[int]:
        """The open alerts."""
        rows = self._database.execute("SELECT id FROM alert WHERE handling <> 'resolved'")
        return [number for (number,) in rows]

    async def change(self) -> None:
        """One change, committed, then hinted at."""
        key, seq = self._write()
        self.committed[key] = time.time() * 1000
        try:
            await self._client.publish(HINT_TOPIC, b'{"seq":%d}' % seq, qos=0)
        except NotConnected:
            return

    def _write(self) -> tuple[str, int]:
        run, chance = self._database.execute, self._draw.random()
        run("BEGIN IMMEDIATE")
        ids = self.open_ids()
        number = self._draw.choice(ids)
        key = ""
        if chance < 0.05:
            row = alert(self._next, SystemClock().now())
            self._next += 1
            columns = [column for column in Alert.__table__.columns if column.name != "id"]
            values = [column.type.bind_processor(_dialect())(getattr(row, column.name))
                      if column.type.bind_processor(_dialect()) else getattr(row, column.name)
                      for column in columns]  # fmt: skip
            names = ", ".join(f'"{column.name}"' for column in columns)
            cursor = run(f"INSERT INTO alert ({names}) VALUES ({', '.join('?' * len(columns))})", values)
            number = int(cursor.lastrowid or 0)
            key = f"{number}:1"
        elif chance < 0.10 and len(ids) > ROWS // 2:
            run("UPDATE alert SET handling='resolved', version=version+1 WHERE id=?", (number,))
            key = f"{number}:gone"
        else:
            run("UPDATE alert SET count=count+1, version=version+1 WHERE id=?", (number,))
            [(version,)] = run("SELECT version FROM alert WHERE id=?", (number,)).fetchall()
            key = f"{number}:{version}"
        written = run(
            "INSERT INTO change (at, subject, ref, home, zone) VALUES (?, 'alert', ?, 'h1', 'nord')",
            (SystemClock().now(), str(number)),
        )
        run("COMMIT")
        return key, int(written.lastrowid or 0)


def _dialect() -> Any:
    from sqlalchemy.dialects import sqlite

    return sqlite.dialect()


async def storm(centre: Centre, rate: float, seconds: float) -> None:
    """Changes at Poisson moments."""
    draw = random.Random(SEED + int(rate))
    loop = asyncio.get_running_loop()
    planned = loop.time()
    end = planned + seconds
    while planned < end:
        await asyncio.sleep(max(0.0, planned - loop.time()))
        await centre.change()
        planned += draw.expovariate(rate)


async def measure(page: Page, centre: Centre, rate: float, seconds: float) -> str:
    """One rate: a line of the table."""
    reference = float(await page.evaluate(ROUND_TRIP))
    await page.evaluate(NOTE)
    centre.committed.clear()
    await storm(centre, rate, seconds)
    await page.wait_for_timeout(1500)
    arrived: dict[str, float] = await page.evaluate("window.arrived")
    # Versions that were overtaken within one batch never stand in the DOM; what counts is what was shown.
    waits = sorted(arrived[key] - at for key, at in centre.committed.items() if key in arrived)
    p50, p95, p99 = (waits[min(len(waits) - 1, int(share * len(waits)))] for share in (0.5, 0.95, 0.99))
    return (
        f"{rate:>8g} {len(centre.committed):>8} {len(waits):>7} {p50:>8.0f} {p95:>8.0f} {p99:>8.0f} {waits[-1]:>8.0f}"
        f" {reference:>9.1f} {p50 / reference:>8.1f} {p99 / reference:>8.1f}"
    )


async def in_step(page: Page, centre: Centre) -> str:
    """Whether the page shows exactly what the database holds."""
    shown = await page.evaluate("document.querySelectorAll('#rows > li').length")
    expected = min(ROWS, len(centre.open_ids()))
    return "in step" if shown == expected else f"NOT in step: {shown} rows shown, {expected} expected"


async def ready(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the web process answers."""
    async with httpx.AsyncClient() as client:
        for _ in range(600):
            try:
                if (await client.get(f"{address}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if process.poll() is not None:
                raise RuntimeError("the web process ended at its start")
            await asyncio.sleep(0.05)


async def main(seconds: float, rates: tuple[float, ...]) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "centre" / "centre.db"
        store = await open_store(sqlite_url(path), "centre")
        await load_cast().settle_town(store, SystemClock())
        await fill(store)
        async with store.writing() as session:
            session.add(Change(at=0, subject="alert", ref="1", home="h1", zone="nord"))
            secret = await open_session(session, "nils", SystemClock().now(), "bench")
        broker, port = free_port(), free_port()
        quiet = subprocess.DEVNULL
        mosquitto = subprocess.Popen(["mosquitto", "-p", str(broker)], stdout=quiet, stderr=quiet)
        url = f"mqtt://127.0.0.1:{broker}"
        command = [
            sys.executable,
            "-P",
            "-m",
            "dashboard",
            "--data",
            name,
            "--port",
            str(port),
            "--broker",
            url,
        ]
        web = subprocess.Popen(command, env=os.environ | {"TRYGGHUB_LOG": "error"})
        client = MqttClient(url, "bench-centre")
        running = asyncio.create_task(client.run())
        try:
            address = f"http://127.0.0.1:{port}"
            await ready(address, web)
            await client.up.wait()
            await run(address, secret, Centre(path, client), seconds, rates)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            for child in (web, mosquitto):
                child.terminate()
                child.wait()
            await store.close()


async def run(address: str, secret: str, centre: Centre, seconds: float, rates: tuple[float, ...]) -> None:
    """Drive the browser."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        context = await browser.new_context(viewport={"width": 1366, "height": 850})
        await context.add_cookies([{"name": LOCAL, "value": secret, "url": address}])
        page = await context.new_page()
        await page.goto(f"{address}/nb/alarms")
        await page.wait_for_selector("#conn[data-state=live]")
        print(f"{ROWS} live rows, {seconds:g} s each; times in ms from the commit to the row in the DOM")
        print("  rate/s  changes   shown      p50      p95      p99      max  trip p50 p50/trip p99/trip")
        for rate in rates:
            print(
                await measure(page, centre, rate, seconds), await in_step(page, centre), sep="   ", flush=True
            )
        await browser.close()


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    asyncio.run(main(given[0] if given else SECONDS, tuple(given[1:]) or RATES))
