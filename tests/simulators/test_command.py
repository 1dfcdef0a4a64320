"""`python -m simulators`: what it prints, what it refuses, and that what it prints can be replayed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.events import parse_time
from simulators.__main__ import main
from simulators.world import ClockError, read_clock

FIRST = ("--first-day", "2026-01-15")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the surroundings reaches a test."""
    for name in ("CLOCK", "BROKER", "DATA", "SPEED", "FIRST_DAY", "BLE_PORT"):
        monkeypatch.delenv(f"TRYGGHUB_{name}", raising=False)


def lines(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    """The JSON lines that a command prints."""
    assert main(["demo_day", *FIRST, *words]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_dry_day_is_events_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line is an event as the hub's replay reads it, in order of time, with an id of its own."""
    events = lines(capsys, "--dry")
    assert len({one["id"] for one in events}) == len(events) > 1000
    times = [parse_time(one["at"]) for one in events]
    assert times == sorted(times)
    assert events[0].keys() == {"id", "at", "heard", "home", "device", "kind", "data"}


def test_expected_alerts_are_printed_with_instants(capsys: pytest.CaptureFixture[str]) -> None:
    """A tester's tools can compare them with what was raised."""
    fall = next(one for one in lines(capsys, "--expect") if one["rule"] == "fall")
    assert fall == {
        "rule": "fall",
        "home": "h3",
        "since": "2026-01-15T08:40:00.000Z",
        "until": "2026-01-15T08:41:00.000Z",
    }


def test_a_scenario_describes_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever sets the stage learns the start, the registry file, the keys and the wires."""
    (told,) = lines(capsys, "--describe")
    assert told["start"] == "07:00"
    assert Path(str(told["registry"])).is_file()
    assert told["wires"] == ["ble", "mqtt", "serial"]


def test_a_sound_scenario_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    """--check counts homes and devices."""
    assert main(["demo_day", "--check"]) == 0
    assert capsys.readouterr().out == "demo_day: sound; 3 homes, 14 devices\n"


def test_a_slip_in_a_file_is_said_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one sentence for each slip."""
    file = tmp_path / "mine.yaml"
    file.write_text("format: trygghub-scenario-1\nname: x\nhome: {}\n")
    assert main([str(file), "--check"]) == 2
    assert capsys.readouterr().err == (
        f"{file}: line 1: a scenario needs 'homes'\n"
        f"{file}: line 3: a scenario knows no 'home'; did you mean 'homes'?\n"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--first-day", "tomorrow", "--dry"), "--first-day is a date like 2026-01-15, not 'tomorrow'"),
        (("--speed", "fast"), "--speed is a number like 60, not 'fast'"),
        (("--speed", "0"), "--speed lies above 0 and at most 1000, not 0"),
        (("--ble-port", "99999"), "--ble-port is a number from 0 to 65535, not '99999'"),
        ((), "the scenario has MQTT devices; name their broker with --broker mqtt://user:password@host:port"),
    ],
)
def test_what_the_command_refuses(
    words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One sentence, exit code 2."""
    assert main(["demo_day", "--data", str(tmp_path), *words]) == 2
    assert capsys.readouterr().err == f"trygghub simulate: {sentence}\n"


@pytest.mark.parametrize("text", ["scaled:1:2", "scaled:a:b:c", "scaled:1:2:0", "manual", "scaled:1:2:3:4"])
def test_a_clock_nobody_can_read_is_refused(text: str) -> None:
    """The sentence shows the form."""
    with pytest.raises(ClockError, match="a clock is 'system' or 'scaled:WORLD:ANCHOR:SPEED'"):
        read_clock(text)


def test_a_handed_clock_runs_at_its_speed() -> None:
    """World time is a straight line over the machine's."""
    world = read_clock("scaled:1000000:0:2")
    now = world.now()
    assert now > 1_000_000
    assert (now - 1_000_000) % 2 == 0
