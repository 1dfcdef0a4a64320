"""From the registry to a running alarm receiver: one link a protocol and address, for all units that report there.

A unit's address in the registry is its controller id (SCAIP) or account (DC-09). Where we listen is a setting of
the units, `listen: "0.0.0.0:5060"`; the first one's settings count for all that share it. SCAIP may listen under TLS
too: `listen_tls: "0.0.0.0:5061"` with `certificate`, a PEM file of the secrets folder. `password_secret` names the file
of a unit's password, which it must then prove.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from drivers.events import Millis
from drivers.links.link import Link
from drivers.links.sip_ways import TlsPort
from drivers.settings import Settings, endpoint, file_of_secret, taken

LISTEN: Final[Mapping[str, str]] = {"sip": "127.0.0.1:5060", "tcp": "127.0.0.1:12000"}
"""Where nothing is said: on this machine only, since neither protocol proves who speaks."""

SETTINGS: Final[Settings] = {"listen": endpoint()}
"""Of everybody who reports to a receiver here."""
TLS: Final[Settings] = {"listen_tls": endpoint(), "certificate": file_of_secret()}

Keys = Mapping[str, bytes | None]


def listening(kind: str, settings: Mapping[str, Any]) -> tuple[str, int]:
    """Host and port that a unit's settings name. Raises ValueError with a sentence."""
    host, _, port = (taken(SETTINGS, settings, "listen") or LISTEN[kind]).rpartition(":")
    return host, int(port)


def sip_line(
    settings: Sequence[Mapping[str, Any]],
    now: Callable[[], Millis],
    *,
    passwords: Mapping[str, str] | None = None,
    secrets: Path | None = None,
) -> Link:
    """The SCAIP receiver for units with these settings. Raises ValueError with a sentence.

    passwords: cid → what the unit must prove. secrets: the folder where `certificate` lies, for `listen_tls`.
    """
    try:
        from drivers.links.sip import SipLink  # noqa: PLC0415  only where sipmessage is installed
    except ImportError:
        raise ValueError("SCAIP units need the extra scaip: pip install trygghub[scaip]") from None
    from drivers.links.sip_settings import SipSettings  # noqa: PLC0415

    host, port = listening("sip", settings[0])
    tls = _tls(settings[0], host, secrets or Path())
    said = SipSettings.from_mapping(settings[0])
    return SipLink(host, port, now, said, name=f"sip:{host}:{port}", passwords=passwords, tls=tls)


def _tls(settings: Mapping[str, Any], host: str, secrets: Path) -> TlsPort | None:
    """Where to listen under TLS, on the same host; None where nothing is said about it."""
    if "listen_tls" not in settings:
        return None
    at, _, port = taken(TLS, settings, "listen_tls").rpartition(":")
    name = settings.get("certificate")
    if at != host:
        raise ValueError(f"a receiver listens on one host, {host}; listen_tls names {at:.60}")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name):
        raise ValueError(
            "listen_tls needs certificate: a file of the secrets folder with certificate and key (PEM)"
        )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(secrets / name)
    except (OSError, ssl.SSLError) as wrong:
        why = wrong.strerror or "it holds no certificate with its key"
        raise ValueError(f"the certificate {name} cannot be used: {why}") from None
    return TlsPort(int(port), context)


def dc09_line(settings: Sequence[Mapping[str, Any]], keys: Keys, now: Callable[[], Millis]) -> Link:
    """The DC-09 receiver for units with these settings. keys: account → key. Raises ValueError with a sentence."""
    from drivers.links.dc09 import Dc09Link  # noqa: PLC0415  only where somebody reports so

    for account, key in keys.items():
        if key is not None and len(key) not in (16, 24, 32):
            raise ValueError(f"the key of account {account} has 16, 24 or 32 bytes, not {len(key)}")
    host, port = listening("tcp", settings[0])
    known = {account.upper(): key for account, key in keys.items()}
    return Dc09Link(host, port, now, known.get, name=f"dc09:{host}:{port}")
