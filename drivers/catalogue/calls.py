"""Pendants and calls: a person asks for help. Nothing here may be lost, merged away or closed by itself."""

from __future__ import annotations

from drivers.catalogue.writing import fact, state, text

FACTS = (
    fact("pendant.pressed", "Alarmknappen er trykket", "The pendant was pressed",
         "The resident pressed the worn alarm button.",
         text("press", "how it was pressed, where the button can tell: short, long, double, triple"),
         lane="alarm", call_for_help=True, vkp="alert-code#3", scaip="0003/0010", mdc="10471:2.0"),
    fact("pendant.fall", "Fall oppdaget", "Fall detected",
         "A worn detector believes that the resident fell.", lane="alarm", call_for_help=True,
         vkp="alert-code#4.1", scaip="0005/0009", mdc="10471:1.0"),
    fact("pendant.cancelled", "Alarmen ble avbrutt av beboeren", "The resident cancelled the call",
         "The resident took the call back; it stays open until a person has looked.", lane="alarm",
         scaip="0003/0019"),
    fact("pendant.out_of_range", "Alarmknappen er utenfor rekkevidde", "The pendant is out of range",
         "The pendant was worn out of reach of its receiver; a press would not be heard.", lane="technical",
         scaip="0003/0063"),
    fact("call.raised", "Anrop om hjelp", "Help was called for",
         "A pull cord, wall button or nurse-call system asks for help.",
         text("place", "where: room or call point"), text("text", "what the calling system writes"),
         text("priority", "how urgent the calling system says it is", "alarm", "high", "normal"),
         lane="alarm", sets={"call.line": "raised"}, call_for_help=True,
         vkp="alert-code#7", scaip="0004/0010", mdc="10471:2.0"),
    fact("call.cleared", "Anropet er tilbakestilt", "The call was reset",
         "The call was reset at the call point.",
         text("place", "where: room or call point"), text("text", "what the calling system writes"),
         lane="alarm", sets={"call.line": "clear"}, scaip="0004/0093"),
)  # fmt: skip

STATES = (
    state("call.line", "Anrop", "Call", raised=("anrop pågår", "raised"), clear=("ingen anrop", "clear")),
)  # fmt: skip
