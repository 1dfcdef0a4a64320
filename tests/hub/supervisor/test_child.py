"""A child process is started, watched, restarted and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from hub.supervisor import child as child_module
from hub.supervisor.child import Child, ChildFailed, Spec

FOREVER = "import signal, sys\nprint('up', flush=True)\nsignal.pause()\n"
DEAF = (
    "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\nsignal.pause()\n"
)


class Console:
    """Collects what is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        """Take one line."""
        self.lines.append(line)


def make(program: str, tmp_path: Path, console: Console, **spec: object) -> Child:
    """A child that runs this Python text; ready once it has printed something."""
    log = tmp_path / "child.log"

    async def printed() -> bool:
        return log.exists() and bool(log.read_text())

    told = Spec("child", (sys.executable, "-c", program), ready=printed, **spec)  # type: ignore[arg-type]
    return Child(told, log, console)


async def test_a_dead_child_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL from outside is answered with a new process, and the console says so."""
    monkeypatch.setattr(child_module, "BACK_OFF", (0.0,))
    console = Console()
    child = make(FOREVER, tmp_path, console)
    keeping = asyncio.create_task(child.keep())
    await child.await_ready()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    while child.pid in {None, first}:
        await asyncio.sleep(0.01)
    assert console.lines == ["child ended (SIGKILL); starting it again"]
    await child.stop()
    await keeping


async def test_stopping_is_no_reason_to_start_again(tmp_path: Path) -> None:
    """After SIGTERM the child ends, and that is that."""
    console = Console()
    child = make(FOREVER, tmp_path, console)
    keeping = asyncio.create_task(child.keep())
    await child.await_ready()
    await child.stop()
    await keeping
    assert child.pid is None
    assert child.starts == 1
    assert console.lines == []


async def test_a_child_that_does_not_listen_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process deaf to SIGTERM is killed after its time."""
    monkeypatch.setattr(child_module, "STOP_WITHIN", 0.05)
    console = Console()
    child = make(DEAF, tmp_path, console)
    keeping = asyncio.create_task(child.keep())
    await child.await_ready()
    await child.stop()
    await keeping
    assert console.lines == ["child does not stop; ending it"]


async def test_refused_settings_end_the_run_with_the_childs_own_words(tmp_path: Path) -> None:
    """A process that exits with 2 would do so again; its last line is the reason."""
    program = "import sys\nprint('trygghub centre: --broker is needed')\nsys.exit(2)\n"
    child = make(program, tmp_path, Console())
    with pytest.raises(ChildFailed, match="--broker is needed"):
        await child.keep()


async def test_a_child_that_never_gets_ready_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six false starts are enough; the sentence names the log."""
    monkeypatch.setattr(child_module, "BACK_OFF", (0.0,))

    async def never() -> bool:
        return False

    spec = Spec("child", (sys.executable, "-c", "import sys; sys.exit(1)"), ready=never)
    with pytest.raises(ChildFailed, match=r"child ended 6 times before it was ready; see .*child\.log"):
        await Child(spec, tmp_path / "child.log", Console()).keep()


async def test_a_child_gets_its_settings_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in our own environment for us does not leak into a child."""
    monkeypatch.setenv("TRYGGHUB_DATABASE", "sqlite:///not-for-you")
    program = (
        "import os, sys\nprint(sorted(n for n in os.environ if n.startswith('TRYGGHUB_')))\nsys.exit(2)\n"
    )
    child = make(program, tmp_path, Console(), environment={"TRYGGHUB_ID": "gw1"})
    with pytest.raises(ChildFailed, match=r"\['TRYGGHUB_ID'\]"):
        await child.keep()


async def test_a_line_without_end_harms_nobody(tmp_path: Path) -> None:
    """A child that writes a megabyte without a line break is still read to its end."""
    program = "import sys\nsys.stdout.write('x' * 1_000_000 + '\\n')\nprint('after')\nsys.exit(2)\n"
    child = make(program, tmp_path, Console())
    with pytest.raises(ChildFailed, match="after"):
        await child.keep()


def test_a_spec_shows_no_secrets() -> None:
    """Passwords handed to children by environment stay out of representations."""
    assert "hunter2" not in repr(Spec("centre", ("x",), {"TRYGGHUB_BROKER": "mqtt://centre:hunter2@h"}))


async def test_a_child_is_handed_a_socket_that_listens(tmp_path: Path) -> None:
    """Held by us, served by it: who connects while it starts anew waits, and nobody else takes the port."""
    serve = "import socket, sys\nsocket.socket(fileno=int(sys.argv[1])).accept()[0].sendall(b'hello')\n"
    with socket.create_server(("127.0.0.1", 0)) as held:
        spec = Spec("child", (sys.executable, "-c", serve, str(held.fileno())), handed=(held.fileno(),))
        child = Child(spec, tmp_path / "child.log", Console())
        keeping = asyncio.create_task(child.keep())
        reader, writer = await asyncio.open_connection(*held.getsockname())
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await child.stop()
        await keeping
