"""BlueZ's stand-in as a process of its own, as a demonstration starts it."""

import asyncio
import os
import shutil
import sys

import pytest
from bleak import BleakScanner

from simulators.ble import PulseOximeter
from simulators.radio import Ether, RadioHub

OXIMETER = "c4:7c:8d:6a:10:02"


async def run(*arguments: str) -> asyncio.subprocess.Process:
    """Start the stand-in."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulators.bluez",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_a_program_finds_a_device_through_it(monkeypatch):
    """Bleak scans on the printed address and finds what is on the radio; SIGTERM ends everything cleanly."""
    if shutil.which("dbus-daemon") is None:
        missing = "dbus-daemon is not installed"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    async with RadioHub(Ether()) as hub:
        oximeter = PulseOximeter(OXIMETER)
        await oximeter.start(hub.address)
        process = await run("--radio", hub.address)
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        name, _, address = line.decode().strip().partition("=")
        monkeypatch.setenv(name, address)
        device = await BleakScanner.find_device_by_filter(
            lambda _, said: said.local_name == "Oximeter", timeout=30
        )
        assert device is not None
        assert device.address == OXIMETER.upper()
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
        await oximeter.stop()


async def test_it_waits_for_the_radio_and_joins_again(tmp_path, monkeypatch):
    """With --stay it runs before the radio does, and a radio that went and came back is joined anew."""
    if shutil.which("dbus-daemon") is None:
        missing = "dbus-daemon is not installed"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    hub = RadioHub(Ether())
    await hub.start()
    address = hub.address
    await hub.stop()
    socket = tmp_path / "deep" / "bus"
    process = await run("--radio", address, "--socket", str(socket), "--stay")
    line = await asyncio.wait_for(process.stdout.readline(), 20)
    assert line.decode().strip() == f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={socket}"
    for _ in range(2):
        await hub.start()
        async with asyncio.timeout(20):
            while not hub.members:
                await asyncio.sleep(0.01)
        await hub.stop()
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 30) == 0
    assert not socket.exists()


async def test_a_radio_that_is_not_there_is_one_sentence():
    """A wrong address ends the process with a sentence and without a trace."""
    process = await run("--radio", "tcp:127.0.0.1:1")
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert errors.decode().splitlines()[-1].startswith("BlueZ's stand-in cannot start")
