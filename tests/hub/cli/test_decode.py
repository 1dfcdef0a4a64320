"""`trygghub decode`: one line a frame in, one line an event or error out, and no line stops the rest."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from drivers.registry import DEVICE_TYPES, device_type
from hub.cli import decode
from hub.cli.__main__ import main
from hub.clock import ManualClock


class Piped:
    """Standard input and output as a pipe has them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def run(self, type_: str, *lines: bytes | dict[str, Any]) -> list[dict[str, Any]]:
        """Run the command and read its lines."""
        raw = b"".join(
            (each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in lines
        )
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        assert main(["decode", type_]) == 0
        return [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Piped:
    """The command, ready to be fed."""
    return Piped(monkeypatch, capsys)


def test_an_mqtt_message_becomes_an_event(piped: Piped) -> None:
    """Topic and payload are enough; home and device are named where the caller knows them."""
    payload = {"id": "17", "kind": "lock.jammed", "at": "2026-01-15T11:59:59Z"}
    line = {"topic": "homes/h1/devices/front/event", "payload": payload, "at": "2026-01-15T12:00:00Z"}
    assert piped.run("native_lock", {**line, "home": "h1", "device": "front"}, line) == [
        {"id": "front:17", "at": "2026-01-15T11:59:59.000Z", "heard": "2026-01-15T12:00:00.000Z", "home": "h1",
         "device": "front", "kind": "lock.jammed", "data": {}},
        {"id": "-:17", "at": "2026-01-15T11:59:59.000Z", "heard": "2026-01-15T12:00:00.000Z", "home": "-",
         "device": "-", "kind": "lock.jammed", "data": {}},
    ]  # fmt: skip


def test_bytes_of_a_line_carry_over_to_the_next(piped: Piped) -> None:
    """A block cut in two lines is one event; another address has a line of its own."""
    told = piped.run(
        "espa_nurse_call",
        {"hex": "0131 0231 1F", "address": "one", "at": 1_768_478_400_000},
        {"hex": "41035F", "address": "two"},
        {"hex": "41035F", "address": "one", "at": 1_768_478_400_500},
    )
    assert [(one["kind"], one["data"], one["at"]) for one in told if "kind" in one] == [
        ("call.raised", {"place": "A"}, "2026-01-15T12:00:00.500Z")
    ]


def test_a_bad_line_never_stops_the_rest(piped: Piped) -> None:
    """Rubbish of many kinds gives one error each, and the good line after it is decoded."""
    bad: list[bytes | dict[str, Any]] = [
        b"rubbish",
        b"\xff\xfe",
        b"[]",
        b"[" * 5000,
        b'{"hex": "' + b"0" * 2_000_000 + b'"}',
        {},
        {"hex": "zz"},
        {"hex": 5},
        {"hex": "00", "payload": {}},
        {"payload": {}, "at": "yesterday"},
        {"payload": {}, "topic": 5},
        {"payload": {}, "settings": []},
        {"payload": {}, "address": "x" * 2000},
        {"payload": {"id": "1", "kind": "lock.locked"}, "home": 5},
        {"payload": "\ud800"},
        {"topic": "nowhere", "payload": {}},
    ]
    told = piped.run("native_lock", *bad, b"", {"payload": {"id": "1", "kind": "lock.locked"}})
    assert [list(one) for one in told[:-1]] == [["error"]] * len(bad)
    assert told[-1]["kind"] == "lock.locked"
    assert told[0]["error"].startswith("line 1: ")
    assert told[1]["error"] == "line 2: a line is a JSON object in UTF-8, not the bytes ff fe 0a"
    assert "at most 1048576 bytes" in told[4]["error"]


def test_a_wrong_key_is_not_repeated(piped: Piped) -> None:
    """A secret stays secret in error messages."""
    (told,) = piped.run("native_lock", {"payload": {}, "key": "not-hex-but-secret"})
    assert "secret" not in told["error"]


def test_a_result_of_a_command_is_told(piped: Piped) -> None:
    """What became of a command is no event, but it is shown."""
    told = piped.run(
        "native_lock", {"topic": "homes/h/devices/d/result", "payload": {"id": "c1", "outcome": "done"}}
    )
    assert told == [{"result": {"command": "c1", "outcome": "done", "reason": ""}}]


def test_a_decoder_that_breaks_is_told_and_does_not_end_the_run() -> None:
    """A fault of ours is one error line, and the next line is decoded."""
    import dataclasses

    calls = iter([ZeroDivisionError("oops"), None])

    def decoder(frame, unit):
        if fault := next(calls):
            raise fault
        return []

    broken = dataclasses.replace(device_type("native_lock"), decode=decoder)
    run = decode.Decoding(broken, ManualClock())
    assert list(run.lines([b'{"hex": "00"}', b'{"hex": "00"}'])) == [
        {"error": "line 1: the decoder native_lock broke: ZeroDivisionError('oops')"}
    ]


def test_the_list_names_every_type(capsys: pytest.CaptureFixture[str]) -> None:
    """`--list` has one line a type, its id first."""
    assert main(["decode", "--list"]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == list(DEVICE_TYPES)


@pytest.mark.parametrize(
    ("words", "says"),
    [(["native_lok"], "did you mean 'native_lock'"), ([], "name a device type")],
)
def test_an_unknown_type_is_refused_in_a_sentence(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is not zero and the sentence helps."""
    assert main(["decode", *words]) == 2
    assert says in capsys.readouterr().err


def test_short_uuids_are_written_out() -> None:
    """`2A5F` means the full characteristic, and for an advertisement its own channel."""
    ble = [one for one in DEVICE_TYPES.values() if one.ble is not None]
    for type_ in ble:
        assert type_.ble is not None
        for advert in type_.ble.adverts:
            assert decode._channel(type_, advert.removeprefix("adv:").upper()) == advert
            assert decode._channel(type_, "") in type_.ble.adverts
        for uuid in type_.ble.subscribe:
            assert decode._channel(type_, uuid.upper()) == uuid
            assert decode._channel(type_, "0x" + uuid[4:8]) == uuid or not uuid.startswith("0000")
    assert decode._channel(device_type("native_lock"), "") == "event"


def test_a_person_at_a_terminal_is_told_of_a_line_that_says_nothing_new() -> None:
    """The first half of a block prints nothing, which must not look like a fault."""
    notes: list[str] = []
    run = decode.Decoding(device_type("espa_nurse_call"), ManualClock(0), note=notes.append)
    assert list(run.lines([b'{"hex": "0131 0231 1F"}'])) == []
    assert notes == ["line 1: nothing new in it (a repetition, or the first part of a block)"]
