"""A network that loses datagrams, the same ones every time: a relay between a client and a UDP port on loopback."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

Address = tuple[str, int]


class LosingRelay(asyncio.DatagramProtocol):
    """Loses the first copy of every fifth message of a kind (direction and first word); repeats come through."""

    def __init__(self, beyond: Address, every: int = 5) -> None:
        self.lost = 0
        self._beyond = beyond
        self._every = every
        self._unit: Address | None = None
        self._seen: set[bytes] = set()
        self._counts: Counter[tuple[bool, bytes]] = Counter()
        self._socket: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The port is open."""
        self._socket = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Carry a message to the other side, or lose it."""
        assert self._socket is not None
        back = addr == self._beyond
        if not back:
            self._unit = addr
        to = self._unit if back else self._beyond
        if to is None or self._loses(data, back=back):
            return
        self._socket.sendto(data, to)

    def _loses(self, data: bytes, *, back: bool) -> bool:
        if data in self._seen:
            return False
        self._seen.add(data)
        kind = (back, data.split(b" ", 1)[0])
        self._counts[kind] += 1
        gone = self._counts[kind] % self._every == 0
        self.lost += gone
        return gone


@asynccontextmanager
async def losing(port: int) -> AsyncIterator[tuple[int, LosingRelay]]:
    """A relay before a port: its own port, and what it did."""
    relay = LosingRelay(("127.0.0.1", port))
    made: Any = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: relay, local_addr=("127.0.0.1", 0)
    )
    try:
        yield int(made[0].get_extra_info("sockname")[1]), relay
    finally:
        made[0].close()
