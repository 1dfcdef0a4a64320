"""What a gateway did by itself because a rule said so: a command like any other, with a rule in the place of a person.

The gateway acts with or without the centre (hub.gateway.local_action) and tells the outcome afterwards. Here it gets
its row and its place in the trail; the outcome itself is settled as that of every command (hub.centre.commands).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre import audit
from hub.store.centre_tables import Alert, CommandRow, Home

BY_RULE = "rule "
"""What `asked_by` of a result begins with where a rule asked and no person."""

LONGEST_WORD, LONGEST_REASON = 64, 200


async def note(session: AsyncSession, gateway: str, body: Mapping[str, Any], now: Millis) -> None:
    """Write down that a rule asked for this, once; nothing for what a person asked, or of a home of another gateway."""
    command, asked_by = _word(body, "command"), _word(body, "asked_by", len(BY_RULE) + LONGEST_WORD)
    rule = asked_by.removeprefix(BY_RULE)
    if not command or rule in {"", asked_by} or await session.get(CommandRow, command) is not None:
        return
    home = await session.get(Home, _word(body, "home"))
    if home is None or home.gateway != gateway:
        return
    why = str(body.get("why") or "")[:LONGEST_REASON]
    row = CommandRow(
        id=command,
        home=home.id,
        device=_word(body, "device"),
        gateway=gateway,
        name=_word(body, "name"),
        asked_by=asked_by,
        reason=why,
        alert=await _alert(session, rule, home.id),
        asked=now,
        expires=now,
        status="sent",
    )
    session.add(row)
    data = {"command": row.id, "name": row.name, "alert": row.alert}
    await audit.write(
        session,
        audit.Deed(
            at=now, actor=asked_by, action="command.ask", home=home.id, subject=f"device {row.device}", why=why,
            origin=gateway, data=data,
        ),
    )  # fmt: skip


async def _alert(session: AsyncSession, rule: str, home: str) -> int | None:
    """The latest alert of the rule in this home, if it has come in already."""
    latest = select(Alert.id).where(Alert.rule == rule, Alert.home == home).order_by(col(Alert.id).desc())
    return (await session.exec(latest.limit(1))).first()


def _word(body: Mapping[str, Any], name: str, longest: int = LONGEST_WORD) -> str:
    """A short text of the body; empty where it is none."""
    value = body.get(name)
    return value if isinstance(value, str) and len(value) <= longest else ""
