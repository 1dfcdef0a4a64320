"""The console: one line on the process's own log for each notice. It reaches everybody, and nobody's pocket.

It stands where no telephone or message service is configured, so that a chain can be followed to its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from hub.channels.channel import Delivery, Notice


def _log() -> Any:
    return structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Console:
    """Writes notices to the log, without personal data."""

    name: str = "console"
    log: Any = field(default_factory=_log)

    @property
    def words(self) -> Mapping[str, str]:
        """What people call it."""
        return {"nb": "konsoll", "en": "console"}

    def reaches(self, target: str) -> bool:
        """Everybody, and the place that always answers."""
        return bool(target)

    async def send(self, notice: Notice) -> Delivery:
        """Write the line."""
        self.log.warning(
            notice.text["en"], alert=notice.alert, to=notice.name, phone=notice.phone, step=notice.tell
        )
        return Delivery("sent", notice.phone)
