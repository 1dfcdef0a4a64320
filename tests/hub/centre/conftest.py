"""A real broker for the tests of a whole centre process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.broker.backend import Broker, BrokerMissing, Listener
from hub.broker.check import await_broker
from hub.broker.logins import logins
from hub.broker.nats import NatsServer
from tests.ports import free_port


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """The embedded broker, with the rights that a run gives out."""
    port = free_port()
    nats = NatsServer(tmp_path / "broker", Listener(port), logins(tmp_path / "secrets", ["gw1", "gw2"]))
    try:
        command = nats.prepare()
    except BrokerMissing as missing:
        pytest.fail(str(missing)) if os.environ.get("CI") else pytest.skip(str(missing))
    with (tmp_path / "broker.log").open("ab") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
    await_broker(nats.url("centre"), seconds=20)
    yield nats
    child.kill()
    child.wait(timeout=10)
