"""A message whose connection breaks in the middle of it, as when a device leaves the network while it speaks.

Devices of a crowd share a connection that must not break for all of them; the one that loses its link says its last
words on a connection of its own, half of them, and is gone without a farewell.
"""

from __future__ import annotations

import asyncio
from urllib.parse import unquote, urlsplit

from simulators.mqtt import packets

WITHIN = 10.0
"""Real seconds for the broker to let us in."""


async def half_said(url: str, client_id: str, topic: str, payload: bytes) -> bool:
    """Say half a message and vanish; whether the broker was there to hear it."""
    parts = urlsplit(url)
    user, password = (unquote(one) if one else None for one in (parts.username, parts.password))
    try:
        async with asyncio.timeout(WITHIN):
            reader, writer = await asyncio.open_connection(parts.hostname or "127.0.0.1", parts.port or 1883)
            writer.write(packets.connect(client_id, user, password, keepalive=30))
            let_in = await reader.readexactly(4)
            writer.write(packets.half(topic, payload))
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return let_in[3] == 0
