"""Vital signs. Codes: measurement identifiers of IEEE 11073-10404, -10407, -10408, -10415 and -10417.

Bounds are those of a body or a sensor that can exist; a value outside them is an unreadable frame, not a
patient in danger.
"""

from __future__ import annotations

from drivers.catalogue.writing import fact, measured, number, value

PRESSURE_HIGH = 400

FACTS = (
    fact("vitals.pulse", "Puls målt", "Pulse measured", "Heart beats a minute.",
         value("beats a minute", "/min", 0, 400), lane="care", sets={"vitals.pulse": "=value"},
         vkp="alert-code#5", scaip="0019/0070", mdc="10404:149530"),
    fact("vitals.spo2", "Oksygenmetning målt", "Oxygen saturation measured",
         "Oxygen saturation of the blood, measured through the skin.",
         value("oxygen saturation", "%", 0, 100), lane="care", sets={"vitals.spo2": "=value"},
         vkp="alert-code#5", mdc="10404:150456"),
    fact("vitals.blood_pressure", "Blodtrykk målt", "Blood pressure measured",
         "Blood pressure, measured by a cuff.",
         number("systolic", "upper pressure", "mmHg", low=0, high=PRESSURE_HIGH, required=True),
         number("diastolic", "lower pressure", "mmHg", low=0, high=PRESSURE_HIGH, required=True),
         number("mean", "mean arterial pressure", "mmHg", low=0, high=PRESSURE_HIGH),
         lane="care", sets={"vitals.systolic": "=systolic", "vitals.diastolic": "=diastolic",
                            "vitals.mean_pressure": "=mean"},
         vkp="alert-code#5", mdc="10407:150020"),
    fact("vitals.temperature", "Kroppstemperatur målt", "Body temperature measured", "Temperature of the body.",
         value("body temperature", "°C", 10, 50), lane="care", sets={"vitals.temperature": "=value"},
         vkp="alert-code#5", mdc="10408:150364"),
    fact("vitals.weight", "Vekt målt", "Weight measured", "Weight of the body.",
         value("body weight", "kg", 0, 500), lane="care", sets={"vitals.weight": "=value"},
         vkp="alert-code#5", mdc="10415:188736"),
    fact("vitals.glucose", "Blodsukker målt", "Blood glucose measured", "Glucose in the blood.",
         value("glucose concentration", "mmol/L", 0, 60), lane="care", sets={"vitals.glucose": "=value"},
         vkp="alert-code#5", mdc="10417:160184"),
)  # fmt: skip

STATES = (
    measured("vitals.pulse", "Puls", "Pulse", "/min"),
    measured("vitals.spo2", "Oksygenmetning", "Oxygen saturation", "%"),
    measured("vitals.systolic", "Overtrykk", "Systolic pressure", "mmHg"),
    measured("vitals.diastolic", "Undertrykk", "Diastolic pressure", "mmHg"),
    measured("vitals.mean_pressure", "Middeltrykk", "Mean pressure", "mmHg"),
    measured("vitals.temperature", "Kroppstemperatur", "Body temperature", "°C"),
    measured("vitals.weight", "Vekt", "Weight", "kg"),
    measured("vitals.glucose", "Blodsukker", "Blood glucose", "mmol/L"),
)  # fmt: skip
