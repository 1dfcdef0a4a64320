"""An OSDP reader: a key of its own, which the gateway gives it at their first meeting."""

from __future__ import annotations

import secrets as random
from collections.abc import Callable

from hub.provisioning.entry import Entry, NotProvisioned, Place, Secrets

Say = Callable[[str], None]

KEY_BYTES = 16


def provision(address: str, line: str, place: Place, secrets: Secrets, say: Say) -> Entry:
    """Make a key. address: `port#number`. Raises NotProvisioned."""
    port, _, number = address.rpartition("#")
    if not port or not number.isdigit() or int(number) > 126:
        raise NotProvisioned("a reader's address is its port and number on the line, like door#1 (0 to 126)")
    name = f"{place.id}.key"
    say(secrets.write(name, random.token_hex(KEY_BYTES)))
    say(
        "with `install: true` the gateway gives a new reader this key; take that setting out once the door is up"
    )
    return Entry(place, "osdp_door", address, secret=name, settings={"line": line, "install": True})
