"""The cookie that carries a web session's secret."""

from __future__ import annotations

import ipaddress

from starlette.requests import Request
from starlette.responses import Response

from dashboard.auth.sessions import EXTENSION, EXTENSIONS, SHIFT

SECURE = "__Host-trygghub"
LOCAL = "trygghub-local"
"""Over plain HTTP on the machine itself, where not every browser accepts the secure one."""


def is_loopback(host: str | None) -> bool:
    """Whether a host name means this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


def may_sign_in(request: Request) -> bool:
    """A session's secret crosses a network only under TLS."""
    return request.url.scheme == "https" or is_loopback(request.url.hostname)


def cookie_name(request: Request) -> str:
    """The name of our cookie on this kind of connection."""
    return SECURE if request.url.scheme == "https" else LOCAL


def read_cookie(request: Request) -> str | None:
    """The secret the browser sent, if any."""
    return request.cookies.get(cookie_name(request))


def set_cookie(request: Request, response: Response, secret: str) -> None:
    """Hand the secret to the browser; no script can read it, no other site sends it along."""
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=(SHIFT + EXTENSIONS * EXTENSION) // 1000,
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="lax",
        path="/",
    )


def clear_cookie(request: Request, response: Response) -> None:
    """Take the secret back."""
    response.delete_cookie(
        cookie_name(request),
        path="/",
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="lax",
    )
