"""PRETEND Bluetooth LE devices: bumble peripherals written from the published specifications."""

from simulators.ble.bthome_pendant import BthomePendant
from simulators.ble.pulse_oximeter import PulseOximeter

__all__ = ["BthomePendant", "PulseOximeter"]
