"""Residents' names at three levels: in full, as initials on a wall, not at all for a technician."""

from __future__ import annotations

from collections.abc import Iterable

from dashboard.auth.scope import Redaction
from dashboard.look.words import Language, say


def joined(names: Iterable[str], language: Language) -> str:
    """`Astrid Berg og Olav Berg`."""
    return say(language, " and ").join(names)


def initials(name: str) -> str:
    """`A. B.`"""
    return " ".join(f"{part[0]}." for part in name.split())


def shown(names: Iterable[str], redaction: Redaction, language: Language) -> str:
    """The names as far as this viewer may see them."""
    if redaction == "full":
        return joined(names, language)
    return joined(map(initials, names), language) if redaction == "initials" else ""
