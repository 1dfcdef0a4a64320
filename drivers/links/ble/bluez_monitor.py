"""Our advertisement monitor on BlueZ: while one is there, the kernel lets every advertisement through.

An active scan alone is started with the controller's filter of duplicates. What that takes for a duplicate differs:
some controllers compare address and data, some the address alone, and those tell of a device once in each round of
ten seconds, whatever it says. Linux (6.1 was tried) switches the filter off while any advertisement monitor exists
(`hci_active_scan_sync`), and only then does a scan response follow every advertisement, without which the kernel keeps
an advertisement back (`process_adv_report`). So the monitor stands beside the active scan for its effect; what it
hears itself is not used. BlueZ 5.66 has the interface only when it was started with `--experimental`.
"""

import asyncio
import logging
from typing import Annotated

from bleak.exc import BleakError
from dbus_fast import PropertyAccess
from dbus_fast.annotations import DBusObjectPath, DBusSignature, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from drivers.links.ble.bluez_adapter import Adapter
from drivers.links.ble.bluez_agent import Registration

log = logging.getLogger(__name__)

PATH = "/no/trygghub/monitor"
SWITCH = "org.bluez.AdvertisementMonitorManager1"
ACTIVE_WITHIN = 5.0
SERVICE_DATA, MANUFACTURER = 0x16, 0xFF
PATTERNS = (
    (0, SERVICE_DATA, bytes.fromhex("d2fc")),
    (0, MANUFACTURER, bytes.fromhex("4c000215")),
)
"""BTHome and iBeacons (locks), as offset, type and bytes: what a controller that looks for patterns itself reports
between two rounds of the scan. During a round everything is reported, whatever stands here."""
WITHOUT = "most presses of pendants may go unheard, since the kernel holds advertisements back"
REMEDY = "start bluetoothd with --experimental (deploy/README.md, Bluetooth)"


class Monitor(ServiceInterface):
    """`org.bluez.AdvertisementMonitor1`. active: set while BlueZ has told the kernel of it."""

    def __init__(self) -> None:
        super().__init__("org.bluez.AdvertisementMonitor1")
        self.active = asyncio.Event()

    @dbus_method()
    def Activate(self) -> None:  # noqa: N802 - the name on the bus
        """The kernel knows it now."""
        self.active.set()

    @dbus_method()
    def Release(self) -> None:  # noqa: N802
        """BlueZ or the kernel does not want it, or not any more."""
        self.active.clear()

    @dbus_method()
    def DeviceFound(self, device: DBusObjectPath) -> None:  # noqa: N802
        """Somebody is there: the scan tells the same."""

    @dbus_method()
    def DeviceLost(self, device: DBusObjectPath) -> None:  # noqa: N802
        """Somebody is not: silence is judged by rules."""

    @dbus_property(PropertyAccess.READ)
    def Type(self) -> DBusStr:  # noqa: N802
        """The only one there is."""
        return "or_patterns"

    @dbus_property(PropertyAccess.READ)
    def Patterns(self) -> Annotated[list[tuple[int, int, bytes]], DBusSignature("a(yyay)")]:  # noqa: N802
        """What it looks for."""
        return [list(one) for one in PATTERNS]  # type: ignore[misc]  # a structure is a list on this bus


class Unfiltered:
    """Sees that one adapter lets everything through, for as long as the registration is on the bus.

    caution: a sentence on what may be missed; empty when nothing is.
    """

    def __init__(self) -> None:
        self._monitor = Monitor()
        self._why = ""
        self._said = ""

    @property
    def caution(self) -> str:
        """Empty while the monitor is active."""
        if self._monitor.active.is_set():
            return ""
        return f"{WITHOUT}: {self._why or 'BlueZ has let go of our advertisement monitor'}"

    async def ask_for(self, bluez: Registration, adapter: Adapter) -> None:
        """Register the monitor; where that cannot be, go on without and say so once."""
        self._monitor.active.clear()
        self._why = await self._registered(bluez, adapter)
        if self._why and self._why != self._said:
            log.warning("%s: %s", adapter.name, self.caution)
        self._said = self._why

    async def _registered(self, bluez: Registration, adapter: Adapter) -> str:
        """Register and wait until it is active; returns why it is not, empty when it is."""
        if not adapter.monitors:
            return f"this BlueZ offers no advertisement monitors; {REMEDY}"
        try:
            await bluez.ask("RegisterMonitor", "o", [PATH], ("org.bluez", adapter.path, SWITCH))
            # Only now: what was there before, BlueZ does not look at when it looks for what is new (bleak does so too).
            bluez.export(PATH, self._monitor)
            async with asyncio.timeout(ACTIVE_WITHIN):
                await self._monitor.active.wait()
        except BleakError as error:
            return str(error)
        except TimeoutError:
            return f"BlueZ did not activate our advertisement monitor within {ACTIVE_WITHIN:g} s"
        return ""
