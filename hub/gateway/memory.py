"""What decoders remember, as the database has it."""

from __future__ import annotations

import sqlite3

from hub.gateway.roll import Remembered, Roll


def stored(db: sqlite3.Connection) -> dict[str, Remembered]:
    """Every device's memory, by device."""
    rows = db.execute("SELECT device, version, memory FROM unit_memory")
    return {device: Remembered.stored(version, memory.encode()) for device, version, memory in rows}


def hand_out(roll: Roll, memories: dict[str, Remembered]) -> None:
    """Give each device on the roll its memory back."""
    for device in roll.devices.values():
        if device.id in memories:
            device.remember(memories[device.id])


def missing(db: sqlite3.Connection, roll: Roll) -> dict[str, Remembered]:
    """The stored memory of devices that have just come onto the roll and remember nothing yet."""
    fresh = {device.id for device in roll.devices.values() if device.memory.ahead == 0}
    return {device: memory for device, memory in stored(db).items() if device in fresh}
