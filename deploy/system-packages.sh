#!/bin/sh
# Install the Debian packages named as arguments, if they are missing; as root, or through sudo.
# Where neither is possible, one sentence names what is missing. Usage: system-packages.sh PACKAGE...
set -eu

missing=""
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "These packages are missing and this is no Debian, please install what they hold:$missing" >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "Please have an administrator install these Debian packages:$missing" >&2
    [ -z "${CI:-}" ]
    exit 0
fi

echo "Installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
# A service that a package would start (Mosquitto, PostgreSQL) is not wanted here: we start our own, on loopback.
policy=/usr/sbin/policy-rc.d
made_policy=""
if [ ! -e "$policy" ] && [ "$(id -u)" = 0 ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy" && made_policy=yes
fi
status=0
# shellcheck disable=SC2086
{ $as_root apt-get update -q -o Acquire::Retries=3 >/dev/null \
    && $as_root apt-get install -y -q --no-install-recommends $missing >/dev/null; } || status=$?
[ -z "$made_policy" ] || rm -f "$policy"
exit $status
