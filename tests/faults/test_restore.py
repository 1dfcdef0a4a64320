"""A night of real processes is put back from a backup made while they worked: nothing acknowledged is lost or doubled.

Devices talk all the while. The backup is made by the command; the processes are ended by SIGKILL, as by a dead disk;
the command restores; and the processes go on with what gateways still have.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.broker, pytest.mark.timeout(600)]


def trygghub(*words: str) -> str:
    """Run one of our commands; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hub.cli", *words], capture_output=True, text=True, check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("TRYGGHUB_")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


async def night(installation: Any, devices: Any, tmp_path: Path) -> Path:
    """Half of the incidents, a backup while all goes on, some more; then the devices are quiet and all is there."""
    await installation.ready("centre", "gateway")
    devices.start()
    await devices.until_said(60 * 12)
    said = await asyncio.to_thread(
        trygghub, "backup", "--data", str(installation.data), str(_folder(tmp_path / "backups"))
    )
    await devices.until_said(len(devices.said) + 60 * 12)
    return Path(said.partition(": ")[0])


async def everything_is_there(installation: Any, devices: Any, until: Any) -> None:
    """What devices were told is safe stands in the journal once, and every incident is one alert."""
    devices.talking = False
    await until(lambda: devices.acknowledged == devices.said, "every event is acknowledged in the end")
    await until(
        lambda: devices.said <= installation.journal().keys(), "every acknowledged event is at the centre"
    )
    await until(lambda: devices.expected <= installation.alerts().keys(), "every expected alert is raised")
    journal = installation.journal()
    assert {one: times for one, times in journal.items() if times > 1} == {}
    raised = Counter({key: times for key, times in installation.alerts().items() if key in devices.expected})
    assert raised == Counter(devices.expected)


def end(installation: Any, *names: str) -> None:
    """The machine is gone."""
    for name in names:
        installation.processes[name].kill()


def start(installation: Any, *names: str) -> None:
    """It is there again."""
    for name in names:
        installation.processes[name].start()


async def test_a_centre_put_back_lacks_nothing_that_gateways_have(
    installation: Any, devices: Any, until: Any, tmp_path: Path
) -> None:
    """Lanes that say nothing any more are heard again too, though the gateway had been told that all was safe."""
    file = await night(installation, devices, tmp_path)
    await everything_is_there(installation, devices, until)
    end(installation, "centre")
    await asyncio.to_thread(trygghub, "restore", str(file), "--data", str(tmp_path / "new"))
    shutil.rmtree(installation.data / "centre")
    (tmp_path / "new" / "centre").rename(installation.data / "centre")
    assert not devices.said <= installation.journal().keys()
    start(installation, "centre")
    await everything_is_there(installation, devices, until)
    told = await asyncio.to_thread(trygghub, "audit", "verify", "--data", str(installation.data))
    assert "from a backup of" in told


async def test_a_gateway_put_back_is_neither_refused_nor_doubled(
    installation: Any, devices: Any, until: Any, tmp_path: Path
) -> None:
    """Its new numbers say what the centre has already, and it goes on hearing; the centre raises nothing twice."""
    file = await night(installation, devices, tmp_path)
    await everything_is_there(installation, devices, until)
    end(installation, "gateway")
    await asyncio.to_thread(trygghub, "restore", str(file), "--data", str(tmp_path / "new"))
    shutil.rmtree(installation.data / "gateway")
    (tmp_path / "new" / "gateway").rename(installation.data / "gateway")
    start(installation, "gateway")
    devices.talking = True
    devices.tasks.append(asyncio.create_task(devices.talk()))
    await devices.until_said(len(devices.said) + 60 * 6)
    await everything_is_there(installation, devices, until)
    conflicts = installation.rows("SELECT count(*) FROM alert WHERE rule IN ('hub:number used twice')")
    assert conflicts == [(0,)]


async def test_a_gateway_database_copied_back_by_hand_loses_nothing(
    installation: Any, devices: Any, until: Any, tmp_path: Path
) -> None:
    """Nobody tells the box that its database is an old one: the centre does, and what devices say goes on safe."""
    await installation.ready("centre", "gateway")
    devices.start()
    await devices.until_said(60 * 3)
    file, copy = installation.data / "gateway" / "gateway.db", tmp_path / "copy.db"
    await asyncio.to_thread(_copied, file, copy)
    await devices.until_said(len(devices.said) + 60 * 2)
    await everything_is_there(installation, devices, until)
    end(installation, "gateway")
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
    shutil.copy(copy, file)
    start(installation, "gateway")
    devices.talking = True
    devices.tasks.append(asyncio.create_task(devices.talk()))
    await devices.until_said(len(devices.said) + 60 * 3)
    await everything_is_there(installation, devices, until)
    assert installation.rows("SELECT count(DISTINCT epoch) FROM entry WHERE epoch <> 'centre'") == [(2,)]


def _copied(file: Path, copy: Path) -> None:
    with closing(sqlite3.connect(file)) as db, closing(sqlite3.connect(copy)) as target:
        db.backup(target)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
