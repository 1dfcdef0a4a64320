"""PRETEND a radio: a virtual Bluetooth LE ether, and a hub that lets any program join it."""

from simulators.radio.controller import RadioController
from simulators.radio.ether import Ether
from simulators.radio.hub import RadioHub
from simulators.radio.station import Air, Station, join

__all__ = ["Air", "Ether", "RadioController", "RadioHub", "Station", "join"]
