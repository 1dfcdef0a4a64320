"""What stands in deploy/ works: units name flags that exist, and Mosquitto's files do what the page says."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.broker.backend import BrokerMissing
from hub.broker.check import Logins, await_broker, check
from hub.broker.logins import Login, rights
from hub.broker.mosquitto import find_program, password_line
from hub.process import GRACE
from hub.settings import CentreSettings, GatewaySettings, WebSettings, read, variable
from tests.ports import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = {"centre": CentreSettings, "gateway": GatewaySettings, "web": WebSettings}


def unit(name: str) -> list[tuple[str, str]]:
    """The settings of a unit file, repeated keys kept."""
    text = (DEPLOY / "systemd" / f"trygghub-{name}.service").read_text()
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


@pytest.mark.parametrize("name", sorted(UNITS))
def test_a_unit_sets_only_what_the_process_reads(name: str, tmp_path: Path) -> None:
    """Each variable is a setting's, and with the files the page tells to write the settings are complete."""
    told = dict(value.split("=", 1) for key, value in unit(name) if key == "Environment")
    kind = UNITS[name]
    known = {variable(one) for one in kind.__dataclass_fields__}
    assert {one.removesuffix("_FILE") for one in told} <= known
    credential = tmp_path / "credential"
    credential.write_text("mqtt://user:password@127.0.0.1:1883\n")
    environment = {key: str(credential) if key.endswith("_FILE") else value for key, value in told.items()}
    assert read(kind, [], {"TRYGGHUB_ID": "gw-0012", **environment})


@pytest.mark.parametrize("name", sorted(UNITS))
def test_a_unit_runs_the_command_of_its_name(name: str) -> None:
    """The unit called trygghub-centre runs `trygghub centre`, and does not restart what refuses its settings."""
    settings = dict(unit(name))
    assert shlex.split(settings["ExecStart"]) == ["/opt/trygghub/venv/bin/trygghub", name]
    assert settings["RestartPreventExitStatus"] == "2"


@pytest.mark.parametrize("name", sorted(UNITS))
def test_every_credential_of_a_unit_is_on_the_page(name: str) -> None:
    """Who follows the page has written every file that a unit loads."""
    page = (DEPLOY / "README.md").read_text()
    files = [value.partition(":")[2] for key, value in unit(name) if key == "LoadCredential"]
    files += [value for key, value in unit(name) if key == "EnvironmentFile"]
    assert files
    assert [file for file in files if f"> {file}" not in page] == []


@pytest.mark.parametrize("name", sorted(UNITS))
def test_a_unit_is_watched_and_never_given_up(name: str) -> None:
    """Each process gives signs of life in time, and is started again however often it ends."""
    settings = dict(unit(name))
    assert (settings["Type"], settings["WatchdogSec"]) == ("notify", "60")
    assert (settings["Restart"], settings["StartLimitIntervalSec"]) == ("always", "0")
    assert float(settings["TimeoutStopSec"]) > GRACE


@pytest.mark.parametrize("name", sorted(UNITS))
def test_a_unit_needs_no_group_that_may_be_missing(name: str) -> None:
    """A box without bluez has no group bluetooth, and systemd starts nothing in a group that is not there."""
    assert "SupplementaryGroups" not in dict(unit(name))
    assert "usermod --append --groups bluetooth trygghub" in (DEPLOY / "README.md").read_text()


def test_the_gateway_may_ask_the_kernel_about_its_clock() -> None:
    """ProtectClock forbids adjtimex even to those who only read; then nobody knows whether the clock is kept right."""
    assert "ProtectClock" not in dict(unit("gateway"))
    assert dict(unit("centre"))["ProtectClock"] == "yes"


def test_systemd_has_nothing_to_say_of_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` knows every setting and value; the program stands for ours, which is not installed."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        missing = "systemd-analyze is not here (Debian package systemd)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    for path in (DEPLOY / "systemd").glob("*.service"):
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", path.read_text())
        (tmp_path / path.name).write_text(text)
    units = sorted(str(path) for path in tmp_path.glob("*.service"))
    told = subprocess.run(
        [analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False, timeout=60
    )
    ours = [line for line in told.stderr.splitlines() if str(tmp_path) in line or "trygghub" in line]
    assert ours == []


@pytest.mark.parametrize("path", sorted((DEPLOY / "systemd").glob("*.d")), ids=lambda path: path.name)
def test_every_drop_in_is_on_the_page(path: Path) -> None:
    """Who follows the page has put it in its place."""
    page = (DEPLOY / "README.md").read_text()
    place = "/etc/systemd/" if path.name.startswith("journald") else "/etc/systemd/system/"
    assert f"cp -r deploy/systemd/{path.name} {place}" in page


def test_units_are_well_formed() -> None:
    """Three sections, each once, in the usual order; what a timer starts is installed by the timer."""
    for path in (DEPLOY / "systemd").glob("*.service"):
        reader = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
        reader.optionxform = str  # type: ignore[assignment,method-assign]
        reader.read(path)
        timed = path.with_suffix(".timer").exists()
        assert reader.sections() == ["Unit", "Service", *([] if timed else ["Install"])]


def test_the_drop_in_for_bluetooth_starts_the_daemon_once_with_monitors() -> None:
    """It empties Debian's own command first (else systemd refuses two), and the page says where it goes."""
    text = (DEPLOY / "systemd" / "bluetooth.service.d" / "trygghub.conf").read_text()
    commands = [line.partition("=")[2] for line in text.splitlines() if line.startswith("ExecStart")]
    assert commands == ["", "/usr/libexec/bluetooth/bluetoothd --experimental"]
    assert "deploy/systemd/bluetooth.service.d /etc/systemd/system/" in (DEPLOY / "README.md").read_text()


def acl(name: str) -> dict[str, tuple[set[str], set[str]]]:
    """User → topics it may write and read, as an ACL file says."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    user = ""
    for line in (DEPLOY / "mosquitto" / f"{name}.acl").read_text().splitlines():
        if line.startswith("user "):
            user = line.split()[1]
            found[user] = (set(), set())
        elif line.startswith("topic "):
            _, access, topic = line.split()
            for way, words in enumerate((("write", "readwrite"), ("read", "readwrite"))):
                if access in words:
                    found[user][way].add(topic)
    return found


@pytest.mark.parametrize(
    ("name", "users"), [("gateway", ("hearing", "devices", "bridges")), ("centre", ("centre", "web"))]
)
def test_the_rights_are_those_of_our_own_brokers(name: str, users: tuple[str, ...]) -> None:
    """Nobody may do more behind a Mosquitto of one's own than behind one that we start."""
    ours, theirs = rights("gw1"), acl(name)
    for user in users:
        write, subscribe = (set(topics) for topics in ours[user])
        assert theirs[user][0] == write
        assert {topic for topic in subscribe if not _covered(topic, theirs[user][1])} == set()


def _covered(topic: str, by: set[str]) -> bool:
    return topic in by or any(topic.startswith(one.removesuffix("#")) for one in by if one.endswith("/#"))


@pytest.fixture
def centre_broker(tmp_path: Path) -> Iterator[Logins]:
    """Mosquitto with the centre's files, its places moved into a folder of the test; without the TLS listener."""
    try:
        program = find_program()
    except BrokerMissing as missing:
        pytest.fail(str(missing)) if os.environ.get("CI") else pytest.skip(str(missing))
    port = free_port()
    config = (DEPLOY / "mosquitto" / "centre.conf").read_text().partition("listener 8883")[0]
    config = re.sub(r"/etc/mosquitto/", f"{tmp_path}/", config).replace("1883", str(port))
    (tmp_path / "mosquitto.conf").write_text(f"user {os.environ.get('USER', 'root')}\n{config}")
    shutil.copy(DEPLOY / "mosquitto" / "centre.acl", tmp_path / "trygghub.acl")
    names = ("centre", "gw-0012")
    (tmp_path / "trygghub.passwords").write_text(
        "".join(password_line(Login(one, "pw", (), ())) for one in names)
    )
    centre, gateway = (f"mqtt://{name}:pw@127.0.0.1:{port}" for name in names)
    with subprocess.Popen(
        [program, "-c", str(tmp_path / "mosquitto.conf")], stderr=subprocess.DEVNULL
    ) as child:
        await_broker(centre, seconds=10)
        yield Logins(gateway, centre, "gw-0012")
        child.kill()


@pytest.mark.broker
def test_mosquitto_with_our_files_does_all_we_rely_on(centre_broker: Logins) -> None:
    """The files as shipped start a broker that passes the check made at every start."""
    assert check(centre_broker) == []
