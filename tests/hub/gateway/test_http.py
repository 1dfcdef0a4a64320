"""The three pages of a gateway, and what the small answerer does with strangers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from hub.book_watch import BookFileError, read_book
from hub.clock import ManualClock
from hub.gateway.gateway import Gateway
from hub.gateway.metrics import pages
from hub.gateway.storage import open_storage
from hub.pages import LONGEST_REQUEST, serve
from hub.settings import GatewaySettings
from hub.store.writer import WriterState
from hub.uplink.messages import Part
from tests.ports import free_port


@pytest.fixture
async def gateway(tmp_path: Path, template: bytes) -> AsyncIterator[Gateway]:
    """A gateway that has booted and whose uplink leads nowhere."""
    settings = GatewaySettings(data=tmp_path, id="gw1", uplink="mqtt://127.0.0.1:1")
    settings.folder.mkdir()
    (settings.folder / "gateway.db").write_bytes(template)
    clock = ManualClock()
    gateway = Gateway(settings, await open_storage(settings.folder / "gateway.db", clock.now()), clock)
    await gateway.boot()
    yield gateway
    await gateway.stop()


@pytest.fixture
async def port(gateway: Gateway) -> AsyncIterator[int]:
    """The port its pages are on."""
    port = free_port()
    task = asyncio.create_task(serve(port, pages(gateway)))
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0)
                continue
            writer.close()
            break
    yield port
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """Send bytes; status and body of the answer, 0 where there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        answer = await reader.read()
    except ConnectionError:
        answer = b""
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split(b" ")[1]) if head else 0), body


def get(path: str) -> bytes:
    """A GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def test_it_is_ready_when_it_works(gateway: Gateway, port: int) -> None:
    """Before the links run it is alive and not ready; at work it is both, with no broker in sight."""
    assert (await ask(port, get("/healthz")))[0] == 200
    assert (await ask(port, get("/readyz")))[0] == 503
    gateway.phase = "running"
    status, body = await ask(port, get("/readyz"))
    assert status == 200
    assert orjson.loads(body)["store"] == {"condition": "ok", "why": ""}


async def test_a_full_disk_shows(gateway: Gateway, port: int) -> None:
    """A gateway that cannot write is alive, not ready, and says why."""
    gateway.phase = "running"
    gateway.storage.writer.state = WriterState("full", "the disk is full")
    status, body = await ask(port, get("/readyz"))
    assert (status, orjson.loads(body)["store"]["why"]) == (503, "the disk is full")
    assert (await ask(port, get("/healthz")))[0] == 200
    assert b'trygghub_gateway_store_condition{is="full"} 1.0' in (await ask(port, get("/metrics")))[1]


async def test_metrics_name_lanes_and_links(port: int) -> None:
    """The outbox's marks can be watched, lane by lane."""
    status, body = await ask(port, get("/metrics?name=x"))
    assert status == 200
    for lane in ("alarm", "care", "technical", "telemetry"):
        assert f'trygghub_gateway_lane{{lane="{lane}",mark="acknowledged"}} 0.0'.encode() in body


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /healthz HTTP/1.1\r\n\r\n", 400),
        (b"rubbish\r\n\r\n", 400),
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", 404),
        (b"GET /\xff\xfe HTTP/1.1\r\n\r\n", 404),
        (b"GET / HTTP/1.1\r\n" + b"x" * LONGEST_REQUEST, 0),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", 200),
    ],
)
async def test_strangers_get_an_answer_or_none(port: int, request_: bytes, status: int) -> None:
    """Whatever is sent, the pages go on."""
    assert (await ask(port, request_))[0] == status
    assert (await ask(port, get("/healthz")))[0] == 200


async def test_devices_nobody_hears_are_problems(gateway: Gateway, port: int) -> None:
    """Astrid's Bluetooth pendant at a gateway without Bluetooth: on the page, and told upward in both languages."""
    gateway.make_plans = lambda _roll, _ports: {}
    device = {"home": "h1", "class": "pendant", "type": "bthome_pendant", "link": "ble", "name": "Armbånd",
              "address": "aa:bb:cc:dd:ee:ff", "since": "2026-01-01T00:00:00Z"}  # fmt: skip
    part = {
        "gateway": "gw1",
        "homes": {"h1": {"address": "Storgata 1", "zone": "north", "gateway": "gw1"}},
        "residents": {},
        "devices": {"pendant-1": device},
    }
    await gateway.take_part(Part(hash="a", registry=part))
    en = "Armbånd (pendant-1) uses Bluetooth, which is switched off in this gateway"
    nb = "Armbånd (pendant-1) bruker Bluetooth, som er slått av i denne hjemmesentralen"
    assert orjson.loads((await ask(port, get("/readyz")))[1])["problems"] == [{"nb": nb, "en": en}]
    await gateway.take_part(Part(hash="b", registry=part | {"devices": {}}))
    assert orjson.loads((await ask(port, get("/readyz")))[1])["problems"] == []
    told = await gateway.storage.writer.write(
        lambda db: db.execute("SELECT body FROM journal WHERE type = 'health' ORDER BY seq").fetchall()
    )
    said = [one for (body,) in told if (one := orjson.loads(body))["what"] == "set-up"]
    assert [one["data"]["over"] for one in said] == [True, False, True]
    assert (said[1]["says"]["nb"], said[1]["says"]["en"]) == (
        f"Feil i oppsettet av hjemmesentralen: {nb}",
        f"The gateway's set-up has faults: {en}",
    )


async def test_a_bad_book_is_an_alert_of_its_own(gateway: Gateway, port: int, tmp_path: Path) -> None:
    """It is told beside what else is wrong, with line and remedy in both languages; its end ends only itself."""
    book = tmp_path / "book.yaml"
    book.write_text("rules:\n  fall:\n    when: pendant.fal\n")
    with pytest.raises(BookFileError) as wrong:
        read_book(book)
    await gateway._book_in_trouble(wrong.value)
    [problem] = orjson.loads((await ask(port, get("/readyz")))[1])["problems"]
    assert problem == {
        "nb": "Den endrede regelboken kan ikke brukes; den gamle gjelder: book.yaml, linje 3: fall: ingen enhet sender"
        " 'pendant.fal'; mente du 'pendant.fall'? – rett linjen; «trygghub rules check» sier alt som er galt",
        "en": "The changed rule book cannot be used; the old one holds: book.yaml, line 3: fall: no device sends"
        " 'pendant.fal'; did you mean 'pendant.fall'? – correct the line; 'trygghub rules check' says all that is"
        " wrong",
    }
    await gateway._book_in_trouble(None)
    told = await gateway.storage.writer.write(
        lambda db: db.execute("SELECT body FROM journal WHERE type = 'health' ORDER BY seq").fetchall()
    )
    said = [orjson.loads(body) for (body,) in told]
    assert [one["data"]["over"] for one in said if one["what"] == "rule book"] == [True, False, True]
    assert [one["data"]["over"] for one in said if one["what"] == "set-up"] == [True]
