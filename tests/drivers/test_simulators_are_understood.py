"""Every device type has a simulator written from the same specification, and somebody proves that we understand it.

`PROOF` names, for each device type, the simulator and the test that hears it on its own wire: over a broker, the
virtual radio, a pty or a socket. Where the simulator's encoder can be asked without a wire, the proof is here. A
type whose simulator is a file of its name in `simulators/encoders` needs no entry: what it says is decoded here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.device_type import Unit
from drivers.events import Fact, Frame
from drivers.registry import DEVICE_TYPES
from simulators.serial.enocean_stick import EnoceanRadio

ROOT = Path(__file__).parents[2]
HERE = "tests/drivers/test_simulators_are_understood.py"
BTHOME = "tests/drivers/ble/test_bthome_sensors.py"
METERS = "tests/drivers/ble/test_meters.py"
FOREIGN = "tests/drivers/test_mqtt_foreign.py"
NATIVE = "tests/simulators/mqtt/test_native.py"

PROOF: dict[str, tuple[str, str]] = {
    "bthome_climate": ("simulators.ble.bthome_sensors:BthomeClimate", BTHOME),
    "bthome_door": ("simulators.ble.bthome_sensors:BthomeDoor", BTHOME),
    "bthome_leak": ("simulators.ble.bthome_sensors:BthomeLeak", BTHOME),
    "bthome_motion": ("simulators.ble.bthome_sensors:BthomeMotion", BTHOME),
    "bthome_pendant": ("simulators.ble.bthome_pendant:BthomePendant", "tests/drivers/ble/test_ble_link.py"),
    "bthome_smoke": ("simulators.ble.bthome_sensors:BthomeSmoke", BTHOME),
    "dc09_panel": ("simulators.ip.panel:Panel", "tests/drivers/ip/test_dc09.py"),
    **{
        f"enocean_{name}": ("simulators.serial.enocean_stick:EnoceanRadio", HERE)
        for name in ("button", "contact", "key_card", "leak", "motion", "pendant", "smoke")
    },
    "espa_nurse_call": ("simulators.serial.espa_unit:EspaUnit", "tests/drivers/serial/test_serial_link.py"),
    "home_assistant_mqtt": (
        "simulators.mqtt_devices.home_assistant_device:AnnouncedDevice", "tests/drivers/test_home_assistant.py"),
    "lock_board_cabinet": ("simulators.serial.lock_board:LockBoards", "tests/drivers/serial/test_lock_board.py"),
    "lorawan_pendant": ("simulators.mqtt_devices.chirpstack_network:LoraButton", FOREIGN),
    "native_alarm": ("simulators.mqtt.native:Native", NATIVE),
    "native_dispenser": ("simulators.mqtt.native:Native", NATIVE),
    "native_lock": ("simulators.mqtt.lock:Lock", NATIVE),
    "nuki_ble": ("simulators.ble.nuki_lock:NukiLock", "tests/drivers/ble/test_nuki.py"),
    "nuki_mqtt": ("simulators.mqtt_devices.nuki_lock:NukiLock", FOREIGN),
    "osdp_door": ("simulators.serial.osdp_reader:OsdpReader", "tests/drivers/serial/test_osdp.py"),
    "scaip_unit": ("simulators.ip.scaip:ScaipUnit", "tests/drivers/ip/test_sip_link.py"),
    "sig_blood_pressure": ("simulators.ble.blood_pressure_cuff:BloodPressureCuff", METERS),
    "sig_glucose_meter": ("simulators.ble.glucose_meter:GlucoseMeter", METERS),
    "sig_heart_rate": ("simulators.ble.body_meters:HeartRateStrap", METERS),
    "sig_pulse_oximeter": ("simulators.ble.pulse_oximeter:PulseOximeter", "tests/drivers/ble/test_ble_link.py"),
    "sig_thermometer": ("simulators.ble.body_meters:Thermometer", METERS),
    "sig_weight_scale": ("simulators.ble.body_meters:WeightScale", METERS),
    "sms_pendant": ("simulators.serial.gsm_modem:GsmModem", "tests/drivers/serial/test_gsm.py"),
    "zigbee2mqtt": ("simulators.mqtt_devices.zigbee_bridge:ZigbeeBridge", FOREIGN),
}  # fmt: skip
"""Device type → its simulator, and the test that hears it."""


ENCODERS = {path.stem for path in (ROOT / "simulators" / "encoders").glob("[a-z]*.py")}
"""Device types whose simulator only writes what the device says."""


def test_every_device_type_has_a_simulator() -> None:
    """Whoever adds a type adds an encoder of its name, or names its simulator here and who proves it understood."""
    assert set(PROOF) | ENCODERS == set(DEVICE_TYPES)


def test_what_encoders_say_is_understood() -> None:
    """Each fact of each encoder comes out of its bytes."""
    for type_ in ENCODERS:
        says = importlib.import_module(f"simulators.encoders.{type_}").SAYS
        assert says, type_
        for kind, (channel, payload) in says.items():
            frame = Frame(DEVICE_TYPES[type_].link, "-", payload, 1_768_478_400_000, channel)
            facts = DEVICE_TYPES[type_].decode(frame, Unit("-"))
            assert kind in [one.kind for one in facts if isinstance(one, Fact)], type_


@pytest.mark.parametrize("type_", sorted(PROOF))
def test_the_proof_is_there(type_: str) -> None:
    """The simulator exists, imports nothing of ours, and the test speaks of it."""
    place, test = PROOF[type_]
    module, _, name = place.partition(":")
    assert isinstance(getattr(importlib.import_module(module), name), type)
    text = (ROOT / test).read_text(encoding="utf-8")
    assert f"from {module.rpartition('.')[0]}" in text
    assert name in text


# ---------------------------------------------------------------- EnOcean: one stick, seven profiles

SENDER = "0181b7c4"
EnoceanAct = Callable[[EnoceanRadio], None]

TOLD: dict[str, list[tuple[EnoceanAct, list[str]]]] = {
    "enocean_button": [(lambda radio: radio.push(SENDER), ["pendant.pressed"])],
    "enocean_contact": [
        (lambda radio: radio.contact(SENDER, closed=False), ["door.opened"]),
        (lambda radio: radio.contact(SENDER, closed=True), ["door.closed"]),
    ],
    "enocean_key_card": [
        (lambda radio: radio.key_card(SENDER, inserted=True), ["room.presence"]),
        (lambda radio: radio.key_card(SENDER, inserted=False), ["room.presence"]),
    ],
    "enocean_leak": [(lambda radio: radio.leak(SENDER), ["water.detected"])],
    "enocean_motion": [
        (lambda radio: radio.motion(SENDER), ["room.motion"]),
        (lambda radio: radio.motion(SENDER, moved=False), ["room.heartbeat"]),
    ],
    "enocean_pendant": [(lambda radio: radio.press(SENDER), ["pendant.pressed"])],
    "enocean_smoke": [
        (lambda radio: radio.smoke(SENDER, "alarm"), ["smoke.detected"]),
        (lambda radio: radio.smoke(SENDER, "quiet"), ["smoke.cleared"]),
        (lambda radio: radio.smoke(SENDER, "energy low"), ["smoke.battery_low"]),
    ],
}


class Heard(EnoceanRadio):
    """A stick whose line is listened to."""

    def __init__(self) -> None:
        super().__init__()
        self.faults.copies = 1
        self.line: list[bytes] = []

    def _write(self, raw: bytes) -> None:
        self.line.append(raw)


@pytest.mark.parametrize("type_", sorted(TOLD))
def test_what_an_enocean_device_does_is_understood(type_: str) -> None:
    """Each profile's telegram, as the stick hands it over, is its fact."""
    for act, kinds in TOLD[type_]:
        radio = Heard()
        act(radio)
        unit, heard = Unit("port", settings={"sender": SENDER}), []
        for raw in radio.line:
            frame: Any = Frame("serial", "port", raw, 1_768_478_400_000)
            heard += [one.kind for one in DEVICE_TYPES[type_].decode(frame, unit) if isinstance(one, Fact)]
        assert heard == kinds
