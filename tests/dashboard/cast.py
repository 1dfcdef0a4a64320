"""The small municipality in which the dashboard's tests play, and ways to make something happen in it.

Astrid lives at home; Nils has the night; Eva coordinates; Tor mends devices; Olga has no access and must see
nothing; Siri works in the other zone. Imported by file from the conftests of `dashboard` and `browser`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import select

from hub.centre.alerts import opening, rows
from hub.centre.alerts.decisions import Judged
from hub.centre.areas import grouping
from hub.centre.sign_in import issue
from hub.clock import Clock
from hub.store.centre_tables import (
    Alert,
    Change,
    Device,
    DeviceState,
    District,
    Entry,
    Gateway,
    Home,
    Municipality,
    Resident,
    Staff,
    StoreFact,
    Team,
    Zone,
)
from hub.store.engine import Store

DAY = 86_400_000
EPOCH = "c0ffee00c0ffee00"
DUTY_PHONE = "+47 55 00 11 22"


def people(start: int) -> list[Any]:
    """Every row of the registry. start: ms UTC from which everything is registered a day ago."""
    since = start - DAY
    return [
        StoreFact(name="epoch", value=EPOCH),
        Municipality(id=1, body={"name": "Trygdal", "duty_phone": DUTY_PHONE, "tz": "Europe/Oslo"}),
        District(id="dal", name="Dal"),
        Zone(id="nord", name="Nord", district="dal"),
        Zone(id="sor", name="Sør", district="dal"),
        Team(id="team-nord", name="Team Nord", zones=["nord"]),
        Team(id="team-sor", name="Team Sør", zones=["sor"]),
        Team(id="team-alle", name="Team Alle", zones=["nord", "sor"]),
        Staff(id="nils", name="Nils Berge", phone="+4790000001", roles=["nurse"], teams=["team-nord"]),
        Staff(id="mette", name="Mette Lie", phone="+4790000002", roles=["carer"], teams=["team-nord"]),
        Staff(id="eva", name="Eva Strand", phone="+4790000003", roles=["coordinator"], teams=["team-alle"]),
        Staff(id="tor", name="Tor Moe", phone="+4790000004", roles=["technician"], teams=["team-alle"]),
        Staff(id="siri", name="Siri Dahl", phone="+4790000005", roles=["nurse"], teams=["team-sor"]),
        Staff(id="vegg", name="Veggskjerm", roles=["kiosk"], teams=["team-nord"]),
        Staff(id="olga", name="Olga Vik", roles=[], teams=[]),
        *home("h1", "Storgata 1", "nord", since, key_box="4711", notes="Bruk døren mot hagen."),
        Resident(
            id="astrid",
            home="h1",
            name="Astrid Berg",
            phone="+4755101010",
            body={
                "birth_year": 1938,
                "warnings": ["Hund i huset", "Bruker blodfortynnende"],
                "next_of_kin": [{"name": "Per Berg", "relation": "sønn", "phone": "+4790101010"}],
            },
            parameters={"dose_time": "60 min"},
        ),
        *home("h2", "Lillegata 2", "nord", since, key_box="1905"),
        Resident(
            id="solveig", home="h2", name="Solveig Ødegård", phone="+4755202020", body={"birth_year": 1941}
        ),
        *home("h3", "Fjordveien 3", "sor", since),
        Resident(id="olav", home="h3", name="Olav Nilsen", phone="+4755303030"),
        device("pendant-1", "h1", "pendant", "bthome_pendant", since, "Trygghetsalarm"),
        device("dispenser-1", "h1", "dispenser", "native_dispenser", since, "Medisindispenser", "kjøkken"),
        device("lock-1", "h1", "lock", "native_lock", since, "Dørlås", "gang"),
        device("pendant-2", "h2", "pendant", "bthome_pendant", since, "Trygghetsalarm"),
        device("lock-2", "h2", "lock", "native_lock", since, "Dørlås", "gang"),
        device("pendant-3", "h3", "pendant", "bthome_pendant", since, "Trygghetsalarm"),
    ]


def home(identity: str, address: str, zone: str, since: int, **body: str) -> list[Any]:
    """A home and its gateway, heard just now."""
    box = f"gw-{identity}"
    return [
        Home(id=identity, address=address, tz="Europe/Oslo", zone=zone, gateway=box, body=body),
        Gateway(id=box, name=f"Boks {address}", since=since, last_heard=since + DAY),
    ]


def device(identity: str, home: str, kind: str, type_: str, since: int, name: str, room: str = "") -> Device:
    """A device of a home."""
    link = "ble" if kind == "pendant" else "mqtt"
    return Device(
        id=identity,
        home=home,
        device_class=kind,
        type=type_,
        link=link,
        address=f"{home}/{identity}",
        name=name,
        room=room,
        since=since,
    )


SAYS = {
    "pendant.fall": ("Fall oppdaget", "Fall detected", "critical"),
    "pendant.pressed": ("Alarmknappen er trykket", "The alarm button was pressed", "critical"),
    "smoke.detected": ("Røyk oppdaget", "Smoke detected", "critical"),
    "dispenser.missed": ("Dosen kl. 08:00 er ikke tatt", "The 08:00 dose was not taken", "high"),
    "door.opened": ("Ytterdøren står åpen", "The front door stands open", "moderate"),
    "lock.jammed": ("Dørlåsen har kjørt seg fast", "The door lock is jammed", "high"),
    "pendant.battery_low": ("Lavt batteri i alarmknappen", "Low battery in the pendant", "moderate"),
}
WHAT_TO_DO = {
    "nb": "Ring beboeren. Får du ikke svar, dra dit med en gang. Ring 113 ved skade.",
    "en": "Call the resident. If there is no answer, go there at once. Call 113 if there is an injury.",
}


@dataclass
class Town:
    """The municipality, alive: decisions come, events are heard, people get links."""

    store: Store
    clock: Clock
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def hear(
        self,
        kind: str,
        home: str = "h1",
        device: str = "pendant-1",
        *,
        ago: int = 0,
        lag: int = 0,
        **data: Any,
    ) -> str:
        """Journal an event; gives its id. ago, lag: ms before now that it happened, ms until it was heard."""
        number = next(self.numbers)
        event, at = f"{device}:{number}", self.clock.now() - ago
        body = {"id": event, "kind": kind, "home": home, "device": device, "data": data}
        await self.journal(
            "event", body, event_id=event, home=home, device=device, kind=kind, at=at, heard=at + lag
        )
        return event

    async def journal(self, type_: str, body: dict[str, Any], **columns: Any) -> None:
        """Write any entry, and tell the dashboards."""
        number = next(self.numbers)
        home = columns.get("home", "")
        now = self.clock.now()
        entry = Entry(
            **({"at": now, "heard": now} | columns),
            gateway=f"gw-{home or 'h1'}",
            epoch="ab" * 8,
            lane="care",
            number=number,
            type=type_,
            received=now,
            body=body,
        )
        async with self.store.writing() as session:
            session.add(entry)
            if home:
                zone = (await session.get_one(Home, home)).zone
                session.add(
                    Change(at=now, subject="device", ref=str(columns.get("device")), home=home, zone=zone)
                )

    async def state(self, device: str, home: str, name: str, value: str, ago: int = 0) -> None:
        """Set what is last known of a device."""
        at = self.clock.now() - ago
        async with self.store.writing() as session:
            session.add(DeviceState(device=device, state=name, home=home, value=value, at=at, heard=at))

    async def change_device(self, id_: str, **columns: Any) -> None:
        """Another device in its place."""
        async with self.store.writing() as session:
            row = (await session.exec(select(Device).where(Device.id == id_))).one()
            row.sqlmodel_update(columns)
            session.add(row)

    async def alarm(
        self,
        kind: str = "pendant.fall",
        home: str = "h1",
        device: str = "pendant-1",
        *,
        ago: int = 0,
        lag: int = 0,
        urgency: str = "",
        queue: str = "care",
        rule: str = "",
    ) -> Alert:
        """Hear an event and let a rule raise an alarm about it, as the centre's intake does."""
        event = await self.hear(kind, home, device, ago=ago, lag=lag)
        return await self.judged(event, kind, home, device, ago=ago, urgency=urgency, queue=queue, rule=rule)

    async def judged(
        self, event: str, kind: str, home: str, device: str, *, ago: int, urgency: str, queue: str, rule: str
    ) -> Alert:
        """Carry out the decision to raise an alarm."""
        nb, en, usual = SAYS[kind]
        rule = rule or f"{kind} → alarm"
        at = self.clock.now() - ago
        judged = Judged(
            action="raise",
            rule=rule,
            key=home,
            home=home,
            device=device,
            at=at,
            because=(event,),
            says={"nb": nb, "en": en},
            staff_action=WHAT_TO_DO,
            urgency=urgency or usual,
            queue=queue,
            life_safety=kind in {"pendant.fall", "pendant.pressed", "smoke.detected"},
            body={"rule": rule, "because": [event], "params": {"resident.dose_time": "60 min"}},
        )
        async with self.store.writing() as session:
            policy = await rows.policy_of(session)
            alert = await opening.carry_out(session, judged, policy, self.clock.now())
        assert alert is not None
        return alert

    async def outage(self, homes: tuple[str, ...] = ("h1", "h2")) -> Alert:
        """Let the gateways of these homes of zone Nord fall silent, and make that one alarm of the area."""
        now, numbers = self.clock.now(), []
        async with self.store.writing() as session:
            policy = await rows.policy_of(session)
            for home_ in homes:
                event = f"gw-{home_}:{next(self.numbers)}"
                session.add(_heartbeat(event, home_, now - 11 * 60_000, next(self.numbers)))
                says = {"nb": f"Hjemmesentralen i {home_} er taus", "en": f"The gateway in {home_} is silent"}
                alert = await opening.carry_out(session, _silent(home_, event, now, says), policy, now)
                assert alert is not None
                numbers.append(alert.id or 0)
            area = await opening.carry_out(session, _area(now), policy, now)
            assert area is not None
            await grouping.join(session, area.id or 0, numbers, policy, now)
        return area

    async def link(self, staff: str, real: int) -> str:
        """A one-time token for a person."""
        async with self.store.writing() as session:
            return await issue(session, staff, real=real, world=self.clock.now(), by="test")


def _heartbeat(event: str, home_: str, at: int, number: int) -> Entry:
    box = f"gw-{home_}"
    body = {"id": event, "kind": "gateway.heartbeat", "home": home_, "device": box, "data": {}}
    return Entry(
        gateway=box,
        epoch="ab" * 8,
        lane="technical",
        number=number,
        type="event",
        event_id=event,
        home=home_,
        device=box,
        kind="gateway.heartbeat",
        at=at,
        heard=at,
        received=at,
        body=body,
    )


def _silent(home_: str, event: str, now: int, says: dict[str, str]) -> Judged:
    box = f"gw-{home_}"
    return Judged(
        action="raise",
        rule="gateway-silent",
        key=box,
        home=home_,
        device=box,
        kind="gateway.heartbeat",
        at=now,
        because=(event,),
        says=says,
        urgency="critical",
        queue="technical",
        body={"rule": "gateway-silent", "because": [event]},
    )


def _area(now: int) -> Judged:
    return Judged(
        action="raise",
        rule="area-outage",
        key="nord",
        home="",
        zone="nord",
        kind="area.counted",
        at=now,
        says={"nb": "Strøm eller nett kan være ute i Nord", "en": "Power or network may be out in Nord"},
        staff_action={"nb": "Fordel hjemmene i listen.", "en": "Share out the homes in the list."},
        urgency="critical",
        queue="technical",
        body={"rule": "area-outage"},
    )


async def settle_town(store: Store, clock: Clock) -> Town:
    """Write the registry into an empty database."""
    async with store.writing() as session:
        session.add_all(people(clock.now()))
    return Town(store, clock)
