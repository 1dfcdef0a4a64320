"""DeviceType: everything we know of a product, as one declaration.

A device type says over which link the product speaks, what it can report, which commands it takes and how
long it may be silent; `decode` turns one frame into facts and is pure: no clock, no I/O, one error class.
What a decoder must remember from frame to frame (replay counters, a half-received line) lies in
`Unit.memory`, a JSON-able dict that the gateway stores in the same transaction as the events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from drivers.events import Fact, Frame, Millis
from drivers.settings import NO_SETTINGS, Settings

LinkName: TypeAlias = Literal["mqtt", "ble", "serial", "sip", "tcp"]


@dataclass(slots=True)
class Unit:
    """One installed device, as its decoder sees it.

    address: as in `Frame.address`. key: its secret, if it has one (never logged). secrets: further ones by name, of
    the files that settings called `…_secret` name: `pin_secret: front-door.pin` is the secret `pin` (never logged).
    device_class: what it is registered as; empty where nobody has registered it.
    settings: line settings and quirks from the registry. memory: what the decoder keeps between frames;
    JSON values only; a decoder changes it only when it returns facts, never when it raises.
    """

    address: str
    key: bytes | None = field(default=None, repr=False)
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    memory: dict[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    device_class: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """Something a person or rule asks of a device. expires: ms UTC; after that it must not be carried out."""

    id: str
    name: str
    args: Mapping[str, Any]
    expires: Millis


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Bytes to send to a device: channel as in `Frame.channel`; wait: ms to wait for its answer."""

    channel: str
    payload: bytes
    wait: int = 10_000


@dataclass(frozen=True, slots=True)
class Result:
    """A device's answer to a command, as its decoder read it. outcome: done, refused or failed."""

    command: str
    outcome: Literal["done", "refused", "failed"]
    reason: str = ""


Decode: TypeAlias = Callable[[Frame, Unit], Iterable[Fact | Result]]
Encode: TypeAlias = Callable[[Command, Unit], Outgoing]


def no_commands(command: Command, unit: Unit) -> Outgoing:
    """Stand in for devices that take no commands: refuses in a sentence."""
    raise ValueError(f"a {unit.address} takes no command {command.name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is known of a Bluetooth LE device when it is connected to.

    now: ms UTC. secret: its key. settings, secrets, memory: as in Unit, the memory as it was last stored.
    """

    now: Millis = 0
    secret: bytes | None = field(default=None, repr=False)
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    secrets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    memory: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


Greeting: TypeAlias = Callable[[Visit], Iterable[Outgoing]]


def no_greeting(visit: Visit) -> Iterable[Outgoing]:  # noqa: ARG001 - the shape of a greeting
    """Stand in for devices that need nothing written to them after connecting."""
    return ()


Topics: TypeAlias = Callable[[Mapping[str, Any]], Iterable[str]]
"""Takes a unit's settings."""


def no_topics(settings: Mapping[str, Any]) -> Iterable[str]:  # noqa: ARG001 - the shape of topics
    """Stand in for devices whose topics follow from their address."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BleUse:
    """How a Bluetooth LE device is listened to; its frames carry these names as their channel.

    adverts: advertisements it reads (`adv:fcd2` is the service data of UUID 0xFCD2).
    subscribe: characteristics (full UUIDs, lower case) that notify or indicate; a device with any is connected
    to whenever it advertises. first, read: characteristics read once, before and after subscribing.
    greeting: what to write once subscribed: clocks, requests for stored records.
    pair: bond before anything else; the passkey comes from commissioning.
    calls: given its manufacturer data by company id, whether it asks to be visited. With it, the device is
    connected to only then, when something is to be sent, and every few hours; without, whenever it is heard.
    conversation: makes the machine of one connection (drivers.protocols.conversation); ValueError with a sentence
    where it cannot.
    settings, secret, secrets, memory: of one unit, filled in by the gateway; empty in a declaration.
    """

    adverts: frozenset[str] = frozenset()
    subscribe: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    greeting: Greeting = no_greeting
    pair: bool = False
    calls: Callable[[dict[int, bytes]], bool] | None = None
    conversation: Callable[[Visit], Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    secret: bytes | None = field(default=None, repr=False)
    secrets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    memory: Callable[[], Mapping[str, Any]] = field(default=dict, compare=False, repr=False)

    def visit(self, now: Millis) -> Visit:
        """What is known now, for a connection."""
        return Visit(
            now=now, secret=self.secret, settings=self.settings, secrets=self.secrets, memory=self.memory()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceType:
    """What we know of one product.

    id: `[a-z0-9_]+`, the file's name. name: what installers call it, by language (`nb`, `en`).
    device_class: the main class of its facts (`dispenser`). emits: every kind it can report.
    signature: how a frame of it is recognised before it is registered, one sentence for people.
    commands: command name → names of its arguments. encode: command → bytes; raises ValueError with a sentence.
    It may remember in `unit.memory` what it asked, where only the device's next state answers.
    silent_after: seconds without any frame after which it is silent; None where only the installed one's setting can
    say. only_when_used: it sends nothing unless somebody uses it, so its silence says nothing and is not watched.
    settings: those of its own, beside those that its link has (drivers.device_settings).
    knows_taken: a dispenser that can tell that a dose was taken, not merely dispensed (VKP 1.3).
    own_clock: its `at` may be trusted after clamping; else the gateway stamps.
    answers: the wire waits for our word before it forgets, so we acknowledge after commit.
    recognises: whether a frame of somebody not registered looks like one of these; None where frames cannot tell.
    ble: for Bluetooth LE devices, what the link does with them.
    topics: for MQTT devices whose topics are their maker's choice, all of them, whole and without wildcards. A frame
    of such a device has the topic as its channel, and `Outgoing.channel` is a whole topic too.
    """

    id: str
    vendor: str
    product: str
    name: Mapping[str, str]
    link: LinkName
    device_class: str
    emits: frozenset[str]
    decode: Decode
    signature: str
    silent_after: int | None
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    encode: Encode = no_commands
    knows_taken: bool = False
    own_clock: bool = False
    answers: bool = False
    recognises: Callable[[Frame], bool] | None = None
    source: str = ""
    ble: BleUse | None = None
    topics: Topics = no_topics
    only_when_used: bool = False
    settings: Settings = field(default_factory=lambda: NO_SETTINGS)

    @property
    def classes(self) -> frozenset[str]:
        """The classes a unit of this type may be registered as: those of the facts it can report."""
        return frozenset(kind.partition(".")[0] for kind in self.emits)
