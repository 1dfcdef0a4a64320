"""The gateway's own facts: the box in the home, told by itself or noticed by the centre."""

from __future__ import annotations

from drivers.catalogue.writing import fact, measured, number, state, text, time

FACTS = (
    fact("gateway.started", "Hjemmesentralen startet", "The gateway started",
         "The gateway's program started.", text("version", "the program's version"), lane="technical"),
    fact("gateway.mains_lost", "Hjemmesentralen mangler strøm", "The gateway lost mains power",
         "The gateway runs on its battery.", lane="technical", sets={"gateway.mains": "off"}, scaip="0002/0085"),
    fact("gateway.mains_back", "Hjemmesentralen har strøm igjen", "The gateway has mains power again",
         "Mains power is back.", lane="technical", sets={"gateway.mains": "on"}, scaip="0002/0086"),
    fact("gateway.clock", "Klokkekvalitet i hjemmesentralen", "Clock quality of the gateway",
         "How far the gateway's clock can be trusted.",
         text("quality", "good: synchronised; drifting: was; unset: never", "good", "drifting", "unset",
              required=True),
         number("set_by", "how far it was set just now; below 0: back", "s"),
         time("wrong_since", "from when on, as it showed then, what the gateway stamped may be wrong by as much"),
         lane="technical", sets={"gateway.clock": "=quality"}),
    fact("gateway.path", "Hjemmesentralens forbindelse endret", "The gateway's connection changed",
         "Over which path the gateway reaches the centre.",
         text("value", "fixed line, mobile network or none", "fixed", "mobile", "none", required=True),
         lane="technical", sets={"gateway.path": "=value"}, scaip="0002/0026"),
    fact("gateway.disk", "Ledig lagring i hjemmesentralen", "Free storage in the gateway",
         "How much of the gateway's storage is free.",
         number("value", "free storage", "%", low=0, high=100, required=True), lane="technical",
         sets={"gateway.disk": "=value"}),
    fact("gateway.adapter", "Radio eller port endret tilstand", "A radio or port changed state",
         "A link of the gateway (radio, serial port, broker) came up or went down.",
         text("name", "which link", required=True),
         text("state", "what became of it", "up", "degraded", "down", required=True),
         text("reason", "why"), lane="technical"),
)  # fmt: skip

STATES = (
    state("gateway.mains", "Strøm til hjemmesentralen", "Mains power of the gateway",
          on=("på", "on"), off=("borte", "off")),
    state("gateway.clock", "Klokken i hjemmesentralen", "Clock of the gateway", good=("god", "good"),
          drifting=("driver", "drifting"), unset=("ikke stilt", "not set")),
    state("gateway.path", "Forbindelse til hjemmesentralen", "Connection of the gateway",
          fixed=("fast linje", "fixed line"), mobile=("mobilnett", "mobile network"), none=("ingen", "none")),
    measured("gateway.disk", "Ledig lagring i hjemmesentralen", "Free storage in the gateway", "%"),
)  # fmt: skip
