"""The stage on the real BlueZ from outside: it says what it lacks, and nothing of it runs by accident."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_a_machine_without_qemu_is_told_in_one_sentence(tmp_path):
    """No trace, no half-built machine: one sentence and an exit code of its own."""
    told = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "bluez")],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 3
    assert told.stderr.startswith("The stage on the real BlueZ cannot run: ")
    assert len(told.stderr.splitlines()) == 1
    assert told.stdout == ""


def test_the_real_one_is_not_collected_here():
    """A plain pytest leaves what needs a kernel of its own alone."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/drivers/ble", "-m", "bluez"]
    clean = {name: value for name, value in os.environ.items() if name != "TRYGGHUB_BLUETOOTHD"}
    told = subprocess.run(
        command, cwd=ROOT, env=clean, capture_output=True, text=True, check=False, timeout=100
    )
    assert "test_bluez.py::" in told.stdout
    assert "test_real_bluez" not in told.stdout
