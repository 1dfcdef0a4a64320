"""Debian's Mosquitto as a child: the device-side broker of a gateway box, or the broker of a small town.

A PUBACK of Mosquitto means "in memory"; a SIGKILL loses sessions and queues. That costs us nothing but time:
devices repeat, the outbox repeats (messaging reference, section 1.6).
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.broker.backend import LARGEST_PACKET, BrokerMissing, Listener, login_url, private_folder
from hub.broker.logins import Login
from hub.files import write_private

PLACES = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto")
"""Where packages put it outside an ordinary user's PATH."""
ITERATIONS = (
    101  # mosquitto_passwd's own number; our passwords have 192 random bits, no dictionary reaches them
)


@dataclass(frozen=True, slots=True)
class Mosquitto:
    """A Mosquitto child. folder: its configuration, password file, ACL file and snapshot."""

    folder: Path
    listener: Listener
    logins: tuple[Login, ...]
    name: str = "mosquitto"

    def prepare(self) -> Sequence[str]:
        """Write the three files and answer with the command. Raises BrokerMissing."""
        program = find_program()
        private_folder(self.folder)
        write_private(self.folder / "passwords", "".join(map(password_line, self.logins)))
        write_private(self.folder / "acl", access_list(self.logins))
        path = self.folder / "mosquitto.conf"
        write_private(path, configuration(self.folder.absolute(), self.listener))
        return (str(program), "-c", str(path))

    def url(self, login: str) -> str:
        """The URL for one login."""
        return login_url(self.logins, self.listener, login)


def configuration(folder: Path, listener: Listener) -> str:
    """The text of mosquitto.conf. It keeps our own user id, for it must read private files."""
    return f"""# Written at every start; changes made here are lost.
user {getpass.getuser()}
listener {listener.port} {listener.host}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
persistence true
persistence_location {folder}/
autosave_interval 30
max_inflight_messages 64
max_queued_messages 10000
max_packet_size {LARGEST_PACKET}
set_tcp_nodelay true
connection_messages false
log_dest stderr
log_type error
log_type warning
log_type notice
"""


def access_list(logins: Sequence[Login]) -> str:
    """The text of the ACL file: a user, then what it may write and read."""
    blocks = []
    for login in logins:
        may = [f"topic write {one}" for one in login.publish] + [
            f"topic read {one}" for one in login.subscribe
        ]
        blocks.append("\n".join([f"user {login.name}", *may]))
    return "\n\n".join(blocks) + "\n"


def password_line(login: Login, salt: bytes | None = None) -> str:
    """`name:$7$iterations$salt$hash` as mosquitto_passwd writes it: PBKDF2 with SHA-512."""
    salt = os.urandom(12) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", login.password.encode(), salt, ITERATIONS)
    salted, hashed = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{login.name}:$7${ITERATIONS}${salted}${hashed}\n"


def find_program() -> Path:
    """The mosquitto to start. Raises BrokerMissing with what to install."""
    found = shutil.which("mosquitto") or next((place for place in PLACES if Path(place).is_file()), None)
    if found is None:
        raise BrokerMissing(
            "there is no mosquitto on this machine; install it with: apt-get install mosquitto"
        )
    return Path(found)
