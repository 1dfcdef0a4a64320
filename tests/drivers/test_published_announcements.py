"""Announcements as other projects' software publishes them, from their documentation and issue threads."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from drivers.device_type import Command, Unit
from drivers.devices.home_assistant_mqtt import DEVICE
from drivers.events import Fact, Frame
from drivers.protocols.home_assistant import class_of, entities, topics
from drivers.protocols.home_assistant_discovery import announced
from hub.cli.__main__ import main

FOLDER = Path(__file__).parent / "announcements"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
NOW = 1_768_478_400_000


def published(name: str) -> dict[str, Any]:
    """One file, with what it should mean."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def settings(case: dict[str, Any]) -> dict[str, Any]:
    """What the registry keeps of a device's announcements."""
    listed = [
        one
        for said in case["announcements"]
        for one in announced(said["topic"], json.dumps(said["payload"]).encode())
    ]
    assert {one.key for one in listed} == {case["key"]}
    return {"entities": [dict(one.config) for one in listed]}


def test_there_are_some() -> None:
    """Firmware, bridges and locks of several projects, each with its source."""
    assert len(NAMES) >= 7
    assert all(published(name)["source"] for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_announced_device_is_what_it_is(name: str) -> None:
    """Its identifier, and the class that follows from what it has."""
    case = published(name)
    assert class_of(entities(settings(case))) == case["device_class"]


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_is_understood(name: str) -> None:
    """Message by message, on the topics it announced and no others."""
    case = published(name)
    unit = Unit(f"homeassistant/{case['key']}", settings=settings(case))
    for one in case["messages"]:
        assert one["topic"] in topics(unit.settings)
        frame = Frame("mqtt", unit.address, one["payload"].encode(), NOW, one["topic"])
        facts = [fact for fact in DEVICE.decode(frame, unit) if isinstance(fact, Fact)]
        assert sorted((fact.kind, dict(fact.data)) for fact in facts) == [tuple(e) for e in one["events"]]


@pytest.mark.parametrize("name", [name for name in NAMES if "command" in published(name)])
def test_a_lock_is_unlocked_in_its_own_words(name: str) -> None:
    """Numbers and JSON's false are words like others."""
    case = published(name)
    unit = Unit(f"homeassistant/{case['key']}", settings=settings(case))
    outgoing = DEVICE.encode(Command("c-1", "unlock", {}, NOW), unit)
    assert [outgoing.channel, outgoing.payload.decode()] == case["command"]


@pytest.mark.parametrize("name", NAMES)
def test_adopting_writes_its_registry_entry(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`trygghub adopt` takes it; what we read directly it sends there instead of hearing it twice."""
    case = published(name)
    lines = "".join(json.dumps(one) + "\n" for one in case["announcements"]).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    code = main(["adopt", "--home", "h1"])
    told = capsys.readouterr()
    if "read_directly" in case:
        assert (code, case["read_directly"] in told.err) == (1, True)
        return
    (entry,) = yaml.safe_load(told.out)["devices"].values()
    assert (code, entry["class"]) == (0, case["device_class"])
