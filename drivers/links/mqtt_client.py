"""The one adapter around aiomqtt: reconnects for ever, acknowledges by hand, and says what it does not know.

What it adds to aiomqtt 2.5, and why (reference figures: empicano/aiomqtt#345, #46, #326):

- A message is acknowledged to the broker only after `on_message` has returned without raising; aiomqtt alone
  acknowledges what it has merely queued, and loses it when the process ends.
- A publish that is cut off raises NotConnected at once instead of waiting for a time-out; whether the broker
  has the message is then unknown, so the caller sends it again under the same id.
- It reconnects with jittered back-off, subscribes again, and watches for "connected but dead".
- Small packets leave at once (TCP_NODELAY): without it on both sides of Mosquitto an event and its answer take
  90 ms instead of one (measured).
- Nothing grows without bound: `in_flight` messages are worked on at a time, QoS 0 floods are shed and counted,
  and of a payload above `max_payload` only the first bytes are kept.

Only what every broker has is used: MQTT 3.1.1, QoS 0 and 1, retained messages, last will.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import socket
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import aiomqtt

from drivers.links.link import LinkState

KEEPALIVE = 10
"""Seconds of quiet after which the broker is asked for a sign of life; a dead one is noticed in twice that."""

CONNECT_WITHIN = 5.0
"""Seconds for connecting and for each answer of the broker."""

FIRST_WAIT, LONGEST_WAIT = 0.1, 10.0
"""Seconds before the first and between later attempts to connect; each is drawn from the upper half."""

STEADY = 5.0
"""Seconds a connection must last before the next break counts as the first."""

MAX_PAYLOAD = 1_048_576
"""Bytes of one payload that are kept unless said otherwise; the embedded broker's own limit."""

MAX_WAITING = 4096
"""QoS 0 messages waiting to be worked on; beyond that they are shed. QoS 1 is bounded by the broker."""

UNANSWERED_LIMIT = 8
"""Messages left unacknowledged, because `on_message` raised, before the connection is made anew.

They hold places in the broker's window (Mosquitto: 20); a new connection frees them."""

_quiet = logging.getLogger("drivers.links.mqtt_client.aiomqtt")
_quiet.setLevel(logging.CRITICAL)
_log = logging.getLogger(__name__)


class NotConnected(Exception):  # noqa: N818  it names the state of the connection
    """Not published, or cut off half-way so that nobody knows. Send again under the same id."""


class BadUrl(ValueError):  # noqa: N818  it names what is wrong
    """A broker URL that cannot be read, said in a sentence."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message from the broker. retain: the broker kept it for us; a state, never news.

    size: bytes of the payload on the wire; larger than `len(payload)` when it was cut at the limit.
    """

    topic: str
    payload: bytes
    retain: bool
    size: int = 0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is and how to log in, read from `mqtt[s]://user:password@host:port`."""

    host: str
    port: int
    user: str | None
    password: str | None
    secure: bool

    @property
    def place(self) -> str:
        """The address without secrets, for sentences."""
        return f"{self.host}:{self.port}"

    @classmethod
    def read(cls, url: str) -> Broker:
        """Read a URL. Raises BadUrl without repeating the password."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            raise BadUrl("the port of a broker URL is a number from 1 to 65535") from None
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise BadUrl("a broker URL is written like mqtt://user:password@host:1883 or mqtts://host")
        secure = parts.scheme == "mqtts"
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        return cls(parts.hostname, port or (8883 if secure else 1883), user, password, secure)


OnMessage = Callable[[Message], Awaitable[None]]
OnState = Callable[[LinkState, str], None]


class MqttClient:
    """A connection to a broker that comes back by itself.

    url: `mqtt://user:password@host:port`, or `mqtts://` with an optional `tls` context.
    subscriptions: topic filters, asked for at QoS 1 after every connect; a refusal ends the connection.
    optional: filters that the broker may refuse, which is counted as `not_granted` and stands in `refused`.
    dropped: filters of earlier versions, which the broker may still keep with the session; unsubscribed from.
    on_message: called for each message; started in order of arrival, at most `in_flight` at a time. It must
    not raise for a message that is merely wrong: one that keeps raising is delivered again and again.
    will: topic and payload that the broker publishes when we vanish, and keeps if `will_retained`.
    clean: no session is kept while away.
    on_state: told every change of state and its reason.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        *,
        subscriptions: Sequence[str] = (),
        optional: Sequence[str] = (),
        dropped: Sequence[str] = (),
        on_message: OnMessage | None = None,
        will: tuple[str, bytes] | None = None,
        will_retained: bool = False,
        clean: bool = True,
        in_flight: int = 64,
        max_payload: int = MAX_PAYLOAD,
        keepalive: int = KEEPALIVE,
        tls: ssl.SSLContext | None = None,
        on_state: OnState | None = None,
    ) -> None:
        self.broker = Broker.read(url)
        self.client_id = client_id
        self.up = asyncio.Event()
        self.state: LinkState = "configured"
        self.reason = ""
        self.counters: Counter[str] = Counter()
        self.refused: frozenset[str] = frozenset()
        self._subscriptions = tuple(subscriptions)
        self._optional = tuple(optional)
        self._dropped = tuple(dropped)
        self._on_message = on_message
        self._will = aiomqtt.Will(*will, qos=1, retain=will_retained) if will else None
        self._clean = clean
        self._in_flight = in_flight
        self._max_payload = max_payload
        self._keepalive = keepalive
        self._tls = tls or (ssl.create_default_context() if self.broker.secure else None)
        self._on_state = on_state
        self._client: aiomqtt.Client | None = None
        self._lost: asyncio.Future[None] | None = None
        self._sending = asyncio.Semaphore(in_flight)
        self._working = asyncio.Semaphore(in_flight)
        self._unanswered = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Connect, subscribe, deliver; again after every break. Ends only by being cancelled."""
        waits = 0
        try:
            while True:
                began = asyncio.get_running_loop().time()
                await self._one_connection()
                _heed_cancellation()
                waits = 0 if asyncio.get_running_loop().time() - began > STEADY else waits + 1
                await asyncio.sleep(_back_off(waits))
        finally:
            for task in self._tasks:
                task.cancel()
            self._enter("down", "stopped")

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish, at QoS 1 until the broker has it. Raises NotConnected with a sentence when it may not have."""
        async with self._sending:
            client, lost = self._client, self._lost
            if client is None or lost is None or lost.done():
                raise NotConnected(f"not connected to the broker at {self.broker.place}: {self.reason}")
            sending = asyncio.ensure_future(client.publish(topic, payload, qos=qos, retain=retain))
            try:
                await asyncio.wait((sending, lost), return_when=asyncio.FIRST_COMPLETED)
                if not sending.done():
                    raise NotConnected(f"the broker at {self.broker.place} was lost while sending to {topic}")
                await sending
            except (aiomqtt.MqttError, ValueError) as wrong:
                raise NotConnected(
                    f"the broker at {self.broker.place} did not take {topic}: {wrong}"
                ) from None
            finally:
                sending.cancel()
            self.counters["sent"] += 1

    # -- one connection ------------------------------------------------------------------------------------

    async def _one_connection(self) -> None:
        """From connecting to the break; says in `reason` why it ended. What is being worked on goes on."""
        self._enter("opening", self.reason)
        self.counters["attempts"] += 1
        client = self._new_client()
        try:
            async with _connected(client):
                await self._subscribe(client)
                _heed_cancellation()
                await self._deliver_until_lost(client)
        except (aiomqtt.MqttError, OSError, _Dead) as wrong:
            self._enter("down", _sentence(self.broker, wrong))

    def _new_client(self) -> aiomqtt.Client:
        """A fresh aiomqtt client: a used one cannot be trusted after a break (empicano/aiomqtt#46)."""
        client = aiomqtt.Client(
            self.broker.host,
            self.broker.port,
            username=self.broker.user,
            password=self.broker.password,
            identifier=self.client_id,
            clean_session=self._clean,
            will=self._will,
            keepalive=self._keepalive,
            timeout=CONNECT_WITHIN,
            max_inflight_messages=self._in_flight,
            tls_context=self._tls,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            logger=_quiet,
            queue_type=cast("Any", self._new_inbox),
        )
        client.pending_calls_threshold = 2 * self._in_flight
        acknowledge_by_hand(client)
        watch_writes(client)
        return client

    def _new_inbox(self, maxsize: int = 0) -> _Inbox:  # noqa: ARG002  the shape aiomqtt calls
        return _Inbox(self._max_payload, self.counters)

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        wanted = self._subscriptions + self._optional
        if not wanted:
            return
        granted = await client.subscribe([(topic, 1) for topic in wanted])
        self.refused = frozenset(topic for topic, code in zip(wanted, granted, strict=False) if code != 1)
        for topic, code in zip(wanted, granted, strict=False):
            if code == 1:
                continue
            self.counters["not_granted"] += 1
            if topic in self._subscriptions:
                raise _Dead(f"subscription to {topic} was not granted at QoS 1 (answer {code})")
        if self._dropped and not self._clean:
            await client.unsubscribe(list(self._dropped))

    async def _deliver_until_lost(self, client: aiomqtt.Client) -> None:
        self._client, self._lost = client, asyncio.get_running_loop().create_future()
        self._unanswered = 0
        self.counters["connects"] += 1
        self._enter("up", "")
        both = (
            asyncio.create_task(self._deliver(client), name=f"deliver {self.client_id}"),
            asyncio.create_task(self._watch(client), name=f"watch {self.client_id}"),
        )
        try:  # not a TaskGroup: in 3.11 it forgets a cancellation that meets a child's error
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._client = None
            self._lost.set_result(None)
            self.up.clear()
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _deliver(self, client: aiomqtt.Client) -> None:
        """Start `on_message` for each message in the order in which they came."""
        async for message in client.messages:
            self.counters["received"] += 1
            await self._working.acquire()
            task = asyncio.create_task(self._work(client, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        size, payload = cast("_Kept", message.payload)
        try:
            if self._on_message is not None:
                await self._on_message(Message(message.topic.value, payload, bool(message.retain), size))
        except Exception:
            self.counters["unanswered"] += 1
            self._unanswered += 1
            _log.exception("a message on %s was not acknowledged", message.topic.value)
        else:
            acknowledge(client, message)
            self.counters["acknowledged"] += 1
        finally:
            self._working.release()

    async def _watch(self, client: aiomqtt.Client) -> None:
        """Raise when the connection looks alive but cannot be."""
        while True:
            await asyncio.sleep(min(1.0, self._keepalive / 2))
            if not still_pinging(client):
                raise _Dead("nobody looks after the connection any more")
            if self._unanswered >= UNANSWERED_LIMIT:
                raise _Dead(f"{self._unanswered} messages in a row could not be taken in")

    def _enter(self, state: LinkState, reason: str) -> None:
        changed = (state, reason) != (self.state, self.reason)
        self.state, self.reason = state, reason
        if state == "up":
            self.up.set()
        else:
            self.up.clear()
        if changed and self._on_state is not None:
            self._on_state(state, reason)


# -- what we need of aiomqtt that it does not offer: the only place, watched by tests/drivers ----------------


def acknowledge_by_hand(client: aiomqtt.Client) -> None:
    """Stop paho from acknowledging what has merely been queued."""
    client._client.manual_ack_set(True)  # noqa: SLF001  empicano/aiomqtt#345
    client._client.connect_timeout = CONNECT_WITHIN  # noqa: SLF001


def watch_writes(client: aiomqtt.Client) -> None:
    """Ask the event loop for a socket's writability only while the socket is open and paho wants to write.

    aiomqtt 2.5 takes the descriptor's number at once and registers it at the loop's next turn. When the broker is
    lost in between, as it is when a process wakes up that stood still, the number is closed by then ("add_writer …
    Bad file descriptor"), or already belongs to another connection.
    """
    loop = asyncio.get_running_loop()
    at_home = threading.get_ident()
    wanted: list[Any] = []

    def register(paho: Any, _userdata: Any, sock: Any) -> None:
        wanted[:] = [sock]

        def lost(wrong: Exception) -> None:
            if not client._disconnected.done():  # noqa: SLF001
                client._disconnected.set_exception(wrong)  # noqa: SLF001

        def write() -> None:
            try:
                paho.loop_write()
            except Exception as wrong:
                lost(wrong)

        def begin() -> None:
            if sock not in wanted or sock.fileno() < 0:
                return
            try:
                loop.add_writer(sock.fileno(), write)
            except (OSError, RuntimeError) as wrong:  # uvloop watches a socket no more that was reset
                with contextlib.suppress(Exception):
                    paho.loop_read()  # it reads the reset too, and closes the socket
                lost(aiomqtt.MqttError(f"the connection is lost: {wrong}"))

        loop.call_soon_threadsafe(begin)  # connecting runs in a thread of its own

    def unregister(_paho: Any, _userdata: Any, sock: Any) -> None:
        wanted.clear()
        end = partial(_no_writer, loop, sock)
        if threading.get_ident() == at_home:
            end()  # now: a moment later the number may be another connection's
        else:
            loop.call_soon_threadsafe(end)

    client._client.on_socket_register_write = register  # noqa: SLF001
    client._client.on_socket_unregister_write = unregister  # noqa: SLF001


def _no_writer(loop: asyncio.AbstractEventLoop, sock: Any) -> None:
    if sock.fileno() >= 0:
        loop.remove_writer(sock.fileno())


def acknowledge(client: aiomqtt.Client, message: aiomqtt.Message) -> None:
    """Tell the broker that we have this message; on a lost connection it will come again."""
    client._client.ack(message.mid, message.qos)  # noqa: SLF001  empicano/aiomqtt#345


def still_pinging(client: aiomqtt.Client) -> bool:
    """Whether the task that sends and awaits pings is alive: paho notices a dead broker only through it."""
    task = client._misc_task  # noqa: SLF001
    return task is not None and not task.done()


@contextlib.asynccontextmanager
async def _connected(client: aiomqtt.Client) -> AsyncIterator[None]:
    """`async with client`, but a cancelled connect leaves no socket behind."""
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except asyncio.CancelledError:
        with contextlib.suppress(aiomqtt.MqttError):
            await entering
            await client.__aexit__(None, None, None)
        raise
    try:
        yield
    finally:
        with contextlib.suppress(aiomqtt.MqttError):
            await client.__aexit__(None, None, None)


# -- small parts ---------------------------------------------------------------------------------------------


class _Dead(Exception):  # noqa: N818  it names the state
    """Connected, and yet not."""


_Kept = tuple[int, bytes]
"""Size on the wire, and the bytes kept."""


class _Inbox(asyncio.Queue[aiomqtt.Message]):
    """Between the socket and `on_message`: cuts what is too large, sheds QoS 0 beyond its bound."""

    def __init__(self, max_payload: int, counters: Counter[str]) -> None:
        super().__init__()
        self._max_payload = max_payload
        self._counters = counters

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Take a message in; called by aiomqtt from the socket's callback."""
        if item.qos == 0 and self.qsize() >= MAX_WAITING:
            self._counters["shed"] += 1
            return
        whole = bytes(item.payload)
        if len(whole) > self._max_payload:
            self._counters["oversize"] += 1
        item.payload = cast("Any", (len(whole), whole[: self._max_payload]))
        super().put_nowait(item)


def _heed_cancellation() -> None:
    """End if we were told to: aiomqtt waits with `asyncio.wait_for`, which before Python 3.12 loses a cancellation
    that comes together with the awaited answer (python/cpython#86296).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _back_off(waits: int) -> float:
    """Seconds to wait after so many short connections in a row."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * math.pow(2, min(waits, 10)))
    return longest * random.uniform(0.5, 1.0)


def _sentence(broker: Broker, wrong: BaseException) -> str:
    cause = wrong.__cause__ or wrong
    return f"broker {broker.place}: {str(cause) or type(cause).__name__}"
