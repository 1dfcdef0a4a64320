"""`trygghub adopt`: registry entries for devices that announce themselves by Home Assistant's MQTT discovery, and for
those on a Zigbee2MQTT bridge, whose class follows from what they expose.

    trygghub adopt --broker mqtt://user:password@host:1883 --home h1
    mosquitto_sub -t 'homeassistant/#' -W 3 -F '{"topic": "%t", "payload": %p}' | trygghub adopt --home h1
    mosquitto_sub -t zigbee2mqtt/bridge/devices -C 1 -F '{"topic": "%t", "payload": %p}' | trygghub adopt --home h1

Prints a `devices:` part for the registry file, one entry a device that says something of care; read it, change
names and rooms, leave out what is not wanted, then `trygghub registry import`. Nothing is adopted by itself: what an
installed device means stands in the registry and cannot be changed by whoever may publish on the broker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from drivers.events import DecodeError, iso
from drivers.protocols import mqtt_topics
from drivers.protocols.home_assistant import class_of, entities
from drivers.protocols.home_assistant_discovery import CONFIG_TOPICS, Announced, announced
from drivers.protocols.zigbee2mqtt_bridge import MAX_LIST, TOPIC, described
from hub.broker.adopted import topics_of
from hub.cli.outcome import FAILED, OK, Refused
from hub.clock import clock_from_environment
from hub.settings import broker_url, identity

HELP = __doc__

QUIET = 2.0
"""Seconds without a further announcement after which all kept ones have come."""

LONGEST_WAIT = 15.0
LONGEST_LINE = 4 * MAX_LIST
BARE = re.compile(rb'\{"topic": ?"[^"]{1,1000}", ?"payload": ?[A-Za-z0-9_.-]*\}')
"""A line of the pipe above whose payload is no JSON: `homeassistant/status` says `online`."""
OURS = "trygghub_"
"""Begin of the identifiers under which we announce our own devices."""


@dataclass(slots=True)
class Candidate:
    """A device as its announcements describe it, so far."""

    key: str
    name: str
    about: str
    entities: list[dict[str, Any]] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the announcements come from, and the home the devices stand in."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--broker", help="mqtt://user:password@host:port to listen at; else standard input")
    parser.add_argument("--home", default="h1", help="id of the home in the registry; default h1")


def run(args: argparse.Namespace) -> int:
    """Print the entries; every announcement that is of no use is named on standard error."""
    try:
        home = identity(args.home)
        broker = broker_url(args.broker) if args.broker else ""
    except ValueError as wrong:
        raise Refused(str(wrong)) from None
    messages = asyncio.run(_listen(broker)) if broker else _lines(sys.stdin.buffer)
    heard = list(messages)
    found, notes = candidates(one for one in heard if one[0] != TOPIC)
    since = iso(clock_from_environment().now())
    entries = dict(_entries(found, home, since, notes))
    entries |= _zigbee((payload for topic, payload in heard if topic == TOPIC), home, since, notes)
    for note in notes:
        sys.stderr.write(note + "\n")
    if not entries:
        sys.stderr.write("no device that says something of care has announced itself\n")
        return FAILED
    text = yaml.safe_dump({"devices": entries}, allow_unicode=True, sort_keys=False, width=110)
    sys.stdout.write(text)
    sys.stderr.write(_rights_wanted(entries.values()))
    return OK


def _rights_wanted(entries: Iterable[dict[str, Any]]) -> str:
    """What the broker's operator has to allow before the adopted devices are heard; empty for nothing."""
    lines = topics_of(entries).rights()
    if not lines:
        return ""
    listed = "\n".join(f"    {line}".rstrip() for line in lines)
    return (
        "\nThese devices speak on topics of their makers' choice, which the broker must allow: with trygghub run,\n"
        "import the entries and start it again; with a Mosquitto of your own, add to its ACL file and reload it:\n"
        f"\n{listed}\n"
    )


def candidates(messages: Iterable[tuple[str, bytes]]) -> tuple[list[Candidate], list[str]]:
    """Announcements, gathered by device; and a sentence for each that cannot be used."""
    found: dict[str, Candidate] = {}
    notes: list[str] = []
    for topic, payload in messages:
        try:
            listed = announced(topic, payload)
        except DecodeError as wrong:
            notes.append(f"{topic[:100]}: {wrong}")
            continue
        for one in listed:
            if not one.key.startswith(OURS):
                _add(found.setdefault(one.key, _candidate(one)), one, notes)
    return list(found.values()), notes


def _candidate(one: Announced) -> Candidate:
    about = " ".join(part for part in (one.vendor, one.model) if part)
    return Candidate(one.key, one.device, about)


def _add(candidate: Candidate, one: Announced, notes: list[str]) -> None:
    config = dict(one.config)
    try:
        entity = entities({"entities": [config]})[0]
    except DecodeError as wrong:
        notes.append(f"{one.key}, {config.get('object_id', '?')}: {wrong}")
        return
    place = mqtt_topics.read(entity.topic)
    if place.channel:
        notes.append(
            f"{one.key} speaks on {entity.topic}: register it at {place.address}, which is read directly"
        )
        return
    candidate.entities.append(config)


def _entries(
    found: Iterable[Candidate], home: str, since: str, notes: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in found:
        if not one.entities:
            continue
        settings = {"entities": one.entities}
        device_class = class_of(entities(settings))
        if device_class is None:
            notes.append(f"{one.key} says nothing of care")
            continue
        name = f"{one.name} ({one.about})" if one.about else one.name
        yield _id(one.key), {
            "home": home, "class": device_class, "type": "home_assistant_mqtt", "link": "mqtt",
            "address": f"{mqtt_topics.ADOPTED}{one.key}", "name": name, "since": since, "settings": settings,
        }  # fmt: skip


def _zigbee(
    lists: Iterable[bytes], home: str, since: str, notes: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """One entry a device of a Zigbee2MQTT bridge; it needs no settings, for it is read directly."""
    for payload in lists:
        try:
            listed = described(payload)
        except DecodeError as wrong:
            notes.append(f"{TOPIC}: {wrong}")
            continue
        for one in listed:
            address = f"zigbee2mqtt/{one.name}"
            if one.device_class is None:
                notes.append(f"{address} exposes nothing of care")
                continue
            name = f"{one.name} ({one.about})" if one.about else one.name
            yield _id(one.name), {
                "home": home, "class": one.device_class, "type": "zigbee2mqtt", "link": "mqtt",
                "address": address, "name": name, "since": since,
            }  # fmt: skip


def _id(key: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", key.lower()).strip("-")[:64] or "device"


# ---------------------------------------------------------------- where announcements come from


async def _listen(url: str) -> list[tuple[str, bytes]]:
    """What the broker has kept. Raises Refused when it cannot be reached."""
    from drivers.links.mqtt_client import Message, MqttClient

    found: list[tuple[str, bytes]] = []
    news = asyncio.Event()

    async def take(message: Message) -> None:
        found.append((message.topic, message.payload))
        news.set()

    client = MqttClient(
        url,
        f"trygghub-adopt-{id(found):x}",
        subscriptions=(*CONFIG_TOPICS, TOPIC),
        on_message=take,
        max_payload=MAX_LIST + 1,
    )
    running = asyncio.create_task(client.run())
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            await client.up.wait()
            while True:
                news.clear()
                async with asyncio.timeout(QUIET):
                    await news.wait()
    except TimeoutError:
        if not client.counters["connects"]:
            raise Refused(f"the broker at {client.broker.place} does not answer: {client.reason}") from None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return found


def _lines(stream: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """`{"topic": …, "payload": …}` a line; bare words such as `online` of a status topic are passed over.

    Raises Refused with the line's number.
    """
    for number, line in enumerate(stream, start=1):
        if not line.strip() or BARE.fullmatch(line.strip()):
            continue
        try:
            asked = json.loads(line) if len(line) <= LONGEST_LINE else None
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict) or not isinstance(asked.get("topic"), str) or "payload" not in asked:
            raise Refused(f'line {number}: a line is an announcement, {{"topic": "…", "payload": …}}')
        payload = asked["payload"]
        yield asked["topic"], (payload if isinstance(payload, str) else json.dumps(payload)).encode()
