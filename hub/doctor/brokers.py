"""The brokers: programs to start one, and whether those in use answer and do what is relied on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from hub.broker import mosquitto, nats
from hub.broker.backend import BrokerMissing, Listener, login_url
from hub.broker.check import Logins, Probe, UnreachableError, check
from hub.broker.logins import FROM_DEVICES, logins
from hub.doctor.finding import Finding, fail, ok, warn
from hub.log import hide

PATIENCE = 5.0


def programs() -> Iterator[Finding]:
    """The two brokers that trygghub can start itself; one is enough."""
    found: list[str] = []
    missing: list[str] = []
    for find in (nats.find_program, mosquitto.find_program):
        _look(find, found, missing)
    for program in found:
        yield ok(f"broker program {program}")
    if not found:
        yield fail("there is no broker program on this machine", "; ".join(missing))


def _look(find: Callable[[], Path], found: list[str], missing: list[str]) -> None:
    try:
        found.append(str(find()))
    except BrokerMissing as why:
        missing.append(str(why))


def ours(folder: Path, gateway: str, port: int) -> Iterator[Finding]:
    """The broker that `trygghub run` keeps here: the whole check made at every start."""
    everybody, listener = logins(folder, [gateway]), Listener(port)
    own, centre = (login_url(everybody, listener, name) for name in (f"gateway-{gateway}", "centre"))
    lacks = check(Logins(own, centre, gateway))
    for lack in lacks:
        yield fail(lack.sentence, "start trygghub run anew; if it stays so, see its log of the broker")
    if not lacks:
        yield ok(f"the broker on port {port} does all that is relied on")


def uplink(url: str, gateway: str) -> Iterator[Finding]:
    """The centre's broker, with the gateway's own login: what one login can find out."""
    topic = f"gateways/{gateway}/check/{secrets.token_hex(6)}"
    yield from _tried(url, "the centre's broker", (f"gateways/{gateway}/#",), topic)


def devices(url: str) -> Iterator[Finding]:
    """The broker of the home, with the login of the gateway's ear."""
    yield from _tried(url, "the broker of the home", FROM_DEVICES, "")


def _tried(url: str, name: str, wanted: tuple[str, ...], kept: str) -> Iterator[Finding]:
    shown = hide(url)
    try:
        with Probe(url, PATIENCE) as probe:
            refused = [topic for topic in wanted if probe.subscribe(topic) != 1]
            stays = not kept or _keeps(url, probe, kept)
    except UnreachableError as wrong:
        yield fail(f"{name} cannot be used: {wrong}", "check network, address, login and certificate")
        return
    for topic in refused:
        yield fail(f"{name} {shown} does not let this login hear {topic}", "mend its access list")
    if not stays:
        yield warn(
            f"{name} {shown} keeps no retained messages for this login", "mend its access list or settings"
        )
    if not refused and stays:
        yield ok(f"{name} {shown} answers and grants what is needed")


def _keeps(url: str, probe: Probe, topic: str) -> bool:
    probe.publish(topic, "x", retain=True)
    with Probe(url, PATIENCE) as late:
        late.subscribe(topic)
        kept = late.await_message(topic, retained=True)
    probe.publish(topic, "", retain=True)
    return kept
