"""The drivers against the real BlueZ and the real Linux Bluetooth stack, in an emulated machine: `make test-bluez`.

    python tests/bluez                      the whole stage
    python tests/bluez -k nuki              what follows goes to pytest
    python tests/bluez --log-level DEBUG -x

The exit code is pytest's own. Nothing is installed on this machine and nothing of it is changed: the guest sees its
files read-only, under a layer in memory.
"""

from __future__ import annotations

import gzip
import lzma
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
STAGE = HERE.parent.parent
UNPACKED = (STAGE / ".cache" / "bluez" / "root").resolve()
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "modprobe": "kmod",
    "cpio": "cpio",
    "dbus-daemon": "dbus",
}
WHERE = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
WITHIN = 1800
"""Seconds for everything; a machine that hangs is ended."""
FAILED = 3
WHOLE = ("tests/drivers/ble", "tests/bluez")


class Missing(Exception):  # noqa: N818  it says what is so
    """Something this stage needs is not here; says what in one sentence."""


def main(arguments: list[str]) -> int:
    """Build, boot, show, and end as the tests ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))  # the machine must not outlive us
    try:
        kernel = _kernel()
        with tempfile.TemporaryDirectory(prefix="trygghub-bluez-") as name:
            initramfs = Path(name) / "initramfs.gz"
            _say("packing the machine's first files")
            initramfs.write_bytes(gzip.compress(_initramfs(kernel, Path(name), arguments), 1))
            _say(
                "starting the machine by software emulation; its kernel needs 10 to 30 s before the first word"
            )
            return _boot(kernel, initramfs)
    except Missing as missing:
        sys.stderr.write(f"The stage on the real BlueZ cannot run: {missing}\n")
        return FAILED


def _kernel() -> Path:
    if platform.machine() not in {"x86_64", "AMD64"}:
        raise Missing(
            f"the machine runs this machine's own Python, and it is an x86-64; this is {platform.machine()}"
        )
    for tool, package in TOOLS.items():
        if shutil.which(tool, path=WHERE) is None:
            raise Missing(f"{tool} is not here (Debian package {package})")
    found = sorted((UNPACKED / "boot").glob("vmlinuz-*"))
    if not found:
        raise Missing(f"there is no kernel under {UNPACKED}; tests/bluez/fetch.sh brings it")
    return found[-1]


def _initramfs(kernel: Path, scratch: Path, arguments: list[str]) -> bytes:
    """The first files: busybox, the modules to reach the host's files, and what to do then."""
    tree = scratch / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "modules").mkdir()
    shutil.copy(_static_busybox(), tree / "bin" / "busybox")
    for name in ("init", "failed"):
        shutil.copy(HERE / name, tree / name)
    (tree / "init").chmod(0o755)
    for number, module in enumerate(_modules(kernel.name.removeprefix("vmlinuz-"))):
        _unpacked_module(module, tree / "modules" / f"{number:02d}-{module.name.partition('.')[0]}.ko")
    words = shlex.join(arguments or WHOLE)
    (tree / "stage").write_text(
        f"STAGE={shlex.quote(str(STAGE))}\nUNPACKED={shlex.quote(str(UNPACKED))}\nARGUMENTS={shlex.quote(words)}\n"
    )
    files = b"\n".join(str(one.relative_to(tree)).encode() for one in sorted(tree.rglob("*")))
    command = ["cpio", "-o", "-H", "newc", "--quiet"]
    made = subprocess.run(command, input=files, cwd=tree, capture_output=True, check=True)
    return made.stdout


def _static_busybox() -> str:
    path = shutil.which("busybox", path=WHERE) or ""
    told = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    if "=>" in told.stdout:
        raise Missing(
            "busybox needs libraries here; the machine starts without any (Debian package busybox-static)"
        )
    return path


def _modules(version: str) -> list[Path]:
    """The kernel modules in the order of loading."""
    modprobe = shutil.which("modprobe", path=WHERE) or "modprobe"
    found: dict[Path, None] = {}
    for name in MODULES:
        command = [modprobe, "-d", str(UNPACKED), "-S", version, "--show-depends", name]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        if told.returncode:
            raise Missing(f"the kernel package has no module {name}: {told.stderr.strip()}")
        for line in told.stdout.splitlines():
            if line.startswith("insmod "):
                found[Path(line.split()[1])] = None
    return list(found)


def _unpacked_module(module: Path, to: Path) -> None:
    raw = module.read_bytes()
    to.write_bytes(lzma.decompress(raw) if module.suffix == ".xz" else raw)


def _boot(kernel: Path, initramfs: Path) -> int:
    """Run the machine, show what it says, return what its tests returned."""
    # Never kvm: where /dev/kvm opens inside another virtual machine, the guest may hang at boot.
    command = [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048",
        "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
        "-kernel", str(kernel), "-initrd", str(initramfs),
        "-append", "console=ttyS0 quiet loglevel=3 panic=-1 oops=panic mitigations=off",
        "-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap",
    ]  # fmt: skip
    begun, result = time.monotonic(), FAILED
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as machine:
        assert machine.stdout is not None
        ending = threading.Timer(WITHIN, machine.kill)
        ending.start()
        try:
            for raw in machine.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                if (told := re.search(r"machine: result (\d+)", line)) is not None:
                    result = int(told[1])
                elif line.strip():
                    print(line, flush=True)
        finally:
            ending.cancel()
            machine.kill()
    if time.monotonic() - begun >= WITHIN:
        _say(f"the machine was not done within {WITHIN} s and was ended")
    _say(f"the machine has ended after {time.monotonic() - begun:.0f} s, with {result}")
    return result


def _say(sentence: str) -> None:
    print(f"bluez: {sentence}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
