"""Digest authentication of SIP (RFC 3261, 22.4; RFC 7616): challenges and their answers, no I/O.

MD5 is what the field speaks, SHA-256 what RFC 8760 asks for; both are answered, the stronger one first. A challenge
of ours carries its time under a seal, so that nothing need be kept until the answer comes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

HASHES: Final[Mapping[str, Callable[[bytes], str]]] = MappingProxyType(
    {
        "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
        "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    }
)
"""Algorithm → its hash, the strongest first."""
FRESH_FOR: Final = 60.0
"""Seconds that a challenge of ours may be answered."""

_PAIR: Final = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


@dataclass(frozen=True, slots=True)
class Digest:
    """A challenge or its answer: the parameters, by lower-case name."""

    parameters: Mapping[str, str]

    def get(self, name: str, default: str = "") -> str:
        """One parameter."""
        return self.parameters.get(name, default)


def read_digest(header: str) -> Digest | None:
    """Read a `Digest …` header; None for another scheme or for nothing readable."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    found = {
        name.lower(): re.sub(r"\\(.)", r"\1", a) if a else b for name, a, b in _PAIR.findall(rest[:4096])
    }
    return Digest(MappingProxyType(found)) if found else None


def best(challenges: Iterable[str]) -> Digest | None:
    """The challenge to answer: the strongest algorithm that both sides know."""
    known = [one for header in challenges if (one := read_digest(header)) and _algorithm(one) in HASHES]
    return min(known, key=lambda one: list(HASHES).index(_algorithm(one)), default=None)


def answer(challenge: Digest, user: str, password: str, method: str, uri: str, cnonce: str = "") -> str:
    """The header that answers a challenge."""
    asked = [one.strip() for one in challenge.get("qop").split(",") if one.strip()]
    given = {
        "username": user,
        "realm": challenge.get("realm"),
        "nonce": challenge.get("nonce"),
        "uri": uri,
        "algorithm": _algorithm(challenge),
    }
    if "auth" in asked:
        given |= {"qop": "auth", "nc": "00000001", "cnonce": cnonce or secrets.token_hex(8)}
    if "opaque" in challenge.parameters:
        given["opaque"] = challenge.get("opaque")
    given["response"] = response_of(Digest(given), password, method)
    return "Digest " + ", ".join(f"{name}={_written(name, value)}" for name, value in given.items())


def response_of(given: Digest, password: str, method: str) -> str:
    """What proves the password (RFC 7616, 3.4.1), for the parameters of an answer."""
    hashed = HASHES[_algorithm(given)]
    one = hashed(f"{given.get('username')}:{given.get('realm')}:{password}".encode())
    two = hashed(f"{method}:{given.get('uri')}".encode())
    if given.get("qop"):
        middle = f"{given.get('nonce')}:{given.get('nc')}:{given.get('cnonce')}:{given.get('qop')}"
    else:
        middle = given.get("nonce")
    return hashed(f"{one}:{middle}:{two}".encode())


class Gatekeeper:
    """Asks for passwords and checks them. realm: what units are told they speak to. algorithm: how they shall prove it.

    One challenge, not a choice: units in the field answer the first one or none.
    """

    def __init__(self, realm: str = "trygghub", algorithm: str = "MD5") -> None:
        self._realm, self._algorithm = realm, algorithm
        self._seal = secrets.token_bytes(32)

    def challenge(self, now: float) -> str:
        """The header of a refusal."""
        nonce = self._nonce(int(now * 1000))
        return f'Digest realm="{self._realm}", nonce="{nonce}", algorithm={self._algorithm}, qop="auth"'

    def lets_in(self, header: str, user: str, password: str, method: str, now: float) -> bool:
        """Whether an answer proves the password of this user, to a challenge of ours that is still fresh."""
        given = read_digest(header)
        if given is None or _algorithm(given) != self._algorithm or given.get("username") != user:
            return False
        if given.get("realm") != self._realm or not self._is_fresh(given.get("nonce"), now):
            return False
        return hmac.compare_digest(
            response_of(given, password, method).encode(), given.get("response").lower().encode()
        )

    def _nonce(self, made: int) -> str:
        stamp = f"{made:x}"
        return f"{stamp}.{hmac.new(self._seal, stamp.encode(), hashlib.sha256).hexdigest()[:32]}"

    def _is_fresh(self, nonce: str, now: float) -> bool:
        stamp = nonce.partition(".")[0]
        if not re.fullmatch(r"[0-9a-f]{1,16}", stamp):
            return False
        made = int(stamp, 16)
        age = int(now * 1000) - made
        return 0 <= age <= FRESH_FOR * 1000 and hmac.compare_digest(
            nonce.encode(), self._nonce(made).encode()
        )


def _algorithm(digest: Digest) -> str:
    return digest.get("algorithm", "MD5").upper()


def _written(name: str, value: str) -> str:
    if name in ("algorithm", "qop", "nc"):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
