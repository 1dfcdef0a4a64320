"""Doors that are locked and unlocked from here: what is known of each, and what was last asked of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from dashboard.reads.devices import Known
from drivers.events import Millis
from drivers.registry import DEVICE_TYPES
from hub.centre import door
from hub.store.centre_tables import Alert, CommandRow, Device, DeviceState

MOVES = ("unlock", "unlatch", "lock")
UNLOCK = "unlock"
UNDER_WAY = ("queued", "sent")
OF_A_CABINET = "compartment"
"""What a cabinet needs to be told to open; its doors are no way into a home."""

SHOWN_FOR = 600
"""Seconds, of a person's time, for which the last thing asked of a door is shown."""


@dataclass(frozen=True, slots=True)
class Door:
    """A lock, with its newest word on its bolt. spoke: when it last said or confirmed that.

    last: what was last asked of the bolt, lately; asked: whether it was asked where it stands, and what came of it.
    lost: how the last opening ended is not known, and the lock has not been heard since.
    """

    known: Known
    bolt: DeviceState | None
    spoke: Millis | None
    last: CommandRow | None
    asked: CommandRow | None
    lost: bool

    @property
    def value(self) -> str:
        """locked, unlocked, jammed or unknown: whatever is not known to be so now is unknown."""
        return "unknown" if self.bolt is None or self.known.silent else self.bolt.value


def opens(device: Device) -> bool:
    """Whether this is a door of the home that can be unlocked from afar."""
    known = DEVICE_TYPES.get(device.type)
    arguments = known.commands.get(UNLOCK) if known is not None else None
    return device.device_class == "lock" and arguments is not None and OF_A_CABINET not in arguments


def takes(device: Device, command: str) -> bool:
    """Whether this type of lock can be asked for it."""
    known = DEVICE_TYPES.get(device.type)
    return known is not None and command in known.commands


async def read_door(session: AsyncSession, known: Known, since: Millis) -> Door:
    """What is known of a lock. since: from when what was asked of it is worth showing."""
    bolt = next((state for state in known.states if state.state == door.BOLT), None)
    spoke = await door.last_word(session, known.device, bolt)
    return Door(
        known=known,
        bolt=bolt,
        spoke=spoke,
        last=await _last(session, known.device.id, MOVES, since),
        asked=await _last(session, known.device.id, (door.ASK_STATE,), since),
        lost=await door.lost(session, known.device, bolt),
    )


async def _last(
    session: AsyncSession, device: str, names: tuple[str, ...], since: Millis
) -> CommandRow | None:
    wanted = select(CommandRow).where(
        CommandRow.device == device, col(CommandRow.name).in_(names), CommandRow.asked >= since
    )
    return (await session.exec(wanted.order_by(col(CommandRow.asked).desc()).limit(1))).first()


async def taken_by(session: AsyncSession, staff: str, home: str) -> list[Alert]:
    """The alerts of a home that this person has taken: each is a reason to open its door."""
    mine = select(Alert).where(Alert.home == home, Alert.handling == "taken", Alert.owner == staff)
    return list((await session.exec(mine.order_by(col(Alert.id).desc()))).all())
