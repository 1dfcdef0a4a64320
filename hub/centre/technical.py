"""Technical alerts that the hub raises about itself: a device, a gateway or a part of the hub needs care.

Each is opened like an alert of a rule, under a rule id that begins with `hub:`, so that it has one open episode,
a chain, a timeline and an end. They are raised where the fault is found, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from drivers.events import Millis
from hub.centre.alerts import opening
from hub.centre.alerts.codes import Words, words
from hub.centre.alerts.decisions import Judged
from hub.centre.alerts.rows import Policy
from hub.store.centre_tables import Alert, Home


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault the hub can find. says may hold {names}, filled in when it is found.

    {problem} is the word of a program, in English: only the English sentence holds it, and the alert's `detail`.
    """

    rule: str
    says: Words
    staff_action: Words
    urgency: str = "moderate"


def _fault(rule: str, nb: str, en: str, do_nb: str, do_en: str, urgency: str = "moderate") -> Fault:
    return Fault(f"hub:{rule}", words(nb, en), words(do_nb, do_en), urgency)


CONFLICT = _fault(
    "number used twice",
    "Boksen {gateway} har sendt to ulike meldinger med samme nummer ({lane} {number}).",
    "The gateway {gateway} sent two different entries under one number ({lane} {number}).",
    "Boksen kan være kopiert eller gjenopprettet feil. Kontroller den.",
    "The box may be cloned or wrongly restored. Check it.",
    "high",
)
GAP = _fault(
    "entries missing",
    "Meldinger fra boksen {gateway} mangler ({lane}, etter nummer {number}).",
    "Entries from the gateway {gateway} are missing ({lane}, after number {number}).",
    "Kontroller boksen og linjen; det som mangler, er ikke vurdert her.",
    "Check the box and its line; what is missing has not been judged here.",
    "high",
)
UNREADABLE = _fault(
    "unreadable entry",
    "Boksen {gateway} sender noe som sentralen ikke forstår.",
    "The gateway {gateway} sends what the centre does not understand: {problem}",
    "Kontroller at boks og sentral har samme versjon.",
    "Check that box and centre run the same version.",
)
CALL_NOT_JUDGED = _fault(
    "alarm not understood",
    "En alarm fra hjemmet {home} kunne ikke behandles.",
    "An alarm from the home {home} could not be dealt with: {problem}",
    "Ring hjemmet nå. Se i journalen hva som skjedde.",
    "Call the home now. Look in the journal for what happened.",
    "critical",
)
WRONG_GATEWAY = _fault(
    "wrong gateway",
    "Boksen {gateway} melder for hjemmet {home}, som hører til boksen {owner}.",
    "The gateway {gateway} reports for the home {home}, which belongs to the gateway {owner}.",
    "Rett registeret, eller kontroller om noen utgir seg for å være boksen.",
    "Correct the registry, or find out whether somebody poses as this box.",
    "high",
)
UNKNOWN_GATEWAY = _fault(
    "unknown gateway",
    "Boksen {gateway} er ikke registrert, men sender meldinger.",
    "The gateway {gateway} is not registered but sends entries.",
    "Registrer boksen, eller steng den ute.",
    "Register the box, or shut it out.",
)
HEALTH = _fault(
    "gateway reports a fault",
    "{says}",
    "{says}",
    "{do}",
    "{do}",
)
NEVER_HEARD = _fault(
    "gateway never heard",
    "Boksen {gateway} er registrert, men har aldri vært hørt.",
    "The gateway {gateway} is registered but was never heard.",
    "Ingen alarmer når fram derfra. Slå den på, eller rett registeret.",
    "No alarm gets through from there. Switch it on, or correct the registry.",
    "high",
)
PART_TOO_LARGE = _fault(
    "registry too large for a gateway",
    "Registeret til boksen {gateway} er for stort til å sendes. Boksen bruker det den hadde.",
    "The registry of the gateway {gateway} is not sent, the box goes on with what it had: {problem}",
    "Fordel hjemmene på flere bokser; endringer når ikke fram før det er gjort.",
    "Share the homes among more gateways; no change gets through until then.",
    "high",
)
JUDGING = _fault(
    "gateways not judged",
    "Reglene for bokser kan ikke vurderes.",
    "The rules about gateways cannot be judged: {problem}",
    "En boks som tier, oppdages kanskje ikke. Meld teknisk drift.",
    "A silent box may go unnoticed. Tell technical operations.",
    "critical",
)
AREAS = _fault(
    "areas not judged",
    "Utfall i et helt område kan ikke vurderes.",
    "Outages of a whole area cannot be judged: {problem}",
    "Hjemmene varsles hver for seg. Meld teknisk drift.",
    "Homes are told of one by one. Tell technical operations.",
)
RULES = _fault(
    "rule book not read",
    "Regelboken kan ikke leses, den medfølgende brukes: {problem}",
    "The rule book cannot be read, the shipped one is used: {problem}",
    "Rett linjen. «trygghub rules check» med filen sier alt som er galt i den.",
    "Correct the line. 'trygghub rules check' with the file says all that is wrong with it.",
    "high",
)
RULES_KEPT = _fault(
    "changed rule book not read",
    "Den endrede regelboken kan ikke brukes, den gamle gjelder: {problem}",
    "The changed rule book cannot be used, the old one holds: {problem}",
    "Rett linjen. «trygghub rules check» med filen sier alt som er galt i den.",
    "Correct the line. 'trygghub rules check' with the file says all that is wrong with it.",
    "high",
)
RESTORED = _fault(
    "centre restored",
    "Sentralen er gjenopprettet fra en sikkerhetskopi av {made} UTC.",
    "The centre was restored from a backup of {made} UTC.",
    "Det folk gjorde etter dette, er borte: gå gjennom åpne alarmer, og rett registeret. Boksene sender på nytt det de"
    " har.",
    "What people did after that is gone: go through the open alerts, and correct the registry. Gateways send again what"
    " they have.",
    "high",
)
CHANNEL = _fault(
    "channel down",
    "Varslingskanalen {channel} virker ikke.",
    "The channel {channel} does not work: {problem}",
    "Bruk andre kanaler og rett feilen.",
    "Use other channels and mend it.",
    "high",
)


async def found(
    session: AsyncSession,
    fault: Fault,
    key: str,
    policy: Policy,
    now: Millis,
    *,
    gateway: str = "",
    home: str = "",
    names: Mapping[str, Any] = MappingProxyType({}),
) -> Alert | None:
    """Raise a technical alert, unless it is open: a fault that lasts is one episode, however often it is seen.

    One that was over and is back while its alert still waits for an answer counts as a repetition.
    """
    alert = await opening.open_alert(session, fault.rule, key)
    if alert is not None and alert.condition != "cleared":
        return None
    filled = {"gateway": gateway, "home": home, **names}
    nb, en = (_fill(fault.says, language, filled) for language in ("nb", "en"))
    do_nb, do_en = (_fill(fault.staff_action, language, filled) for language in ("nb", "en"))
    judged = Judged(
        action="raise",
        rule=fault.rule,
        key=key,
        home=home or await only_home(session, gateway),
        device=gateway,
        at=now,
        says=words(nb, en),
        staff_action=words(do_nb, do_en),
        urgency=fault.urgency,
        queue="technical",
        body={
            "rule": fault.rule,
            "key": key,
            "names": {name: _plain(value) for name, value in filled.items()},
            "detail": _plain(filled.get("problem", "")),
        },
    )
    return await opening.carry_out(session, judged, policy, now)


def look_at(gateway: str) -> Words:
    """What to do about a fault that the gateway itself knows no better answer to."""
    return words(f"Kontroller boksen {gateway}.", f"Check the gateway {gateway}.")


async def over(
    session: AsyncSession, fault: Fault, key: str, policy: Policy, now: Millis, reason: str
) -> Alert | None:
    """The fault is gone: clear its alert, if one is open."""
    alert = await opening.open_alert(session, fault.rule, key)
    if alert is None or alert.condition == "cleared":
        return None
    judged = Judged(
        action="clear", rule=fault.rule, key=key, home=alert.home, at=max(now, alert.last_at), reason=reason
    )
    return await opening.carry_out(session, judged, policy, now)


LANE_WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "alarm": words("alarmer", "alarm"),
        "care": words("omsorg", "care"),
        "technical": words("teknisk", "technical"),
        "telemetry": words("målinger", "telemetry"),
    }
)


def _plain(value: Any) -> str:
    """A name as it stands in the alert's own record."""
    return str(value["en"] if isinstance(value, Mapping) else value)


def _fill(says: Words, language: str, names: Mapping[str, Any]) -> str:
    """Put names into a sentence; a name may itself be in both languages."""
    chosen = {name: value[language] if isinstance(value, Mapping) else value for name, value in names.items()}
    return says[language].format_map(chosen)[:1000]


async def only_home(session: AsyncSession, gateway: str) -> str:
    """The home a gateway serves, if it serves exactly one."""
    served = (await session.exec(select(Home.id).where(Home.gateway == gateway).limit(2))).all()
    return served[0] if len(served) == 1 else ""
