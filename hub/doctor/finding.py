"""One thing that was looked at, and how it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """verdict: ok, warn (works, look at it) or fail (does not work). what: how it is. remedy: what to do about it."""

    verdict: Verdict
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        shown = self.verdict if self.verdict != "fail" else "FAIL"
        return f"{shown:<5} {self.what}" + (f"\n      → {self.remedy}" if self.remedy else "")


Look: TypeAlias = Callable[[], Iterator[Finding]]


def ok(what: str) -> Finding:
    """Nothing to do."""
    return Finding("ok", what)


def warn(what: str, remedy: str) -> Finding:
    """It works; somebody should look."""
    return Finding("warn", what, remedy)


def fail(what: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding("fail", what, remedy)


def carefully(name: str, look: Look) -> Iterator[Finding]:
    """Everything a look finds; one that breaks is a finding of its own, and the others go on."""
    try:
        yield from look()
    except Exception as wrong:
        yield fail(f"looking at the {name} broke: {wrong!r:.200}", "tell the developers, with this sentence")
