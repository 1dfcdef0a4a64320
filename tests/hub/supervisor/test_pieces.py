"""The supervisor's small parts: folder, ports, clock, log lines."""

from __future__ import annotations

import json
import socket
import stat
from datetime import date
from pathlib import Path

import pytest

from hub.broker.external import ExternalBroker
from hub.clock import ScaledClock
from hub.settings import RunSettings, SettingError, read
from hub.supervisor import plan, ports, setting_up, world
from hub.supervisor.folder import DataFolder, FolderInUse, FolderUnreadable, Memory
from hub.supervisor.log_file import trouble
from tests.ports import free_port

OSLO = world.Day("07:00", "Europe/Oslo")


def settings(data: Path, *argv: str) -> RunSettings:
    """Settings of a run from this command line alone."""
    return read(RunSettings, ["--data", str(data), *argv], {})


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """Two supervisors never share a folder, and the sentence names it."""
    folder = DataFolder(tmp_path)
    with (
        folder.held(),
        pytest.raises(FolderInUse, match=f"runs in {tmp_path} already"),
        DataFolder(tmp_path).held(),
    ):
        pass


def test_a_folder_is_free_again_after_a_run(tmp_path: Path) -> None:
    """The lock goes with its holder."""
    folder = DataFolder(tmp_path)
    for _ in range(2):
        with folder.held():
            assert (tmp_path / "run.lock").exists()


def test_only_the_owner_can_enter_the_data_folder(tmp_path: Path) -> None:
    """Keys and people's lives are for nobody else's eyes."""
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    assert {
        stat.S_IMODE(one.stat().st_mode) for one in (folder.root, folder.secrets, folder.device_secrets)
    } == {0o700}


def test_what_a_run_remembers_comes_back(tmp_path: Path) -> None:
    """Ports, gateway and speed are the same on the next start."""
    memory = Memory(gateway="gw1", demo=True, registry="/r.yaml", ports={"web": 8420}, speed=60.0)
    DataFolder(tmp_path).remember(memory)
    assert DataFolder(tmp_path).recall() == memory


@pytest.mark.parametrize("text", ["", "{", "[]", '{"gateway": 1, "surprise": 2}'])
def test_a_damaged_memory_is_said(tmp_path: Path, text: str) -> None:
    """Nothing is guessed over a file that cannot be read."""
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(FolderUnreadable, match=r"run\.json cannot be read"):
        DataFolder(tmp_path).recall()


def test_a_port_in_use_is_refused_when_it_was_asked_for() -> None:
    """Who asks for a port by name is told that it is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=f"--port: {port} is in use"):
            ports.web_listener("127.0.0.1", port, None)
        assert web_port(port) != port
        assert ports.keep(port) != port


def web_port(last: int) -> int:
    """Which port the dashboard would get."""
    with ports.web_listener("127.0.0.1", None, last) as held:
        return int(held.getsockname()[1])


def test_of_two_runs_that_start_together_each_has_its_own_port() -> None:
    """The first holds it from the moment it is chosen; who asks for it by name is told."""
    port = free_port()
    with (
        ports.web_listener("127.0.0.1", None, port) as one,
        ports.web_listener("127.0.0.1", None, port) as other,
    ):
        assert one.getsockname()[1] == port != other.getsockname()[1]
        with pytest.raises(SettingError, match=f"--port: {port} is in use"):
            ports.web_listener("127.0.0.1", port, None)


def test_a_free_port_is_kept_from_run_to_run() -> None:
    """Bookmarks go on working."""
    port = free_port()
    assert web_port(port) == port
    assert ports.keep(port) == port


def test_no_outgoing_connection_is_ever_given_a_port_that_we_keep() -> None:
    """It lies below those that the system gives away at any moment: free now is free after a crash, too."""
    lowest, highest = map(int, ports.OUTGOING.read_text("ascii").split())
    if lowest <= ports.OWN.start:
        pytest.skip("this machine gives every port away")
    assert not lowest <= ports.any_free() <= highest


def test_two_of_our_processes_are_never_given_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when there are hardly any, and when the last run had mistaken itself."""
    near = free_port()
    monkeypatch.setattr(ports, "OWN", range(near, near + 30))
    assert ports.keep(near) == near
    assert ports.keep(near, but=[near]) in range(near + 1, near + 30)


@pytest.mark.parametrize(
    ("told", "own"), [("1024\t65535\n", False), ("40000\t50000\n", True), ("nonsense\n", True), (None, True)]
)
def test_where_every_port_is_given_away_the_system_chooses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str | None, *, own: bool
) -> None:
    """And where nobody says which are, it is taken to be the upper half."""
    if told is not None:
        (tmp_path / "range").write_text(told, "ascii")
    monkeypatch.setattr(ports, "OUTGOING", tmp_path / "range")
    monkeypatch.setattr(ports, "_given_by_the_system", lambda _host: 4711)
    assert (ports.any_free() in ports.OWN) == own


def test_an_address_that_is_not_ours_is_said() -> None:
    """A mistyped --host is a sentence."""
    with pytest.raises(SettingError, match="--host: nothing can listen on"):
        ports.web_listener("203.0.113.7", 8420, None)


def test_the_demo_begins_just_before_its_day(tmp_path: Path) -> None:
    """The world stands a real second before seven o'clock until everybody is there, however long that takes."""
    clock = world.begin(tmp_path / "clock.json", 240.0, OSLO)
    day = OSLO.first(clock.anchor)
    assert clock.now() == clock.world == OSLO.begins(day) - round(world.BEFORE_DAY * 240_000)
    assert clock.gate is not None
    clock.gate.open()
    assert 0 <= clock.now() - clock.world < 240 * 5000


def test_a_new_run_holds_its_world_again(tmp_path: Path) -> None:
    """The gate of the last run is not this one's."""
    first = world.begin(tmp_path / "clock.json", 60.0, OSLO)
    assert first.gate is not None
    first.gate.open()
    world.note(tmp_path / "clock.json", first)
    again = world.begin(tmp_path / "clock.json", 60.0, OSLO)
    assert again.now() == again.world > first.now()


@pytest.mark.parametrize("demo", [True, False])
def test_homes_speak_when_somebody_listens(tmp_path: Path, demo: bool) -> None:
    """Simulated homes start after the gateway is ready, so that nothing they say is judged as come too late."""
    memory = Memory("gw1", demo, "homes.yaml", ports=dict.fromkeys(("centre", "gateway", "web", "ble"), 4711))
    asked = settings(tmp_path, "--broker", "mqtt://localhost:1883")
    stage = plan.Stage(asked, tmp_path, memory, ExternalBroker(asked.broker), None)
    started = [{spec.name for spec in together} for together in plan.in_order(stage)]
    first = {"centre", "gateway"} | ({"bluez"} if stage.with_bluez else set())
    assert started == [first, {"simulators", "web"} if demo else {"web"}]


def test_the_worlds_time_never_runs_backwards(tmp_path: Path) -> None:
    """Whatever was the last time anybody saw, a new run begins after it, at another speed too."""
    path = tmp_path / "clock.json"
    before = world.begin(path, 60.0, OSLO)
    world.note(path, before)
    last_seen = before.now() + round(3 * world.NOTE_EVERY * 1000 * 60.0)  # two notes came late, or never
    for speed in (60.0, 1.0, 600.0):
        assert world.begin(path, speed, OSLO).now() > last_seen


def test_a_damaged_clock_is_said(tmp_path: Path) -> None:
    """Without the note the world would begin again in the past, so nothing starts."""
    (tmp_path / "clock.json").write_text("{")
    with pytest.raises(world.ClockUnreadable, match="the world's time would run backwards"):
        world.begin(tmp_path / "clock.json", 60.0, OSLO)


def test_a_note_can_be_read_by_people(tmp_path: Path) -> None:
    """World time, machine time and speed stand in the file."""
    world.note(tmp_path / "clock.json", ScaledClock(1000, 0, 2.0))
    assert json.loads((tmp_path / "clock.json").read_text()).keys() == {"world", "real", "speed"}


def test_seven_oclock_is_local() -> None:
    """The day begins by the clock on the resident's wall, in winter and summer."""
    assert OSLO.begins(date(2026, 1, 15)) % 86_400_000 == 6 * 3_600_000
    assert OSLO.begins(date(2026, 7, 15)) % 86_400_000 == 5 * 3_600_000


def test_a_run_without_homes_says_how_to_get_some(tmp_path: Path) -> None:
    """An empty folder needs a registry or the demo."""
    with pytest.raises(SettingError, match="name one with --registry FILE, or see a demo with --demo"):
        setting_up.set_up(settings(tmp_path), DataFolder(tmp_path), demo=False, say=print)


def test_a_real_installation_is_never_played_with(tmp_path: Path) -> None:
    """--demo on a folder with a registry of its own is refused."""
    DataFolder(tmp_path).remember(Memory(gateway="gw1", demo=False, registry="/r.yaml"))
    with pytest.raises(SettingError, match="holds a real installation"):
        setting_up.set_up(settings(tmp_path), DataFolder(tmp_path), demo=True, say=print)


def test_a_real_home_has_no_speed(tmp_path: Path) -> None:
    """Nobody's day is made faster by a slip of the finger."""
    with pytest.raises(SettingError, match="--speed belongs to --demo"):
        setting_up.set_up(settings(tmp_path, "--speed", "60"), DataFolder(tmp_path), demo=False, say=print)


@pytest.mark.parametrize(
    ("names", "asked", "sentence"),
    [
        ("{a: {}, b: {}}", (), "the registry names 2 gateways; say with --gateway which one runs here"),
        ("{a: {}}", ("--gateway", "b"), "--gateway: the registry names no gateway 'b'; it has a"),
        ("{}", (), "the registry names 0 gateways"),
    ],
)
def test_which_gateway_runs_here_must_be_clear(
    tmp_path: Path, names: str, asked: tuple[str, ...], sentence: str
) -> None:
    """One gateway is taken; of several one must be named."""
    file = tmp_path / "registry.yaml"
    file.write_text(f"gateways: {names}\n")
    told = settings(tmp_path, "--registry", str(file), *asked)
    with pytest.raises(SettingError, match=sentence.split(";")[0]):
        setting_up.set_up(told, DataFolder(tmp_path), demo=False, say=print)


def test_keys_of_the_demo_are_made_once(tmp_path: Path) -> None:
    """A pendant keeps its key over restarts; each key is random, private and as long as its device wants it."""
    setting_up.make_keys(tmp_path, {"p.key": 16, "nuki.key": 36})
    first = (tmp_path / "p.key").read_text()
    setting_up.make_keys(tmp_path, {"p.key": 16, "nuki.key": 36})
    assert (tmp_path / "p.key").read_text() == first
    assert len(bytes.fromhex(first)) == 16
    assert len(bytes.fromhex((tmp_path / "nuki.key").read_text())) == 36
    assert stat.S_IMODE((tmp_path / "p.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"event": "stopped", "level": "info"}', None),
        (
            '{"event": "broker lost", "level": "warning", "timestamp": "x", "reason": "gone"}',
            "broker lost reason=gone",
        ),
        ('{"level": "error", "event": "boom", "exception": "long\\ntext"}', "boom"),
        ("[1] 2026/01/15 [ERR] maximum payload exceeded", "[1] 2026/01/15 [ERR] maximum payload exceeded"),
        ("[1] 2026/01/15 [INF] Server is ready", None),
        ("{not json", None),
        ('[1] [ERR] 127.0.0.1 - "check-01" - Publish Violation', None),
    ],
)
def test_only_trouble_reaches_the_console(line: str, shown: str | None) -> None:
    """Ordinary lines stay in the file."""
    assert trouble(line) == shown
