"""For those who run it: is it alive, is it ready, what does it count."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import text
from starlette.responses import JSONResponse, Response

from dashboard.pages.common import Here

router = APIRouter()


@router.get("/healthz")
async def alive() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def ready(web: Here) -> JSONResponse:
    """The database answers and the feed follows it."""
    try:
        async with web.store.reading() as session:
            await session.exec(text("SELECT 1"))  # type: ignore[call-overload]
    except Exception:
        return JSONResponse({"status": "the database does not answer"}, status_code=503)
    if not web.feed.fresh:
        return JSONResponse({"status": "the changes have not been read lately"}, status_code=503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
async def metrics(web: Here) -> Response:
    """Counts of this web process, for Prometheus."""
    registry = CollectorRegistry()
    for name, says, value in (
        ("trygghub_web_streams", "Open live streams.", web.feed.listeners),
        ("trygghub_web_frames_sent", "Frames given to streams since the start.", web.feed.frames),
        ("trygghub_web_change_seq", "The newest change sent.", web.feed.seq),
        ("trygghub_web_fresh", "1 while the changes are being read.", int(web.feed.fresh)),
    ):
        Gauge(name, says, registry=registry).set(value)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
