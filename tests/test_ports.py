"""The tests' own ports: kept apart from outgoing connections, from `trygghub run` and from other test processes."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hub.supervisor import ports as product
from tests import ports

ROOT = Path(__file__).parent.parent
SHOW = "from tests.ports import free_port; print(*(free_port() for _ in range(70)))"


def test_no_port_is_given_twice_here_or_in_another_process() -> None:
    """Two processes beside each other and several blocks in one: every port is another one."""
    mine = [ports.free_port() for _ in range(70)]
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, capture_output=True, text=True, check=True)
    theirs = [int(word) for word in done.stdout.split()]
    assert len({*mine, *theirs}) == 140


def test_the_tests_ports_are_nobody_elses() -> None:
    """Neither the product picks one, nor the system for an outgoing connection where its range is the usual one."""
    assert product.OWN.stop <= ports.FIRST
    assert ports.BEHIND <= 32_768  # ip(7): ip_local_port_range begins there unless somebody changed it


def test_a_port_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether by TCP or by UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as taken:
            taken.bind(("127.0.0.1", ports.free_port()))
            assert not ports._is_free(taken.getsockname()[1])


def test_there_is_one_way_to_a_port_for_later() -> None:
    """What is found by port 0 and let go again belongs to whoever connects somewhere next. (Benchmarks run alone.)"""
    others = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if "bench" not in path.parts
        and path != Path(__file__)
        and re.search(r"unused_\w+_port|def _?free_ports?\(", path.read_text("utf-8"))
    ]
    assert others == ["tests/ports.py"]
