"""Our agent on BlueZ: answers pairing from commissioning data, for bleak has none.

Without a registered agent BlueZ fails every pairing at once, and a read that needs encryption never returns.
A question about a device that nobody commissioned is rejected: nobody pairs with a gateway by walking past.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from bleak.exc import BleakError
from dbus_fast import BusType, DBusError, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

PATH = "/no/trygghub/agent"
CAPABILITY = "KeyboardOnly"
"""We can enter the number printed on a device and show none."""
REJECTED = "org.bluez.Error.Rejected"
REGISTER_WITHIN = 10.0
ANSWER_WITHIN = 10.0
BLUEZ = "org.bluez"
MANAGER = (BLUEZ, "/org/bluez", "org.bluez.AgentManager1")
DAEMON = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
ADAPTER = "org.bluez.Adapter1"
RULES = (
    f"type='signal',member='NameOwnerChanged',arg0='{BLUEZ}'",
    f"type='signal',sender='{BLUEZ}',member='InterfacesRemoved'",
    f"type='signal',sender='{BLUEZ}',member='PropertiesChanged',arg0='{ADAPTER}'",
)
"""What we want to hear of: BlueZ coming or leaving, adapters pulled out or switched off."""


class Agent(ServiceInterface):
    """`org.bluez.Agent1`. passkeys: six-digit number by lower-case address."""

    def __init__(self, passkeys: Mapping[str, int]) -> None:
        super().__init__("org.bluez.Agent1")
        self._passkeys = passkeys

    @dbus_method()
    def Release(self) -> None:  # noqa: N802 - the name on the bus
        """BlueZ lets go of us."""

    @dbus_method()
    def Cancel(self) -> None:  # noqa: N802
        """BlueZ needs no answer any more."""

    @dbus_method()
    def RequestPasskey(self, device: DBusObjectPath) -> DBusUInt32:  # noqa: N802
        """The number of a device."""
        return self._passkey(device)

    @dbus_method()
    def RequestPinCode(self, device: DBusObjectPath) -> DBusStr:  # noqa: N802
        """The number of a device, as a text."""
        return f"{self._passkey(device):06d}"

    @dbus_method()
    def RequestConfirmation(self, device: DBusObjectPath, passkey: DBusUInt32) -> None:  # noqa: N802
        """Whether the device shows this number."""
        if self._passkey(device) != passkey:
            raise DBusError(REJECTED, "another number was commissioned")

    @dbus_method()
    def DisplayPasskey(  # noqa: N802
        self, device: DBusObjectPath, passkey: DBusUInt32, entered: DBusUInt16
    ) -> None:
        """Show a number: nobody is here to read it."""

    @dbus_method()
    def RequestAuthorization(self, device: DBusObjectPath) -> None:  # noqa: N802
        """Whether a device may pair without a number."""
        self._passkey(device)

    @dbus_method()
    def AuthorizeService(self, device: DBusObjectPath, uuid: DBusStr) -> None:  # noqa: N802, ARG002
        """Whether a device may use one of our services: we offer none."""
        raise DBusError(REJECTED, "this gateway offers no services")

    def _passkey(self, device: str) -> int:
        passkey = self._passkeys.get(address_of(device))
        if passkey is None:
            raise DBusError(REJECTED, "this device was not commissioned")
        return passkey


class Registration:
    """An agent on the bus for as long as the radio is open.

    on_gone: BlueZ has left the bus, or the bus us. on_adapter_gone: an adapter (its object's path) lost its power or
    was pulled out.
    """

    def __init__(
        self,
        passkeys: Mapping[str, int],
        on_gone: Callable[[], None],
        on_adapter_gone: Callable[[str], None] = lambda _path: None,
    ) -> None:
        self._agent = Agent(passkeys)
        self._on_gone = on_gone
        self._on_adapter_gone = on_adapter_gone
        self._bus: MessageBus | None = None
        self._exported: dict[str, ServiceInterface] = {}
        self._watching: asyncio.Task[None] | None = None

    @property
    def registered(self) -> bool:
        """Whether we are on the bus."""
        return self._bus is not None

    async def register(self) -> None:
        """Register with BlueZ as the default agent. Raises BleakError with what is wrong."""
        await self.unregister()
        bus = self._bus = MessageBus(bus_type=BusType.SYSTEM)
        try:
            async with asyncio.timeout(REGISTER_WITHIN):
                await bus.connect()
                bus.export(PATH, self._agent)
                for rule in RULES:
                    await self.ask("AddMatch", "s", [rule], DAEMON)
                await self.ask("RegisterAgent", "os", [PATH, CAPABILITY])
                await self.ask("RequestDefaultAgent", "o", [PATH])
        except BaseException as error:
            self._bus = None
            bus.disconnect()
            if isinstance(error, OSError | EOFError | TimeoutError | DBusError):
                raise BleakError(f"BlueZ is not there: {str(error) or type(error).__name__}") from error
            raise
        bus.add_message_handler(self._on_message)
        self._watching = asyncio.create_task(self._watch(bus), name="bluez agent")

    async def unregister(self) -> None:
        """Leave the bus; BlueZ forgets an agent whose connection is gone."""
        bus, self._bus = self._bus, None
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
        if bus is not None:
            bus.unexport(PATH, self._agent)
            while self._exported:
                bus.unexport(*self._exported.popitem())
            bus.disconnect()

    def export(self, path: str, interface: ServiceInterface) -> None:
        """Show one more object on our connection, until it ends. Raises BleakError."""
        if self._bus is None:
            raise BleakError("BlueZ is not there: not connected to the bus")
        self._bus.export(path, interface)
        self._exported[path] = interface

    async def ask(
        self, member: str, signature: str, body: list[Any], to: tuple[str, str, str] = MANAGER
    ) -> Message:
        """Call a method over our connection; to: bus name, path, interface. Raises BleakError."""
        name, path, interface = to
        if self._bus is None:
            raise BleakError("BlueZ is not there: not connected to the bus")
        call = Message(
            destination=name, path=path, interface=interface, member=member, signature=signature, body=body
        )
        async with asyncio.timeout(ANSWER_WITHIN):
            reply = await self._bus.call(call)
        if reply is None or reply.message_type is MessageType.ERROR:
            why = "no answer" if reply is None else f"{reply.error_name} {' '.join(map(str, reply.body))}"
            raise BleakError(f"BlueZ refuses {member}: {why}")
        return reply

    async def _watch(self, bus: MessageBus) -> None:
        with contextlib.suppress(EOFError, OSError):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._on_gone()

    def _on_message(self, message: Message) -> None:
        if self._bus is None or message.message_type is not MessageType.SIGNAL:
            return
        match message.member, message.body:
            case "NameOwnerChanged", [name, *_] if name == BLUEZ:
                self._on_gone()
            case "InterfacesRemoved", [path, interfaces] if ADAPTER in interfaces:
                self._on_adapter_gone(path)
            case "PropertiesChanged", [interface, changed, *_] if interface == ADAPTER:
                if "Powered" in changed and not changed["Powered"].value:
                    self._on_adapter_gone(message.path or "")


def address_of(path: str) -> str:
    """The address in a device's object path, lower case."""
    return path.rpartition("/dev_")[2].replace("_", ":").lower()
