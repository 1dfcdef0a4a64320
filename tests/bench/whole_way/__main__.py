"""From a device's frame to a row in a nurse's browser: the whole way, real processes, real wires.

    device → MQTT → gateway (commit, judge) → MQTT → centre (commit, open) → hint → web → SSE → DOM

The machine's part is measured in the same run: one MQTT round trip through the same broker, and one fsync on
the same disk. A press is timed from just before its frame is sent to the moment a MutationObserver in the page
sees the row say so. Run alone; prints p50 and p99 at 1, 50 and 200 events/s, and the memory of each process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
from playwright.async_api import Page, async_playwright

from drivers.links.mqtt_client import Broker

HOMES = 150
"""Fewer than the 200 rows a page holds, so that every press can be seen."""

LOOK_EVERY = 0.05
"""Seconds between two looks at what the page has recorded; it times its rows itself."""

LOADS = ((1, 20, 1), (50, 600, 1), (200, 2000, 10), (200, 1600, 1))
"""Events a second, how many of them, and every how-manieth is a press; the rest is movement in a room."""

BOOK = """\
rules:
  pendant-pressed:
    alert: {nb: "{resident} har trykket", en: "{resident} has pressed"}
    when: pendant.pressed
    urgency: critical
"""

WATCH = """() => {
  const seen = window.__seen = [], last = new Map();
  const read = (row) => {
    const name = row.querySelector('.row-who b')?.textContent ?? '';
    const times = row.querySelector('.row-extra b')?.textContent ?? '×1';
    const count = parseInt(times.slice(1)) || 1;
    if (last.get(name) === count) return;
    last.set(name, count);
    seen.push([name, count, Date.now()]);
  };
  new MutationObserver((changes) => {
    const rows = new Set();
    for (const change of changes) {
      const near = change.target.nodeType === 1 ? change.target : change.target.parentElement;
      const row = near?.closest('li[data-ver]');
      if (row) rows.add(row);
      for (const node of change.addedNodes)
        if (node.nodeType === 1 && node.matches('li[data-ver]')) rows.add(node);
    }
    rows.forEach(read);
  }).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def registry() -> dict[str, Any]:
    """Homes with one native pendant each, behind one gateway."""
    since = "2026-01-01T00:00:00Z"
    homes = [f"h{number}" for number in range(HOMES)]
    return {
        "format": "trygghub-registry-1",
        "municipality": {"name": "Bench", "duty_phone": "+47 55 50 10 00"},
        "districts": {"d": {"name": "D"}},
        "zones": {"z": {"name": "Z", "district": "d"}},
        "teams": {"t": {"name": "T", "zones": ["z"]}},
        "staff": {"eva": {"name": "Eva", "roles": ["nurse", "coordinator", "admin"], "teams": ["t"]}},
        "shifts": [{"team": "t", "staff": "eva", "duty": "nurse", "from": "00:00", "to": "00:00"}],
        "homes": {home: {"address": home, "zone": "z", "gateway": "gw1"} for home in homes},
        "residents": {f"r-{home}": {"home": home, "name": f"Resident {home}"} for home in homes},
        "gateways": {"gw1": {"name": "Gateway", "since": since}},
        "devices": {
            f"{home}-pendant": {
                "home": home,
                "class": "pendant",
                "type": "native_alarm",
                "link": "mqtt",
                "address": f"{home}/{home}-pendant",
                "since": since,
            }
            for home in homes
        },
    }


@contextlib.asynccontextmanager
async def installation(folder: Path) -> AsyncIterator[tuple[str, Path]]:
    """`trygghub run` with our registry and book; yields the sign-in link and the data folder."""
    (folder / "registry.yaml").write_text(json.dumps(registry()))
    (folder / "book.yaml").write_text(BOOK)
    data = folder / "data"
    command = ("run", "--data", str(data), "--registry", str(folder / "registry.yaml"))
    command += ("--rules", str(folder / "book.yaml"))
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "hub.cli"),
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    drain = None
    try:
        link = await asyncio.wait_for(_link(child), 60)
        drain = asyncio.create_task(_drain(child))
        yield link, data
    finally:
        child.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), 20)
        if drain:
            drain.cancel()


async def _link(child: asyncio.subprocess.Process) -> str:
    assert child.stdout is not None
    said = []
    async for line in child.stdout:
        said.append(line.decode())
        if found := re.search(r"http://\S+/sign-in\?token=\S+", said[-1]):
            return found[0]
    raise SystemExit("the installation did not start:\n" + "".join(said))


async def _drain(child: asyncio.subprocess.Process) -> None:
    assert child.stdout is not None
    async for _ in child.stdout:
        pass


def broker_of(data: Path) -> Broker:
    """The devices' login at the broker of this run."""
    port = json.loads((data / "run.json").read_text())["ports"]["broker"]
    password = (data / "secrets" / "broker-devices").read_text().strip()
    return Broker("127.0.0.1", port, "devices", password, secure=False)


async def press(
    client: aiomqtt.Client, rate: float, number: int, done: dict[str, int], every: int = 1
) -> dict[tuple[str, int], float]:
    """Say `number` events at a steady rate, each `every`-th a press, each home in turn.

    Returns (resident, how often pressed) → when, in ms.
    """
    sent: dict[tuple[str, int], float] = {}
    began = time.perf_counter()
    for turn in range(number):
        await asyncio.sleep(max(0.0, began + turn / rate - time.perf_counter()))
        home = f"h{turn // every % HOMES}"
        topic = f"homes/{home}/devices/{home}-pendant/event"
        if turn % every:
            body = {"id": f"{home}-m{began:.0f}-{turn}", "kind": "room.motion", "data": {}}
            await client.publish(topic, json.dumps(body), qos=0)
            continue
        done[home] = done.get(home, 0) + 1
        body = {"id": f"{home}-{done[home]}", "kind": "pendant.pressed", "data": {}}
        sent[f"Resident {home}", done[home]] = time.time() * 1000
        await client.publish(topic, json.dumps(body), qos=0)
    return sent


async def seen_by(page: Page, sent: dict[tuple[str, int], float]) -> dict[tuple[str, int], float]:
    """When the page first showed each press (or a later one of the same home), in ms."""
    last = {}
    for name, times in sent:
        last[name] = max(times, last.get(name, 0))
    end = time.monotonic() + 60
    while time.monotonic() < end:
        rows = await page.evaluate("() => window.__seen")
        shown: dict[str, int] = {}
        for name, times, _at in rows:
            shown[name] = max(times, shown.get(name, 0))
        if all(shown.get(name, 0) >= times for name, times in last.items()):
            break
        await asyncio.sleep(LOOK_EVERY)
    found = {}
    for name, times in sent:
        instants = [at for who, count, at in rows if who == name and count >= times]
        if instants:
            found[name, times] = min(instants)
    return found


def spread(values: list[float]) -> str:
    """The median and the 99th percentile, in ms."""
    ordered = sorted(values)
    return f"p50 {statistics.median(ordered):7.1f} ms   p99 {ordered[int(len(ordered) * 0.99)]:7.1f} ms"


async def echo(broker: Broker) -> float:
    """The reference: ms from publishing at QoS 1 to the broker's acknowledgement, median of 200."""
    took = []
    async with aiomqtt.Client(
        broker.host, broker.port, username=broker.user, password=broker.password
    ) as client:
        for turn in range(200):
            began = time.perf_counter()
            await client.publish("homes/h0/devices/h0-pendant/state", str(turn), qos=1)
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def fsync(folder: Path) -> float:
    """The other reference: ms for one small write and fsync, median of 200."""
    took = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(200):
            began = time.perf_counter()
            file.write(b"x" * 512)
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def memory(data: Path) -> Iterator[tuple[str, float]]:
    """Name and resident memory in MiB of every process of this run."""
    mark = f"TRYGGHUB_DATA={data}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if (
                mark not in (entry / "environ").read_bytes()
                and str(data).encode() not in (entry / "cmdline").read_bytes()
            ):
                continue
            words = (entry / "cmdline").read_bytes().split(b"\0")
            name = b" ".join(word.rsplit(b"/", 1)[-1] for word in words[:5]).decode()
            pages = int((entry / "statm").read_text().split()[1])
            yield name, pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        async with installation(folder) as (link, data), async_playwright() as playwright:
            broker = broker_of(data)
            chromium = await playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--disable-gpu"]
            )
            page = await chromium.new_page()
            await page.goto(link)
            await page.click("main button")
            await page.wait_for_url("**/alarms*")
            await page.evaluate(WATCH)
            print(
                f"   reference: broker's answer {await echo(broker):.2f} ms, fsync {fsync(folder):.2f} ms (medians)"
            )
            done: dict[str, int] = {}
            login = {"username": broker.user, "password": broker.password}
            async with aiomqtt.Client(broker.host, broker.port, **login) as client:  # type: ignore[arg-type]
                client.pending_calls_threshold = 1000
                await seen_by(page, await press(client, 20, HOMES, done))
                for rate, number, every in LOADS:
                    await page.evaluate("() => { window.__seen.length = 0 }")
                    sent = await press(client, rate, number, done, every)
                    found = await seen_by(page, sent)
                    took = [found[one] - at for one, at in sent.items() if one in found]
                    what = "all of them presses" if every == 1 else f"one in {every} a press"
                    seen = f"{len(took)} of {len(sent)} presses seen"
                    print(f"   {rate:4d} events/s, {what:19}: {spread(took)}   {seen}")
            for name, size in sorted(memory(data)):
                print(f"   {size:6.0f} MiB  {name}")
            await chromium.close()


if __name__ == "__main__":
    asyncio.run(main())
