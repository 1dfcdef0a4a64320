"""JSON from strangers: bounded, strict, and wrong in one way only."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from drivers.events import DecodeError

MAX_PAYLOAD = 16_384
"""Bytes of a JSON payload; the largest seen from devices of homes are a tenth of it."""


def read_object(payload: bytes, longest: int = MAX_PAYLOAD) -> dict[str, Any]:
    """Read a JSON object. Raises DecodeError with a sentence for anything else, of any size or depth."""
    if len(payload) > longest:
        raise DecodeError(f"a payload has at most {longest} bytes; this one has more")
    try:
        value = json.loads(payload.decode(), parse_constant=_refuse)
    except UnicodeDecodeError as wrong:
        raise DecodeError(f"a payload is UTF-8 text; byte {wrong.start} is not") from None
    except RecursionError:
        raise DecodeError("a payload is a flat JSON object; this one is nested too deeply") from None
    except ValueError as wrong:
        raise DecodeError(f"a payload is a JSON object; {str(wrong)[:120]}") from None
    if not isinstance(value, dict):
        raise DecodeError(f"a payload is a JSON object, not {_kind_of(value)}")
    return value


def text_field(payload: dict[str, Any], name: str, longest: int = 200) -> str:
    """A text that must be there. Raises DecodeError."""
    value = payload.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise DecodeError(f"field {name!r} is a text of 1 to {longest} characters, not {value!r:.80}")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _kind_of(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "null")
