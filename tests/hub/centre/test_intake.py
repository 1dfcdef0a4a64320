"""What gateways send goes into the journal once, and only then is acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from sqlmodel import col, select

from drivers.events import iso
from drivers.links.mqtt_client import Message
from hub.centre.intake.intake import Intake
from hub.centre.intake.quarantine import KEPT_BYTES
from hub.centre.intake.storing import LaneKey
from hub.centre.intake.watermark import Mark
from hub.store.centre_tables import Alert, Audit, CommandRow, DeviceState, Entry, Gateway, Lane, Quarantined
from hub.uplink.messages import OLD_COPY

EPOCH = "00c0ffee00"


@dataclass
class Gate:
    """The intake, running, with a gateway's words for talking to it."""

    intake: Intake
    now: Callable[[], int]
    marks: dict[LaneKey, Mark] = field(default_factory=dict)

    async def send(
        self,
        *entries: dict[str, Any],
        gateway: str = "gw1",
        lane: str = "care",
        first: int = 1,
        epoch: str = EPOCH,
    ) -> None:
        """Send entries as one batch."""
        numbered = [{"number": first + index, **entry} for index, entry in enumerate(entries)]
        await self.raw(orjson.dumps({"epoch": epoch, "entries": numbered}), f"gateways/{gateway}/up/{lane}")

    async def raw(self, payload: bytes, topic: str = "gateways/gw1/up/care") -> None:
        """Send any bytes on any topic."""
        await self.intake.take(Message(topic, payload, retain=False, size=len(payload)))

    def event(self, id_: str = "e1", kind: str = "door.opened", **changes: Any) -> dict[str, Any]:
        """An event of the door at Astrid's."""
        body = {
            "id": id_,
            "at": iso(self.now()),
            "heard": iso(self.now()),
            "home": "h1",
            "device": "lock-1",
            "kind": kind,
            "data": {},
        }
        return {"type": "event", "body": body | changes}

    def decision(self, action: str = "raise", **changes: Any) -> dict[str, Any]:
        """A decision about Astrid's pendant."""
        body = {
            "action": action,
            "rule": "pendant pressed",
            "key": "h1",
            "home": "h1",
            "device": "pendant-1",
            "at": iso(self.now()),
            "because": ["e1"],
            "says": {"nb": "Astrid har trykket", "en": "Astrid pressed"},
            "staff_action": {"nb": "Ring", "en": "Call"},
            "urgency": "critical",
            "queue": "care",
            "chain": "critical",
            "life_safety": True,
        }
        return {"type": "decision", "body": body | changes}


@pytest.fixture
async def gate(store, clock) -> AsyncIterator[Gate]:
    """The intake at work on the cast's database."""
    marks: dict[LaneKey, Mark] = {}
    intake = Intake(store, clock, acked=marks.__setitem__)
    task = asyncio.create_task(intake.run())
    yield Gate(intake, clock.now, marks)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def rows(store, table: Any, *order: Any) -> list[Any]:
    """All rows of a table."""
    async with store.reading() as session:
        return list((await session.exec(select(table).order_by(*order))).all())


async def test_an_entry_is_stored_once(gate: Gate, store):
    """An entry that comes twice stands in the journal once, and is acknowledged both times."""
    await gate.send(gate.event("e1"), gate.event("e2"))
    assert gate.marks.pop(("gw1", EPOCH, "care")) == Mark(2)
    await gate.send(gate.event("e1"), gate.event("e2"))
    assert gate.marks[("gw1", EPOCH, "care")] == Mark(2)
    assert [entry.event_id for entry in await rows(store, Entry, col(Entry.seq))] == ["e1", "e2"]
    assert await rows(store, Alert) == []


async def test_a_used_number_with_other_content(gate: Gate, store):
    """The same number with other content is a technical alert, replaces nothing, and makes the box begin an epoch."""
    await gate.send(gate.event("e1"))
    await gate.send(gate.event("other"))
    assert gate.marks[("gw1", EPOCH, "care")] == Mark(OLD_COPY)
    assert [entry.event_id for entry in await rows(store, Entry)] == ["e1"]
    (alert,) = await rows(store, Alert)
    assert (alert.rule, alert.queue, alert.device) == ("hub:number used twice", "technical", "gw1")


async def test_only_the_contiguous_is_acknowledged(gate: Gate, store, clock):
    """What lies above a hole is stored but not acknowledged, until the hole is filled."""
    await gate.send(gate.event("e1"))
    await gate.send(gate.event("e3"), gate.event("e4"), first=3)
    assert gate.marks[("gw1", EPOCH, "care")] == Mark(1, gap_since=clock.now())
    await gate.send(gate.event("e2"), first=2)
    assert gate.marks[("gw1", EPOCH, "care")] == Mark(4)
    (lane,) = await rows(store, Lane)
    assert (lane.upto, lane.gap_since) == (4, None)


async def test_epochs_do_not_mix(gate: Gate, store):
    """A gateway whose database is new counts from one again, beside its former epoch."""
    await gate.send(gate.event("e1"))
    await gate.send(gate.event("e2"), epoch="0badcafe")
    assert len(await rows(store, Entry)) == 2
    assert await rows(store, Alert) == []


async def test_decision_opens_one_alert(gate: Gate, store):
    """A raise opens an alert once, however often and in whatever batch it is delivered."""
    await gate.send(gate.event("e1", "pendant.pressed", device="pendant-1"), gate.decision(), lane="alarm")
    await gate.send(gate.event("e1", "pendant.pressed", device="pendant-1"), gate.decision(), lane="alarm")
    await gate.send(gate.decision(), lane="alarm", epoch="0badcafe")
    (alert,) = await rows(store, Alert)
    assert (alert.kind, alert.zone, alert.count, alert.evidence) == ("pendant.pressed", "nord", 1, ["e1"])


async def test_four_presses(gate: Gate, store, clock):
    """Three further presses within ten minutes raise the urgency by one and bring the next step forward."""
    await gate.send(gate.decision(urgency="high", life_safety=False), lane="alarm")
    for number in (2, 3, 4):
        clock.at += 60_000
        await gate.send(gate.decision("repeat", because=[f"e{number}"]), lane="alarm", first=number)
    (alert,) = await rows(store, Alert)
    assert (alert.count, alert.urgency) == (4, "critical")
    assert alert.evidence == ["e1", "e2", "e3", "e4"]


async def test_clear_that_overtakes_its_raise(gate: Gate, store, clock):
    """A clear that comes before its raise still clears it."""
    raised = gate.decision(rule="door open", urgency="moderate", life_safety=False)
    clock.at += 60_000
    await gate.send(gate.decision("clear", rule="door open", reason="door closed"), first=2)
    await gate.send(raised, first=1)
    (alert,) = await rows(store, Alert)
    assert (alert.condition, alert.handling, alert.cause) == ("cleared", "resolved", "cleared")


async def test_old_clear_ends_nothing(gate: Gate, store, clock):
    """A clear older than the newest match does not end the episode."""
    clear = gate.decision("clear", rule="door open")
    clock.at += 60_000
    await gate.send(gate.decision(rule="door open", urgency="high", life_safety=False))
    await gate.send(clear, first=2)
    (alert,) = await rows(store, Alert)
    assert (alert.condition, alert.handling) == ("active", "new")


async def test_clearing_never_ends_life_safety(gate: Gate, store, clock):
    """A pendant released before anybody looked is not over."""
    await gate.send(gate.decision(), lane="alarm")
    clock.at += 1000
    await gate.send(gate.decision("clear"), lane="alarm", first=2)
    (alert,) = await rows(store, Alert)
    assert (alert.condition, alert.handling) == ("cleared", "new")


async def test_newest_state_wins(gate: Gate, store, clock):
    """A fact that happened earlier but comes later does not change what a device is like now."""
    old = gate.event("e2", "door.closed")
    clock.at += 1000
    await gate.send(gate.event("e1", "door.opened"))
    await gate.send(old, first=2)
    (state,) = await rows(store, DeviceState)
    assert (state.device, state.state, state.value) == ("lock-1", "door.leaf", "open")


async def test_time_from_the_future(gate: Gate, store, clock):
    """A wrong clock that runs ahead cannot pin a state for ever."""
    ahead = iso(clock.now() + 3_600_000)
    await gate.send(gate.event("e1", "door.opened", at=ahead))
    clock.at += 1000
    await gate.send(gate.event("e2", "door.closed"), first=2)
    (state,) = await rows(store, DeviceState)
    assert state.value == "closed"


async def test_wrong_gateway(gate: Gate, store):
    """A gateway that speaks for another's home may call for help there, but ends nothing and sets no state."""
    await gate.send(gate.decision(), lane="alarm")
    await gate.send(
        gate.decision("clear", at=iso(gate.now() + 1000)), gate.event("e9"), gateway="gw2", lane="care"
    )
    care, technical = await rows(store, Alert, col(Alert.id))
    assert care.condition == "active"
    assert (technical.rule, technical.key, technical.urgency) == ("hub:wrong gateway", "gw2/h1", "high")
    assert await rows(store, DeviceState) == []
    assert len(await rows(store, Entry)) == 3


async def test_no_gateway_opens_under_anothers_key(gate: Gate, store):
    """A gateway that names another home's key for its own home opens an alert of its own home, apart."""
    await gate.send(gate.decision(home="h2", key="h1"), gateway="gw2", lane="alarm")
    await gate.send(gate.decision(), lane="alarm")
    await gate.send(
        gate.decision("clear", home="h2", key="h1", at=iso(gate.now() + 1)), gateway="gw2", first=9
    )
    alerts = {alert.key: alert for alert in await rows(store, Alert) if alert.queue == "care"}
    assert {key: (alert.home, alert.zone) for key, alert in alerts.items()} == {
        "h2/h1": ("h2", "sor"),
        "h1": ("h1", "nord"),
    }
    assert (alerts["h1"].count, alerts["h1"].condition) == (1, "active")


async def test_no_gateway_takes_a_decision_away(gate: Gate, store):
    """A decision that another gateway sent first, under the same identity, does not swallow the real one."""
    await gate.send(gate.decision(), gateway="gw2", lane="alarm")
    await gate.send(gate.decision(), lane="alarm")
    keys = [alert.key for alert in await rows(store, Alert, col(Alert.id)) if alert.queue == "care"]
    assert keys == ["gw2:h1", "h1"]


async def test_a_devices_own_key(gate: Gate, store):
    """A registered device is a key of its own; one that nobody registered stands below its home."""
    await gate.send(
        gate.decision(rule="silent", key="lock-1", device="lock-1"), gate.decision(rule="silent", key="new")
    )
    assert [alert.key for alert in await rows(store, Alert, col(Alert.id))] == ["lock-1", "h1/new"]


async def test_unknown_gateway(gate: Gate, store):
    """A gateway nobody registered is heard, and somebody is told."""
    await gate.send(gate.event("e1", home="h9"), gateway="gw9")
    (alert,) = await rows(store, Alert)
    assert (alert.rule, alert.key) == ("hub:unknown gateway", "gw9")
    assert len(await rows(store, Entry)) == 1


async def test_gateway_is_heard(gate: Gate, store, clock):
    """Whatever a gateway sends is a sign of its life."""
    await gate.send(gate.event("e1"))
    heard = {row.id: row.last_heard for row in await rows(store, Gateway)}
    assert heard == {"gw1": clock.now(), "gw2": None}


BROKEN = {
    "no JSON": b"\xff{",
    "no object": b"[]",
    "no epoch": b'{"entries": [{"number": 1}]}',
    "no entries": b'{"epoch": "00c0ffee00", "entries": []}',
    "no number": b'{"epoch": "00c0ffee00", "entries": [{"type": "event", "body": {}}]}',
    "a huge number": b'{"epoch": "00c0ffee00", "entries": [{"number": 9e30, "type": "health", "body": {}}]}',
    "ten megabytes": b'{"epoch": "00c0ffee00", "entries": "' + b"x" * 10_000_000 + b'"}',
}


@pytest.mark.parametrize("payload", BROKEN.values(), ids=BROKEN)
async def test_unreadable_messages_are_put_aside(gate: Gate, store, payload):
    """What cannot be read is put aside with a sentence and raises one alert; the next message goes in."""
    await gate.raw(payload)
    await gate.raw(payload)
    await gate.send(gate.event("e1"))
    (aside,) = await rows(store, Quarantined)
    assert (aside.gateway, aside.times, aside.size) == ("gw1", 2, len(payload))
    assert aside.problem
    assert len(aside.payload) <= 2 * KEPT_BYTES
    (alert,) = await rows(store, Alert)
    assert alert.rule == "hub:unreadable entry"
    assert alert.says["nb"] == "Boksen gw1 sender noe som sentralen ikke forstår."
    assert alert.because["detail"]
    assert alert.says["en"].endswith(alert.because["detail"])
    assert gate.marks[("gw1", EPOCH, "care")] == Mark(1)


async def test_unknown_topic(gate: Gate, store):
    """A topic that is none of ours is put aside too."""
    await gate.raw(b"{}", "gateways/gw1/up/gossip")
    (aside,) = await rows(store, Quarantined)
    assert aside.problem.startswith("an uplink topic is gateways/GATEWAY/up/alarm|care|technical|telemetry")


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "poem", "body": {}},
        {"type": "event", "body": {}, "colour": "red"},
        {"type": "event", "body": {"id": "e1"}},
        {"type": "event", "body": {"id": "e1", "at": 1, "home": "h1", "device": "d1", "kind": "door.sang"}},
        {
            "type": "event",
            "body": {"id": "e\u0000", "at": 1, "home": "h1", "device": "d1", "kind": "door.opened"},
        },
        {"type": "decision", "body": {"action": "shout"}},
    ],
    ids=["type", "field", "nothing", "kind", "nul", "decision"],
)
async def test_unreadable_entries_hold_up_nothing(gate: Gate, store, entry):
    """An entry nobody understands is kept with the reason and acknowledged, so its lane goes on."""
    await gate.send(gate.event("before"), entry, gate.event("after"))
    assert gate.marks[("gw1", EPOCH, "care")] == Mark(3)
    kept = await rows(store, Entry, col(Entry.number))
    assert [one.type for one in kept] == ["event", "unreadable", "event"]
    assert kept[1].body["problem"]
    assert [alert.rule for alert in await rows(store, Alert)] == ["hub:unreadable entry"]


async def test_what_a_gateway_could_not_read_belongs_to_its_home(gate: Gate, store):
    """An unreadable frame of a known device is found in its home's journal; a stranger's has no home."""
    known = {
        "error": "payload ends after 3 bytes",
        "home": "h1",
        "device": "d1",
        "heard": "2026-01-15T12:00:00Z",
    }
    await gate.send(
        {"type": "unreadable", "body": known},
        {"type": "unknown", "body": known | {"home": "", "device": ""}},
        {"type": "unreadable", "body": known | {"home": "../h1"}},
    )
    kept = await rows(store, Entry, col(Entry.number))
    assert [(one.type, one.home, one.device) for one in kept[:2]] == [
        ("unreadable", "h1", "d1"),
        ("unknown", "", ""),
    ]
    assert (kept[2].home, kept[2].body["came"]["body"]["home"]) == ("", "../h1")


async def test_results_settle_commands(gate: Gate, store, clock):
    """A result settles the command it names, if it comes from the gateway that was asked."""
    async with store.writing() as session:
        session.add(
            CommandRow(
                id="c0ffee01",
                home="h1",
                device="lock-1",
                gateway="gw1",
                name="lock",
                asked_by="nils",
                reason="",
                asked=clock.now(),
                expires=clock.now() + 30_000,
                status="sent",
            )
        )
    said = {
        "type": "result",
        "body": {"command": "c0ffee01", "outcome": "done", "reason": "", "at": iso(clock.now())},
    }
    await gate.send(said, gateway="gw2")
    assert (await rows(store, CommandRow))[0].status == "sent"
    unsure = said | {"body": said["body"] | {"outcome": "failed", "home": "h1", "device": "lock-1"}}
    await gate.send(unsure, said, unsure)
    command = (await rows(store, CommandRow))[0]
    assert command.status == "done", "what the device says later corrects what nobody knew"
    assert [(one.type, one.home, one.device) for one in await rows(store, Entry)][1] == (
        "result",
        "h1",
        "lock-1",
    )


async def test_what_a_rule_asked_in_the_home_is_a_command_and_stands_in_the_trail(gate: Gate, store):
    """The gateway acted by itself and told afterwards; told twice it is one; of another's home it is nothing."""
    await gate.send(gate.decision(rule="fall"), lane="alarm")
    body = {"command": "r0ffee01", "outcome": "done", "reason": "", "at": iso(gate.now()), "home": "h1",
            "device": "pendant-1", "name": "message", "asked_by": "rule fall", "why": "Astrid har falt"}  # fmt: skip
    said = {"type": "result", "body": body}
    await gate.send(said, gateway="gw2")
    assert await rows(store, CommandRow) == []
    await gate.send(said, {"type": "result", "body": body | {"outcome": "done", "at": iso(gate.now() + 1)}})
    (command,) = await rows(store, CommandRow)
    (alert,) = [one for one in await rows(store, Alert) if one.rule == "fall"]
    assert (command.status, command.asked_by, command.name, command.alert) == (
        "done",
        "rule fall",
        "message",
        alert.id,
    )
    trail = [one for one in await rows(store, Audit, col(Audit.seq)) if "command" in one.action]
    deeds = [(one.actor, one.action, one.subject, one.why) for one in trail]
    assert deeds == [
        ("rule fall", "command.ask", "device pendant-1", "Astrid har falt"),
        ("hub", "command.done", "device pendant-1", "Astrid har falt"),
    ]


async def test_an_order_of_nobody_known_is_nothing(gate: Gate, store):
    """A result that names no person's command and no rule changes nothing."""
    for asked_by in ("", "nils", "rule ", "rule " + "x" * 70, 7):
        said = {"command": "r0ffee02", "outcome": "done", "home": "h1", "device": "d", "asked_by": asked_by}
        await gate.send({"type": "result", "body": said}, epoch=f"{len(str(asked_by)):08x}")
    assert await rows(store, CommandRow) == []


async def test_a_gateway_reports_its_own_fault(gate: Gate, store, clock):
    """A gateway's fault is one technical alert until the gateway says that it is over."""
    said = {"what": "disk", "says": {"nb": "Disken er full", "en": "The disk is full"}, "data": {}}
    await gate.send({"type": "health", "body": said}, lane="technical")
    (alert,) = await rows(store, Alert)
    assert (alert.says["nb"], alert.home, alert.queue) == ("Disken er full", "h1", "technical")
    clock.at += 1000
    await gate.send({"type": "health", "body": said | {"data": {"over": True}}}, lane="technical", first=2)
    assert (await rows(store, Alert))[0].handling == "resolved"


async def test_a_gateways_dead_radio_is_urgent_and_comes_back(gate: Gate, store, clock):
    """Urgency and what to do are the gateway's; a fault that returns before anybody answered is active again."""
    do = {"nb": "Avtal tilsyn.", "en": "Agree on visits."}
    says = {"nb": "Radioen er nede", "en": "The radio is down"}
    down = {"what": "link ble", "says": says, "data": {"urgency": "high", "staff_action": do}}
    over = {"what": "link ble", "says": says, "data": {"over": True}}
    for number, body in enumerate((down, over, down), start=1):
        await gate.send({"type": "health", "body": body}, lane="technical", first=number)
        clock.at += 60_000
    (alert,) = await rows(store, Alert)
    assert (alert.urgency, alert.queue, alert.staff_action) == ("high", "technical", do)
    assert (alert.condition, alert.count) == ("active", 2)


@pytest.mark.parametrize("urgency", ["critical", "", 7, None, ["high"], {"high": 1}])
async def test_a_gateway_cannot_make_its_faults_critical(gate: Gate, store, urgency):
    """What is no urgency for a fault, and what is above it, counts as moderate."""
    body = {"what": "x", "says": "?", "data": {"urgency": urgency, "staff_action": {"nb": 1}}}
    await gate.send({"type": "health", "body": body}, lane="technical")
    (alert,) = await rows(store, Alert)
    assert (alert.urgency, alert.staff_action["nb"]) == ("moderate", "Kontroller boksen gw1.")


async def test_a_database_in_trouble_acknowledges_nothing(gate: Gate, store, monkeypatch):
    """What the database did not take is not acknowledged to the broker, and the next try succeeds."""
    real = store.writing

    @contextlib.asynccontextmanager
    async def full() -> AsyncIterator[Any]:
        raise OSError("no space left on device")
        yield

    monkeypatch.setattr(store, "writing", full)
    with pytest.raises(OSError, match="no space left"):
        await gate.send(gate.event("e1"))
    assert gate.marks == {}
    monkeypatch.setattr(store, "writing", real)
    await gate.send(gate.event("e1"))
    assert gate.marks[("gw1", EPOCH, "care")] == Mark(1)


async def test_a_call_that_cannot_be_dealt_with(gate: Gate, store, monkeypatch):
    """When opening an alert breaks, the entry is kept, its lane goes on, and a critical alert says: call the home."""
    from hub.centre.alerts import opening

    real = opening.carry_out_all

    async def carry_out_all(session, decisions, *rest, **options):
        if any(judged.rule == "pendant pressed" for judged in decisions):
            raise RuntimeError("cannot open this one")
        return await real(session, decisions, *rest, **options)

    monkeypatch.setattr(opening, "carry_out_all", carry_out_all)
    await gate.send(gate.decision(), gate.decision(rule="fall"), gate.event("e2"), lane="alarm")
    assert gate.marks[("gw1", EPOCH, "alarm")] == Mark(3)
    alert, other = await rows(store, Alert, col(Alert.id))
    assert other.rule == "fall"
    assert (alert.rule, alert.urgency, alert.home) == ("hub:alarm not understood", "critical", "h1")
    assert alert.says["en"].endswith("could not be dealt with: RuntimeError: cannot open this one")


async def test_one_spoilt_message_spoils_no_other(gate: Gate, store, monkeypatch):
    """When one message of a group cannot be stored, only that one is put aside."""
    from hub.centre.intake import meaning

    real = meaning.carry_out

    async def carry_out(session, stored, policy, now):
        if any(entry.event and entry.event.id == "bad" for _, entry in stored.new):
            raise RuntimeError("cannot judge this one")
        return await real(session, stored, policy, now)

    monkeypatch.setattr(meaning, "carry_out", carry_out)
    await asyncio.gather(
        gate.send(gate.event("good")),
        gate.send(gate.event("bad"), lane="technical"),
        gate.send(gate.event("fine"), lane="telemetry"),
    )
    assert {entry.event_id for entry in await rows(store, Entry)} == {"good", "fine"}
    (aside,) = await rows(store, Quarantined)
    assert aside.problem == "could not be stored: cannot judge this one"


async def test_an_alarm_of_a_deadline_was_not_heard_before_it_was_due(gate: Gate, store, clock):
    """A dose due at 08:00 and missed at 09:00 is no alarm "heard 08:00", but one decided when the gateway judged it."""
    hour = 3_600_000
    due = clock.now() - hour
    await gate.send(gate.event("due", at=iso(due), heard=iso(due)))
    at, judged = clock.now() - 10_000, clock.now() - 2_000
    missed = gate.decision(rule="missed", at=iso(at), because=["due"], lag=0, judged=iso(judged))
    from_ahead = gate.decision(rule="fast clock", at=iso(at), because=["due"], judged=iso(clock.now() + hour))
    silent = gate.decision(rule="does not say when", at=iso(at), because=["due"], judged="soon")
    unknown = gate.decision(rule="evidence not here", at=iso(at), because=["gone"], judged=iso(judged))
    await gate.send(missed, from_ahead, silent, unknown, lane="alarm")
    assert {one.rule: one.heard for one in await rows(store, Alert)} == {
        "missed": judged,
        "fast clock": clock.now(),
        "does not say when": at,
        "evidence not here": judged,
    }


async def test_an_alarm_of_an_event_was_heard_with_it(gate: Gate, store, clock):
    """A press that reached the gateway late was heard late, whenever its decision was written."""
    pressed, heard = clock.now() - 600_000, clock.now() - 30_000
    await gate.send(
        gate.event("e1", "pendant.pressed", at=iso(pressed), heard=iso(heard), device="pendant-1")
    )
    told = gate.decision(at=iso(pressed), lag=heard - pressed, judged=iso(clock.now()))
    await gate.send(told, lane="alarm")
    (alert,) = await rows(store, Alert)
    assert (alert.at, alert.heard) == (pressed, heard)


async def test_an_alarm_waits_for_no_telemetry_that_came_before_it(store, clock):
    """With telemetry of many gateways in line, the alarm lane is committed first; then all the rest."""
    committed: list[LaneKey] = []
    intake = Intake(store, clock, acked=lambda key, mark: committed.append(key) if mark.upto else None)
    gate = Gate(intake, clock.now)
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(
                gate.send(
                    *[gate.event(f"t{number}-{n}") for n in range(200)],
                    lane="telemetry",
                    epoch=f"{number:08x}",
                )
            )
        group.create_task(gate.send(gate.decision(), lane="alarm"))
        await asyncio.sleep(0)
        working = asyncio.create_task(intake.run())
    working.cancel()
    assert committed[0] == ("gw1", EPOCH, "alarm")
    assert len(committed) == 6
