"""The page of an alarm that an old report ended."""

from __future__ import annotations

from typing import Any

from hub.centre.alerts import opening, rows
from hub.centre.alerts.decisions import read
from hub.store.engine import Store

MINUTE = 60_000


async def test_the_nurse_reads_when_it_was_and_when_it_was_heard(
    sign_in: Any, town: Any, store: Store
) -> None:
    """Nils sees at once that Astrid's dose was out at five past, and that nobody could know until now."""
    alarm = await town.alarm("dispenser.missed", ago=120 * MINUTE)
    event = await town.hear("dispenser.dispensed", ago=115 * MINUTE, lag=115 * MINUTE, dose="a")
    clear = {"action": "clear", "rule": alarm.rule, "key": alarm.key, "home": "h1", "because": [event]}
    reason = "came in late: 06:05, heard 08:00"
    judged = read(clear | {"at": town.clock.now(), "reason": reason})
    async with store.writing() as session:
        await opening.carry_out(session, judged, await rows.policy_of(session), town.clock.now())
    nils = await sign_in("nils")
    text = (await nils.get(f"/nb/alarms/{alarm.id}")).text
    assert "Tilstanden er over: kom for sent inn: kl. 06.05, hørt kl. 08.00" in text
    assert "Den bygger på disse hendelsene:" in text
    assert "hørt 08:00" in text.partition("Den bygger på disse hendelsene:")[2].partition("</ul>")[0]
    english = (await nils.get(f"/en/alarms/{alarm.id}")).text
    assert f"The condition is over: {reason}" in english
