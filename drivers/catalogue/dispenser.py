"""Medicine dispensers: what happens to a dose, and what the machine needs.

`dispensed` says that a pouch left the machine, `taken` that the resident took it; they are never the same
fact (DESIGN.md, promise 7). Codes: VKP alert codes 1.x and dispense events; SCAIP device type 0011;
IEEE 11073-10472 and sensor 13 (dosage) of 11073-10471.
"""

from __future__ import annotations

from drivers.catalogue.writing import fact, flag, number, state, text, time

DOSE = (
    text("dose", "which dose, in the device's own words; the same in every fact about it", required=True),
    time("planned", "when the plan says it is to be taken"),
)

FACTS = (
    fact("dispenser.due", "Dose er klar til å tas", "A dose is due",
         "The planned time of a dose has come; the machine offers it.", *DOSE, lane="care", vkp="alert-code#1.10"),
    fact("dispenser.reminded", "Påminnelse om dose gitt", "A dose reminder was given",
         "The machine has reminded the resident of a waiting dose by light, sound or voice.", *DOSE,
         lane="care", scaip="0011/0082"),
    fact("dispenser.dispensed", "Dose utlevert", "A dose was dispensed",
         "The dose left the machine; whether it was taken is not known by this.", *DOSE,
         flag("assisted", "a care worker helped"), lane="care",
         vkp="medicationdispense-events#1", mdc="10472:13312"),
    fact("dispenser.taken", "Dose tatt", "A dose was taken",
         "A sensor or a person says that the resident took the dose; only some device types can know.", *DOSE,
         lane="care", scaip="0011/0083", mdc="10471:13.0"),
    fact("dispenser.missed", "Dose ikke tatt ut", "A dose was missed",
         "The window of a dose ended and it still lies in the machine.", *DOSE,
         lane="care", vkp="alert-code#1.1", scaip="0011/0081", mdc="10471:13.1"),
    fact("dispenser.secured", "Uteglemt dose låst inne", "A missed dose was locked away",
         "A missed dose was moved where the resident cannot reach it.", *DOSE, lane="care"),
    fact("dispenser.early_request", "Dose etterspurt for tidlig", "A dose was asked for too early",
         "The resident asked for a dose before its time; nothing was given.", *DOSE, lane="care"),
    fact("dispenser.jammed", "Medisindispenseren har kjørt seg fast", "The dispenser is jammed",
         "A pouch or tray is stuck; doses cannot be given until somebody helps.",
         text("dose", "the dose that got stuck, where known"), lane="care",
         vkp="alert-code#1.8", scaip="0011/0052"),
    fact("dispenser.low_stock", "Medisindispenseren er nesten tom", "The dispenser is nearly empty",
         "Few doses are left.", number("doses_left", "doses left in the machine", "doses", low=0, high=10_000),
         lane="care", sets={"dispenser.stock": "low"}, vkp="alert-code#1.12"),
    fact("dispenser.empty", "Medisindispenseren er tom", "The dispenser is empty",
         "No dose is left.", lane="care", sets={"dispenser.stock": "empty"}, vkp="alert-code#1.13"),
    fact("dispenser.no_schedule", "Medisindispenseren mangler plan", "The dispenser has no schedule",
         "The machine holds no plan and will give nothing.", lane="care", vkp="alert-code#1.14"),
    fact("dispenser.pouch_unreadable", "Dosepose kan ikke leses", "A dose pouch cannot be read",
         "The print on a pouch could not be read, so it was not given.",
         text("dose", "the dose, where known"), lane="care", vkp="alert-code#1.6"),
    fact("dispenser.wrong_person", "Doserull tilhører en annen", "The dose roll belongs to somebody else",
         "The medicine loaded is marked with another person's name; the machine refuses it.",
         lane="care", vkp="alert-code#1.7"),
    fact("dispenser.drawer_full", "Skuffen for uteglemte doser er full", "The drawer for missed doses is full",
         "The place for missed doses is full and must be emptied.", lane="care", vkp="alert-code#1.9"),
    fact("dispenser.opened", "Medisindispenseren ble åpnet", "The dispenser was opened",
         "The machine was opened with its key.", lane="care", vkp="alert-code#1.21", scaip="0011/0076"),
    fact("dispenser.broken_into", "Medisindispenseren ble brutt opp", "The dispenser was broken into",
         "The machine was opened by force.", lane="care", vkp="alert-code#1.22", scaip="0011/0107"),
    fact("dispenser.tilted", "Medisindispenseren står skjevt", "The dispenser is tilted",
         "The machine was turned or stands askew.", lane="care", vkp="alert-code#1.23"),
    fact("dispenser.refilled", "Medisindispenseren ble fylt", "The dispenser was refilled",
         "New medicine was loaded.",
         number("doses_left", "doses in the machine now", "doses", low=0, high=10_000),
         lane="care", sets={"dispenser.stock": "ok"}, vkp="alert-code#1.16"),
    fact("dispenser.message_read", "Melding lest på medisindispenseren", "A message was read on the dispenser",
         "The resident acknowledged a message on the machine's screen.",
         text("message", "which message"), lane="care", vkp="medicationdispense-events#3"),
    fact("dispenser.message_unread", "Melding ikke lest på medisindispenseren",
         "A message on the dispenser was not read", "A message on the machine's screen was not acknowledged in time.",
         text("message", "which message"), lane="care", vkp="alert-code#1.4"),
    fact("dispenser.mains_lost", "Medisindispenseren mangler strøm", "The dispenser lost mains power",
         "The machine runs on its battery.", lane="technical", sets={"dispenser.mains": "off"},
         vkp="alert-code#1.19", scaip="0011/0085"),
    fact("dispenser.mains_back", "Medisindispenseren har strøm igjen", "The dispenser has mains power again",
         "Mains power is back.", lane="technical", sets={"dispenser.mains": "on"}, scaip="0011/0086"),
)  # fmt: skip

STATES = (
    state("dispenser.stock", "Beholdning i medisindispenseren", "Stock in the dispenser",
          ok=("fylt", "filled"), low=("nesten tom", "nearly empty"), empty=("tom", "empty")),
    state("dispenser.mains", "Strøm til medisindispenseren", "Mains power of the dispenser",
          on=("på", "on"), off=("borte", "off")),
)  # fmt: skip
