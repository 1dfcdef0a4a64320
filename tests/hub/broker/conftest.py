"""Real brokers on loopback: a nats-server child and Debian's Mosquitto, each with our logins and rights."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.broker.adopted import Topics, with_adopted
from hub.broker.backend import Broker, BrokerMissing, Listener
from hub.broker.check import Logins, await_broker
from hub.broker.logins import Login, logins
from hub.broker.mosquitto import Mosquitto
from hub.broker.nats import NatsServer
from tests.ports import free_port

ADOPTED = Topics(heard=("shellies/hall-1.2/motion",), told=("locks/front/set",))
"""What devices adopted from Home Assistant speak and hear on, in the brokers of these tests."""
DEPLOYED_RIGHTS = Path(__file__).parents[3] / "deploy" / "mosquitto" / "gateway.acl"


@dataclass
class Running:
    """A broker child that a test may kill and start again."""

    broker: Broker
    log: Path
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it takes a login."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(self.broker.prepare(), stdout=log, stderr=log)
        try:
            await_broker(self.broker.url("centre"), seconds=10)
        except TimeoutError as silent:
            raise TimeoutError(
                f"{silent}; its log: {self.log.read_text('utf-8', 'replace')[-2000:]}"
            ) from None

    def kill(self) -> None:
        """SIGKILL it."""
        assert self.child is not None
        self.child.send_signal(signal.SIGKILL)
        self.child.wait(timeout=10)

    def check_logins(self) -> Logins:
        """The logins that `check` tries with."""
        return Logins(self.broker.url("gateway-gw1"), self.broker.url("centre"), "gw1")


@dataclass
class LesserMosquitto:
    """A Mosquitto whose configuration ends with lines that take something away."""

    whole: Mosquitto
    extra: str
    name: str = "mosquitto"

    def prepare(self) -> Sequence[str]:
        """As the whole one, with the extra lines."""
        command = self.whole.prepare()
        path = self.whole.folder / "mosquitto.conf"
        path.write_text(path.read_text() + self.extra)
        return command

    def url(self, login: str) -> str:
        """As the whole one."""
        return self.whole.url(login)


@dataclass
class DeployedMosquitto:
    """A Mosquitto with the access list that a gateway box gets."""

    whole: Mosquitto
    name: str = "mosquitto"

    def prepare(self) -> Sequence[str]:
        """As the whole one, with the list from deploy/."""
        command = self.whole.prepare()
        (self.whole.folder / "acl").write_text(DEPLOYED_RIGHTS.read_text())
        return command

    def url(self, login: str) -> str:
        """As the whole one."""
        return self.whole.url(login)


@pytest.fixture(params=[NatsServer, Mosquitto], ids=["nats-server", "mosquitto"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """One broker of each kind, started with the logins of gateways gw1 and gw2."""
    everybody = with_adopted(logins(tmp_path / "secrets", ["gw1", "gw2"]), ADOPTED)
    broker = request.param(tmp_path / "broker", Listener(free_port()), everybody)
    one = Running(broker, tmp_path / "log")
    try:
        one.start()
    except BrokerMissing as missing:
        pytest.fail(str(missing)) if os.environ.get("CI") else pytest.skip(str(missing))
    yield one
    one.kill()


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Running]:
    """The broker of a gateway box that serves the homes h1 and h2, each with a login of its own."""
    names = ("centre", "hearing", "devices", "h1", "h2")
    everybody = tuple(Login(name, f"password-of-{name}", (), ()) for name in names)
    one = Running(
        DeployedMosquitto(Mosquitto(tmp_path / "broker", Listener(free_port()), everybody)), tmp_path / "log"
    )
    try:
        one.start()
    except BrokerMissing as missing:
        pytest.fail(str(missing)) if os.environ.get("CI") else pytest.skip(str(missing))
    yield one
    one.kill()


@pytest.fixture
def mosquitto_with(tmp_path: Path) -> Iterator[Callable[[str], Running]]:
    """A Mosquitto with extra lines in its configuration, to see what `check` says of a lesser broker."""
    started: list[Running] = []

    def start(extra: str) -> Running:
        everybody = logins(tmp_path / "secrets", ["gw1"])
        whole = Mosquitto(tmp_path / "broker", Listener(free_port()), everybody)
        one = Running(LesserMosquitto(whole, extra), tmp_path / "log")
        try:
            one.start()
        except BrokerMissing as missing:
            pytest.fail(str(missing)) if os.environ.get("CI") else pytest.skip(str(missing))
        started.append(one)
        return one

    yield start
    for one in started:
        one.kill()
