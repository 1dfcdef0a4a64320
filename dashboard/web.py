"""What every request can reach: the database, the clocks, the desk, the feed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from starlette.requests import HTTPConnection

from dashboard.auth.looks import Looks
from dashboard.auth.rate import Brake
from dashboard.live.feed import Feed
from dashboard.studies import Studies
from drivers.events import Millis
from hub.centre.alerts.desk import AlertDesk
from hub.clock import Clock
from hub.store.engine import Store


@dataclass(frozen=True, slots=True)
class Web:
    """One web process. clock: the homes' time. real: the machine's, for sessions and links only."""

    store: Store
    clock: Clock
    real: Clock
    desk: AlertDesk
    feed: Feed
    looks: Looks = field(default_factory=Looks)
    studies: Studies = field(default_factory=Studies)
    brake: Brake = field(default_factory=lambda: Brake(most=10, span=60_000))

    def now(self) -> Millis:
        """The homes' time."""
        return self.clock.now()

    @property
    def speed(self) -> float:
        """How fast the homes' time runs: 1 unless this is a demonstration."""
        return float(getattr(self.clock, "speed", 1.0))


def web_of(request: HTTPConnection) -> Web:
    """The process that a request has come to."""
    return cast("Web", request.app.state.web)
