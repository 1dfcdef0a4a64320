"""The reference: the twelve rules written by hand in plain Python, one timer a heartbeat.

What a good programmer writes for exactly these rules, without a language: one method an event kind, constants in
the code, a heap of deadlines. It is given the stream in order and keeps evidence; it knows nothing of lateness,
repeated ids, restarts, other rules or why an alert is not there.
"""

from __future__ import annotations

from datetime import datetime
from heapq import heappop, heappush
from typing import Any
from zoneinfo import ZoneInfo

from drivers.events import Event, Millis

MINUTE = 60_000
Line = tuple[Millis, str, str, str, tuple[str, ...]]


class House:
    """Everything remembered of one home."""

    __slots__ = (
        "bed", "bed_id", "bed_open", "cold", "cold_id", "cold_open", "day", "devices", "door", "door_id", "door_open",
        "doses", "fall", "gateway", "gateway_id", "gateway_open", "id", "levels", "motion", "motion_id", "motion_open",
        "opened", "opened_id", "presses", "pulse", "pulse_id", "pulse_open", "said_device",
    )  # fmt: skip

    def __init__(self, home: str) -> None:
        self.id = home
        self.devices: dict[str, list[Any]] = {}
        self.levels: dict[str, bool] = {}
        self.doses: dict[str, list[Any]] = {}
        self.presses: list[tuple[Millis, str]] = []
        self.fall = -10 * MINUTE
        self.opened, self.opened_id = -10 * MINUTE, ""
        self.door, self.door_id, self.door_open = 0, "", False
        self.pulse, self.pulse_id, self.pulse_open = 0, "", False
        self.cold, self.cold_id, self.cold_open = 0, "", False
        self.bed, self.bed_id, self.bed_open = 0, "", False
        self.gateway, self.gateway_id, self.gateway_open = 0, "", False
        self.motion, self.motion_id, self.motion_open, self.day = 0, "", False, False


class Handwritten:
    """Twelve rules, by hand."""

    def __init__(self, deadline_day: tuple[Millis, Millis], dose_time: Millis, pulse_high: int) -> None:
        self.houses: dict[str, House] = {}
        self.heap: list[Any] = []
        self.number = 0
        self.out: list[Line] = []
        self.morning = deadline_day
        self.dose_time, self.pulse_high = dose_time, pulse_high
        self.tz = ZoneInfo("Europe/Oslo")
        self.acts = {
            "dispenser.due": self.due, "dispenser.taken": self.taken, "pendant.fall": self.fall,
            "pendant.pressed": self.pressed, "door.opened": self.door_opened, "door.closed": self.door_closed,
            "vitals.pulse": self.pulse, "room.temperature": self.temperature, "room.motion": self.moved,
            "gateway.heartbeat": self.gateway, "bed.left": self.left, "bed.entered": self.entered,
        }  # fmt: skip
        for name in ("dispenser", "pendant", "door", "room", "bed", "vitals"):
            self.acts[f"{name}.heartbeat"] = self.alive
            self.acts[f"{name}.battery"] = self.battery

    def feed(self, events: list[Event]) -> None:
        """Judge a stream in order of time."""
        heap, houses, acts = self.heap, self.houses, self.acts
        for event in events:
            at = event.at
            while heap and heap[0][0] < at:
                due, _, _, check, house, what = heappop(heap)
                check(house, what, due)
            house = houses.get(event.home)
            if house is None:
                house = houses[event.home] = House(event.home)
            act = acts.get(event.kind)
            if act is not None:
                act(house, event, at)

    def finish(self, until: Millis) -> None:
        """Let pass what is due up to and including a moment."""
        while self.heap and self.heap[0][0] <= until:
            due, _, _, check, house, what = heappop(self.heap)
            check(house, what, due)

    def timer(self, due: Millis, rank: int, check: Any, house: House, what: Any) -> None:
        """One entry a wait."""
        self.number += 1
        heappush(self.heap, (due, rank, self.number, check, house, what))

    def tell(self, at: Millis, action: str, rule: str, key: str, because: tuple[str, ...]) -> None:
        """Take a line down."""
        self.out.append((at, action, rule, key, because))

    def night(self, at: Millis) -> bool:
        """Whether the clock in the home shows a time between 22:00 and 06:00."""
        shown = datetime.fromtimestamp(at / 1000, self.tz)
        second = shown.hour * 3600 + shown.minute * 60 + shown.second
        return second >= 22 * 3600 or second < 6 * 3600 or (second == 6 * 3600 and at % 1000 == 0)

    # signs of life

    def alive(self, house: House, event: Event, at: Millis) -> None:
        device = event.device
        seen = house.devices.get(device)
        if seen is None:
            seen = house.devices[device] = [at, event.id, False, 0]
        else:
            seen[0], seen[1] = at, event.id
            if seen[2]:
                seen[2] = False
                self.tell(at, "clear", "device-offline", device, (event.id,))
            seen[3] = 0
        self.timer(at + 15 * MINUTE, 1, self.silent, house, (device, at))

    def silent(self, house: House, what: tuple[str, Millis], due: Millis) -> None:
        device, since = what
        seen = house.devices[device]
        if seen[2] or max(seen[0], seen[3]) != since:
            return
        if house.gateway_open:
            seen[3] = -1
            return
        seen[2] = True
        self.tell(due, "raise", "device-offline", device, (seen[1],))

    def gateway(self, house: House, event: Event, at: Millis) -> None:
        house.gateway, house.gateway_id = at, event.id
        self.timer(at + 10 * MINUTE, 0, self.gateway_silent, house, at)
        if house.gateway_open:
            house.gateway_open = False
            self.tell(at, "clear", "gateway-silent", house.id, (event.id,))
            for device, seen in house.devices.items():
                if seen[3] == -1:
                    seen[3] = at
                    self.timer(at + 15 * MINUTE, 1, self.silent, house, (device, at))

    def gateway_silent(self, house: House, since: Millis, due: Millis) -> None:
        if house.gateway == since and not house.gateway_open:
            house.gateway_open = True
            self.tell(due, "raise", "gateway-silent", house.id, (house.gateway_id,))

    def battery(self, house: House, event: Event, at: Millis) -> None:
        value = event.data["value"]
        low = house.levels.get(event.device, False)
        if not low and value < 15:  # type: ignore[operator]
            house.levels[event.device] = True
            self.tell(at, "raise", "battery-low", event.device, (event.id,))
        elif low and value > 25:  # type: ignore[operator]
            house.levels[event.device] = False
            self.tell(at, "clear", "battery-low", event.device, (event.id,))

    # medicine and help

    def due(self, house: House, event: Event, at: Millis) -> None:
        dose = str(event.data["dose"])
        house.doses[dose] = [at, event.id, False]
        self.timer(at + self.dose_time, 1, self.untaken, house, (dose, at))

    def untaken(self, house: House, what: tuple[str, Millis], due: Millis) -> None:
        dose, since = what
        waiting = house.doses.get(dose)
        if waiting is not None and waiting[0] == since:
            waiting[2] = True
            self.tell(due, "raise", "medicine-not-taken", f"{house.id}/{dose}", (waiting[1],))

    def taken(self, house: House, event: Event, at: Millis) -> None:
        dose = str(event.data["dose"])
        waiting = house.doses.pop(dose, None)
        if waiting is not None and waiting[2]:
            self.tell(at, "clear", "medicine-not-taken", f"{house.id}/{dose}", (event.id,))

    def pressed(self, house: House, event: Event, at: Millis) -> None:
        presses = house.presses
        presses.append((at, event.id))
        del presses[:-3]
        if len(presses) == 3 and at - presses[0][0] <= 10 * MINUTE:
            house.presses = []
            self.tell(at, "raise", "calls-for-help-often", house.id, tuple(each[1] for each in presses))

    def fall(self, house: House, event: Event, at: Millis) -> None:
        if at - house.fall >= 5 * MINUTE:
            house.fall = at
            self.tell(at, "raise", "fall", house.id, (event.id,))
        if at - house.opened <= 2 * MINUTE:
            house.opened = -10 * MINUTE
            self.tell(at, "raise", "fall-at-the-door", house.id, (house.opened_id, event.id))

    # doors, beds, movement

    def door_opened(self, house: House, event: Event, at: Millis) -> None:
        house.opened, house.opened_id = at, event.id
        if not house.door:
            house.door, house.door_id = at, event.id
            if self.night(at):
                self.timer(at + 10 * MINUTE, 1, self.door_long, house, at)

    def door_long(self, house: House, since: Millis, due: Millis) -> None:
        if house.door == since:
            house.door_open = True
            self.tell(due, "raise", "door-open-at-night", house.id, (house.door_id,))

    def door_closed(self, house: House, event: Event, at: Millis) -> None:
        house.door = 0
        if house.door_open:
            house.door_open = False
            self.tell(at, "clear", "door-open-at-night", house.id, (event.id,))

    def left(self, house: House, event: Event, at: Millis) -> None:
        if not house.bed:
            house.bed, house.bed_id = at, event.id
            if self.night(at):
                self.timer(at + 20 * MINUTE, 1, self.up_long, house, at)

    def up_long(self, house: House, since: Millis, due: Millis) -> None:
        if house.bed == since:
            house.bed_open = True
            self.tell(due, "raise", "out-of-bed-at-night", house.id, (house.bed_id,))

    def entered(self, house: House, event: Event, at: Millis) -> None:
        house.bed = 0
        if house.bed_open:
            house.bed_open = False
            self.tell(at, "clear", "out-of-bed-at-night", house.id, (event.id,))

    def moved(self, house: House, event: Event, at: Millis) -> None:
        house.motion, house.motion_id = at, event.id
        if house.motion_open:
            house.motion_open = False
            self.tell(at, "clear", "no-motion-in-the-morning", house.id, (event.id,))
        if not house.day:
            house.day = True
            if at <= self.morning[0]:
                self.timer(self.morning[1], 1, self.still, house, None)

    def still(self, house: House, _: None, due: Millis) -> None:
        if house.motion < self.morning[0]:
            house.motion_open = True
            self.tell(due, "raise", "no-motion-in-the-morning", house.id, (house.motion_id,))

    # readings

    def pulse(self, house: House, event: Event, at: Millis) -> None:
        value = event.data["value"]
        if house.pulse_open:
            if value < self.pulse_high - 10:  # type: ignore[operator]
                house.pulse_open, house.pulse = False, 0
                self.tell(at, "clear", "pulse-high", house.id, (event.id,))
        elif value > self.pulse_high:  # type: ignore[operator]
            if not house.pulse:
                house.pulse, house.pulse_id = at, event.id
                self.timer(at + 10 * MINUTE, 1, self.pulse_long, house, at)
        else:
            house.pulse = 0

    def pulse_long(self, house: House, since: Millis, due: Millis) -> None:
        if house.pulse == since and not house.pulse_open:
            house.pulse_open = True
            self.tell(due, "raise", "pulse-high", house.id, (house.pulse_id,))

    def temperature(self, house: House, event: Event, at: Millis) -> None:
        value = event.data["value"]
        if house.cold_open:
            if value > 16:  # type: ignore[operator]
                house.cold_open, house.cold = False, 0
                self.tell(at, "clear", "cold-room", house.id, (event.id,))
        elif value < 15:  # type: ignore[operator]
            if not house.cold:
                house.cold, house.cold_id = at, event.id
                self.timer(at + 30 * MINUTE, 1, self.cold_long, house, at)
        else:
            house.cold = 0

    def cold_long(self, house: House, since: Millis, due: Millis) -> None:
        if house.cold == since and not house.cold_open:
            house.cold_open = True
            self.tell(due, "raise", "cold-room", house.id, (house.cold_id,))
