"""`org.bluez` as far as Bluetooth LE clients use it: adapter, discovery, devices, GATT, agent.

Written from BlueZ's published D-Bus API and from its observed habits: a failed connect removes a device without
a bond; a device that is not discovered is not there; a link outlives the program that asked for it; pairing
needs an agent; after a daemon restart nobody is told that the scan is dead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from bumble import core
from bumble.device import Connection
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from simulators.bluez.monitors import SWITCH, Monitors
from simulators.bluez.remote import CHARACTERISTIC, DESCRIPTOR, DEVICE, Remote
from simulators.bluez.scanning import Heard, Rounds
from simulators.bluez.tree import DBusFault, Tree
from simulators.radio import Air, Station, join

log = logging.getLogger(__name__)

NAME = "org.bluez"
ADAPTER, AGENTS = "org.bluez.Adapter1", "org.bluez.AgentManager1"
HCI = "/org/bluez/hci0"
OWN_ADDRESS = "F0:7A:10:00:00:02"
SHORT_UUID = 2
SERVICE_DATA, MANUFACTURER, SHORT_NAME, FULL_NAME, SERVICES = 0x16, 0xFF, 0x08, 0x09, (0x02, 0x03)

Answer = tuple[str, list[Any]]
Call = Callable[[Message], Awaitable[Answer]]
NOTHING: Answer = ("", [])


class FakeBluez:
    """The service. faults: (method, error name) to answer with once, oldest first.

    agent: the registered agent's bus name and path, None without one. slots: connections its adapter keeps.
    radio_gone: set when the radio it joined is lost. hung: the adapter hears nothing until it is switched off and on.
    power_cycles: how often that was done. experimental: whether it offers advertisement monitors, as a daemon started
    with `--experimental` does.
    """

    def __init__(self, air: Air, address: str, *, slots: int = 16, experimental: bool = True) -> None:
        self.faults: list[tuple[str, str]] = []
        self.agent: tuple[str, str] | None = None
        self.connecting = asyncio.Lock()
        self.radio_gone = asyncio.Event()
        self.hung = False
        self.power_cycles = 0
        self._air = air
        self._slots = slots
        self._address = address
        self._bonds = MemoryKeyStore()
        self._station: Station | None = None
        self._bus: MessageBus | None = None
        self._tree: Tree | None = None
        self._remotes: dict[str, Remote] = {}
        self._advertised: dict[str, dict[str, Variant]] = {}
        self._discoverers: set[str] = set()
        self._experimental = experimental
        self._monitors = Monitors()
        self._rounds: Rounds | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._methods: dict[tuple[str, str], Call] = {
            (ADAPTER, "SetDiscoveryFilter"): self._nothing,
            (ADAPTER, "StartDiscovery"): self._start_discovery,
            (ADAPTER, "StopDiscovery"): self._stop_discovery,
            (ADAPTER, "RemoveDevice"): self._remove_device,
            (SWITCH, "RegisterMonitor"): self._register_monitor,
            (SWITCH, "UnregisterMonitor"): self._unregister_monitor,
            (AGENTS, "RegisterAgent"): self._register_agent,
            (AGENTS, "RequestDefaultAgent"): self._nothing,
            (AGENTS, "UnregisterAgent"): self._unregister_agent,
            (DEVICE, "Connect"): self._connect,
            (DEVICE, "Disconnect"): self._disconnect,
            (DEVICE, "Pair"): self._pair,
            (CHARACTERISTIC, "ReadValue"): self._read,
            (DESCRIPTOR, "ReadValue"): self._read,
            (CHARACTERISTIC, "WriteValue"): self._write,
            (DESCRIPTOR, "WriteValue"): self._write,
            (CHARACTERISTIC, "StartNotify"): self._start_notify,
            (CHARACTERISTIC, "StopNotify"): self._stop_notify,
        }

    @property
    def device(self) -> Any:
        """The adapter's bumble device."""
        assert self._station is not None
        return self._station.device

    @property
    def rounds(self) -> Rounds:
        """Its discovery."""
        assert self._rounds is not None
        return self._rounds

    @property
    def tree(self) -> Tree:
        """The objects on the bus."""
        assert self._tree is not None
        return self._tree

    async def start(self) -> None:
        """Join the radio, take the name, show the adapter."""
        self.radio_gone.clear()
        self._bus = bus = await MessageBus(bus_address=self._address).connect()
        self._tree = Tree(bus)
        self._station = await join(
            self._air, name="hci0", address=OWN_ADDRESS, bonds=self._bonds, max_connections=self._slots
        )
        self.device.pairing_config_factory = self._pairing
        self.device.host.on("flush", self.radio_gone.set)
        self._rounds = Rounds(self.device, lambda: bool(self._monitors.active), self._on_heard)
        self.device.host.on("advertising_report", self._rounds.report)
        bus.add_message_handler(self._on_message)
        for member in ("NameOwnerChanged", "InterfacesAdded"):
            await bus.call(_to_daemon("AddMatch", "s", [f"type='signal',member='{member}'"]))
        self.tree.add("/org/bluez", {AGENTS: {}})
        self._show_adapter(_adapter())
        await bus.request_name(NAME)

    async def stop(self) -> None:
        """Leave the bus and the radio; objects, agents and discoveries are gone, bonds stay."""
        for call in list(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self._bus is not None:
            self.tree.mute = True  # a daemon that ends says no goodbye
            self._bus.disconnect()
            self._bus = None
        if self._rounds is not None:
            self._rounds.end()
            self._rounds = None
        self._monitors = Monitors()
        if self._station is not None:
            await self._station.vanish()
            self._station = None
        self._remotes.clear()
        self._advertised.clear()
        self._discoverers.clear()
        self.agent = None

    async def restart(self) -> None:
        """As `systemctl restart bluetooth`: all objects, links, agents and discoveries are gone; bonds stay."""
        await self.stop()
        await self.start()

    def forget(self, remote: Remote) -> None:
        """Remove a device from the bus; it comes back when it is heard."""
        self._remotes.pop(remote.path, None)
        self._advertised.pop(remote.path, None)
        self.tree.remove(remote.path)

    async def switch(self, *, on: bool) -> None:
        """Switch the adapter; without power it has neither scans nor links."""
        if on == bool(self.tree.value(HCI, ADAPTER, "Powered")):
            return
        if on:
            self.power_cycles += 1
            self.hung = False
        else:
            await self._end_discovery()
            for remote in list(self._remotes.values()):
                await remote.disconnect()
        self.tree.change(HCI, ADAPTER, Powered=Variant("b", on))

    async def unplug(self) -> None:
        """Pull the adapter out: its objects are gone; `plug_in` brings it back."""
        await self.switch(on=False)
        for remote in list(self._remotes.values()):
            self.forget(remote)
        self.tree.remove(HCI)

    def plug_in(self) -> None:
        """Put the adapter back, without power, as BlueZ may find it."""
        self._show_adapter({**_adapter(), "Powered": Variant("b", False)})

    def _show_adapter(self, about: dict[str, Variant]) -> None:
        self.tree.add(HCI, {ADAPTER: about, **({SWITCH: {}} if self._experimental else {})})

    # -- messages

    def _on_message(self, message: Message) -> Message | bool | None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            self._on_owner_changed(*message.body)
            return None
        if message.message_type is MessageType.SIGNAL and message.member == "InterfacesAdded":
            if self._bus is not None:
                self._monitors.appeared(self._bus, message.sender or "", *message.body)
            return None
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        task = asyncio.ensure_future(self._answer(message))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return True

    async def _answer(self, message: Message) -> None:
        reply: Message
        try:
            self._stumble(message)
            await self._on_switch(message)
            known = self.tree.answer(message) or await self._call(message)
            reply = Message.new_method_return(message, *known)
        except DBusFault as fault:
            reply = Message.new_error(message, fault.name, str(fault))
        except core.BaseBumbleError as error:
            reply = Message.new_error(message, "org.bluez.Error.Failed", str(error))
        if self._bus is not None:
            await self._bus.send(reply)

    def _stumble(self, message: Message) -> None:
        if self.faults and self.faults[0][0] == message.member:
            raise DBusFault(self.faults.pop(0)[1], "as the test wished")

    async def _call(self, message: Message) -> Answer:
        method = self._methods.get((message.interface or "", message.member or ""))
        if method is None:
            raise DBusFault("org.freedesktop.DBus.Error.UnknownMethod", f"no method {message.member}")
        if not self.tree.has(message.path or "", message.interface or ""):
            raise DBusFault("org.freedesktop.DBus.Error.UnknownObject", f"no object {message.path}")
        return await method(message)

    async def _on_switch(self, message: Message) -> None:
        if message.member == "Set" and message.body[:2] == [ADAPTER, "Powered"]:
            await self.switch(on=bool(message.body[2].value))

    async def _nothing(self, _message: Message) -> Answer:
        return NOTHING

    def _on_owner_changed(self, name: str, _old: str, new: str) -> None:
        if new:
            return
        self._discoverers.discard(name)
        self._monitors.left(name)
        if self.agent is not None and self.agent[0] == name:
            self.agent = None

    # -- discovery

    async def _start_discovery(self, message: Message) -> Answer:
        if not self.tree.value(HCI, ADAPTER, "Powered"):
            raise DBusFault("org.bluez.Error.NotReady", "Resource Not Ready")
        if message.sender in self._discoverers:
            raise DBusFault("org.bluez.Error.InProgress", "Operation already in progress")
        if not self._discoverers:
            await self.rounds.start()
        self._discoverers.add(message.sender or "")
        self.tree.change(HCI, ADAPTER, Discovering=Variant("b", True))
        return NOTHING

    async def _stop_discovery(self, message: Message) -> Answer:
        if message.sender not in self._discoverers:
            raise DBusFault("org.bluez.Error.Failed", "No discovery started")
        self._discoverers.discard(message.sender or "")
        if not self._discoverers:
            await self.rounds.stop()
            self.tree.change(HCI, ADAPTER, Discovering=Variant("b", False))
        return NOTHING

    async def _end_discovery(self) -> None:
        if self._discoverers:
            self._discoverers.clear()
            await self.rounds.stop()
            self.tree.change(HCI, ADAPTER, Discovering=Variant("b", False))

    async def _register_monitor(self, message: Message) -> Answer:
        self._monitors.register(message.sender or "", message.body[0])
        return NOTHING

    async def _unregister_monitor(self, message: Message) -> Answer:
        self._monitors.unregister(message.sender or "", message.body[0])
        return NOTHING

    def _on_heard(self, heard: Heard) -> None:
        if not self._discoverers or self._tree is None or self.hung:
            return
        address = heard.address
        text = str(address).partition("/")[0]
        path = f"{HCI}/dev_{text.replace(':', '_')}"
        said = self._advertised.setdefault(path, {})
        news = {**_advertised(heard.data, said), "RSSI": Variant("n", heard.rssi)}
        news = {name: value for name, value in news.items() if said.get(name) != value}
        said.update(news)
        if path not in self._remotes:
            self._remotes[path] = Remote(self, address, path)
            self.tree.add(path, {DEVICE: {**_unknown_device(text, address.is_random), **said}})
        elif news:  # what stays the same is not told again, not even that it was heard
            self.tree.change(path, DEVICE, **news)

    # -- devices

    def _remote(self, path: str) -> Remote:
        for known, remote in self._remotes.items():
            if path == known or path.startswith(f"{known}/"):
                return remote
        raise DBusFault("org.freedesktop.DBus.Error.UnknownObject", f"no device at {path}")

    async def _connect(self, message: Message) -> Answer:
        await self._remote(message.path or "").connect()
        return NOTHING

    async def _disconnect(self, message: Message) -> Answer:
        await self._remote(message.path or "").disconnect()
        return NOTHING

    async def _pair(self, message: Message) -> Answer:
        await self._remote(message.path or "").pair()
        return NOTHING

    async def _remove_device(self, message: Message) -> Answer:
        remote = self._remote(message.body[0])
        await remote.disconnect()
        await self._bonds.delete_all()
        self.forget(remote)
        return NOTHING

    async def _read(self, message: Message) -> Answer:
        return "ay", [await self._remote(message.path or "").read(message.path or "")]

    async def _write(self, message: Message) -> Answer:
        data, options = message.body
        kind = options.get("type", Variant("s", "request")).value
        remote = self._remote(message.path or "")
        await remote.write(message.path or "", bytes(data), response=kind != "command")
        return NOTHING

    async def _start_notify(self, message: Message) -> Answer:
        await self._remote(message.path or "").start_notify(message.path or "")
        return NOTHING

    async def _stop_notify(self, message: Message) -> Answer:
        await self._remote(message.path or "").stop_notify(message.path or "")
        return NOTHING

    # -- the agent

    async def _register_agent(self, message: Message) -> Answer:
        if self.agent is not None and self.agent[0] == message.sender:
            raise DBusFault("org.bluez.Error.AlreadyExists", "Already Exists")
        self.agent = (message.sender or "", message.body[0])
        return NOTHING

    async def _unregister_agent(self, message: Message) -> Answer:
        if self.agent is not None and self.agent[0] == message.sender:
            self.agent = None
        return NOTHING

    def _pairing(self, connection: Connection) -> PairingConfig:
        return PairingConfig(
            sc=True,
            mitm=True,
            bonding=True,
            delegate=AskAgent(self, connection),
            identity_address_type=PairingConfig.AddressType.RANDOM,
        )

    async def ask_agent(self, member: str, address: str) -> int | None:
        """Call the agent about a device; None when it rejects."""
        if self.agent is None or self._bus is None:
            return None
        name, path = self.agent
        device = f"{HCI}/dev_{address.upper().replace(':', '_')}"
        call = Message(
            destination=name,
            path=path,
            interface="org.bluez.Agent1",
            member=member,
            signature="o",
            body=[device],
        )
        reply = await self._bus.call(call)
        if reply is None or reply.message_type is MessageType.ERROR:
            return None
        return int(reply.body[0]) if reply.body else 1


class AskAgent(PairingDelegate):
    """Pairing questions go to the registered agent."""

    def __init__(self, bluez: FakeBluez, connection: Connection) -> None:
        super().__init__(PairingDelegate.IoCapability.KEYBOARD_INPUT_ONLY)
        self._bluez = bluez
        self._address = str(connection.peer_address).partition("/")[0]

    async def get_number(self) -> int | None:
        """The passkey that the device shows."""
        return await self._bluez.ask_agent("RequestPasskey", self._address)


def _adapter() -> dict[str, Variant]:
    return {
        "Address": Variant("s", OWN_ADDRESS),
        "AddressType": Variant("s", "random"),
        "Name": Variant("s", "virtual"),
        "Alias": Variant("s", "virtual"),
        "Powered": Variant("b", True),
        "Discovering": Variant("b", False),
        "Roles": Variant("as", ["central"]),
        "UUIDs": Variant("as", []),
    }


def _unknown_device(address: str, is_random: bool) -> dict[str, Variant]:
    return {
        "Address": Variant("s", address),
        "AddressType": Variant("s", "random" if is_random else "public"),
        "Alias": Variant("s", address.replace(":", "-")),
        "Adapter": Variant("o", HCI),
        "Paired": Variant("b", False),
        "Bonded": Variant("b", False),
        "Trusted": Variant("b", False),
        "Blocked": Variant("b", False),
        "LegacyPairing": Variant("b", False),
        "Connected": Variant("b", False),
        "ServicesResolved": Variant("b", False),
        "UUIDs": Variant("as", []),
    }


def _advertised(data: bytes, known: dict[str, Variant]) -> dict[str, Variant]:
    """The device properties that an advertisement changes; lists and maps grow, as in BlueZ."""
    changed: dict[str, Variant] = {}
    start = 0
    while start < len(data) and data[start] and start + 1 + data[start] <= len(data):
        kind, value = data[start + 1], data[start + 2 : start + 1 + data[start]]
        start += 1 + data[start]
        if kind in {SHORT_NAME, FULL_NAME}:
            name = value.decode("utf-8", "replace")
            changed |= {"Name": Variant("s", name), "Alias": Variant("s", name)}
        elif kind == SERVICE_DATA and len(value) >= SHORT_UUID:
            before = known.get("ServiceData")
            mine = {_full(value): Variant("ay", value[SHORT_UUID:])}
            changed["ServiceData"] = Variant("a{sv}", {**(before.value if before else {}), **mine})
        elif kind == MANUFACTURER and len(value) >= SHORT_UUID:
            company = int.from_bytes(value[:SHORT_UUID], "little")
            changed["ManufacturerData"] = Variant("a{qv}", {company: Variant("ay", value[SHORT_UUID:])})
        elif kind in SERVICES:
            changed["UUIDs"] = Variant("as", [_full(value[n : n + 2]) for n in range(0, len(value) - 1, 2)])
    return changed


def _full(little: bytes) -> str:
    return f"0000{little[1]:02x}{little[0]:02x}-0000-1000-8000-00805f9b34fb"


def _to_daemon(member: str, signature: str, body: list[Any]) -> Message:
    return Message(
        destination="org.freedesktop.DBus",
        path="/org/freedesktop/DBus",
        interface="org.freedesktop.DBus",
        member=member,
        signature=signature,
        body=body,
    )
