"""The real bluetoothd on a private bus, with a kernel adapter on the virtual radio; for machines that may be broken.

It needs root, a kernel with `/dev/vhci` and nobody else's Bluetooth: an emulated machine (`make test-bluez`), never a
gateway. It offers the same as its stand-in where both can (`start`, `stop`, `restart`), so that tests run on either.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Mapping
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from simulators.radio import Ether
from simulators.radio.kernel import KernelAdapter

log = logging.getLogger(__name__)

ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
ANSWERS_WITHIN = 30.0
ENDS_WITHIN = 10.0
LOOK_EVERY = 0.05


class RealBluez:
    """bluetoothd and its adapters. program: the daemon; address: the bus; slots: connections an adapter keeps.

    experimental: whether it offers advertisement monitors. duplicates: what the adapters' filter compares.
    """

    def __init__(
        self,
        program: str,
        ether: Ether,
        address: str,
        *,
        slots: int = 16,
        adapters: int = 1,
        experimental: bool = True,
        duplicates: str = "data",
    ) -> None:
        self.command = (program, "--nodetach", *(("--experimental",) if experimental else ()))
        self.adapters = [
            KernelAdapter(ether, slots=slots, address=f"02:7A:10:FF:00:{number:02X}", duplicates=duplicates)
            for number in range(1, adapters + 1)
        ]
        self._address = address
        self._daemon: asyncio.subprocess.Process | None = None
        self._bus: MessageBus | None = None

    @property
    def paths(self) -> list[str]:
        """The adapters' objects."""
        return [f"/org/bluez/hci{one.index}" for one in self.adapters]

    async def start(self) -> None:
        """Plug the adapters in unless they are, start the daemon, wait until they are powered."""
        for one in self.adapters:
            if one.index < 0:
                await one.plug_in()
        self._bus = await MessageBus(bus_address=self._address).connect()
        self._daemon = await asyncio.create_subprocess_exec(*self.command)
        async with asyncio.timeout(ANSWERS_WITHIN):
            while not await self.powered():
                with contextlib.suppress(LookupError):
                    await self.power(on=True)
                await asyncio.sleep(LOOK_EVERY)

    async def stop(self) -> None:
        """End the daemon in order; the adapter stays plugged in."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None and daemon.returncode is None:
            daemon.send_signal(signal.SIGTERM)
            async with asyncio.timeout(ENDS_WITHIN):
                await daemon.wait()
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None

    async def restart(self) -> None:
        """As `systemctl restart bluetooth`."""
        await self.stop()
        await self.start()

    async def end(self) -> None:
        """Forget all devices, power off, end the daemon, and only then unplug."""
        if self._daemon is None:
            await self.start()
        for path in await self.devices():
            with contextlib.suppress(LookupError):
                await self._ask(path.rpartition("/")[0], ADAPTER, "RemoveDevice", "o", [path])
        with contextlib.suppress(LookupError):
            await self.power(on=False)
        await self.stop()
        for one in self.adapters:
            one.unplug()

    async def power(self, *, on: bool) -> None:
        """Switch the adapters; LookupError when one is not there or refuses."""
        body = [ADAPTER, "Powered", Variant("b", on)]
        for path in self.paths:
            await self._ask(path, "org.freedesktop.DBus.Properties", "Set", "ssv", body)

    async def powered(self) -> bool:
        """Whether all adapters are there and have power."""
        objects = await self._objects()
        about = [objects.get(path, {}).get(ADAPTER, {}) for path in self.paths]
        return all("Powered" in one and one["Powered"].value for one in about)

    async def devices(self, **having: Any) -> list[str]:
        """The objects of remote devices whose properties are as asked (`Connected=True`)."""
        found = []
        for path, interfaces in (await self._objects()).items():
            about = interfaces.get(DEVICE)
            if about is not None and all(
                name in about and about[name].value == having[name] for name in having
            ):
                found.append(path)
        return found

    async def _objects(self) -> Mapping[str, Any]:
        try:
            reply = await self._ask("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", [])
        except LookupError:
            return {}
        return dict(reply.body[0])

    async def _ask(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> Message:
        if self._bus is None:
            raise LookupError("bluetoothd was not started")
        call = Message(
            destination="org.bluez",
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=body,
        )
        reply = await self._bus.call(call)
        if reply is None or reply.message_type is MessageType.ERROR:
            raise LookupError(f"{member}: {reply.error_name if reply else 'no answer'}")
        return reply
