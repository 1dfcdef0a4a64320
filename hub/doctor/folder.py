"""The data folder: who may enter it, and whether keys and passwords are readable by their owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hub.doctor.finding import Finding, fail, ok, warn

OTHERS = 0o077
SECRETS = ("secrets", "gateway/secrets")


def data_folder(data: Path) -> Iterator[Finding]:
    """Whether it is ours, whole and private."""
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield fail(
            f"this user cannot read and write {data}",
            "run doctor as the user that trygghub runs as (sudo -u trygghub), or give the folder to it (chown -R)",
        )
        return
    mode = stat.S_IMODE(data.stat().st_mode)
    if mode & OTHERS:
        yield fail(f"others can enter {data} (mode {mode:o}), and it holds keys", f"chmod 700 {data}")
    else:
        yield ok(f"only its owner can enter {data}")
    if (data / ".restoring").is_dir():
        yield fail(
            f"a restore into {data} was cut off", "run the same trygghub restore again, with --replace"
        )


def secrets(data: Path) -> Iterator[Finding]:
    """Every file in the secrets folders."""
    folders = [*(data / name for name in SECRETS), *(data / "gateways").glob("*/gateway/secrets")]
    files = sorted(one for folder in folders for one in _files(folder))
    wide = [one for one in files if stat.S_IMODE(one.stat().st_mode) & OTHERS]
    for one in wide[:5]:
        yield fail(f"others can read the secret {one}", f"chmod 600 {one}")
    if len(wide) > 5:
        yield fail(f"others can read {len(wide) - 5} more secrets", f"chmod 600 {data}/gateway/secrets/*")
    left = [one for one in files if one.name.endswith(".new")]
    if left:
        yield warn(f"{left[0]} is a secret half written, left by a power cut", f"rm {left[0]}")
    if files and not wide:
        yield ok(f"{len(files)} secrets, each readable by its owner alone")


def _files(folder: Path) -> list[Path]:
    try:
        return [one for one in folder.iterdir() if one.is_file()]
    except OSError:
        return []
