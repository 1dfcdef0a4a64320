"""Our static files under a name that changes with their content, so that browsers may keep them for a year."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parents[1] / "static"
A_YEAR = "public, max-age=31536000, immutable"


@cache
def fingerprint() -> str:
    """A hash over every static file and its place: one for all, so that relative imports keep working."""
    total = hashlib.sha256()
    for path in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        total.update(path.relative_to(FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def static_path(name: str) -> str:
    """Where a static file is served: `/static/<hash>/<name>`."""
    return f"/static/{fingerprint()}/{name}"


class LastingFiles(StaticFiles):
    """Static files that never change under their address."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer a file, marked as lasting."""
        answer = await super().get_response(path, scope)
        if answer.status_code in {200, 304}:
            answer.headers["Cache-Control"] = A_YEAR
        return answer
