"""A broker that somebody else runs, named by URL. Its logins and rights are in that somebody's hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.log import hide


@dataclass(frozen=True, slots=True)
class ExternalBroker:
    """One URL for everybody, or another one for some logins (`logins`: login name → URL)."""

    default: str
    logins: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The broker as it may be shown."""
        return hide(self.default)

    def prepare(self) -> Sequence[str]:
        """Nothing to start."""
        return ()

    def url(self, login: str) -> str:
        """The URL for one login."""
        return self.logins.get(login, self.default)
