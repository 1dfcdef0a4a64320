"""Rooms, beds and chairs: whether somebody moves, is there, got up."""

from __future__ import annotations

from drivers.catalogue.writing import fact, flag, measured, state, value

FACTS = (
    fact("room.motion", "Bevegelse i rommet", "Movement in the room",
         "A sensor saw somebody move.", lane="telemetry",
         vkp="alert-code#4.8", scaip="0010/0119", mdc="10471:7.0"),
    fact("room.vibration", "Noe i rommet ble brukt eller rystet", "Something in the room was used or shook",
         "A sensor on a piece of furniture, a door or an appliance felt it move. "
         "A lorry shakes things, too: it is no movement of a person.",
         lane="telemetry", vkp="alert-code#4.8", mdc="10471:11.0"),
    fact("room.presence", "Tilstedeværelse i rommet endret", "Presence in the room changed",
         "A sensor says whether somebody is in the room.",
         flag("value", "somebody is in the room", required=True), lane="care",
         sets={"room.presence": "=value"}, vkp="alert-code#4.5", scaip="0018/0120"),
    fact("room.temperature", "Romtemperatur målt", "Room temperature measured",
         "Air temperature of the room.", value("air temperature", "°C", -60, 150), lane="telemetry",
         sets={"room.temperature": "=value"}, scaip="0020/0070"),
    fact("room.humidity", "Luftfuktighet målt", "Humidity measured",
         "Relative humidity of the room's air.", value("relative humidity", "%", 0, 100), lane="telemetry",
         sets={"room.humidity": "=value"}),
    fact("bed.left", "Beboeren har forlatt sengen", "The resident left the bed",
         "The bed is empty.", lane="care", sets={"bed.occupied": "no"},
         vkp="alert-code#4.2", scaip="0012/0049", mdc="10471:11.1"),
    fact("bed.entered", "Beboeren har lagt seg", "The resident went to bed",
         "Somebody lies in the bed.", lane="care", sets={"bed.occupied": "yes"},
         vkp="alert-code#4.20", scaip="0012/0117", mdc="10471:11.0"),
    fact("bed.sat_up", "Beboeren har satt seg opp i sengen", "The resident sat up in bed",
         "The resident sits up and may be about to leave the bed.", lane="care",
         sets={"bed.occupied": "yes"}, vkp="alert-code#4.3"),
    fact("bed.wet", "Fukt i sengen", "The bed is wet",
         "The bed's moisture sensor reacts.", lane="care",
         vkp="alert-code#7.1", scaip="0016/0009", mdc="10471:9.0"),
    fact("chair.left", "Beboeren har reist seg fra stolen", "The resident left the chair",
         "The chair is empty.", lane="care", sets={"chair.occupied": "no"},
         vkp="alert-code#4.4", scaip="0044/0049", mdc="10471:11.1"),
    fact("chair.entered", "Beboeren har satt seg i stolen", "The resident sat down in the chair",
         "Somebody sits in the chair.", lane="care", sets={"chair.occupied": "yes"},
         scaip="0044/0071", mdc="10471:11.0"),
    fact("chair.sat_up", "Beboeren har rettet seg opp i stolen", "The resident sat up in the chair",
         "The resident leans forward and may be about to rise.", lane="care",
         sets={"chair.occupied": "yes"}),
    fact("chair.wet", "Fukt i stolen", "The chair is wet",
         "The chair's moisture sensor reacts.", lane="care",
         vkp="alert-code#7.1", scaip="0016/0009", mdc="10471:9.0"),
)  # fmt: skip

YES_NO = {"yes": ("ja", "yes"), "no": ("nei", "no")}

STATES = (
    state("room.presence", "Noen i rommet", "Somebody in the room", **YES_NO),
    measured("room.temperature", "Romtemperatur", "Room temperature", "°C"),
    measured("room.humidity", "Luftfuktighet", "Humidity", "%"),
    state("bed.occupied", "Noen i sengen", "Somebody in the bed", **YES_NO),
    state("chair.occupied", "Noen i stolen", "Somebody in the chair", **YES_NO),
)  # fmt: skip
