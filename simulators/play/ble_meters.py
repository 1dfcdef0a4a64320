"""Meters of a scenario: switched on by a measurement, off again when it has been fetched or after a while."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from simulators.ble.blood_pressure_cuff import BloodPressureCuff
from simulators.ble.body_meters import HeartRateStrap, Thermometer, WeightScale
from simulators.ble.gatt_peripheral import GattPeripheral
from simulators.ble.glucose_meter import GlucoseMeter
from simulators.ble.pulse_oximeter import PulseOximeter
from simulators.play.ble_units import LOW, BleUnit
from simulators.scenario.faults import amount
from simulators.scenario.measuring import METERS, words_of
from simulators.scenario.model import Beat, Device, Millis
from simulators.scenario.plan import Trouble
from simulators.world import World

Meter = TypeVar("Meter", bound=GattPeripheral)

STAYS_ON = 60.0
"""Real seconds that a meter waits for somebody who fetches its reading; what stays is fetched with the next."""
AFTERWARDS = 1.0
"""Real seconds between a reading's confirmation and switching off."""
WORN = 40.0
"""Real seconds that a strap is worn for one measurement; it speaks once a second."""


class MeterUnit(BleUnit, Generic[Meter]):
    """A meter. The beats of one moment (spo2 and pulse, …) are one reading."""

    make: Callable[..., Meter]

    def __init__(self, device: Device, radio: str, world: World, zone: ZoneInfo) -> None:
        self._type, self._zone = device.type, zone
        self._meter = self.make(device.settings["address"], battery=device.settings.get("battery", 80))
        self._half: dict[str, Mapping[str, Any]] = {}
        self._half_at: Millis = 0
        self._off: asyncio.Task[None] | None = None
        self._absent = False
        super().__init__(device, self._meter, radio, world)

    def silence(self, device: str, *, over: bool) -> None:  # noqa: ARG002  one unit, one device
        """Its battery is out, or back."""
        self._absent = not over
        if not over:
            self._turn.put(self._peripheral.silence)

    async def _begin(self) -> None:
        """Begin switched off."""
        await self._peripheral.start(self._radio)
        await self._peripheral.silence()

    async def _end(self) -> None:
        if self._off is not None:
            self._off.cancel()
            await asyncio.wait({self._off})

    def _ready(self) -> bool:
        return not self._absent

    def _changed(self, trouble: Trouble, *, over: bool) -> None:
        if trouble.do == "disorder":
            self._meter.newest_first = not over
        elif trouble.do == "link_lost":
            self._meter.break_link = True

    async def _perform(self, beat: Beat) -> None:
        if beat.word == "battery_low":
            self._meter.battery = LOW
            await self._switch_on()
            return
        if beat.at != self._half_at:
            self._half, self._half_at = {}, beat.at
        self._half[beat.word] = beat.data
        if self._half.keys() >= set(words_of(self._type)):
            values = {one.name: self._half[one.word][one.field] for one in METERS[self._type]}
            self._half = {}
            await self._switch_on()
            for _ in range(1 + self._happens("doubled")):
                await self._measure(values, self._clock(beat.at))

    async def _again(self, beat: Beat) -> None:
        """A whole reading comes twice, not a half one."""

    def _clock(self, at: Millis) -> datetime:
        """What the meter's own clock shows: the local time of its home, more or less."""
        hours = amount(self._broken["clock_wrong"], "hours") if "clock_wrong" in self._broken else 0.0
        return datetime.fromtimestamp(at / 1000, self._zone) + timedelta(hours=hours)

    async def _switch_on(self) -> None:
        await self._meter.wake()
        if self._off is not None:
            self._off.cancel()
        self._off = asyncio.create_task(self._switch_off())

    async def _switch_off(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STAYS_ON):
                await self._fetched()
                await asyncio.sleep(AFTERWARDS)
        self._turn.put(self._meter.switch_off)

    async def _fetched(self) -> None:
        """Wait until nobody needs it on the air any more."""
        await asyncio.sleep(AFTERWARDS)
        await self._meter.until_stored_is_empty()

    async def _measure(self, values: Mapping[str, float], at: datetime) -> None:
        """Finish a measurement."""


class OximeterUnit(MeterUnit[PulseOximeter]):
    """A finger oximeter's spot check."""

    make = PulseOximeter

    async def _measure(self, values: Mapping[str, float], at: datetime) -> None:
        await self._meter.measure(values["spo2"], values["pulse"], at)


class CuffUnit(MeterUnit[BloodPressureCuff]):
    """A blood-pressure cuff."""

    make = BloodPressureCuff

    async def _measure(self, values: Mapping[str, float], at: datetime) -> None:
        await self._meter.measure(values["systolic"], values["diastolic"], values["pulse"], at=at)


class ThermometerUnit(MeterUnit[Thermometer]):
    """A thermometer."""

    make = Thermometer

    async def _measure(self, values: Mapping[str, float], at: datetime) -> None:
        await self._meter.measure(values["temperature"], at)


class ScaleUnit(MeterUnit[WeightScale]):
    """A scale."""

    make = WeightScale

    async def _measure(self, values: Mapping[str, float], at: datetime) -> None:
        await self._meter.measure(values["weight"], at)


class GlucoseUnit(MeterUnit[GlucoseMeter]):
    """A glucose meter, whose records are asked for."""

    make = GlucoseMeter

    async def _measure(self, values: Mapping[str, float], at: datetime) -> None:
        await self._meter.measure(values["glucose"], at)

    async def _fetched(self) -> None:
        await self._meter.reported.wait()


class HeartStrapUnit(MeterUnit[HeartRateStrap]):
    """A strap: put on, it shows the pulse once a second until it is taken off."""

    make = HeartRateStrap

    async def _measure(self, values: Mapping[str, float], at: datetime) -> None:  # noqa: ARG002  it has no clock
        loop = asyncio.get_running_loop()
        until = loop.time() + WORN
        shown = 0
        while shown < 3 and loop.time() < until:
            shown += await self._meter.show(round(values["pulse"]))
            await asyncio.sleep(1.0)


METER_UNITS: Mapping[str, Callable[[Device, str, World, ZoneInfo], BleUnit]] = {
    "oximeter": OximeterUnit,
    "cuff": CuffUnit,
    "glucose_meter": GlucoseUnit,
    "thermometer": ThermometerUnit,
    "scale": ScaleUnit,
    "heart_strap": HeartStrapUnit,
}
"""Type → its unit."""
