"""What devices need and nobody may read in passing: keys and PINs, each in a file of its own in the secrets folder.

A device's `secret` names the file of its key, hexadecimal. A setting called `…_secret` names the file of a further
one, one line of text: with `pin_secret: front-door.pin` the driver knows it as `pin`. No sentence repeats a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

SUFFIX: Final = "_secret"
FILE_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
LONGEST: Final = 1000
"""Characters of a secret that is text; a longer one is a file named by mistake."""

OPEN: Final = ("pin", "password")
"""Settings that are secrets and must not stand in the registry themselves."""


class SecretError(ValueError):
    """A secret that cannot be read, said in a sentence that does not repeat it."""


def read_key(path: Path) -> bytes:
    """Read a device's key: hexadecimal digits in a file of their own. Raises SecretError."""
    text = _text(path, "key")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise SecretError(f"the key file {path.name} holds no hexadecimal key") from None


def read_all(settings: Mapping[str, Any], folder: Path) -> tuple[dict[str, str], list[SecretError]]:
    """The secrets that settings name, and what is wrong with those that cannot be read."""
    found: dict[str, str] = {}
    wrong: list[SecretError] = []
    for name, file in settings.items():
        if not name.endswith(SUFFIX):
            continue
        try:
            found[name.removesuffix(SUFFIX)] = _named(name, file, folder)
        except SecretError as error:
            wrong.append(error)
    for name in OPEN:
        if settings.get(name) is not None:
            remedy = f"write it to a file of the secrets folder and name that as {name}{SUFFIX}"
            wrong.append(SecretError(f"the setting {name} stands openly in the registry; {remedy}"))
    return found, wrong


def _named(setting: str, file: object, folder: Path) -> str:
    if not isinstance(file, str) or not FILE_NAME.fullmatch(file) or file in {".", ".."}:
        raise SecretError(f"the setting {setting} is the name of a file in the secrets folder")
    text = _text(folder / file, "secret")
    if not text.isprintable() or not text:
        raise SecretError(f"the secret file {file} holds one line of text")
    return text


def _text(path: Path, what: str) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(LONGEST + 1)
    except OSError as error:
        raise SecretError(f"the {what} file {path.name} cannot be read: {error.strerror}") from None
    if len(text) > LONGEST:
        raise SecretError(f"the {what} file {path.name} is too long for a {what}")
    return text.strip()
