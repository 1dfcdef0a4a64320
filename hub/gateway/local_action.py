"""Acting in the home where a rule says so (`do:` in a book), with the centre or without it.

A decision that raises may ask something of the home's devices. Only what the catalogue calls harmless is carried out:
no rule opens a door or gives a dose, whatever a book or a stored decision says. The orders are written down with the
decision, in its transaction, so each is carried out once or not at all; their outcome is told like that of any order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.catalogue import CATALOGUE
from drivers.events import Millis
from hub.gateway.roll import Assigned, Roll
from hub.uplink.messages import Order
from rules import Decision

BY_RULE = "rule "
"""What `asked_by` begins with when nobody asked but a rule."""

IN_TIME: Millis = 300_000
"""How long after its instant a decision may be acted on: a reminder from the night says nothing in the morning."""

MOST_DEVICES = 8
"""Devices of one class in a home that are asked together."""

REASON_LENGTH = 200


@dataclass(frozen=True, slots=True)
class LocalAction:
    """roll: the devices as they are now. carry_out: starts an order that is written down."""

    roll: Callable[[], Roll]
    carry_out: Callable[[Order], None]

    def orders(self, decision: Decision, now: Millis) -> Sequence[Order]:
        """What a decision asks for: of its own device if that is of the class, else of all of the class in the home.

        Where there is none of them, one order says so by its outcome.
        """
        spec = CATALOGUE.commands.get(decision.do)
        if decision.action != "raise" or spec is None or not spec.harmless:
            return ()
        device_class, _, name = spec.name.partition(".")
        there = [
            device
            for device in self.roll().devices.values()
            if (device.home, device.part.device_class) == (decision.home, device_class)
            and device.is_assigned(now)
        ]
        chosen = [device.id for device in _chosen(there, name, decision.device)] or [device_class]
        return [_order(decision, device, name) for device in chosen[:MOST_DEVICES]]


def _chosen(there: Sequence[Assigned], name: str, own: str) -> Sequence[Assigned]:
    able = [device for device in there if name in device.type.commands]
    mine = [device for device in able if device.id == own]
    return mine or able or there[:1]


def _order(decision: Decision, device: str, name: str) -> Order:
    """Its id follows from the decision, so that the same decision is the same order."""
    identity = "|".join(map(str, (*decision.identity, decision.do, device)))
    return Order(
        id=hashlib.sha256(identity.encode()).hexdigest()[:24],
        home=decision.home,
        device=device,
        name=name,
        args=dict(decision.do_args),
        expires=decision.at + IN_TIME,
        asked_by=f"{BY_RULE}{decision.rule}",
        reason=decision.says.get("nb", "")[:REASON_LENGTH],
    )
