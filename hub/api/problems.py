"""Errors as `application/problem+json` (RFC 9457), each with its sentence in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from hub.centre.alerts.codes import Words, words
from hub.centre.alerts.refusals import (
    AlertError,
    NotAllowed,
    NotFound,
    Refused,
    Stale,
    StepUp,
    TooOld,
    Unacceptable,
)

SIGN_IN = words("Logg inn først.", "Sign in first.")
NO_RIGHT = words("Du har ikke tilgang til dette.", "You have no access to this.")
NOTHING_HERE = words("Det finnes ikke.", "There is no such thing.")
FAULT = words("Noe gikk galt hos oss. Prøv igjen.", "Something went wrong on our side. Try again.")
INVALID = words("Forespørselen kan ikke leses.", "The request cannot be read.")

MEDIA_TYPE = "application/problem+json"
FORBIDDEN = "forbidden"


class ProblemError(Exception):
    """An answer that is no success. kind: one word for programs. says: the sentence for people."""

    def __init__(self, status: int, kind: str, says: Words, **more: Any) -> None:
        super().__init__(says["en"])
        self.status, self.kind, self.says, self.more = status, kind, says, more


class Says(BaseModel):
    """One text in Norwegian bokmål and English."""

    nb: str
    en: str


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="urn:trygghub:problem: and one word a program may look at.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    detail: str = Field(description="The sentence in English.")
    says: Says = Field(description="The sentence for people, in both languages.")
    errors: list[dict[str, Any]] = Field(
        default=[], description="For an unreadable request: what, and where."
    )


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description, "content": {MEDIA_TYPE: {}}}
    for status, description in {
        401: "Nobody is signed in.",
        403: "The person's role does not allow this.",
        404: "There is no such thing for this person.",
        409: "The thing changed since the person looked at it, or does not allow this as it stands.",
        422: "The request cannot be read, or its content is refused.",
    }.items()
}
"""For the OpenAPI document."""

STATUS: Mapping[type[AlertError], tuple[int, str]] = MappingProxyType(
    {
        NotFound: (404, "not-found"),
        Stale: (409, "stale"),
        NotAllowed: (403, FORBIDDEN),
        StepUp: (403, "sign-in-again"),
        TooOld: (409, "too-old"),
        Unacceptable: (422, "refused"),
        Refused: (409, "refused"),
    }
)


def no_access() -> ProblemError:
    """The person's role does not allow this."""
    return ProblemError(403, FORBIDDEN, NO_RIGHT)


def missing() -> ProblemError:
    """There is no such thing, or it is none of this person's business; the answer does not tell which."""
    return ProblemError(404, "not-found", NOTHING_HERE)


def install(app: FastAPI) -> None:
    """Turn every error of the API into a problem document."""
    app.exception_handler(ProblemError)(_own)
    app.exception_handler(AlertError)(_alert)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(Exception)(_fault)


async def _own(_request: Request, wrong: Exception) -> JSONResponse:
    assert isinstance(wrong, ProblemError)
    return document(wrong.status, wrong.kind, wrong.says, wrong.more)


async def _alert(_request: Request, wrong: Exception) -> JSONResponse:
    assert isinstance(wrong, AlertError)
    status, kind = STATUS[type(wrong)]
    return document(status, kind, wrong.says)


async def _invalid(_request: Request, wrong: Exception) -> JSONResponse:
    assert isinstance(wrong, RequestValidationError)
    errors = [
        {"where": ".".join(map(str, one["loc"])), "what": str(one["msg"])[:300]}
        for one in wrong.errors()[:20]
    ]
    return document(422, "invalid", INVALID, {"errors": errors})


async def _http(_request: Request, wrong: Exception) -> JSONResponse:
    assert isinstance(wrong, HTTPException)
    says = NOTHING_HERE if wrong.status_code == 404 else INVALID
    answer = document(wrong.status_code, "http", says)
    answer.headers.update(wrong.headers or {})
    return answer


async def _fault(_request: Request, _wrong: Exception) -> JSONResponse:
    """A fault of ours: it is logged by the server, and the answer gives nothing of it away."""
    return document(500, "fault", FAULT)


def document(
    status: int, kind: str, says: Words, more: Mapping[str, Any] = MappingProxyType({})
) -> JSONResponse:
    """The answer."""
    body = {
        "type": f"urn:trygghub:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": says["en"],
        "says": dict(says),
        **more,
    }
    return JSONResponse(body, status, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
