"""Every look at a resident's details goes into the audit trail before anything is shown (promise 8).

A page that stays open fetches itself anew whenever something changes. That is still the same look: it is
written once for a person, a thing and ten minutes of real time.
"""

from __future__ import annotations

from collections import OrderedDict

from drivers.events import Millis

SAME_LOOK = 600_000
"""Milliseconds of real time."""
MOST_REMEMBERED = 10_000


class Looks:
    """What was looked at lately, by web session. Forgetting early only writes a row too many."""

    def __init__(self) -> None:
        self._written: OrderedDict[tuple[str, str, str], Millis] = OrderedDict()

    def is_new(self, session: str, action: str, subject: str, now: Millis) -> bool:
        """Whether this look is not yet in the trail; it counts as written from now on."""
        key = (session, action, subject)
        if now - self._written.get(key, -SAME_LOOK) < SAME_LOOK:
            return False
        self._written[key] = now
        self._written.move_to_end(key)
        while len(self._written) > MOST_REMEMBERED:
            self._written.popitem(last=False)
        return True

    def forget(self, session: str, action: str, subject: str) -> None:
        """It could not be written after all."""
        self._written.pop((session, action, subject), None)
