"""`trygghub doctor` says what is wrong on a machine, what to do about it, and never what is secret."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import orjson
import pytest

from hub.broker.check import UnreachableError
from hub.cli.__main__ import main
from hub.cli.doctor import DoctorSettings, examine
from hub.doctor import brokers, database, devices, folder, machine
from hub.doctor.finding import Finding, carefully, ok
from hub.gateway import box
from hub.store.migrate import main as migrate
from hub.supervisor.folder import DataFolder, Memory

SINCE = "2026-01-01T00:00:00Z"
NOW = 1_768_460_400_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A gateway's data folder as its first start leaves it."""
    root = tmp_path / "data"
    DataFolder(root).prepare()
    migrate(["gateway", str(root / "gateway" / "gateway.db")])
    return root


def found(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    """Verdicts and what was said."""
    listed = list(findings)
    assert all(one.remedy for one in listed if one.verdict != "ok"), "what is wrong says what to do"
    return [(one.verdict, one.what) for one in listed]


def one(findings: Iterator[Finding]) -> tuple[str, str]:
    """The only finding."""
    (only,) = found(findings)
    return only


def registered(data: Path, **entries: dict[str, Any]) -> None:
    """Give the gateway a copy of the registry with these devices."""
    plain = {name: {"home": "h1", "since": SINCE, **entry} for name, entry in entries.items()}
    home = {"address": "", "zone": "nord", "gateway": "gw1"}
    part = {"gateway": "gw1", "homes": {"h1": home}, "residents": {}, "devices": plain}
    (data / "gateway" / "registry.json").write_bytes(orjson.dumps({"hash": "", "registry": part}))


PENDANT = {"class": "pendant", "type": "bthome_pendant", "link": "ble", "address": "c4:7c:8d:6a:10:01"}
NURSE = {"class": "call", "type": "espa_nurse_call", "link": "serial", "address": "nurse-call",
         "settings": {"line": "9600 8N1"}}  # fmt: skip


# ---------------------------------------------------------------- the command


def test_a_good_machine_ends_well(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing fails: exit code 0, and the last line counts."""
    (data / "gateway" / "secrets" / "x.key").touch(mode=0o600)
    assert main(["doctor", "--data", str(data)]) == 0
    shown = capsys.readouterr().out
    assert "FAIL" not in shown
    assert shown.splitlines()[-1].endswith("0 wrong")
    assert f"ok    the database {data}/gateway/gateway.db" in shown


def test_what_is_wrong_fails_and_says_what_to_do(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each fault is a line with a remedy below it, and the exit code is 1."""
    data.chmod(0o755)
    assert main(["doctor", "--data", str(data)]) == 1
    shown = capsys.readouterr().out
    assert f"FAIL  others can enter {data} (mode 755), and it holds keys\n      → chmod 700 {data}\n" in shown


def test_a_folder_before_its_first_start_is_no_fault(tmp_path: Path) -> None:
    """Doctor is run right after the installation, too."""
    said = found(examine(DoctorSettings(data=tmp_path / "none")))
    assert ("ok", f"there is no data folder {tmp_path / 'none'} yet; the first start makes it") in said
    assert "fail" not in {verdict for verdict, _ in said}


def test_a_look_that_breaks_does_not_hide_the_others() -> None:
    """It is a finding of its own."""

    def broken() -> Iterator[Finding]:
        yield ok("so far")
        raise ZeroDivisionError

    assert found(carefully("moon", broken)) == [
        ("ok", "so far"),
        ("fail", "looking at the moon broke: ZeroDivisionError()"),
    ]


# ---------------------------------------------------------------- folder and machine


def test_secrets_that_others_can_read_are_named(data: Path) -> None:
    """By file, and without what is in them."""
    for number in range(7):
        path = data / "gateway" / "secrets" / f"lock-{number}.key"
        path.write_text("c0ffee")
        path.chmod(0o644)
    (data / "gateway" / "secrets" / "lock.key.new").touch(mode=0o600)
    said = found(folder.secrets(data))
    assert said[0] == ("fail", f"others can read the secret {data}/gateway/secrets/lock-0.key")
    assert ("fail", "others can read 2 more secrets") in said
    assert said[-1][0] == "warn"
    assert "c0ffee" not in str(said)


def test_a_restore_that_was_cut_off_is_said(data: Path) -> None:
    """A folder in which a restore ended in the middle is named, with the command that completes it."""
    assert [verdict for verdict, _ in found(folder.data_folder(data))] == ["ok"]
    (data / ".restoring").mkdir()
    assert found(folder.data_folder(data))[-1] == ("fail", f"a restore into {data} was cut off")


def test_a_folder_of_another_user_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual slip: doctor run as oneself, not as trygghub."""
    monkeypatch.setattr("hub.doctor.folder.os.access", lambda _path, _mode: False)
    assert one(folder.data_folder(tmp_path)) == ("fail", f"this user cannot read and write {tmp_path}")


@pytest.mark.parametrize(
    ("synchronised", "newest", "verdict", "what"),
    [
        (True, NOW - 1, "ok", "the clock is kept right"),
        (True, NOW + 1, "fail", "the clock stands before the newest line of the journal, so it is wrong"),
        (False, None, "warn", "nothing keeps the clock right"),
        (None, None, "warn", "nobody can say whether the clock is kept right"),
    ],
)
def test_the_clock(synchronised: bool | None, newest: int | None, verdict: str, what: str) -> None:
    """A clock that stands before the journal is wrong, whatever NTP says."""
    assert one(machine.clock(synchronised, NOW, newest)) == (verdict, what)


@pytest.mark.parametrize(
    ("power", "verdicts"),
    [
        (box.Power(), []),
        (box.Power(mains=True, battery=90), ["ok"]),
        (box.Power(mains=False, battery=90), ["fail"]),
        (box.Power(mains=True, battery=9), ["warn"]),
    ],
)
def test_power_where_the_box_can_tell(power: box.Power, verdicts: list[str]) -> None:
    """A box without a battery says nothing."""
    assert [verdict for verdict, _ in found(machine.power(power))] == verdicts


@pytest.mark.parametrize(
    ("free", "total", "verdict"),
    [(50, 100, "ok"), (5, 100, "warn"), (0.5, 100, "fail")],
)
def test_the_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, total: float, verdict: str
) -> None:
    """Below a gigabyte it is full, below a tenth it will be."""
    usage = type("Usage", (), {"free": free * 1e9, "total": total * 1e9})
    monkeypatch.setattr("hub.doctor.machine.shutil.disk_usage", lambda _path: usage)
    assert one(machine.disk(tmp_path))[0] == verdict


# ---------------------------------------------------------------- databases


def test_a_whole_database_is_whole_and_a_damaged_one_is_not(data: Path) -> None:
    """The check is SQLite's own; nothing is repaired."""
    path = data / "gateway" / "gateway.db"
    assert one(database.sqlite(path, "gateway"))[0] == "ok"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    path.write_bytes(before[:4096] + b"\xff" * 8192 + before[12288:])
    assert found(database.sqlite(path, "gateway"))[0][0] == "fail"
    path.write_bytes(b"no database at all, but a text that somebody saved here" * 100)
    verdict, what = one(database.sqlite(path, "gateway"))
    assert (verdict, "cannot be read: file is not a database" in what) == ("fail", True)


def test_a_database_of_another_version_is_said(data: Path) -> None:
    """Older tables are brought up to date by a start; newer ones want a newer program."""
    path = data / "gateway" / "gateway.db"
    for number, verdict in (("0000", "warn"), ("9999", "fail")):
        with closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE alembic_version SET version_num = ?", (number,))
            db.commit()
        assert found(database.sqlite(path, "gateway"))[-1][0] == verdict


def test_a_server_that_does_not_answer_is_said_without_its_password() -> None:
    """PostgreSQL at a port where nobody listens."""
    verdict, what = one(database.postgresql("postgresql://trygghub:hemmelig@127.0.0.1:1/trygghub"))
    assert verdict == "fail"
    assert "hemmelig" not in what


# ---------------------------------------------------------------- devices


def looked_at(data: Path, ble: str = "off") -> tuple[Any, devices.Box]:
    """The roll, and where it was found."""
    place = devices.Box(data / "gateway", data, ble, NOW)
    return devices.roll_of(place), place


def test_a_gateway_without_a_registry_hears_nothing(data: Path) -> None:
    """No fault of the machine, but somebody should know."""
    assert looked_at(data)[0] is None
    said = found(examine(DoctorSettings(data=data)))
    assert ("warn", "the gateway has no registry yet, so it hears no device") in said


def test_a_copy_that_cannot_be_read_is_said(data: Path) -> None:
    """Half a file, or somebody else's."""
    for text in ("{", "[]", '{"hash": "", "registry": {}}'):
        (data / "gateway" / "registry.json").write_text(text)
        wrong, _ = looked_at(data)
        assert isinstance(wrong, Finding)
        assert wrong.verdict == "fail"
        assert "cannot be read" in wrong.what


def test_missing_keys_and_ports_and_radios_are_said(data: Path) -> None:
    """What the registry asks for, and this machine does not have."""
    registered(data, button={**PENDANT, "secret": "button.key", "name": "Armbånd"}, nurse=NURSE)
    roll, place = looked_at(data)
    said = found(devices.registry(roll, place))
    assert any("The key of Armbånd (button) cannot be read" in what for _, what in said)
    assert any("which is switched off in this gateway" in what for _, what in said)
    assert one(devices.serial_ports(roll, place)) == (
        "fail",
        f"the serial port {data}/nurse-call is not there",
    )
    assert one(devices.bluetooth(roll, place))[0] == "fail"


def test_what_is_there_is_well(data: Path) -> None:
    """The key is in its file, the port is a file that may be used."""
    registered(data, button={**PENDANT, "secret": "button.key"}, nurse=NURSE)
    (data / "gateway" / "secrets" / "button.key").write_text("00" * 16)
    (data / "nurse-call").touch()
    roll, place = looked_at(data, ble="bluez")
    assert one(devices.registry(roll, place)) == (
        "ok", "the registry of gw1 names 1 homes and 2 devices, and all of them can be made")  # fmt: skip
    assert one(devices.serial_ports(roll, place))[0] == "ok"


def test_a_port_over_the_network(data: Path) -> None:
    """It answers, or it does not."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        registered(data, nurse={**NURSE, "address": url})
        roll, place = looked_at(data)
        assert one(devices.serial_ports(roll, place)) == ("ok", f"the serial port {url} answers")
    assert one(devices.serial_ports(roll, place))[0] == "fail"


def test_a_radio_that_is_not_there(data: Path) -> None:
    """It fails where a device needs it, and is worth a line where none does yet."""
    place = devices.Box(data / "gateway", data, "tcp:127.0.0.1:1", NOW)
    verdict, what = one(devices.bluetooth(None, place))
    assert verdict == "warn"
    assert what.endswith("no device in the registry needs it yet")
    registered(data, button=PENDANT)
    roll, _ = looked_at(data)
    assert one(devices.bluetooth(roll, place))[0] == "fail"


class CautiousRadio:
    """A radio that opens, and may miss something."""

    name = "bluez"
    caution = "most presses go unheard: start bluetoothd with --experimental"

    async def open(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """It may go."""


def test_a_radio_that_may_miss_something_is_worth_a_line(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bluetooth works and BlueZ holds advertisements back: what is missing is said."""
    monkeypatch.setattr("drivers.links.ble.radio.open_radios", lambda _setting: [CautiousRadio()])
    place = devices.Box(data / "gateway", data, "bluez", NOW)
    assert one(devices.bluetooth(None, place)) == ("warn", f"bluez: {CautiousRadio.caution}")


# ---------------------------------------------------------------- brokers


def test_a_broker_that_does_not_answer_is_said_without_its_password() -> None:
    """Network, address or login."""
    verdict, what = one(brokers.uplink("mqtt://gw1:hemmelig@127.0.0.1:1", "gw1"))
    assert verdict == "fail"
    assert "the centre's broker cannot be used: no broker answers at" in what
    assert "hemmelig" not in what


class Broker:
    """A broker of the test: what it grants, and whether it keeps."""

    def __init__(self, granted: int, *, keeps: bool = True, refuses: bool = False) -> None:
        self.granted, self.keeps, self.refuses = granted, keeps, refuses

    def __call__(self, _url: str, _patience: float) -> Broker:
        return self

    def __enter__(self) -> Self:
        if self.refuses:
            raise UnreachableError("the broker refuses the login: Not authorized")
        return self

    def __exit__(self, *_: object) -> None: ...

    def subscribe(self, _topic: str) -> int:
        return self.granted

    def publish(self, _topic: str, _payload: str, *, retain: bool = False) -> None: ...

    def await_message(self, _topic: str, *, retained: bool | None = None) -> bool:
        return self.keeps


@pytest.mark.parametrize(
    ("broker", "verdict", "what"),
    [
        (Broker(1), "ok", "the centre's broker mqtt://127.0.0.1 answers and grants what is needed"),
        (Broker(128), "fail", "the centre's broker mqtt://127.0.0.1 does not let this login hear gateways/gw1/#"),
        (Broker(1, keeps=False), "warn", "the centre's broker mqtt://127.0.0.1 keeps no retained messages"),
        (Broker(1, refuses=True), "fail", "the centre's broker cannot be used: the broker refuses the login"),
    ],
)  # fmt: skip
def test_what_one_login_can_find_out(
    monkeypatch: pytest.MonkeyPatch, broker: Broker, verdict: str, what: str
) -> None:
    """Whether it answers, grants and keeps."""
    monkeypatch.setattr(brokers, "Probe", broker)
    said = found(brokers.uplink("mqtt://127.0.0.1", "gw1"))
    assert (said[0][0], said[0][1][: len(what)]) == (verdict, what)


def test_what_runs_here_is_asked(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process holds the folder: its parts are asked whether they are ready."""
    free = dict.fromkeys(("broker", "centre", "gateway", "web", "ble"), 1)
    folder_of = DataFolder(data)
    folder_of.remember(Memory(gateway="gw1", demo=False, registry="", ports=free))
    assert ("ok", f"trygghub run does not run in {data} now") in found(examine(DoctorSettings(data=data)))
    monkeypatch.setattr(brokers, "PATIENCE", 0.1)
    with folder_of.held():
        said = found(examine(DoctorSettings(data=data)))
    assert ("fail", "gateway on port 1 does not say that it is ready") in said
    assert any("no broker answers at" in what for _, what in said)


def test_several_gateways_of_a_demonstration_are_told_apart(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is asked at its own port, and what is found in its folder says whose it is."""
    (data / "gateways" / "gw2" / "gateway" / "secrets").mkdir(parents=True)
    (data / "gateways" / "gw2" / "gateway" / "secrets" / "b.key").write_text("00")
    names = ("broker", "centre", "gateway-gw1", "gateway-gw2", "web", "ble")
    folder_of = DataFolder(data)
    folder_of.remember(
        Memory(gateway="gw1", others=["gw2"], demo=True, registry="", ports=dict.fromkeys(names, 1))
    )
    monkeypatch.setattr(brokers, "PATIENCE", 0.1)
    with folder_of.held():
        said = found(examine(DoctorSettings(data=data)))
    assert ("fail", "gateway-gw1 on port 1 does not say that it is ready") in said
    assert ("fail", "gateway-gw2 on port 1 does not say that it is ready") in said
    assert ("ok", "gateway gw2: there is no gateway database yet; the first start makes it") in said
    assert any(what.endswith("gw2/gateway/secrets/b.key") for verdict, what in said if verdict == "fail")
