"""The ESPA link procedure in both roles, against each other and against a bad line, in virtual time."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.protocols.espa444 import Block, encode_block
from drivers.protocols.espa444_line import ControlStation, Station, espa_machine
from drivers.protocols.espa444_settings import EspaLine
from drivers.protocols.line import Answer, Failed, Heard, Out, Sent, Write

CALL = encode_block(Block("1", (("1", "12"), ("2", "BAD"), ("4", "3"))))
OTHER_CALL = encode_block(Block("1", (("1", "7"), ("2", "STUE"), ("4", "3"))))
BAD = CALL[:-1] + bytes([CALL[-1] ^ 1])

STATION = EspaLine(role="station", own="2", stations=("1",))


def written(outs: list[Out]) -> bytes:
    """What goes on the line."""
    return b"".join(out.data for out in outs if isinstance(out, Write))


def heard(outs: list[Out]) -> list[Heard]:
    """Frames, without signs of life."""
    return [out for out in outs if isinstance(out, Heard) and not out.life]


@dataclass
class Wire:
    """A control station and a station on one wire, in virtual time. loss: chance of a lost byte each way."""

    control: ControlStation = field(default_factory=lambda: ControlStation(EspaLine()))
    station: Station = field(default_factory=lambda: Station(STATION))
    loss: float = 0.0
    seed: int = 0
    commit: float = 0.0
    now: float = 0.0
    recorded: list[tuple[str, bytes]] = field(default_factory=list)
    done: dict[int, Out] = field(default_factory=dict)
    _commits: deque[tuple[float, object, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._deliver(self.station, self.station.start(0.0))
        self._deliver(self.control, self.control.start(0.0))

    def run(self, until: float) -> None:
        """Let time pass."""
        while True:
            dues = [due for machine in (self.control, self.station) if (due := machine.due()) is not None]
            dues += [self._commits[0][0]] if self._commits else []
            if not dues or min(dues) > until:
                break
            self.now = max(self.now, min(dues))
            self._step()
        self.now = until

    def _step(self) -> None:
        while self._commits and self._commits[0][0] <= self.now:
            _, machine, ticket = self._commits.popleft()
            assert isinstance(machine, ControlStation | Station)
            self._deliver(machine, machine.answer(ticket, "accepted", self.now))
        for machine in (self.control, self.station):
            due = machine.due()
            if due is not None and due <= self.now:
                self._deliver(machine, machine.tick(self.now))

    def _deliver(self, machine: ControlStation | Station, outs: list[Out]) -> None:
        other = self.station if machine is self.control else self.control
        for out in outs:
            if isinstance(out, Write):
                arrived = bytes(byte for byte in out.data if self._draw.random() >= self.loss)
                self._deliver(other, other.feed(arrived, self.now))
            elif isinstance(out, Heard) and out.ticket:
                self.recorded.append((machine.line.role, out.payload))
                self._commits.append((self.now + self.commit, machine, out.ticket))
            elif isinstance(out, Sent | Failed):
                self.done[out.ticket] = out


def selected() -> Station:
    """A station that the control station has selected."""
    station = Station(STATION)
    station.start(0.0)
    assert written(station.feed(b"\x041\x052\x05", 0.1)) == b"\x06"
    return station


def test_a_station_hands_its_call_over_when_polled() -> None:
    """Both roles together: poll, selection, block, acknowledgement, end."""
    wire = Wire()
    wire.station.send(7, "", CALL, "block", 0.0)
    wire.run(2.0)
    assert wire.recorded == [("control", CALL)]
    assert wire.done == {7: Sent(7)}


def test_the_control_station_sends_by_direct_selection() -> None:
    """A page from the control station reaches the station without a poll."""
    wire = Wire()
    wire.control.send(8, "", CALL, "block", 0.0)
    wire.run(2.0)
    assert wire.recorded == [("station", CALL)]
    assert wire.done == {8: Sent(8)}


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.05))
def test_on_a_lossy_line_a_call_that_was_taken_is_recorded(seed: int, loss: float) -> None:
    """Whatever bytes are lost, `Sent` means recorded on the other side, and the line moves on afterwards."""
    wire = Wire(loss=loss, seed=seed)
    for ticket in range(1, 6):
        wire.station.send(ticket, "", CALL if ticket % 2 else OTHER_CALL, "block", wire.now)
    wire.run(120.0)
    assert set(wire.done) == {1, 2, 3, 4, 5}
    took = sum(isinstance(one, Sent) for one in wire.done.values())
    assert len(wire.recorded) >= took
    wire.loss = 0.0
    wire.station.send(9, "", CALL, "block", wire.now)
    wire.run(180.0)
    assert wire.done[9] == Sent(9)


def test_the_acknowledgement_waits_for_the_commit() -> None:
    """Nothing is acknowledged before it is written down."""
    station = selected()
    outs = station.feed(CALL, 0.2)
    assert written(outs) == b""
    [frame] = heard(outs)
    assert written(station.answer(frame.ticket, "accepted", 1.9)) == b"\x06"


def test_a_block_repeated_while_the_commit_lasts_is_one_call() -> None:
    """The sender's impatience does not become a second event, and the answer still comes once."""
    station = selected()
    [frame] = heard(station.feed(CALL, 0.2))
    assert station.feed(CALL, 2.8) == []
    assert written(station.answer(frame.ticket, "accepted", 3.0)) == b"\x06"


def test_a_block_repeated_because_the_ack_was_lost_is_one_call() -> None:
    """Within one selection the same content is the same call."""
    station = selected()
    [frame] = heard(station.feed(CALL, 0.2))
    station.answer(frame.ticket, "accepted", 0.3)
    again = station.feed(CALL, 2.8)
    assert (written(again), heard(again)) == (b"\x06", [])


def test_the_same_block_after_the_end_is_a_second_call() -> None:
    """A second press is a new call: content is never compared across a finished transaction."""
    station = selected()
    [frame] = heard(station.feed(CALL, 0.2))
    station.answer(frame.ticket, "accepted", 0.3)
    station.feed(b"\x041\x052\x05", 0.4)
    assert len(heard(station.feed(CALL, 0.5))) == 1


def test_a_sender_that_gave_up_before_our_answer_brings_the_same_call() -> None:
    """If the commit outlasted the sender, its next attempt is answered at once and counts once."""
    station = selected()
    [frame] = heard(station.feed(CALL, 0.2))
    station.feed(b"\x04", 3.0)
    assert station.answer(frame.ticket, "accepted", 4.0) == []
    station.feed(b"\x041\x052\x05", 5.0)
    again = station.feed(CALL, 5.1)
    assert (written(again), heard(again)) == (b"\x06", [])


def test_a_wrong_check_character_is_refused_and_recorded() -> None:
    """Prefix 1 asks for a repeat; the unreadable bytes are handed up all the same."""
    station = selected()
    outs = station.feed(BAD, 0.2)
    assert written(outs) == b"1\x15"
    assert [(frame.payload, frame.ticket) for frame in heard(outs)] == [(BAD, 0)]


def test_bad_content_is_refused_with_prefix_three() -> None:
    """A call without an address cannot be mended by repeating it."""
    body = b"1\x022\x1fBAD\x03"
    check = 0
    for byte in body:
        check ^= byte
    assert written(selected().feed(b"\x01" + body + bytes([check]), 0.2)) == b"3\x15"


@pytest.mark.parametrize(("answer", "says"), [("accepted", b"\x06"), ("busy", b"2\x15")])
def test_what_became_of_a_block_is_the_answer(answer: Answer, says: bytes) -> None:
    """Written down, or could not be written down."""
    station = selected()
    [frame] = heard(station.feed(CALL, 0.2))
    assert written(station.answer(frame.ticket, answer, 0.3)) == says


def test_a_polled_station_with_nothing_to_say_gives_the_line_back() -> None:
    """It answers EOT, and the poll counts as a sign of life."""
    station = Station(STATION)
    station.start(0.0)
    outs = station.feed(b"\x042\x05", 1.0)
    assert written(outs) == b"\x04"
    assert [out.life for out in outs if isinstance(out, Heard)] == [True]


def test_a_block_for_another_station_is_not_ours() -> None:
    """On a shared line only the selected station listens."""
    station = Station(STATION)
    station.start(0.0)
    assert station.feed(b"\x041\x053\x05" + CALL, 0.1) == []


def test_a_block_without_end_is_refused_after_its_time() -> None:
    """A sender that dies in mid-block does not hold the line."""
    station = Station(replace(STATION, block_wait=5.0))
    station.start(0.0)
    station.feed(b"\x041\x052\x05" + CALL[:9], 0.2)
    assert station.due() == pytest.approx(5.2)
    outs = station.tick(5.2)
    assert written(outs) == b"1\x15"
    assert [frame.payload for frame in heard(outs)] == [CALL[:9]]


def test_the_control_station_takes_back_a_line_that_went_quiet() -> None:
    """Ten seconds without anything valid, then EOT and the next poll."""
    control = ControlStation(EspaLine())
    control.start(0.0)
    control.feed(b"1\x05", 0.1)
    outs = control.tick(10.1)
    assert written(outs) == b"\x04"
    assert written(control.tick(10.3)) == b"\x042\x05"


def test_silence_is_trouble_and_traffic_ends_it() -> None:
    """A line is alive while it is polled, whatever the port says."""
    station = Station(STATION)
    station.start(0.0)
    assert station.trouble(9.9) == ""
    assert "no poll" in station.trouble(10.5)
    station.feed(b"\x042\x05", 11.0)
    assert station.trouble(11.1) == ""


def test_a_silent_station_is_named() -> None:
    """The control station says which station does not answer, and goes on polling the others."""
    control = ControlStation(EspaLine(stations=("2", "3")))
    control.start(0.0)
    control.feed(b"\x04", 0.1)
    polled = b""
    now = 0.1
    while now < 12 and (due := control.due()) is not None:
        now = due
        outs = control.tick(now)
        polled += written(outs)
        if b"2" in written(outs):
            control.feed(b"\x04", now)
    assert b"\x043\x05" in polled
    assert control.trouble(now) == f"station 3 has not answered for {now:.0f} s"


def test_a_busy_answer_ends_the_attempt() -> None:
    """Prefix 2 means later, not again at once."""
    wire = Wire()
    control = wire.control
    control.send(1, "", CALL, "block", 0.0)
    control.tick(0.6)
    control.tick(0.8)
    outs = control.feed(b"2\x15", 0.9)
    assert Failed(1, "busy") in outs
    assert written(outs) == b"\x04"


def test_an_invalid_message_answer_is_believed_after_two_more_tries() -> None:
    """One prefix 3 can be noise; three in a row are an answer."""
    station = Station(STATION)
    station.start(0.0)
    station.send(1, "", CALL, "block", 0.0)
    assert written(station.feed(b"\x042\x05", 0.1)) == b"1\x05"
    assert written(station.feed(b"\x06", 0.2)) == CALL
    assert written(station.feed(b"3\x15", 0.3)) == CALL
    assert written(station.feed(b"3\x15", 0.4)) == CALL
    assert Failed(1, "invalid message") in station.feed(b"3\x15", 0.5)


def test_a_cancelled_page_never_goes_out() -> None:
    """What nobody waits for any more is not said later."""
    wire = Wire()
    wire.control.send(1, "", CALL, "block", 0.0)
    wire.control.cancel(1)
    wire.run(5.0)
    assert wire.recorded == []


@given(
    st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([CALL, BAD, b"\x042\x05", b"2\x05", b"\x06"])))
)
def test_no_bytes_upset_either_role(parts: list[bytes]) -> None:
    """Machines take anything, at any moment, without an exception and without growing."""
    for machine in (ControlStation(EspaLine()), Station(STATION)):
        machine.start(0.0)
        for number, part in enumerate(parts):
            machine.feed(part, number / 10)
            machine.tick(number / 10 + 0.05)
        assert len(machine._scanner.pending) <= 512


@pytest.mark.parametrize(
    ("given_settings", "says"),
    [
        ({"role": "boss"}, "control, station"),
        ({"charset": "klingon"}, "charset"),
        ({"bits": 9}, "one of 7, 8"),
        ({"own": "12"}, "one character"),
        ({"own": "2"}, "other than its own"),
        ({"poll_every": "often"}, "poll_every"),
        ({"repeats": 99}, "repeats"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given_settings: dict[str, object], says: str) -> None:
    """A typing slip in the registry is a sentence, not a strange line."""
    with pytest.raises(ValueError, match=says):
        espa_machine(given_settings)


# ---------------------------------------------------------------- two selections, one block

SELECTIONS = {
    "control": (lambda: ControlStation(EspaLine()), b"1\x05"),
    "station": (lambda: Station(STATION), b"2\x05"),
}


def busy(role: str) -> ControlStation | Station:
    """A station that found two selections waiting when it looked: it had polled twice, or was just slow."""
    make, selection = SELECTIONS[role]
    machine = make()
    machine.start(0.0)
    assert written(machine.feed(selection + selection, 1.0)) == b"\x06"
    return machine


@pytest.mark.parametrize("role", SELECTIONS)
def test_a_second_selection_is_no_answer_to_a_block(role: str) -> None:
    """Both were on the wire at once: an ACK each, and the master would take the second for its block's."""
    machine = busy(role)
    assert written(machine.feed(CALL[:1], 1.02)) == b"", "the first answer was taken: the block begins"
    assert written(machine.tick(2.0)) == b"", "it goes on, slowly"
    (frame,) = heard(machine.feed(CALL[1:], 2.1))
    assert written(machine.answer(frame.ticket, "accepted", 2.2)) == b"\x06"
    assert b"\x06" not in written(machine.tick(2.6))


@pytest.mark.parametrize("role", SELECTIONS)
@pytest.mark.parametrize("again", [b"", b"\x05"])
def test_a_second_selection_is_answered_where_no_block_begins(role: str, again: bytes) -> None:
    """The first answer was lost on the way: half a second later comes another, and only one."""
    machine = busy(role)
    assert written(machine.feed(again, 1.1)) == b""
    due = machine.due()
    assert due is not None
    assert 1.2 < due < 1.7
    assert written(machine.tick(due)) == b"\x06"
    assert b"\x06" not in written(machine.tick(due + 0.6))
    assert len(heard(machine.feed(CALL, due + 0.7))) == 1


def test_a_selection_long_after_an_unused_answer_is_answered_at_once() -> None:
    """A master that selected, said nothing and comes back later waits for nothing."""
    machine = ControlStation(EspaLine())
    machine.start(0.0)
    assert written(machine.feed(b"1\x05", 1.0)) == b"\x06"
    machine.feed(b"\x04", 1.1)
    assert written(machine.feed(b"1\x05", 9.0)) == b"\x06"
