"""What we ask of a broker, asked of two real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.broker.backend import Listener
from hub.broker.check import Logins, Probe, check
from hub.broker.external import ExternalBroker
from hub.broker.logins import Login
from hub.broker.nats import NatsServer

pytestmark = pytest.mark.broker

PATIENCE = 5.0


def crosses(running: Any, forbidden: tuple[str, str], fence: tuple[str, str], ear: tuple[str, str]) -> bool:
    """Whether what one login publishes where it must not reaches the ear.

    Each of the first two is (login, topic). The fence is published afterwards, may pass and is waited for, so
    that a refusal is seen by order and not by a pause. ear: (login, topic filter that covers both).
    """
    (trespasser, there), (honest, here), (listener, topics) = forbidden, fence, ear
    with (
        Probe(running.broker.url(listener), PATIENCE) as hearing,
        Probe(running.broker.url(trespasser), PATIENCE) as first,
        Probe(running.broker.url(honest), PATIENCE) as second,
    ):
        if hearing.subscribe(topics) >= 128:
            hearing.subscribe(here)
        first.publish(there, "x")
        second.publish(here, "x")
        assert hearing.await_message(here), "the fence itself must pass"
        return hearing.came_before(there, here)


def test_our_brokers_do_all_we_rely_on(running: Any) -> None:
    """QoS 1, retained messages, the last will and refused topics are all there."""
    assert check(running.check_logins()) == []


def test_a_broker_killed_hard_comes_back(running: Any) -> None:
    """After SIGKILL the broker starts again on its old folder and passes the same check."""
    running.kill()
    running.start()
    assert check(running.check_logins()) == []


def test_a_gateway_cannot_speak_as_another(running: Any) -> None:
    """What gw1 publishes on gw2's lane never reaches the centre."""
    assert not crosses(
        running,
        forbidden=("gateway-gw1", "gateways/gw2/up/alarm"),
        fence=("gateway-gw2", "gateways/gw2/up/care"),
        ear=("centre", "gateways/+/up/#"),
    )


def test_a_gateway_cannot_hear_another(running: Any) -> None:
    """What the centre says to gw2 does not reach gw1, though gw1 asks for everything."""
    assert not crosses(
        running,
        forbidden=("centre", "gateways/gw2/down/command"),
        fence=("centre", "gateways/gw1/down/command"),
        ear=("gateway-gw1", "gateways/+/down/#"),
    )


def test_a_device_cannot_command_another(running: Any) -> None:
    """A device may report and answer; a command from a device is dropped."""
    assert not crosses(
        running,
        forbidden=("devices", "homes/h1/devices/front-lock/command"),
        fence=("hearing", "homes/h2/devices/front-lock/command"),
        ear=("devices", "homes/+/devices/+/command"),
    )


def test_a_device_cannot_acknowledge_for_us(running: Any) -> None:
    """Only the hub may say that an event is safe."""
    assert not crosses(
        running,
        forbidden=("devices", "homes/h1/devices/dispenser/ack"),
        fence=("hearing", "homes/h2/devices/dispenser/ack"),
        ear=("devices", "homes/+/devices/+/ack"),
    )


def test_the_web_process_cannot_write_to_gateways(running: Any) -> None:
    """The dashboard's login reaches the hints and nothing else."""
    assert not crosses(
        running,
        forbidden=("web", "gateways/gw1/down/command"),
        fence=("centre", "gateways/gw1/down/ack"),
        ear=("gateway-gw1", "gateways/gw1/down/#"),
    )


def test_a_home_with_its_own_login_speaks_for_itself(deployed: Any) -> None:
    """With the rights of a deployed box, the devices of h2 reach the gateway, and cannot be h1's."""
    assert not crosses(
        deployed,
        forbidden=("h2", "homes/h1/devices/pendant/event"),
        fence=("h2", "homes/h2/devices/pendant/event"),
        ear=("hearing", "homes/+/devices/+/event"),
    )


@pytest.mark.parametrize("what", ["command", "ack"])
def test_a_home_with_its_own_login_cannot_speak_as_us(deployed: Any, what: str) -> None:
    """The devices of h2 can neither command those of h1 nor tell them that an event is safe."""
    assert not crosses(
        deployed,
        forbidden=("h2", f"homes/h1/devices/pendant/{what}"),
        fence=("hearing", f"homes/h1/devices/fence/{what}"),
        ear=("h1", f"homes/h1/devices/+/{what}"),
    )


def test_the_gateway_does_not_hear_its_own_words(deployed: Any) -> None:
    """It may read what devices send, and not what it says to them."""
    assert not crosses(
        deployed,
        forbidden=("hearing", "homes/h1/devices/pendant/ack"),
        fence=("h1", "homes/h1/devices/pendant/event"),
        ear=("hearing", "homes/#"),
    )


def test_a_home_with_its_own_login_hears_only_itself(deployed: Any) -> None:
    """What the gateway asks of a lock in h1 is not heard in h2."""
    assert not crosses(
        deployed,
        forbidden=("hearing", "homes/h1/devices/front-lock/command"),
        fence=("hearing", "homes/h2/devices/front-lock/command"),
        ear=("h2", "homes/+/devices/+/command"),
    )


@pytest.mark.parametrize("wrong", ["mqtt://127.0.0.1:{port}", "mqtt://centre:guessed@127.0.0.1:{port}"])
def test_nobody_gets_in_without_the_right_password(running: Any, wrong: str) -> None:
    """No login and a wrong password are both refused, and the sentence does not repeat the password."""
    url = wrong.format(port=running.broker.listener.port)
    (lack,) = check(Logins(url, url, "gw1"))
    assert lack.point == "reach"
    assert "refuses the login" in lack.sentence
    assert "guessed" not in lack.sentence


def test_one_login_for_everybody_is_said(running: Any) -> None:
    """Where gateways share a login, the check says in one sentence what that means."""
    shared = ExternalBroker(running.broker.url("centre"))
    (lack,) = check(Logins(shared.url("gateway-gw1"), shared.url("centre"), "gw1"))
    assert lack.point == "acl"
    assert "lets one gateway read" in lack.sentence


@pytest.mark.parametrize(
    ("line", "point"),
    [("max_qos 0\n", "qos1"), ("retain_available false\n", "retained")],
)
def test_a_lesser_broker_is_named_as_such(
    mosquitto_with: Callable[[str], Any], line: str, point: str
) -> None:
    """A broker without QoS 1 or without retained messages is found out at start."""
    lacks = check(mosquitto_with(line).check_logins(), patience=0.5)
    assert point in {lack.point for lack in lacks}


def test_an_absent_broker_is_said(tmp_path: Any) -> None:
    """Nobody listening is a lack like any other, not an exception."""
    login = Login("centre", "x", (), ())
    url = NatsServer(tmp_path, Listener(1), (login,)).url("centre")
    (lack,) = check(Logins(url, url, "gw1"), patience=1.0)
    assert lack.point == "reach"
    assert "no broker answers at mqtt://centre:…@127.0.0.1:1" in lack.sentence
