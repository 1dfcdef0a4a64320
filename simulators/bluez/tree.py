"""A D-Bus object tree at message level: objects come, change and go, and everybody on the bus hears of it."""

from __future__ import annotations

from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

OBJECTS = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"

Values = dict[str, Variant]


class DBusFault(Exception):  # noqa: N818 - the bus calls it an error reply
    """An error reply: its name and a sentence."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


class Tree:
    """Objects by path, their interfaces, and the properties of each."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._objects: dict[str, dict[str, Values]] = {}
        self.mute = False

    def has(self, path: str, interface: str) -> bool:
        """Whether an object has an interface."""
        return interface in self._objects.get(path, {})

    def value(self, path: str, interface: str, name: str) -> Any:
        """A property's plain value; None where there is none."""
        variant = self._objects.get(path, {}).get(interface, {}).get(name)
        return None if variant is None else variant.value

    def under(self, path: str) -> list[str]:
        """The objects below a path, deepest first."""
        return sorted((one for one in self._objects if one.startswith(f"{path}/")), reverse=True)

    def add(self, path: str, interfaces: dict[str, Values]) -> None:
        """An object appears."""
        self._objects[path] = interfaces
        self._signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    def remove(self, path: str) -> None:
        """An object and all below it disappear."""
        for one in [*self.under(path), path]:
            interfaces = self._objects.pop(one, None)
            if interfaces is not None:
                self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [one, list(interfaces)])

    def change(self, path: str, interface: str, **values: Variant) -> None:
        """Properties change."""
        if self.has(path, interface):
            self._objects[path][interface].update(values)
            self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, values, []])

    def answer(self, message: Message) -> tuple[str, list[Any]] | None:
        """Answer the two standard interfaces; None for any other call. Raises DBusFault."""
        match message.interface, message.member:
            case "org.freedesktop.DBus.ObjectManager", "GetManagedObjects":
                return "a{oa{sa{sv}}}", [self._objects]
            case "org.freedesktop.DBus.Properties", "GetAll":
                return "a{sv}", [self._objects.get(message.path or "", {}).get(message.body[0], {})]
            case "org.freedesktop.DBus.Properties", "Get":
                interface, name = message.body
                found = self._objects.get(message.path or "", {}).get(interface, {}).get(name)
                if found is None:
                    raise DBusFault("org.freedesktop.DBus.Error.InvalidArgs", f"no property {name}")
                return "v", [found]
            case "org.freedesktop.DBus.Properties", "Set":
                interface, name, value = message.body
                self.change(message.path or "", interface, **{name: value})
                return "", []
        return None

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self.mute:
            return
        signal = Message(
            message_type=MessageType.SIGNAL,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=body,
        )
        self._bus.send(signal)
