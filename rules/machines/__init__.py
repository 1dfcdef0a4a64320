"""One machine a form of rule: it keeps the state, and every due time follows from the state.

A machine is compiled once for a book and serves all homes; what it remembers of one home lies in slots: one a
rule where the rule watches the resident, one a key where it watches devices or doses.
"""

from __future__ import annotations

from typing import Any

from rules.book import Form, Rule
from rules.machines.base import Desk, Machine
from rules.machines.daily import Daily
from rules.machines.happens import Happens
from rules.machines.lasting import Lasting
from rules.machines.silence import Silence
from rules.machines.slot import Slot
from rules.machines.then import Then
from rules.machines.times import Times
from rules.machines.unanswered import Unanswered

__all__ = ["Desk", "Machine", "Slot", "machine_for"]

_MACHINES: dict[Form, type[Machine[Any]]] = {
    Form.HAPPENS: Happens,
    Form.THEN: Then,
    Form.TIMES: Times,
    Form.UNANSWERED: Unanswered,
    Form.LASTING: Lasting,
    Form.SILENCE: Silence,
    Form.DAILY: Daily,
}


def machine_for(rule: Rule, index: int, desk: Desk) -> Machine[Any]:
    """The machine of a rule; index: its place in every home's slots."""
    return _MACHINES[rule.form](rule, index, desk)
