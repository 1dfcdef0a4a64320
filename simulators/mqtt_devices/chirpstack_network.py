"""A ChirpStack v4 network server with Milesight WS101 buttons.

Source: ChirpStack documentation (MQTT integration, event types); Milesight WS101 user guide (uplink payload).
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from simulators.mqtt_devices.said import Said

PRESS = {"short": 1, "long": 2, "double": 3}
PORT = 85


@dataclass(slots=True)
class LoraButton:
    """One button. eui: sixteen hex digits. battery: percent."""

    eui: str
    application: str = "0d9c0d2a-3a53-4b2b-8f6f-3d3b4e6a1c11"
    battery: int = 100
    frames: int = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """It hears nothing that matters here."""
        return ()

    def start(self) -> Iterator[Said]:
        """Join the network and tell of itself."""
        yield self._event("join", {"devAddr": "00189440"})
        yield self.uplink(bytes.fromhex("ff0bff ff0101 ff086538b2232131 ff090100 ff0a0102 ff0f00"))

    def press(self, how: str = "short") -> Said:
        """The resident presses."""
        return self.uplink(bytes([0xFF, 0x2E, PRESS[how]]))

    def tell_battery(self) -> Said:
        """Its report every eighteen hours."""
        return self.uplink(bytes([0x01, 0x75, self.battery]))

    def status(self) -> Said:
        """The network asked for the battery."""
        return self._event("status", {"margin": 7, "externalPowerSource": False, "batteryLevelUnavailable": False,
                                      "batteryLevel": float(self.battery)})  # fmt: skip

    def uplink(self, data: bytes) -> Said:
        """One uplink; the id is the network's, the same for every gateway that heard it."""
        self.frames += 1
        return self._event(
            "up",
            {"fCnt": self.frames, "fPort": PORT, "confirmed": True, "data": base64.b64encode(data).decode()},
        )

    def hear(self, topic: str, payload: bytes) -> Iterator[Said]:  # noqa: ARG002  the shape of a device
        """Nothing."""
        yield from ()

    def _event(self, name: str, more: dict[str, object]) -> Said:
        own = uuid.uuid5(uuid.NAMESPACE_URL, f"{self.eui}/{name}/{self.frames}")
        about = {"applicationId": self.application, "devEui": self.eui, "deviceName": "button"}
        body = {"deduplicationId": str(own), "deviceInfo": about, **more}
        topic = f"application/{self.application}/device/{self.eui}/event/{name}"
        return Said(topic, json.dumps(body).encode())
