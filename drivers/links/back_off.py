"""Growing waits between attempts, with jitter, so that many links do not come back in step."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class BackOff:
    """Waits in seconds: from `low`, doubled each time, to `high`; each drawn from its upper half."""

    low: float = 0.5
    high: float = 30.0
    draw: random.Random = field(default_factory=random.Random)
    _next: float = 0.0

    def wait(self) -> float:
        """How long to wait now; the next wait may be twice as long."""
        self._next = min(self.high, max(self.low, self._next * 2))
        return self._next * self.draw.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked: begin small again."""
        self._next = 0.0
