"""What holds for all tests: the same examples every time, and no verdict by a busy machine's clock."""

from __future__ import annotations

import structlog
from hypothesis import HealthCheck, settings

settings.register_profile(
    "trygghub",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("trygghub")

structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=str),
    ]
)
"""Plain lines: structlog's own default draws every traceback in colour, with all local values, for seconds."""
