"""PRETEND Bluetooth LE devices: bumble peripherals written from the published specifications."""

from simulators.ble.blood_pressure_cuff import BloodPressureCuff
from simulators.ble.body_meters import HeartRateStrap, Thermometer, WeightScale
from simulators.ble.bthome_pendant import BthomePendant
from simulators.ble.bthome_sensors import BthomeClimate, BthomeDoor, BthomeLeak, BthomeMotion, BthomeSmoke
from simulators.ble.glucose_meter import GlucoseMeter
from simulators.ble.nuki_lock import NukiLock
from simulators.ble.pulse_oximeter import PulseOximeter

__all__ = [
    "BloodPressureCuff",
    "BthomeClimate",
    "BthomeDoor",
    "BthomeLeak",
    "BthomeMotion",
    "BthomePendant",
    "BthomeSmoke",
    "GlucoseMeter",
    "HeartRateStrap",
    "NukiLock",
    "PulseOximeter",
    "Thermometer",
    "WeightScale",
]
