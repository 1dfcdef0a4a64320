"""Sensors that speak BTHome v2: door, motion, smoke, leak, climate. Each repeats its state in every message."""

from __future__ import annotations

from simulators.ble.bthome_sender import BthomeSender

HUMIDITY, TEMPERATURE = 0x03, 0x02
CO, MOISTURE, MOTION, SMOKE, TAMPER, WINDOW = 0x17, 0x20, 0x21, 0x29, 0x2B, 0x2D


class BthomeSensor(BthomeSender):
    """A sensor with flags. flags: object id → state; told in the order of the ids, as the format demands."""

    flags: tuple[int, ...] = ()
    label = "BTHome"

    def __init__(self, address: str, **options: object) -> None:
        super().__init__(self.label, address, **options)  # type: ignore[arg-type]
        self.state = dict.fromkeys(self.flags, False)

    async def set(self, flag: int, on: bool) -> None:
        """Change one flag and say so."""
        self.state[flag] = on
        await self.say(self._objects())

    async def beacon_once(self) -> None:
        """Repeat the state, as a beacon does."""
        await self.say(self._objects())

    async def tamper(self) -> None:
        """Open the casing."""
        await self.set(TAMPER, True)

    def _objects(self) -> bytes:
        return b"".join(bytes([flag, on]) for flag, on in sorted(self.state.items()))


class BthomeDoor(BthomeSensor):
    """A contact on a door or window, like the Shelly BLU Door/Window (SBDW-002C)."""

    flags = (WINDOW,)
    label = "SBDW-002C"

    async def open(self) -> None:
        """Open the door."""
        await self.set(WINDOW, True)

    async def close(self) -> None:
        """Close the door."""
        await self.set(WINDOW, False)


class BthomeMotion(BthomeSensor):
    """A motion sensor, like the Shelly BLU Motion (SBMO-003Z)."""

    flags = (MOTION,)
    label = "SBMO-003Z"

    async def move(self) -> None:
        """Somebody moves."""
        await self.set(MOTION, True)

    async def rest(self) -> None:
        """Nobody moves any more."""
        await self.set(MOTION, False)


class BthomeSmoke(BthomeSensor):
    """A smoke and carbon monoxide detector."""

    flags = (SMOKE, CO)
    label = "Smoke"

    async def smoke(self) -> None:
        """There is smoke."""
        await self.set(SMOKE, True)

    async def carbon_monoxide(self) -> None:
        """There is carbon monoxide."""
        await self.set(CO, True)

    async def clear(self) -> None:
        """The air is clean again."""
        self.state.update({SMOKE: False, CO: False})
        await self.beacon_once()


class BthomeLeak(BthomeSensor):
    """A water leak detector."""

    flags = (MOISTURE,)
    label = "Leak"

    async def leak(self) -> None:
        """There is water."""
        await self.set(MOISTURE, True)

    async def dry(self) -> None:
        """It is dry again."""
        await self.set(MOISTURE, False)


class BthomeClimate(BthomeSensor):
    """A room thermometer and hygrometer, like the Shelly BLU H&T (SBHT-003C)."""

    label = "SBHT-003C"

    async def report(self, celsius: float, humidity: float) -> None:
        """Tell temperature (°C) and relative humidity (%)."""
        degrees = round(celsius * 100).to_bytes(2, "little", signed=True)
        await self.say(
            bytes([TEMPERATURE]) + degrees + bytes([HUMIDITY]) + round(humidity * 100).to_bytes(2, "little")
        )
