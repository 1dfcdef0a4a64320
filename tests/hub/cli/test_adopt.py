"""`trygghub adopt`: announcements become registry entries that a person reads before anything is adopted."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.cli.__main__ import main
from hub.registry.models import DevicePart
from simulators.mqtt_devices.home_assistant_device import AnnouncedDevice
from simulators.mqtt_devices.zigbee_bridge import ZigbeeDevice


@pytest.fixture
def adopt(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, fed with lines."""

    def run(*lines: object) -> int:
        raw = "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        return main(["adopt", "--home", "h1"])

    return run


def announcements(device: AnnouncedDevice) -> list[dict[str, Any]]:
    """What it announces, as lines."""
    return [{"topic": one.topic, "payload": json.loads(one.payload)} for one in device.announce()]


def test_a_device_that_announces_itself_becomes_a_registry_entry(
    adopt: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Several announcements of one device are one entry; its class follows from what it has."""
    assert (
        adopt(
            *announcements(AnnouncedDevice("smoke", "Hall_1")), *announcements(AnnouncedDevice("lamp", "x"))
        )
        == 0
    )
    told = capsys.readouterr()
    devices = yaml.safe_load(told.out)["devices"]
    assert list(devices) == ["hall_1"]
    entry = DevicePart.model_validate(devices["hall_1"])
    assert (entry.device_class, entry.type, entry.address) == (
        "smoke", "home_assistant_mqtt", "homeassistant/Hall_1")  # fmt: skip
    assert len(entry.settings["entities"]) == 3
    assert "x says nothing of care" in told.err


def test_what_cannot_be_used_is_said(adopt: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Our own devices are left out silently; the rest gets a sentence each, and nothing at all is exit code 1."""
    ours = {"device": {"identifiers": ["trygghub_gw1_h1-door"]}, "state_topic": "x", "device_class": "door"}
    zigbee = {
        "device": {"identifiers": ["0x1"]},
        "state_topic": "zigbee2mqtt/hall/door",
        "device_class": "door",
    }
    needs_more = {"state_topic": "y", "device_class": "door", "value_template": "{% if a %}{% endif %}"}
    code = adopt(
        {"topic": "homeassistant/binary_sensor/a/config", "payload": ours},
        {"topic": "homeassistant/binary_sensor/b/config", "payload": zigbee},
        {"topic": "homeassistant/binary_sensor/c/config", "payload": needs_more},
        {"topic": "homeassistant/binary_sensor/d/config", "payload": "{"},
    )
    told = capsys.readouterr()
    assert (code, told.out) == (1, "")
    assert "register it at zigbee2mqtt/hall/door, which is read directly" in told.err
    assert "c, c: a template is one expression" in told.err
    assert "homeassistant/binary_sensor/d/config: a payload is a JSON object" in told.err
    assert "trygghub_gw1" not in told.err


def test_a_line_that_is_no_announcement_stops_with_its_number(
    adopt: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong pipe is noticed at once."""
    assert adopt(*announcements(AnnouncedDevice("smoke", "a"))[:1], "what?") == 2
    assert "line 2: a line is an announcement" in capsys.readouterr().err


def test_bare_words_on_other_topics_do_not_stop_it(adopt: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Home Assistant keeps `online` on homeassistant/status, which the pipe of the help text brings too."""
    status = '{"topic": "homeassistant/status", "payload": online}'
    empty = '{"topic": "homeassistant/x", "payload": }'
    assert adopt(status, empty, *announcements(AnnouncedDevice("smoke", "a"))) == 0
    assert list(yaml.safe_load(capsys.readouterr().out)["devices"]) == ["a"]


def test_devices_of_a_zigbee_bridge_become_entries_by_what_they_expose(
    adopt: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A contact is a door and a button a pendant, whoever made them; a lamp and the stick itself are left out."""
    sorts = {"hall/door": "contact", "Astrid knapp": "button", "front": "lock"}
    listed: list[Any] = [ZigbeeDevice(sort).definition(name) for name, sort in sorts.items()]
    lamp = {
        "friendly_name": "lamp",
        "type": "Router",
        "definition": {"exposes": [{"property": "linkquality"}]},
    }
    stick = {"friendly_name": "Coordinator", "type": "Coordinator", "definition": None}
    rubbish = [None, {"friendly_name": 5}, {"friendly_name": "a/#", "definition": {}}]
    message = {"topic": "zigbee2mqtt/bridge/devices", "payload": [*listed, lamp, stick, *rubbish]}
    assert adopt(message, {"topic": "zigbee2mqtt/bridge/devices", "payload": "{"}) == 0
    told = capsys.readouterr()
    entries = [DevicePart.model_validate(one) for one in yaml.safe_load(told.out)["devices"].values()]
    assert [(one.address, one.device_class, one.type) for one in entries] == [
        ("zigbee2mqtt/hall/door", "door", "zigbee2mqtt"),
        ("zigbee2mqtt/Astrid knapp", "pendant", "zigbee2mqtt"),
        ("zigbee2mqtt/front", "lock", "zigbee2mqtt"),
    ]
    assert "zigbee2mqtt/lamp exposes nothing of care" in told.err
    assert "is JSON, and this is not" in told.err
    assert "Coordinator" not in told.err


def test_a_broker_that_does_not_answer_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence without the password."""
    monkeypatch.setattr("hub.cli.adopt.LONGEST_WAIT", 0.3)
    assert main(["adopt", "--broker", "mqtt://me:hunter2@127.0.0.1:1"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("trygghub adopt: the broker at 127.0.0.1:1 does not answer")
    assert "hunter2" not in told


def test_the_page_of_the_command_names_it() -> None:
    """drivers/README.md leads from discovery to adoption."""
    page = Path(__file__).parents[3] / "drivers" / "README.md"
    assert "trygghub adopt" in page.read_text(encoding="utf-8")


def test_what_the_broker_must_allow_is_said(adopt: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A device on topics of its maker's choice is adopted, and its broker's operator gets the lines to add."""
    motion = {
        "device": {"identifiers": ["shelly-1"]},
        "state_topic": "shellies/1/motion",
        "device_class": "motion",
    }
    assert adopt({"topic": "homeassistant/binary_sensor/m/config", "payload": motion}) == 0
    told = capsys.readouterr()
    assert (
        "shellies"
        in yaml.safe_load(told.out)["devices"]["shelly-1"]["settings"]["entities"][0]["state_topic"]
    )
    assert "user hearing\n    topic read shellies/1/motion\n" in told.err
    assert "user bridges\n    topic write shellies/1/motion\n" in told.err
