#!/bin/sh
# First process of the emulated machine once it has the host's files: run the tests, and end the machine. Usage: inside.sh REPOSITORY PACKAGES PYTEST-ARGUMENTS
stage=$1 unpacked=$2
shift 2
result() {
    echo "machine: result $1"
    /run/busybox poweroff -f
}
cd "$stage" || result 3
export HOME=/tmp PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" LANG=C.UTF-8 TMPDIR=/tmp
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Only now: Bluetooth's pairing needs random numbers, whose modules the kernel cannot find any earlier.
modprobe hci_vhci || result 3
export TRYGGHUB_BLUETOOTHD="$unpacked/usr/libexec/bluetooth/bluetoothd"
[ -x "$TRYGGHUB_BLUETOOTHD" ] || TRYGGHUB_BLUETOOTHD="$unpacked/usr/lib/bluetooth/bluetoothd"
echo "machine: $("$TRYGGHUB_BLUETOOTHD" --version 2>&1 | tail -n 1), BlueZ of Debian"
.venv/bin/python -m pytest -m bluez --timeout 300 --color no "$@"
ended=$?
[ "$ended" = 0 ] || { echo "machine: the kernel's last words:"; /run/busybox dmesg | tail -n 30; }
result "$ended"
