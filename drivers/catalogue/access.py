"""Locks and doors. A bolt is locked only when the lock says so; a jam or an unknown word is never "locked"."""

from __future__ import annotations

from drivers.catalogue.writing import fact, state, text

WHO = (
    text("by", "who or what did it, in the lock's own words"),
    text("how", "by which means: key, code, tag, app, command, button, automatic, manual"),
)

FACTS = (
    fact("lock.locked", "Døren er låst", "The door is locked",
         "The bolt is out and the lock has confirmed it.", *WHO, lane="care",
         sets={"lock.bolt": "locked"}, scaip="0035/0118"),
    fact("lock.unlocked", "Døren er låst opp", "The door is unlocked",
         "The bolt is in.", *WHO, lane="care", sets={"lock.bolt": "unlocked"},
         vkp="alert-code#6", scaip="0035/0127"),
    fact("lock.jammed", "Dørlåsen har kjørt seg fast", "The door lock is jammed",
         "The bolt stopped on its way; whether the door is locked is not known.",
         text("reason", "what the lock says of it"), lane="care", sets={"lock.bolt": "jammed"},
         vkp="alert-code#6", scaip="0035/0052"),
    fact("lock.refused", "Dørlåsen avviste en åpning", "The door lock refused",
         "Somebody tried a key, code, tag or command that the lock refused; the bolt did not move.",
         text("reason", "why, in the lock's own words"), *WHO, lane="care",
         vkp="alert-code#6", scaip="0035/0107"),
    fact("lock.unknown", "Ukjent om døren er låst", "Whether the door is locked is unknown",
         "The lock itself does not know, or said something that nobody here understands.",
         text("reason", "what it said"), lane="care", sets={"lock.bolt": "unknown"}),
    fact("door.opened", "Døren ble åpnet", "The door was opened",
         "The door leaf left its frame.", lane="care", sets={"door.leaf": "open"},
         vkp="alert-code#4.15", scaip="0014/0076", mdc="10471:10.0"),
    fact("door.closed", "Døren ble lukket", "The door was closed",
         "The door leaf is in its frame; locked is another matter.", lane="care",
         sets={"door.leaf": "closed"}, vkp="alert-code#4.16", scaip="0014/0021", mdc="10471:10.1"),
)  # fmt: skip

STATES = (
    state("lock.bolt", "Dørlås", "Door lock", locked=("låst", "locked"), unlocked=("ulåst", "unlocked"),
          jammed=("fastkjørt", "jammed"), unknown=("ukjent", "unknown")),
    state("door.leaf", "Dør", "Door", open=("åpen", "open"), closed=("lukket", "closed")),
)  # fmt: skip
