"""Every device that speaks is heard to be alive, whatever it speaks of; the broker's memory is not its voice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drivers.device_type import DeviceType, Unit
from drivers.devices import (
    bthome_climate,
    enocean_motion,
    enocean_smoke,
    home_assistant_mqtt,
    lorawan_pendant,
    nuki_mqtt,
    sms_pendant,
    zigbee2mqtt,
)
from drivers.events import Fact, Frame
from drivers.protocols.esp3 import RADIO_ERP1, encode_packet
from simulators.serial.gsm_modem import deliver

NOW = 1_768_478_400_000
HOUR = 3_600_000
THERMOMETER = {
    "entities": [{"component": "sensor", "unique_id": "u", "state_topic": "t", "device_class": "temperature"}]
}


def kinds(type_: DeviceType, unit: Unit, payload: bytes, at: int, channel: str, **more: Any) -> list[str]:
    """The kinds of facts that one frame became."""
    frame = Frame(type_.link, unit.address, payload, at, channel, **more)
    return [one.kind for one in type_.decode(frame, unit) if isinstance(one, Fact)]


def uplink(hour: int) -> bytes:
    """A LoRaWAN button that tells another battery level every hour."""
    return json.dumps(
        {
            "deduplicationId": f"0000-{hour}",
            "deviceInfo": {"devEui": "24e124535b316056"},
            "fCnt": hour,
            "fPort": 85,
            "data": "AXU=",
            "object": {"battery": 90 - hour},
        }
    ).encode()


HOURLY = [
    (zigbee2mqtt.DEVICE, "state", lambda hour: b'{"temperature": %d}' % hour, {}, "room"),
    (bthome_climate.DEVICE, "adv:fcd2", lambda hour: bytes([0x40, 0x00, hour, 0x57, hour]), {}, "room"),
    (nuki_mqtt.DEVICE, "state", lambda hour: b"1" if hour % 2 else b"3", {}, "lock"),
    (lorawan_pendant.DEVICE, "up", uplink, {}, "pendant"),
    (home_assistant_mqtt.DEVICE, "t", lambda hour: b"%d" % hour, THERMOMETER, "room"),
]


@pytest.mark.parametrize(
    ("type_", "channel", "said", "settings", "name"), HOURLY, ids=lambda one: getattr(one, "id", "")
)
def test_one_whose_every_frame_has_news_is_not_silent(
    type_: DeviceType, channel: str, said: Any, settings: dict[str, Any], name: str
) -> None:
    """Each hour brings news and a heartbeat with it; within a quarter of an hour there is none besides."""
    unit = Unit("zigbee2mqtt/x", settings=settings)
    told = [kinds(type_, unit, said(hour), NOW + hour * HOUR, channel) for hour in range(1, 7)]
    assert f"{name}.heartbeat" not in told[0]
    assert all(each[-1] == f"{name}.heartbeat" and len(each) > 1 for each in told[1:])
    again = kinds(type_, unit, said(7), NOW + 6 * HOUR + 60_000, channel)
    assert again
    assert f"{name}.heartbeat" not in again


@pytest.mark.parametrize(
    ("type_", "channel", "payload"),
    [(zigbee2mqtt.DEVICE, "state", b'{"contact": true}'), (nuki_mqtt.DEVICE, "state", b"1")],
    ids=["zigbee2mqtt", "nuki_mqtt"],
)
def test_what_the_broker_kept_is_no_sign_of_life(type_: DeviceType, channel: str, payload: bytes) -> None:
    """A device that is long dead must not come to life whenever the gateway subscribes anew."""
    unit = Unit("zigbee2mqtt/x")
    assert kinds(type_, unit, payload, NOW, channel)
    assert kinds(type_, unit, payload, NOW + HOUR, channel, retained=True) == []
    assert kinds(type_, unit, payload, NOW + HOUR, channel)[-1].endswith(".heartbeat")


@pytest.mark.parametrize(
    ("type_", "payload", "news"),
    [
        (enocean_motion.DEVICE, "A5 96 00 C8 09 01 81 B7 44 00", "room.motion"),
        (enocean_smoke.DEVICE, "F6 10 00 29 89 79 30", "smoke.detected"),
    ],
    ids=["motion", "smoke"],
)
def test_a_telegram_of_news_is_a_sign_of_life(type_: DeviceType, payload: str, news: str) -> None:
    """A hall with people in it all day, a detector that sounds for hours: neither is taken for silent."""
    unit, block = Unit("stick"), encode_packet(RADIO_ERP1, bytes.fromhex(payload))
    told = [kinds(type_, unit, block, NOW + hour * HOUR, "block") for hour in range(1, 5)]
    life = f"{news.partition('.')[0]}.heartbeat"
    assert told == [[news], [news, life], [news, life], [news, life]]


@pytest.mark.parametrize(
    ("registered", "life"), [("pendant", "pendant.heartbeat"), ("call", "call.heartbeat")]
)
def test_every_text_of_a_mobile_alarm_is_a_sign_of_life(registered: str, life: str) -> None:
    """With `silent_after` of a day and a test message a day it can be missed, whatever it is registered as."""
    unit = Unit("modem#+4790000000", device_class=registered)
    assert kinds(sms_pendant.DEVICE, unit, deliver("+4790000000", "TEST"), NOW, "sms") == [life]
    assert kinds(sms_pendant.DEVICE, unit, deliver("+4790000000", "SOS"), NOW, "sms") == ["pendant.pressed"]
    assert kinds(sms_pendant.DEVICE, unit, deliver("+4790000000", "SOS"), NOW + HOUR, "sms") == [
        "pendant.pressed",
        life,
    ]
    assert kinds(sms_pendant.DEVICE, unit, deliver("+4790000000", "Hei"), NOW + 2 * HOUR, "sms") == [
        "call.raised",
        life,
    ]


def test_a_lock_reported_as_not_connected_is_not_alive() -> None:
    """The bridge of a Nuki lock repeats that it is gone: one fault, and no heartbeat."""
    unit = Unit("nuki/1A")
    told = [kinds(nuki_mqtt.DEVICE, unit, b"false", NOW + hour * HOUR, "connected") for hour in range(3)]
    assert told == [["lock.fault"], [], []]


@pytest.mark.parametrize(("registered", "means"), [("pendant", "pendant"), ("", "room"), ("cat", "room")])
def test_a_zigbee_device_is_what_it_is_registered_as_until_it_shows_more(registered: str, means: str) -> None:
    """The first word of a new button is its battery; it belongs to the pendant that the registry names."""
    unit = Unit("zigbee2mqtt/x", device_class=registered)
    assert kinds(zigbee2mqtt.DEVICE, unit, b'{"battery": 90}', NOW, "state") == [f"{means}.battery"]
    assert kinds(zigbee2mqtt.DEVICE, unit, b'{"battery": 90}', NOW, "state") == [f"{means}.heartbeat"]
    assert kinds(zigbee2mqtt.DEVICE, unit, b'{"smoke": true}', NOW, "state") == ["smoke.detected"]


def test_an_adopted_device_that_does_not_say_is_what_it_is_registered_as() -> None:
    """Somebody is there, told by the sensor that the registry calls a bed: in bed."""
    sensor = {"component": "binary_sensor", "unique_id": "u", "state_topic": "o", "device_class": "occupancy"}
    settings = {"entities": [sensor]}
    bed = Unit("homeassistant/bed", settings=settings, device_class="bed")
    hall = Unit("homeassistant/hall", settings=settings)
    assert kinds(home_assistant_mqtt.DEVICE, bed, b"ON", NOW, "o") == ["bed.entered"]
    assert "room.motion" in kinds(home_assistant_mqtt.DEVICE, hall, b"ON", NOW, "o")
