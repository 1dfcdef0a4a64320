"""An ether, and devices on it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from simulators.radio import Air, Ether, Station, join

Join = Callable[..., Awaitable[Station]]


@pytest.fixture
def ether() -> Ether:
    """A quiet ether."""
    return Ether(seed=1)


@pytest.fixture
async def station(ether: Ether) -> AsyncIterator[Join]:
    """Put named devices on the ether (or another air); all leave when the test ends."""
    joined: list[Station] = []

    async def put(number: int, air: Air | None = None, **options: int) -> Station:
        address = f"C0:00:00:00:00:{number:02X}"
        one = await join(
            air if air is not None else ether, name=f"device {number}", address=address, **options
        )
        joined.append(one)
        return one

    yield put
    for one in joined:
        await one.vanish()
    await asyncio.sleep(0)
