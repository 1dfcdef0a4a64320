"""Icons, inlined from the vendored drawings: decoration only, the word beside them is the name."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from markupsafe import Markup

FOLDER = Path(__file__).parents[1] / "icons"
_DRAWING = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


@cache
def icon(name: str) -> Markup:
    """The drawing called `name`, sized by the text around it. Raises FileNotFoundError for an unknown one."""
    found = _DRAWING.search((FOLDER / f"{name}.svg").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"icons/{name}.svg holds no drawing")
    inside = re.sub(r"\s+", " ", found.group(1)).strip()
    return Markup(  # noqa: S704  our own files, not anybody's input
        '<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{inside}</svg>'
    )
