"""Ask a broker, at start, for the little we rely on; each lack is one sentence.

QoS 1 granted, retained messages kept, the last will sent, and topics of others refused. This is the one place
besides the MQTT adapter that speaks MQTT: it looks at what the adapter hides (the codes of a SUBACK, the
flag of a retained message, a socket cut on purpose), so it stands on paho directly and blocks; call it in a thread.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from hub.log import hide

Point = Literal["reach", "qos1", "retained", "will", "acl"]

NEEDED: frozenset[Point] = frozenset({"reach", "qos1", "retained"})
"""Without these nothing works; the others are said and lived with (a will is a hint, an ACL a second wall)."""

PATIENCE = 5.0
"""Seconds to wait for anything that should come at once."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Something the broker does not do, and what follows from it, as a sentence."""

    point: Point
    sentence: str


@dataclass(frozen=True, slots=True)
class Logins:
    """The two logins to try with: a gateway's, and the centre's, who may read what gateways write."""

    gateway: str
    centre: str
    gateway_id: str


def check(logins: Logins, patience: float = PATIENCE) -> list[Lack]:
    """Try everything; the lacks found, empty for a broker that will do."""
    found: list[Lack] = []
    try:
        with Probe(logins.centre, patience) as centre, Probe(logins.gateway, patience) as gateway:
            trial = _Trial(logins, patience, centre, gateway, hide(logins.centre))
            for point in _POINTS:
                found.extend(filter(None, [point(trial)]))
    except UnreachableError as wrong:
        found.append(Lack("reach", str(wrong)))
    return found


@dataclass(slots=True)
class _Trial:
    logins: Logins
    patience: float
    centre: Probe
    gateway: Probe
    shown: str
    mark: str = field(default_factory=lambda: secrets.token_hex(6))

    def own(self, what: str) -> str:
        return f"gateways/{self.logins.gateway_id}/check/{self.mark}/{what}"

    def foreign(self, what: str) -> str:
        return f"gateways/{self.logins.gateway_id}-check/check/{self.mark}/{what}"


def _qos1(trial: _Trial) -> Lack | None:
    granted = trial.centre.subscribe("gateways/+/check/#")
    if granted == 1:
        return None
    came = "refused" if granted >= 128 else f"granted QoS {granted}"
    return Lack("qos1", f"the broker {trial.shown} {came} where QoS 1 was asked for; events would be lost")


def _retained(trial: _Trial) -> Lack | None:
    topic = trial.own("retained")
    trial.gateway.publish(topic, trial.mark, retain=True)
    with Probe(trial.logins.centre, trial.patience) as late:
        late.subscribe("gateways/+/check/#")
        kept = late.await_message(topic, retained=True)
    trial.gateway.publish(topic, "", retain=True)
    if kept:
        return None
    return Lack(
        "retained", f"the broker {trial.shown} keeps no retained messages; gateways would miss their registry"
    )


def _will(trial: _Trial) -> Lack | None:
    topic = trial.own("will")
    with Probe(trial.logins.gateway, trial.patience, will=topic) as falling:
        falling.cut()
    if trial.centre.await_message(topic):
        return None
    return Lack(
        "will",
        f"the broker {trial.shown} sent no last will; a gateway's end is then seen by its silence only",
    )


def _acl(trial: _Trial) -> Lack | None:
    # One filter for both topics, so that one queue keeps them in order; a broker that refuses it gets the narrow one.
    if trial.gateway.subscribe(f"gateways/+/check/{trial.mark}/#") >= 128:
        trial.gateway.subscribe(trial.own("fence"))
    trial.centre.publish(trial.foreign("read"), "x")
    trial.gateway.publish(trial.foreign("write"), "x")
    trial.gateway.publish(trial.own("fence"), "x")
    # The fence was sent after both trespasses: what has not come before it was refused.
    read = trial.gateway.came_before(trial.foreign("read"), trial.own("fence"))
    wrote = trial.centre.came_before(trial.foreign("write"), trial.own("fence"))
    if not read and not wrote:
        return None
    what = " and ".join(word for word, did in (("read", read), ("write", wrote)) if did)
    remedy = "give each gateway its own login and rights"
    return Lack("acl", f"the broker {trial.shown} lets one gateway {what} another's topics; {remedy}")


_POINTS: tuple[Callable[[_Trial], Lack | None], ...] = (_qos1, _retained, _will, _acl)


class UnreachableError(Exception):
    """No broker answers, or it refuses the login; the sentence says which, without the password."""


class Probe:
    """One bare MQTT connection for a `with` block; every call waits at most `patience` seconds."""

    def __init__(self, url: str, patience: float, *, will: str = "") -> None:
        self._url = url
        self._patience = patience
        self._granted: queue.Queue[int] = queue.Queue()
        self._seen: list[tuple[str, bool]] = []
        self._news = threading.Condition()
        self._answer: queue.Queue[ReasonCode] = queue.Queue()
        self._client = self._make(will)

    def __enter__(self) -> Self:
        """Connect. Raises the reach error with a sentence."""
        parts = urlsplit(self._url)
        default = 8883 if parts.scheme == "mqtts" else 1883
        try:
            self._client.connect(parts.hostname or "", parts.port or default, keepalive=30)
            self._client.loop_start()
            answer = self._answer.get(timeout=self._patience)
        except (OSError, queue.Empty) as wrong:
            self._client.loop_stop()
            raise UnreachableError(
                f"no broker answers at {hide(self._url)}: {wrong or 'no CONNACK'}"
            ) from None
        if answer.is_failure:
            self._client.loop_stop()
            raise UnreachableError(f"the broker {hide(self._url)} refuses the login: {answer}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, where: TracebackType | None
    ) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, topic: str) -> int:
        """The QoS granted, 128 for refused or no answer."""
        self._client.subscribe(topic, qos=1)
        with suppress(queue.Empty):
            return self._granted.get(timeout=self._patience)
        return 128

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish with QoS 1 and wait for the PUBACK as long as patience lasts."""
        with suppress(RuntimeError, ValueError):
            self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(self._patience)

    def cut(self) -> None:
        """Lose the connection without a word, as a power cut would."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def await_message(self, topic: str, *, retained: bool | None = None) -> bool:
        """Whether a message on this topic has come or comes in time."""

        def there() -> bool:
            return any(seen == topic and retained in (None, flag) for seen, flag in self._seen)

        with self._news:
            return self._news.wait_for(there, self._patience)

    def came_before(self, topic: str, fence: str) -> bool:
        """Whether a message on `topic` came before the one on `fence`, for which it waits."""
        self.await_message(fence)
        with self._news:
            return any(seen == topic for seen, _ in self._seen)

    def _make(self, will: str) -> paho.Client:
        parts = urlsplit(self._url)
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"check-{secrets.token_hex(6)}", reconnect_on_failure=False
        )
        if parts.username is not None:
            client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            client.tls_set()
        if will:
            client.will_set(will, "gone", qos=1)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(self, _c: paho.Client, _u: Any, _f: Any, code: ReasonCode, _p: Any) -> None:
        self._answer.put(code)

    def _on_subscribe(self, _c: paho.Client, _u: Any, _m: int, codes: list[ReasonCode], _p: Any) -> None:
        self._granted.put(codes[0].value if codes else 128)

    def _on_message(self, _c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        with self._news:
            self._seen.append((message.topic, bool(message.retain)))
            self._news.notify_all()


def await_broker(url: str, seconds: float) -> None:
    """Wait until a broker takes this login. Raises TimeoutError with the last reason."""
    end = time.monotonic() + seconds
    while True:
        try:
            with Probe(url, patience=2.0):
                return
        except UnreachableError as wrong:
            if time.monotonic() > end:
                raise TimeoutError(str(wrong)) from None
            time.sleep(0.05)
