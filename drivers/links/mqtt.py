"""The link to devices that speak MQTT: topics become addresses, and a native device is answered after commit.

Subscribed is what devices of our contract send, and what foreign device types speak on if the broker allows it.
Every message becomes a frame, also one on a topic that nobody knows: unknown is a state. Our own words to foreign
devices come back from the broker and are left out. A bridge to other devices that says it is offline makes this
link degraded.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from drivers.device_type import Outgoing
from drivers.events import Frame, Millis
from drivers.links.link import Hear, LinkDown, LinkHealth, LinkState
from drivers.links.mqtt_client import Message, MqttClient, NotConnected
from drivers.protocols import mqtt_topics, native
from drivers.protocols.json_payload import MAX_PAYLOAD

Routes = Mapping[str, Sequence[str]]
"""Topic → addresses of the devices that speak on it."""

NO_ROUTES: Routes = MappingProxyType({})


class NotWrittenDown(Exception):  # noqa: N818  it names what happened
    """The gateway could not write a frame down, so the broker must keep the message."""


class MqttLink:
    """Devices behind an MQTT broker.

    url, client_id: as in MqttClient; the client id must stay the same, since the broker keeps a session for it.
    now: the clock that frames are stamped with. name: how health and logs call this link.
    foreign: topic filters of devices that do not speak our contract; a broker that refuses them is no fault.
    own: the topic filters of the devices that are registered here, where other gateways listen at the same broker; None
    to hear all there is, strangers too.
    routes: topics that registered devices announced as their own; several may share one (a bridge's last will).
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        *,
        now: Callable[[], Millis],
        name: str = "mqtt",
        foreign: Sequence[str] = mqtt_topics.FOREIGN,
        routes: Routes = NO_ROUTES,
        own: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self._routes = routes
        self._whose = "adopted devices" if own is None else "devices that are registered here"
        self._needed = frozenset(routes) | frozenset(own or ())
        self._now = now
        self._since = now()
        self._counters: Counter[str] = Counter()
        self._hear: Hear | None = None
        self._asleep: set[str] = set()
        self.client = MqttClient(
            url,
            client_id,
            subscriptions=mqtt_topics.NATIVE if own is None else (),
            dropped=mqtt_topics.FORMER if own is None else (*mqtt_topics.FORMER, *mqtt_topics.SUBSCRIPTIONS),
            optional=_optional(foreign if own is None else own, routes),
            on_message=self._take,
            clean=False,
            max_payload=MAX_PAYLOAD + 1,
            on_state=self._moved,
        )

    async def run(self, hear: Hear) -> None:
        """Hear until cancelled."""
        self._hear = hear
        await self.client.run()

    async def send(self, address: str, outgoing: Outgoing) -> None:
        """Publish to a device, never retained. Raises LinkDown when the broker did not take it."""
        topic = mqtt_topics.write(address, outgoing.channel)
        try:
            await self.client.publish(topic, outgoing.payload)
        except NotConnected as wrong:
            raise LinkDown(str(wrong)) from None

    def health(self) -> LinkHealth:
        """State and counters now."""
        counters = dict(self._counters + self.client.counters)
        if self.client.state == "up" and self._asleep:
            reason = f"{', '.join(sorted(self._asleep))} says that it is offline"
            return LinkHealth("degraded", counters, self._since, reason)
        if self.client.state == "up" and (deaf := sorted(self.client.refused & self._needed)):
            reason = f"the broker does not let us hear {', '.join(deaf[:3])}, on which {self._whose} speak"
            return LinkHealth("degraded", counters, self._since, reason)
        return LinkHealth(self.client.state, counters, self._since, self.client.reason)

    async def _take(self, message: Message) -> None:
        """One message, from the broker to the journal and back to the device."""
        place = mqtt_topics.read(message.topic)
        if place.bridge:
            self._bridge(place.address, message.payload)
        if self._hear is None:
            return
        heard = self._now()
        if message.topic in self._routes and not place.native:
            await self._adopted(message, heard)
            return
        if place.ours:
            return
        frame = Frame("mqtt", place.address, message.payload, heard, place.channel, message.retain)
        error = await self._hand_over(frame)
        if place.native and place.channel == "event":
            await self._acknowledge(frame, error)

    async def _adopted(self, message: Message, heard: Millis) -> None:
        """A topic that adopted devices speak on: a frame of each, submitted together to keep the order of arrival."""
        frames = [
            Frame("mqtt", address, message.payload, heard, message.topic, message.retain)
            for address in self._routes[message.topic]
        ]
        await asyncio.gather(*map(self._hand_over, frames))

    async def _hand_over(self, frame: Frame) -> str:
        """To the gateway; the answer is what was wrong with it. Raises NotWrittenDown."""
        assert self._hear is not None
        receipt = await self._hear(frame)
        if not receipt.accepted:
            raise NotWrittenDown(receipt.error or f"a frame of {frame.address} was not written down")
        self._counters["frames"] += 1
        if receipt.error:
            self._counters["not_understood"] += 1
        return receipt.error

    async def _acknowledge(self, frame: Frame, error: str) -> None:
        report = native.report_id(frame.payload)
        if report is None or frame.retained:
            return
        try:
            await self.client.publish(
                mqtt_topics.write(frame.address, "ack"), native.write_ack(report, error)
            )
        except NotConnected:  # the device will repeat, and be acknowledged then
            self._counters["acks_not_sent"] += 1
        else:
            self._counters["acks"] += 1

    def _bridge(self, bridge: str, payload: bytes) -> None:
        """Zigbee2MQTT says `online` or `offline`, as a word or as JSON; its last will says the latter."""
        before = bool(self._asleep)
        if b"offline" in payload[:100]:
            self._asleep.add(bridge)
        else:
            self._asleep.discard(bridge)
        if before != bool(self._asleep):
            self._since = self._now()

    def _moved(self, state: LinkState, reason: str) -> None:  # noqa: ARG002  health() reads both
        self._since = self._now()


def _optional(foreign: Sequence[str], routes: Routes) -> tuple[str, ...]:
    """What may be refused without the link being down for it."""
    return (*foreign, *(one for one in routes if not _is_heard(one, foreign)))


def _is_heard(topic: str, filters: Sequence[str]) -> bool:
    """Whether a filter that ends in `#` covers this topic already; a topic asked for twice may come twice."""
    return any(one.endswith("/#") and topic.startswith(one[:-1]) for one in filters)
