"""The built wheel, installed elsewhere with the source tree gone, starts and serves the dashboard."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(300)]

ROOT = Path(__file__).parent.parent
PACKAGES = ("drivers", "rules", "hub", "dashboard", "simulators")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a release builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment with the wheel; what it depends on is lent by ours, our own packages are not.

    A path file lends the folder of installed packages without reading the path files in it, so that an editable
    install of the source tree stays behind.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "venv", with_pip=False)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder


def run(elsewhere: Path, *words: str) -> str:
    """Run the environment's Python from a folder where nothing of ours lies."""
    command = [str(elsewhere / "venv" / "bin" / "python"), "-P", *words]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_of_our_packages_is_in_the_wheel(wheel: Path) -> None:
    """Templates, static files, schemas, rule books and scenarios are packed like the code."""
    tracked = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode != 0:
        pytest.skip("this is no git work tree, so nobody can say which files belong")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    there = {name for name in tracked.stdout.splitlines() if (ROOT / name).is_file()}
    assert there - packed == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_come_from_the_wheel(elsewhere: Path, package: str) -> None:
    """Nothing is read from the source tree."""
    place = run(elsewhere, "-c", f"import {package}; print({package}.__file__)").strip()
    assert place.startswith(str(elsewhere))


@pytest.mark.parametrize(
    "words", [("hub.cli", "--help"), ("simulators", "demo_day", "--check"), ("hub.cli", "--version")]
)
def test_the_commands_answer(elsewhere: Path, words: tuple[str, ...]) -> None:
    """The command line and the shipped scenario work from the wheel alone."""
    assert run(elsewhere, "-m", *words)


@pytest.fixture(scope="module")
def demo(elsewhere: Path) -> Iterator[str]:
    """The demo, run from the wheel; its sign-in link."""
    command = [
        str(elsewhere / "venv" / "bin" / "python"),
        "-P",
        "-m",
        "hub.cli",
        "run",
        "--demo",
        "--data",
        "data",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRYGGHUB_")}
    with subprocess.Popen(
        command, cwd=elsewhere, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as child:
        assert child.stdout is not None
        said: list[str] = []
        for line in child.stdout:
            said.append(line)
            if "Sign in" in line:
                break
        link = re.search(r"http://\S+", said[-1] if said else "")
        assert link is not None, "".join(said)
        yield link.group()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)


@pytest.mark.broker
def test_the_dashboard_is_served_with_all_it_needs(demo: str) -> None:
    """Signed in, the alarm list is a whole page, and every file it names is there."""
    base = demo.partition("/nb/")[0]
    with httpx.Client(base_url=base, headers={"Origin": base}, timeout=20, follow_redirects=True) as client:
        token = re.search(r'name="token" value="([^"]+)"', client.get(demo).text)
        assert token is not None
        page = client.post("/nb/sign-in", data={"token": token.group(1)})
        assert page.status_code == 200, page.text
        assert page.url.path == "/nb/alarms"
        named = set(re.findall(r'(?:src|href)="(/[^"#?]+\.[a-z0-9]+)[^"]*"', page.text))
        assert {Path(one).suffix for one in named} >= {".css", ".js"}
        answers = {one: client.get(one).status_code for one in named}
        assert {one: status for one, status in answers.items() if status != 200} == {}
