"""A gateway's ear on an ether: the BLE link over the bumble backend, with devices around it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from bumble.transport.common import AsyncPipeSink, Transport

from drivers.device_type import BleUse
from drivers.events import Frame
from drivers.links.back_off import BackOff
from drivers.links.ble.bumble_radio import BumbleRadio
from drivers.links.ble.radio import BumblePort, open_radios
from drivers.links.ble.session import Patience
from drivers.links.ble_link import BleLink
from drivers.links.link import Receipt
from simulators.bluez import FakeBluez, PrivateBus, RealBluez
from simulators.bluez.bus import BusMissing
from simulators.radio import Ether, RadioController

NOW = 1_768_460_400_000
BLUETOOTHD = os.environ.get("TRYGGHUB_BLUETOOTHD", "")
"""The real daemon, where the tests run in the emulated machine (tests/bluez)."""
PACE = 12.0 if BLUETOOTHD else 1.0
"""How much longer everything may take there."""
collect_ignore = [] if BLUETOOTHD else ["test_real_bluez.py"]
IMPATIENT = Patience(
    connect=30.0,
    answer=2 * PACE,
    let_go=12.0,
    linger=0.05,
    silence=60,
    retry=0.01,
    longest_retry=0.05,
    revisit=0.05,
    idle=0.1,
)


class Journal:
    """Takes frames as the gateway's journal does, and lets a test wait for them."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._more = asyncio.Condition()
        self.accepts = True
        self.open = asyncio.Event()
        """Cleared, commits wait until it is set."""
        self.open.set()

    async def hear(self, frame: Frame) -> Receipt:
        """Write a frame down."""
        async with self._more:
            self.frames.append(frame)
            self._more.notify_all()
        await self.open.wait()
        return Receipt(accepted=self.accepts)

    async def until(self, enough: Callable[[list[Frame]], bool], within: float = 30 * PACE) -> list[Frame]:
        """Wait until the frames heard are enough."""
        async with asyncio.timeout(within), self._more:
            await self._more.wait_for(lambda: enough(self.frames))
        return list(self.frames)

    async def count(self, number: int, channel: str = "") -> list[Frame]:
        """Wait for so many frames (of a channel) and return them."""

        def of_channel(frames: list[Frame]) -> list[Frame]:
            return [one for one in frames if channel in one.channel]

        return of_channel(await self.until(lambda frames: len(of_channel(frames)) >= number))


@pytest.fixture
def ether() -> Ether:
    """A quiet ether."""
    return Ether(seed=1)


@pytest.fixture
def journal() -> Journal:
    """An empty journal."""
    return Journal()


def dongle(ether: Ether, slots: int = 16) -> Callable:
    """A way to open an adapter on this ether, as a driver opens an HCI transport."""

    async def open_hci() -> Transport:
        controller = RadioController("dongle", ether, max_connections=slots)

        class Sink(AsyncPipeSink):
            def close(self) -> None:
                controller.vanish()

        return Transport(controller, Sink(controller))

    return open_hci


@pytest.fixture
def radio(ether: Ether) -> BumblePort:
    """An adapter on the ether, not yet opened."""
    return BumblePort("ether", BumbleRadio(dongle(ether)))


@asynccontextmanager
async def listening(link: BleLink, journal: Journal) -> AsyncIterator[BleLink]:
    """A link that runs while the test does, and has opened its adapters or found that it cannot.

    Nobody hears what a device says before that; where opening hangs, the test begins all the same.
    """
    running = asyncio.create_task(link.run(journal.hear))
    with suppress(TimeoutError):
        await until(lambda: link.health().state not in {"configured", "opening"}, 10)
    try:
        yield link
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def make_link(radio: BumblePort) -> Callable[..., BleLink]:
    """Build a link on the ether with little patience."""

    def make(units, **options) -> BleLink:
        options.setdefault("patience", IMPATIENT)
        radios = options.pop("radios", None) or [options.pop("radio", radio)]
        return BleLink("ble", radios, units, lambda: NOW, **options)

    return make


async def until(condition: Callable[[], object], within: float = 30 * PACE) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def eventually() -> Callable:
    """Wait until something is so."""
    return until


@pytest.fixture
def running() -> Callable:
    """Run a link for a while."""
    return listening


@pytest.fixture
async def bus(monkeypatch) -> AsyncIterator[PrivateBus]:
    """A private bus that bleak takes for the system's."""
    one = PrivateBus()
    try:
        await one.start()
    except BusMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", one.address)
    yield one
    await one.stop()


@pytest.fixture
def slots() -> int:
    """How many connections BlueZ's adapter keeps; a test that needs few overrides it by parametrisation."""
    return 16


@pytest.fixture
def adapters() -> int:
    """How many adapters the real BlueZ has; a test that needs two overrides it by parametrisation."""
    return 1


@pytest.fixture
def experimental() -> bool:
    """Whether BlueZ offers advertisement monitors; a test of a BlueZ that does not overrides it by parametrisation."""
    return True


@pytest.fixture
def duplicates() -> str:
    """What the adapter's filter of duplicates compares, "data" or "address"; overridden by parametrisation."""
    return "data"


@pytest.fixture
async def bluez(
    bus, ether, slots, adapters, experimental, duplicates
) -> AsyncIterator[FakeBluez | RealBluez]:
    """BlueZ on that bus, with an adapter on the ether: its stand-in, or the real one in the emulated machine."""
    if BLUETOOTHD:
        real = RealBluez(
            BLUETOOTHD,
            ether,
            bus.address,
            slots=slots,
            adapters=adapters,
            experimental=experimental,
            duplicates=duplicates,
        )
        await real.start()
        yield real
        await real.end()
        return
    one = FakeBluez(ether, bus.address, slots=slots, experimental=experimental)
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def bluez_link(make_link) -> Callable[..., BleLink]:
    """A link with the setting `bluez`; passkeys by address."""

    def make(units: dict[str, BleUse], passkeys: dict[str, int] | None = None, **options) -> BleLink:
        options.setdefault("patience", replace(IMPATIENT, silence=60))
        return make_link(
            units,
            radios=open_radios(options.pop("setting", "bluez"), passkeys=passkeys),
            back_off=lambda: BackOff(0.01, 0.05),
            **options,
        )

    return make
