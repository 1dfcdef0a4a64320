"""PRETEND BlueZ: `org.bluez` on a private D-Bus, over the virtual radio, for programs that use the real one."""

from simulators.bluez.bluez import FakeBluez
from simulators.bluez.bus import PrivateBus
from simulators.bluez.daemon import RealBluez

__all__ = ["FakeBluez", "PrivateBus", "RealBluez"]
