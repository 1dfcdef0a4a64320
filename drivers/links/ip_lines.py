"""From the registry to a running alarm receiver: one link a protocol and address, for all units that report there.

A unit's address in the registry is its controller id (SCAIP) or account (DC-09). Where we listen is a setting of
the units, `listen: "0.0.0.0:5060"`; the first one's settings count for all that share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from drivers.events import Millis
from drivers.links.link import Link

LISTEN: Final[Mapping[str, str]] = {"sip": "127.0.0.1:5060", "tcp": "127.0.0.1:12000"}
"""Where nothing is said: on this machine only, since neither protocol proves who speaks."""

Keys = Mapping[str, bytes | None]


def listening(kind: str, settings: Mapping[str, Any]) -> tuple[str, int]:
    """Host and port that a unit's settings name. Raises ValueError with a sentence."""
    text = str(settings.get("listen", LISTEN[kind]))
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError(f'where to listen is written like "0.0.0.0:5060", not {text!r:.60}')
    return host, int(port)


def sip_line(settings: Sequence[Mapping[str, Any]], now: Callable[[], Millis]) -> Link:
    """The SCAIP receiver for units with these settings. Raises ValueError with a sentence."""
    try:
        from drivers.links.sip import SipLink  # noqa: PLC0415  only where sipmessage is installed
    except ImportError:
        raise ValueError("SCAIP units need the extra scaip: pip install trygghub[scaip]") from None
    from drivers.links.sip_settings import SipSettings  # noqa: PLC0415

    host, port = listening("sip", settings[0])
    return SipLink(host, port, now, SipSettings.from_mapping(settings[0]), name=f"sip:{host}:{port}")


def dc09_line(settings: Sequence[Mapping[str, Any]], keys: Keys, now: Callable[[], Millis]) -> Link:
    """The DC-09 receiver for units with these settings. keys: account → key. Raises ValueError with a sentence."""
    from drivers.links.dc09 import Dc09Link  # noqa: PLC0415  only where somebody reports so

    for account, key in keys.items():
        if key is not None and len(key) not in (16, 24, 32):
            raise ValueError(f"the key of account {account} has 16, 24 or 32 bytes, not {len(key)}")
    host, port = listening("tcp", settings[0])
    known = {account.upper(): key for account, key in keys.items()}
    return Dc09Link(host, port, now, known.get, name=f"dc09:{host}:{port}")
