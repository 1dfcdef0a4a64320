"""Hints on the broker: "something changed, look now". Without a broker the feed looks once a second anyway."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from drivers.links.mqtt_client import Message, MqttClient
from hub.uplink.messages import HINT_TOPIC


def hints(broker: str, nudge: Callable[[], None]) -> MqttClient:
    """A client that calls `nudge` for each hint; what a hint says is not read, the database is the truth."""

    async def on_message(_message: Message) -> None:
        nudge()

    return MqttClient(
        broker, f"web-{secrets.token_hex(6)}", subscriptions=(HINT_TOPIC,), on_message=on_message
    )
