"""The reference: a client of the same adapter that acknowledges every event and writes nothing down."""

from __future__ import annotations

import json
import os

from drivers.links.mqtt_client import Message, MqttClient


async def main() -> None:
    """Until ended."""

    async def take(message: Message) -> None:
        answer = json.dumps({"id": json.loads(message.payload)["id"]}).encode()
        await client.publish(f"{message.topic.rpartition('/')[0]}/ack", answer)

    topics = ["homes/+/devices/+/event"]
    client = MqttClient(os.environ["BENCH_BROKER"], "bench-echo", subscriptions=topics, on_message=take)
    await client.run()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
