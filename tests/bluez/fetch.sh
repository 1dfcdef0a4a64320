#!/bin/sh
# Fetch Debian's kernel and bluez packages and unpack them into a folder; neither is installed. Usage: fetch.sh FOLDER
# What bluetoothd itself needs of libraries is installed by deploy/system-packages.sh.
set -eu

folder=$1
here=$(cd "$(dirname "$0")/../.." && pwd)
if [ -e "$folder/complete" ]; then
    exit 0
fi
for tool in apt-get apt-cache dpkg-deb; do
    command -v "$tool" >/dev/null 2>&1 || {
        echo "The stage on the real BlueZ takes its kernel from Debian packages, and this machine has no $tool." >&2
        exit 1
    }
done
kernel=$(apt-cache depends --important linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
if [ -z "$kernel" ]; then
    echo "Debian's package lists name no kernel (linux-image-amd64); run apt-get update as an administrator first." >&2
    exit 1
fi

rm -rf "$folder"
mkdir -p "$folder/root"
cd "$folder"
echo "Downloading $kernel and bluez (once, 70 MB)"
apt-get download -q "$kernel" bluez >fetch.log 2>&1 || {
    echo "The packages $kernel and bluez could not be downloaded:" >&2
    tail -n 5 fetch.log >&2
    exit 1
}
libraries=$(dpkg-deb -f bluez_*.deb Depends | tr ',' '\n' | sed -n 's/^ *\(lib[^ ]*\).*/\1/p')
# shellcheck disable=SC2086
sh "$here/deploy/system-packages.sh" $libraries
for package in *.deb; do
    dpkg-deb -x "$package" root
    rm "$package"
done
depmod -b root "$(ls root/lib/modules)"
touch complete
