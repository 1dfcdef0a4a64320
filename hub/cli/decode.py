"""`trygghub decode TYPE`: what a device's bytes mean, line by line, with the drivers the gateway uses.

    echo '{"hex": "40 3a 01"}' | trygghub decode bthome_pendant

Each line of standard input is one frame: `{"hex": "…"}` or `{"topic": "…", "payload": …}`, perhaps with `at`,
`address`, `characteristic`, `key` (hex), `home`, `device`, `retained`, `settings`. Each event becomes one line,
and so does everything that was wrong; a bad line never stops the rest. A line that says nothing new prints nothing
(on a terminal, a note says so). What a decoder remembers (counters,
half-received blocks) carries over the lines of one run, by address.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from drivers.catalogue import CATALOGUE
from drivers.device_type import DeviceType, Result, Unit
from drivers.events import DecodeError, Event, Fact, Frame, Millis, TimeError, parse_time
from drivers.protocols import mqtt_topics
from drivers.registry import DEVICE_TYPES, UnknownDeviceType, device_type
from hub.cli.outcome import OK, Refused
from hub.clock import Clock, clock_from_environment
from hub.gateway.moments import moment

HELP = __doc__

LONGEST_LINE = 1_048_576
"""Bytes of one line; a longer one is reported and left out."""

LONGEST_KEY = 64
FIELDS = frozenset(
    "hex topic payload at address characteristic key home device retained settings note".split()  # noqa: SIM905
)
_BASE_UUID = "0000{}-0000-1000-8000-00805f9b34fb"


class BadLine(ValueError):  # noqa: N818  it names the line
    """A line that is no frame, said in a sentence."""


@dataclass(slots=True)
class Decoding:
    """One run: a device type, the clock for lines without a time, and the units met so far.

    note: told of lines that are read well and say nothing, which print nothing.
    """

    type: DeviceType
    clock: Clock
    units: dict[str, Unit] = field(default_factory=dict)
    note: Callable[[str], object] = str

    def lines(self, raw: Iterable[bytes | None]) -> Iterator[dict[str, Any]]:
        """Decode lines (None: a line that was too long) into what is to be printed."""
        for number, line in enumerate(raw, start=1):
            if line is not None and not line.strip():
                continue
            try:
                yield from self._line(line, number)
            except (BadLine, DecodeError, TimeError) as wrong:
                yield {"error": f"line {number}: {wrong}"}
            except Exception as fault:  # a fault of ours must not end the run either
                yield {"error": f"line {number}: the decoder {self.type.id} broke: {fault!r:.200}"}

    def _line(self, line: bytes | None, number: int) -> list[dict[str, Any]]:
        asked = _read(line)
        heard = parse_time(asked["at"]) if "at" in asked else self.clock.now()
        frame = self._frame(asked, heard)
        found = list(self.type.decode(frame, self._unit(asked, frame.address)))
        if not found:
            self.note(f"line {number}: nothing new in it (a repetition, or the first part of a block)")
        return [
            self._told(one, asked, heard, f"{number}-{place}") for place, one in enumerate(found, start=1)
        ]

    def _frame(self, asked: Mapping[str, Any], heard: Millis) -> Frame:
        place = mqtt_topics.read(_text(asked, "topic")) if "topic" in asked else None
        address = _text(asked, "address", place.address if place else "-")
        if self.type.link == "ble":
            address = address.lower()
        if "characteristic" in asked or place is None:
            channel = _channel(self.type, _text(asked, "characteristic", ""))
        else:
            channel = place.channel
        retained = asked.get("retained", False) is True
        return Frame(self.type.link, address, _payload(asked), heard, channel, retained)

    def _unit(self, asked: Mapping[str, Any], address: str) -> Unit:
        unit = self.units.setdefault(address, Unit(address))
        if "key" in asked:
            unit.key = _hex(asked, "key", LONGEST_KEY)
        if "settings" in asked:
            if not isinstance(asked["settings"], dict):
                raise BadLine(f"'settings' is an object, not {asked['settings']!r:.80}")
            unit.settings = asked["settings"]
        return unit

    def _told(
        self, one: Fact | Result, asked: Mapping[str, Any], heard: Millis, place: str
    ) -> dict[str, Any]:
        if isinstance(one, Result):
            return {"result": {"command": one.command, "outcome": one.outcome, "reason": one.reason}}
        CATALOGUE.check(one.kind, one.data)
        home, device = _text(asked, "home", "-"), _text(asked, "device", "-")
        when = moment(one, heard, own_clock=self.type.own_clock)
        return Event(
            f"{device}:{one.id or place}", when.at, heard, home, device, one.kind, one.data
        ).as_json()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """TYPE and --list."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("type", nargs="?", metavar="TYPE", help="a device type, see --list")
    parser.add_argument("--list", action="store_true", help="name the device types and stop")


def run(args: argparse.Namespace) -> int:
    """Decode standard input to standard output."""
    if args.list:
        for each in DEVICE_TYPES.values():
            sys.stdout.write(f"{each.id}\t{each.link}\t{each.name['en']}\n")
        return OK
    if not args.type:
        raise Refused("name a device type; trygghub decode --list shows them")
    try:
        type_ = device_type(args.type)
    except UnknownDeviceType as wrong:
        raise Refused(str(wrong)) from None
    decoding = Decoding(type_, clock_from_environment())
    if sys.stderr.isatty():
        decoding.note = lambda sentence: sys.stderr.write(sentence + "\n")
    for told in decoding.lines(_bounded(sys.stdin.buffer)):
        sys.stdout.write(json.dumps(told, ensure_ascii=True) + "\n")
        sys.stdout.flush()
    return OK


def _bounded(stream: IO[bytes]) -> Iterator[bytes | None]:
    """The lines of a stream; None stands for one that is too long, whose rest is thrown away."""
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) <= LONGEST_LINE:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE)
        yield None


def _read(line: bytes | None) -> dict[str, Any]:
    if line is None:
        raise BadLine(f"a line has at most {LONGEST_LINE} bytes; this one has more")
    try:
        asked = json.loads(line.decode())  # not left to json: it would guess UTF-16 and UTF-32
    except RecursionError:
        raise BadLine("a line is a flat JSON object; this one is nested too deeply") from None
    except UnicodeDecodeError:
        raise BadLine(f"a line is a JSON object in UTF-8, not the bytes {line[:16].hex(' ')}") from None
    except ValueError as wrong:
        raise BadLine(f"a line is a JSON object; {wrong}") from None
    if not isinstance(asked, dict):
        raise BadLine(f"a line is a JSON object, not {asked!r:.60}")
    if ("hex" in asked) == ("payload" in asked):
        raise BadLine('a line has either "hex" or "payload"')
    return {name: value for name, value in asked.items() if name in FIELDS and value is not None}


def _payload(asked: Mapping[str, Any]) -> bytes:
    """The frame's bytes: hex, or a payload: a text as it stands, anything else as JSON."""
    if "hex" in asked:
        return _hex(asked, "hex", LONGEST_LINE)
    payload = asked.get("payload")
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    return text.encode(errors="surrogatepass")


def _hex(asked: Mapping[str, Any], name: str, longest: int) -> bytes:
    value = asked[name]
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or len(found) > longest:
        shown = "it" if name == "key" else f"{value!r:.60}"
        raise BadLine(f"{name!r} is at most {longest} bytes as pairs of hex digits; {shown} is not")
    return found


def _text(asked: Mapping[str, Any], name: str, default: str = "") -> str:
    value = asked.get(name, default)
    if not isinstance(value, str) or len(value) > 1000:
        raise BadLine(f"{name!r} is a text of at most 1000 characters, not {value!r:.80}")
    return value


def _channel(type_: DeviceType, asked: str) -> str:
    """The channel a line means: a short UUID is written out, and where a type has only one it is that one."""
    if type_.link == "mqtt":
        return asked or "event"
    if type_.link != "ble":
        return asked
    name = asked.lower().removeprefix("0x")
    if re.fullmatch(r"[0-9a-f]{4}", name):
        known = () if type_.ble is None else type_.ble.adverts
        return f"adv:{name}" if f"adv:{name}" in known else _BASE_UUID.format(name)
    if name or type_.ble is None:
        return name
    channels = sorted(type_.ble.adverts) or list(type_.ble.subscribe)
    return channels[0] if channels else ""
