"""Logging of every process: structlog to standard error, JSON lines unless a person is looking.

Times in the log are the machine's own, also while the demo's world runs faster. A password inside a URL is
masked wherever it turns up, so that no call has to remember it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(@)")
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(process: str) -> None:
    """Set up logging for this process; `process` stands in every line. TRYGGHUB_LOG chooses the level."""
    level = LEVELS.get(os.environ.get("TRYGGHUB_LOG", "info").lower(), logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=list(_common(process)),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, mask, _renderer()],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in (
        "aiomqtt",
        "aiosqlite",
        "alembic",
        "asyncio",
        "bleak",
        "bumble",
        "httpx",
        "mqtt",
        "uvicorn.access",
    ):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(process),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def hide(url: str) -> str:
    """A URL as it may be shown: `mqtt://gateway:…@host:1883`."""
    return PASSWORD.sub(r"\1…\2", url)


def mask(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Take passwords out of every text of a log line."""
    return {name: hide(value) if isinstance(value, str) else value for name, value in line.items()}


def _common(process: str) -> tuple[Processor, ...]:
    def name_process(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        line["process"] = process
        return line

    return (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        name_process,
    )


def _renderer() -> Any:
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer(ensure_ascii=False)
