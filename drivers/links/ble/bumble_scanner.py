"""bleak's scanner on bumble: merges advertisement and scan response per device, as BlueZ does."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar, Literal

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.exc import BleakError
from bumble import core, hci

from drivers.links.ble.advertising import Advertised
from drivers.links.ble.bumble_radio import BumbleRadio, Report, explain

ADV_IND, ADV_DIRECT_IND, SCAN_RSP = 0x00, 0x01, 0x04
"""Event types of advertising reports (Core 5.4, vol 4, part E, 7.7.65.2)."""
MOST_DEVICES = 2000  # devices remembered at a time; the one not heard for longest is forgotten


class BumbleScanner(BaseBleakScanner):
    """A scanner; `radio` is set in the class that `BumbleRadio` makes of it."""

    radio: ClassVar[BumbleRadio]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: Literal["active", "passive"],
        **_: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self.active = scanning_mode != "passive"
        self._heard: OrderedDict[str, Advertised] = OrderedDict()

    async def start(self) -> None:
        """Begin to scan; raises BleakError when the adapter refuses."""
        self.seen_devices.clear()
        self._heard.clear()
        try:
            await self.radio.listen(self, self._on_report, active=self.active)
        except core.BaseBumbleError as error:
            raise BleakError(explain(error)) from error

    async def stop(self) -> None:
        """End the scan; raises BleakError when the adapter refuses."""
        try:
            await self.radio.deafen(self)
        except core.BaseBumbleError as error:
            raise BleakError(explain(error)) from error

    def _on_report(self, report: Report) -> None:
        address: hci.Address = report.address
        key = str(address).partition("/")[0].upper()
        heard = self._remember(key)
        heard.update(bytes(report.data))
        data = AdvertisementData(
            local_name=heard.name,
            manufacturer_data=dict(heard.manufacturer),
            service_data=dict(heard.service_data),
            service_uuids=list(heard.services),
            tx_power=heard.tx_power,
            rssi=report.rssi,
            platform_data=(report.event_type,),
        )
        details = {"address": address, "connectable": report.event_type in {ADV_IND, ADV_DIRECT_IND}}
        if report.event_type == SCAN_RSP and key in self.seen_devices:
            details = self.seen_devices[key][0].details
        device = self.create_or_update_device(key, key, heard.name, details, data)
        device.details.update(details)
        if self.is_allowed_uuid(data.service_uuids):
            self.call_detection_callbacks(device, data)

    def _remember(self, key: str) -> Advertised:
        heard = self._heard.setdefault(key, Advertised())
        self._heard.move_to_end(key)
        if len(self._heard) > MOST_DEVICES:
            forgotten, _ = self._heard.popitem(last=False)
            self.seen_devices.pop(forgotten, None)
        return heard
