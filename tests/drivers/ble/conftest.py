"""A gateway's ear on an ether: the BLE link over the bumble backend, with devices around it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from bumble.transport.common import AsyncPipeSink, Transport

from drivers.events import Frame
from drivers.links.ble.bumble_radio import BumbleRadio
from drivers.links.ble.radio import BumblePort
from drivers.links.ble.session import Patience
from drivers.links.ble_link import BleLink
from drivers.links.link import Receipt
from simulators.radio import Ether, RadioController

NOW = 1_768_460_400_000
IMPATIENT = Patience(
    connect=5,
    answer=2,
    let_go=1,
    linger=0.05,
    silence=0.2,
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

    async def hear(self, frame: Frame) -> Receipt:
        """Write a frame down."""
        async with self._more:
            self.frames.append(frame)
            self._more.notify_all()
        return Receipt(accepted=self.accepts)

    async def until(self, enough: Callable[[list[Frame]], bool], within: float = 5) -> list[Frame]:
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
    """A link that runs while the test does."""
    running = asyncio.create_task(link.run(journal.hear))
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
        return BleLink("ble", options.pop("radio", radio), units, lambda: NOW, **options)

    return make


async def until(condition: Callable[[], object], within: float = 5) -> None:
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
