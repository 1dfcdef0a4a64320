"""The front-end files of others: which, from where, and their hashes.

`python -m dashboard.vendored check` compares every file with the lock; `refresh` fetches the packages anew
with `npm pack` by name and writes the lock. Nothing is fetched when the dashboard runs or is built.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parent
LOCK = PACKAGE / "vendored.lock.json"


@dataclass(frozen=True, slots=True)
class Source:
    """One npm package, and which of its files go where below `dashboard/`."""

    name: str
    version: str
    licence: str
    files: tuple[tuple[str, str], ...]


ICONS = (
    "activity", "arrow-left", "battery-low", "bed", "bell", "bell-off", "bell-ring", "check", "chevron-right",
    "circle-check", "circle-help", "clock", "cpu", "door-closed", "door-open", "droplets", "file-question",
    "hand", "heart-pulse", "history", "house", "info", "key-round", "languages", "list-checks", "lock",
    "lock-open", "log-out", "map-pin", "moon", "octagon-alert", "phone", "pill", "plug", "radio", "router",
    "search", "siren", "timer", "triangle-alert", "undo-2", "unplug", "user", "users", "volume-2", "volume-x",
    "wifi-off", "wrench", "x", "zap",
)  # fmt: skip

SOURCES = (
    Source(
        "htmx.org",
        "4.0.1",
        "0BSD",
        (("dist/htmx.min.js", "static/vendor/htmx.min.js"), ("LICENSE", "static/vendor/htmx.LICENSE")),
    ),
    Source(
        "idiomorph",
        "0.8.0",
        "0BSD",
        (
            ("dist/idiomorph.min.js", "static/vendor/idiomorph.min.js"),
            ("LICENSE", "static/vendor/idiomorph.LICENSE"),
        ),
    ),
    Source(
        "@digdir/designsystemet-css",
        "1.22.0",
        "MIT",
        (
            ("dist/src/index.css", "static/vendor/designsystemet.css"),
            ("dist/theme/designsystemet.css", "static/vendor/designsystemet-theme.css"),
            ("LICENSE", "static/vendor/designsystemet.LICENSE"),
        ),
    ),
    Source(
        "lucide-static",
        "1.62.0",
        "ISC",
        (*((f"icons/{name}.svg", f"icons/{name}.svg") for name in ICONS), ("LICENSE", "icons/LICENSE")),
    ),
)


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal, as the lock writes it."""
    return hashlib.sha256(content).hexdigest()


def differences() -> Iterator[str]:
    """One sentence for each file that is missing, changed or not in the lock."""
    locked: dict[str, str] = json.loads(LOCK.read_text(encoding="utf-8"))["files"]
    for place, expected in locked.items():
        path = PACKAGE / place
        if not path.is_file():
            yield f"{place} is missing"
        elif (found := digest(path.read_bytes())) != expected:
            yield f"{place} has SHA-256 {found}, the lock says {expected}"
    for path in (*(PACKAGE / "static/vendor").iterdir(), *(PACKAGE / "icons").iterdir()):
        place = path.relative_to(PACKAGE).as_posix()
        if place not in locked:
            yield f"{place} is not in the lock"


def fetch(source: Source, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each wanted file of one package: its place below `dashboard/`, and its bytes."""
    packed = subprocess.run(  # noqa: S603  names and versions are those of SOURCES
        ["npm", "pack", "--silent", f"{source.name}@{source.version}"],  # noqa: S607  npm is the user's own
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    with tarfile.open(folder / packed.stdout.strip().splitlines()[-1]) as archive:
        for inside, place in source.files:
            member = archive.extractfile(f"package/{inside}")
            if member is None:
                raise FileNotFoundError(f"{source.name} {source.version} has no file {inside}")
            yield place, member.read()


def refresh() -> None:
    """Fetch everything and write the lock."""
    files: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for source in SOURCES:
            for place, content in fetch(source, Path(folder)):
                target = PACKAGE / place
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                files[place] = digest(content)
    packages = {source.name: {"version": source.version, "licence": source.licence} for source in SOURCES}
    LOCK.write_text(json.dumps({"packages": packages, "files": files}, indent=1) + "\n", encoding="utf-8")


def main(words: list[str]) -> int:
    """`check` (default) or `refresh`; the exit code is 1 when a file differs from the lock."""
    if words == ["refresh"]:
        refresh()
    elif words not in ([], ["check"]):
        print(f"say check or refresh, not {' '.join(words)}", file=sys.stderr)
        return 2
    found = list(differences())
    print("\n".join(found) or "every vendored file is as locked")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
