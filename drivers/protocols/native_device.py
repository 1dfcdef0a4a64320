"""What the declarations of native device types share: their decoder and how a stranger is recognised."""

from __future__ import annotations

from collections.abc import Callable

from drivers.device_type import Decode, Result, Unit
from drivers.events import DecodeError, Fact, Frame
from drivers.protocols import native
from drivers.protocols.json_payload import read_object


def reader(emits: frozenset[str]) -> Decode:
    """A decoder for a native device that may report the kinds `emits`."""

    def decode(frame: Frame, unit: Unit) -> list[Fact | Result]:  # noqa: ARG001  nothing is remembered
        return native.read(frame, emits)

    return decode


def recogniser(*classes: str) -> Callable[[Frame], bool]:
    """Whether a frame is an event of one of these classes, from somebody not registered."""

    def recognises(frame: Frame) -> bool:
        if frame.link != "mqtt" or frame.channel != "event":
            return False
        try:
            kind = read_object(frame.payload).get("kind")
        except DecodeError:
            return False
        return isinstance(kind, str) and kind.partition(".")[0] in classes

    return recognises
