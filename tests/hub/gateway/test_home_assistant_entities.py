"""What Home Assistant is shown of our devices follows from the catalogue, and shows no unknown thing as fine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drivers.catalogue import CATALOGUE
from drivers.events import Event, Frame
from drivers.registry import DEVICE_TYPES
from hub.clock import ManualClock
from hub.gateway.gateway import Gateway
from hub.gateway.home_assistant_entities import ON, Place, at_first, possible, words
from hub.gateway.roll import Assigned, call_the_roll
from hub.gateway.storage import open_storage
from hub.registry.models import GatewayPart
from hub.settings import GatewaySettings

AT = 1_768_464_000_000
PLACE = Place("homeassistant", "gw1")


def assigned(tmp_path: Path, type_: str, class_: str, **more: Any) -> Assigned:
    """One device of Astrid's on the roll."""
    entry = {"home": "h1", "class": class_, "type": type_, "link": DEVICE_TYPES[type_].link, "address": "h1/x",
             "since": "2026-01-01T00:00:00Z", **more}  # fmt: skip
    part = {
        "gateway": "gw1",
        "homes": {"h1": {"address": "Storgata 1", "zone": "north", "gateway": "gw1"}},
        "residents": {"astrid": {"home": "h1", "name": "Astrid Berg"}},
        "devices": {"x": entry},
    }
    return call_the_roll(GatewayPart.model_validate(part), DEVICE_TYPES, tmp_path).devices["x"]


def event(kind: str, **data: Any) -> Event:
    """Something device x said."""
    return Event("x:1", AT, AT, "h1", "x", kind, data)


def test_every_state_of_the_catalogue_can_be_shown() -> None:
    """A state of two values is on or off; with more it keeps its words, for a jammed bolt is neither."""
    for spec in CATALOGUE.states.values():
        if spec.name in ON:
            assert set(ON[spec.name][:2]) == set(spec.values)
        else:
            assert spec.is_number or len(spec.values) > 2 or spec.name.startswith("gateway.")


@pytest.mark.parametrize("type_", sorted(DEVICE_TYPES))
def test_every_device_type_can_be_shown(type_: str, tmp_path: Path) -> None:
    """Each has entities with topics Home Assistant accepts, ids of their own, and no command topic."""
    kind = DEVICE_TYPES[type_]
    for class_ in sorted(kind.classes):
        device = assigned(tmp_path, type_, class_)
        first, all_ = list(at_first(device)), list(possible(device))
        assert first
        assert {one.key for one in first} <= {one.key for one in all_}
        assert len({one.key for one in all_}) == len(all_)
        for one in all_:
            config = json.loads(PLACE.announcement(device, one))
            assert "command_topic" not in config
            assert config["unique_id"] == f"trygghub_gw1_x_{one.key}"
            assert PLACE.config("x", one).startswith(f"homeassistant/{one.component}/trygghub_gw1/x-")


def test_every_fact_says_something_to_an_entity_of_its_device(tmp_path: Path) -> None:
    """Whatever a type may emit finds its entity among those announced for it; a heartbeat alone says nothing."""
    sample = {"number": 1.0, "flag": True, "text": "x", "time": AT}
    for type_, kind in DEVICE_TYPES.items():
        device = assigned(tmp_path, type_, kind.device_class)
        keys = {one.key: one for one in possible(device)}
        for name in kind.emits:
            data = {f.name: f.values[0] if f.values else sample[f.type] for f in CATALOGUE.spec(name).fields}
            told = list(words(event(name, **data), device))
            assert bool(told) != name.endswith(".heartbeat")
            for word in told:
                assert keys[word.shown.key] == word.shown


def test_a_lock_is_shown_with_its_own_words(tmp_path: Path) -> None:
    """Jammed and unknown are options like locked; Home Assistant cannot take them for the last good one."""
    device = assigned(tmp_path, "native_lock", "lock")
    (word,) = words(event("lock.jammed", reason="blocked"), device)
    assert (word.shown.component, word.payload, word.kept) == ("sensor", b"jammed", True)
    assert word.shown.config["options"] == ["locked", "unlocked", "jammed", "unknown"]


def test_a_press_is_an_event_and_not_kept(tmp_path: Path) -> None:
    """A broker that keeps a press would repeat it at every start."""
    device = assigned(tmp_path, "native_alarm", "pendant")
    (word,) = words(event("pendant.pressed", press="long"), device)
    assert not word.kept
    assert word.shown.component == "event"
    assert json.loads(word.payload) == {
        "event_type": "pressed", "press": "long", "at": "2026-01-15T08:00:00.000Z"}  # fmt: skip
    assert {"pressed", "fall", "cancelled", "tamper"} <= set(word.shown.config["event_types"])


def test_the_residents_name_is_not_shown(tmp_path: Path) -> None:
    """Home Assistant shows things; others than we may read it."""
    device = assigned(tmp_path, "native_alarm", "pendant", name="Alarmknapp", room="stue")
    said = b"".join(PLACE.announcement(device, one) for one in possible(device))
    assert b"Astrid" not in said
    assert b"stue" in said


REGISTRY = """\
format: trygghub-registry-1
municipality: {name: Trygdal, duty_phone: "+4755001122"}
districts: {dal: {name: Dal}}
zones: {nord: {name: Nord, district: dal}}
homes: {h1: {address: Storgata 1, zone: nord, gateway: gw1}}
residents: {astrid: {home: h1, name: Astrid}}
gateways: {gw1: {name: gw1, since: 2026-01-01T00:00:00Z}}
devices:
  front: {home: h1, class: door, type: native_alarm, link: mqtt, address: h1/front, since: 2026-01-01T00:00:00Z}
"""


async def shown_by(tmp_path: Path, prefix: str | None) -> dict[str, bytes] | None:
    """What a whole gateway would tell Home Assistant of a door that opens; None where it tells nothing."""
    file = tmp_path / "registry.yaml"
    file.write_text(REGISTRY)
    broker = "mqtt://127.0.0.1:1"
    settings = GatewaySettings(data=tmp_path, id="gw1", uplink=broker, registry=file, home_assistant=prefix)
    storage = await open_storage(settings.folder / "gateway.db", AT)
    gateway = Gateway(settings, storage, ManualClock(AT))
    try:
        await gateway.boot()
        payload = b'{"id": "e1", "kind": "door.opened"}'
        receipt = await gateway.hearing.hear(Frame("mqtt", "h1/front", payload, AT, "event"))
        assert receipt.events == ("front:e1",)
        return None if gateway.home_assistant is None else dict(gateway.home_assistant._kept)
    finally:
        await gateway.stop()


async def test_a_gateway_shows_what_it_has_written_down(tmp_path: Path) -> None:
    """The committed event becomes the door's state and its announcement."""
    kept = await shown_by(tmp_path, "homeassistant")
    assert kept is not None
    assert kept["trygghub/gw1/front/door_leaf"] == b"open"
    assert (
        json.loads(kept["homeassistant/binary_sensor/trygghub_gw1/front-door_leaf/config"])["name"] == "Dør"
    )


async def test_a_gateway_shows_nothing_unless_it_is_asked_to(tmp_path: Path) -> None:
    """Off by default: what a home's devices say is nobody's business."""
    assert await shown_by(tmp_path, None) is None
