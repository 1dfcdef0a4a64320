"""Logging of every process: structlog to standard error, JSON lines unless a person is looking.

Where standard error is the journal of systemd each line begins with its level (`<4>`, sd-daemon(3)), which the journal
takes off: `journalctl -p warning` shows what matters.

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

JOURNAL_LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Our levels → those of syslog(3)."""


class Form(structlog.stdlib.ProcessorFormatter):
    """A line as standard error gets it. journal: with its level before it."""

    def __init__(self, *, journal: bool, **rest: Any) -> None:
        super().__init__(**rest)
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """The line's text."""
        text = super().format(record)
        return f"<{JOURNAL_LEVELS.get(record.levelname.lower(), 6)}>{text}" if self._journal else text


def to_journal(stream: int, named: str | None) -> bool:
    """Whether a descriptor is the journal's stream that JOURNAL_STREAM names as `device:inode`, and not a file."""
    if not named:
        return False
    try:
        at = os.fstat(stream)
    except OSError:
        return False
    return named == f"{at.st_dev}:{at.st_ino}"


def configure(process: str) -> None:
    """Set up logging for this process; `process` stands in every line. TRYGGHUB_LOG chooses the level."""
    level = LEVELS.get(os.environ.get("TRYGGHUB_LOG", "info").lower(), logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        Form(
            journal=to_journal(2, os.environ.get("JOURNAL_STREAM")),
            foreign_pre_chain=list(_common(process)),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask,
                event_first,
                _renderer(),
            ],
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


class StateLine:
    """A connection's state in the log, where it is news: one that stays away is tried for days."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._told = ("", "")

    def tell(self, state: str, reason: str) -> None:
        """It is so now. Trying is no news, neither is the same trouble again, nor that we ourselves stop."""
        if state == "opening" or reason == "stopped" or (state, reason) == self._told:
            return
        self._told = (state, reason)
        say = structlog.get_logger()
        (say.info if state == "up" else say.warning)(f"{self._what} is {state}", reason=reason)


def hide(url: str) -> str:
    """A URL as it may be shown: `mqtt://gateway:…@host:1883`."""
    return PASSWORD.sub(r"\1…\2", url)


def mask(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Take passwords out of every text of a log line."""
    return {name: hide(value) if isinstance(value, str) else value for name, value in line.items()}


def event_first(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """What happened stands at the beginning of the line, where people look."""
    return {"event": line.pop("event", ""), **line}


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
