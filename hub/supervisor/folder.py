"""The data folder: where everything lies, who holds it, and what is remembered between two runs.

gateway/  gateway.db, registry.json, secrets/    centre/  centre.db    broker/  configuration and store
gateways/<id>/  a data folder of each further gateway of a demo
secrets/  broker passwords    serial/  simulated ports    simulators/    logs/    run.json    clock.json
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hub.files import write_private


class FolderInUse(Exception):  # noqa: N818  it says what is so
    """Another `trygghub run` holds this data folder."""


class FolderUnreadable(Exception):  # noqa: N818  it says what is so
    """What is remembered in the folder cannot be read."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a run remembers for the next: ports stay the same, the registry is imported once, a demo stays one.

    others: further gateways of a demo whose registry has several.
    """

    gateway: str
    demo: bool
    registry: str
    broker: str = "nats"
    ports: dict[str, int] = field(default_factory=dict)
    speed: float = 1.0
    first_day: str = ""
    others: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths below the data folder."""

    root: Path

    def prepare(self) -> None:
        """Make the folder; only its owner can enter, for it holds keys and people's lives."""
        for one in (self.root, self.logs, self.secrets, self.device_secrets, self.root / "centre"):
            one.mkdir(parents=True, exist_ok=True)
            one.chmod(0o700)

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        """Passwords of the broker's logins."""
        return self.root / "secrets"

    @property
    def device_secrets(self) -> Path:
        """Keys of devices, one file each."""
        return self.root / "gateway" / "secrets"

    @property
    def registry_copy(self) -> Path:
        """The gateway's copy of its part of the registry."""
        return self.root / "gateway" / "registry.json"

    @property
    def broker(self) -> Path:
        """The broker's configuration and store."""
        return self.root / "broker"

    @property
    def clock(self) -> Path:
        """The scaled world clock."""
        return self.root / "clock.json"

    def recall(self) -> Memory | None:
        """What the last run remembered, None on the first start. Raises FolderUnreadable."""
        path = self.root / "run.json"
        try:
            kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return Memory(**kept)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as wrong:
            raise FolderUnreadable(
                f"{path} cannot be read ({wrong}); restore it or begin with another --data"
            ) from None

    def remember(self, memory: Memory) -> None:
        """Write down for the next run."""
        write_private(self.root / "run.json", json.dumps(asdict(memory), indent=1) + "\n")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for one run; the lock goes with the process. Raises FolderInUse."""
        descriptor = os.open(self.root / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise FolderInUse(
                    f"another trygghub runs in {self.root} already; stop it or name another --data"
                ) from None
            yield
        finally:
            os.close(descriptor)
