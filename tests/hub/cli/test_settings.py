"""Settings come from flags, then the environment, then defaults, and say in one sentence what is wrong."""

from __future__ import annotations

import stat
from dataclasses import fields
from pathlib import Path

import pytest

from hub.settings import (
    CentreSettings,
    GatewaySettings,
    SettingError,
    StoreSettings,
    WebSettings,
    flag,
    read,
    variable,
)

NEEDED = ["--id", "gw1", "--uplink", "mqtt://gw:pw@127.0.0.1:1883"]


def gateway(*argv: str, **environment: str) -> GatewaySettings:
    """Settings of a gateway from this command line and environment."""
    return read(GatewaySettings, argv, environment)


def test_a_flag_wins_over_the_environment() -> None:
    """The hand at the keyboard beats the unit file."""
    assert gateway(*NEEDED, "--http", "8001", TRYGGHUB_HTTP="8002").http == 8001


def test_the_environment_wins_over_the_default() -> None:
    """What the unit file says holds where no flag does."""
    assert gateway(*NEEDED, TRYGGHUB_BLE="tcp:127.0.0.1:9000").ble == "tcp:127.0.0.1:9000"
    assert gateway(*NEEDED).ble == "off"


def test_a_secret_can_stand_in_a_file(tmp_path: Path) -> None:
    """A broker's URL with its password is read from the first line of the file that the environment names."""
    file = tmp_path / "uplink"
    file.write_text("mqtt://gw:pw@10.0.0.1:1883\nignored\n")
    file.chmod(stat.S_IRUSR)
    assert gateway("--id", "gw1", TRYGGHUB_UPLINK_FILE=str(file)).uplink == "mqtt://gw:pw@10.0.0.1:1883"


def test_what_is_no_secret_is_not_looked_for_in_files(tmp_path: Path) -> None:
    """Only settings that may hold a password have the `_FILE` form."""
    assert gateway(*NEEDED, TRYGGHUB_HTTP_FILE=str(tmp_path / "absent")).http is None


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (
            ["--uplink", "mqtt://h:1"],
            "--id is needed (this gateway's id in the registry), as a flag or as TRYGGHUB_ID",
        ),
        (["--id", "Gateway 1"], "--id: an id is 1 to 64 of a-z, 0-9, _ and -, not 'Gateway 1'"),
        ([*NEEDED, "--http", "80000"], "--http: a port is a number from 1 to 65535, not '80000'"),
        ([*NEEDED, "--http", "²"], "--http: a port is a number from 1 to 65535, not '²'"),
        (
            [*NEEDED, "--ble", "usb"],
            (
                "--ble: the Bluetooth link is off, bluez, bluez:hci0 (several adapters with commas between)"
                " or tcp:HOST:PORT, not 'usb'"
            ),
        ),
        ([*NEEDED, "--rules", "/absent.yaml"], "--rules: there is no file '/absent.yaml'"),
        (
            [*NEEDED, "--uplink", "http://h"],
            "--uplink: a broker is written like mqtt://user:password@host:1883",
        ),
        ([*NEEDED, "--uplink", "mqtt://h:x"], "--uplink: a broker's port is a number from 1 to 65535"),
        ([*NEEDED, "--ble", "x" * 5000], "--ble is 5000 characters long, at most 4096 are expected"),
    ],
)
def test_a_wrong_setting_is_one_sentence(argv: list[str], sentence: str) -> None:
    """The sentence names the flag, what is expected and what came."""
    with pytest.raises(SettingError) as wrong:
        gateway(*argv)
    assert str(wrong.value) == sentence


def test_a_wrong_url_does_not_repeat_its_password() -> None:
    """A mistyped broker URL is refused without showing what may be a password."""
    with pytest.raises(SettingError) as wrong:
        gateway("--id", "gw1", "--uplink", "mqqt://gw:hunter2@host")
    assert "hunter2" not in str(wrong.value)


def test_a_secret_file_that_is_not_there_is_said() -> None:
    """The sentence names the variable and the file."""
    with pytest.raises(SettingError, match=r"^TRYGGHUB_UPLINK_FILE names '/absent', which cannot be read"):
        gateway("--id", "gw1", TRYGGHUB_UPLINK_FILE="/absent")


def test_the_embedded_database_lies_in_the_data_folder(tmp_path: Path) -> None:
    """Centre and web agree on the database when nobody names one."""
    centre = read(CentreSettings, ["--data", str(tmp_path), "--broker", "mqtt://h:1"], {})
    web = read(WebSettings, ["--data", str(tmp_path)], {})
    assert centre.database_url == web.database_url == f"sqlite:///{tmp_path}/centre/centre.db"


@pytest.mark.parametrize("kind", [GatewaySettings, CentreSettings, WebSettings, StoreSettings])
def test_every_setting_has_help_that_names_its_variable(
    kind: type, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` shows each flag with the environment variable that mirrors it."""
    with pytest.raises(SystemExit):
        read(kind, ["--help"], {})
    shown = " ".join(capsys.readouterr().out.split())
    for one in fields(kind):
        assert flag(one.name) in shown
        assert variable(one.name) in shown
