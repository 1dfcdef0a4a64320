"""SMS through a GSM modem: messages read, sent, kept until written down, on a modem that interrupts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.device_type import Command, Outgoing, Result, Unit
from drivers.devices.sms_pendant import DEVICE
from drivers.events import DecodeError, Fact, Frame
from drivers.links.link import LinkDown
from drivers.protocols.gsm_modem import GsmModem as Machine
from drivers.protocols.gsm_modem import gsm_machine
from drivers.protocols.line import Failed, Write
from drivers.protocols.sms_pdu import ALPHABET, read_deliver, read_report, write_submit
from simulators.serial.gsm_modem import GsmModem, deliver, deliver_parts

HELLO = bytes.fromhex("07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37")
NUMBER = "+4790000001"


def as_received(submit: bytes) -> bytes:
    """What the other side gets of a message we sent: sender for receiver, a time stamp added."""
    size = (submit[2] + 1) // 2
    head = bytes([0, submit[0] & 0x40, submit[2], submit[3]]) + submit[4 : 4 + size]
    return head + submit[4 + size : 6 + size] + bytes.fromhex("62105111000040") + submit[6 + size :]


def test_the_published_example_reads_hellohello() -> None:
    """The message that every PDU tutorial takes apart."""
    received = read_deliver(HELLO)
    assert (received.sender, received.text) == ("27838890001", "hellohello")
    assert received.sent == 922_713_419_000


plain = st.text(
    st.sampled_from([one for one in ALPHABET if one != "\x1b"] + list("{}[]€\\^~|")),
    min_size=1,
    max_size=400,
)
wide = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=300,
)


@given(st.one_of(plain, wide), st.integers(0, 255))
def test_a_text_arrives_as_it_was_sent_in_one_part_or_several(text: str, reference: int) -> None:
    """Seven bits where the alphabet holds it, UCS-2 elsewhere, cut and joined."""
    parts = [read_deliver(as_received(one)) for one in write_submit(NUMBER, text, reference)]
    assert "".join(part.text for part in parts) == text
    assert [part.part for part in parts] == list(range(1, len(parts) + 1))
    assert {part.sender for part in parts} == {NUMBER}


@given(st.binary(max_size=180))
def test_any_bytes_raise_nothing_but_the_one_error(raw: bytes) -> None:
    """Noise is refused in a sentence."""
    try:
        assert read_deliver(raw).parts >= 1
    except DecodeError as refused:
        assert str(refused)  # noqa: PT017  both outcomes are right, and each is looked at


@pytest.mark.parametrize(
    ("to", "text"), [("90 00", "x"), ("+", "x"), (NUMBER, ""), (NUMBER, "x" * 2000), ("x", "y")]
)
def test_a_message_that_cannot_be_sent_is_refused(to: str, text: str) -> None:
    """No number, no text, too long: a sentence before anything is sent."""
    with pytest.raises(ValueError, match=r"phone number|text|parts"):
        write_submit(to, text)


def test_an_unexplained_text_is_a_call_and_own_words_count() -> None:
    """What nobody explained is never dropped; what the settings explain is."""
    raw = deliver(NUMBER, "Jeg trenger noen")
    [fact] = DEVICE.decode(Frame("serial", "-", raw, 0, "sms"), Unit("-"))
    assert isinstance(fact, Fact)
    assert (fact.kind, dict(fact.data)) == ("call.raised", {"text": "Jeg trenger noen"})
    unit = Unit("-", settings={"words": {"trenger": "pendant.pressed"}})
    [fact] = DEVICE.decode(Frame("serial", "-", raw, 0, "sms"), unit)
    assert isinstance(fact, Fact)
    assert fact.kind == "pendant.pressed"


def test_a_machine_takes_any_bytes_at_any_moment() -> None:
    """Rubbish from a modem leaves the machine standing and small."""
    machine = Machine()
    machine.start(0.0)
    for number in range(300):
        machine.feed(bytes((number * 7 + at) % 256 for at in range(97)), number / 10)
        machine.tick(number / 10)
    assert len(machine._held) <= 2048


def test_a_pin_is_tried_once() -> None:
    """A wrong PIN must not lock the card."""
    answers = {b"AT+CPIN?\r": b"+CPIN: SIM PIN\r\nOK\r\n", b"AT+CPIN=1234\r": b"+CME ERROR: 16\r\n"}
    machine = gsm_machine({"pin": "1234"})
    said: list[bytes] = []
    outs = machine.start(0.0)
    for now in range(600):
        asked = [out.data for out in outs if isinstance(out, Write)]
        said += asked
        outs = [more for one in asked for more in machine.feed(answers.get(one, b"OK\r\n"), now + 0.5)]
        outs += machine.tick(now + 0.9)
    assert said.count(b"AT+CPIN=1234\r") == 1
    assert "PIN was refused" in machine.trouble(600.0)


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"text": "x", "to": "abc"}', b"\xff"])
def test_a_payload_that_is_no_message_fails_at_once(payload: bytes) -> None:
    """Nothing strange reaches the modem."""
    machine = Machine()
    machine.start(0.0)
    assert isinstance(machine.send(1, "", payload, "sms", 0.0)[0], Failed)


@pytest.mark.parametrize("pin", ["12", "abcd", "123456789"])
def test_a_pin_that_is_none_is_refused_without_repeating_it(pin: str) -> None:
    """The sentence does not tell the secret."""
    with pytest.raises(ValueError, match="4 to 8 digits") as refused:
        gsm_machine({"pin": pin})
    assert pin not in str(refused.value)


def test_the_command_message_is_written_for_the_link() -> None:
    """The link reads the number from the address."""
    out = DEVICE.encode(Command("c", "message", {"text": "Hjelp kommer"}, 0), Unit(f"modem#{NUMBER}"))
    assert (json.loads(out.payload), out.wait) == ({"text": "Hjelp kommer"}, 0)


@pytest.fixture
def modem_on(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[GsmModem]]:
    """A modem plugged in at `port`."""

    @asynccontextmanager
    async def plugged(**options: Any) -> AsyncIterator[GsmModem]:
        modem = GsmModem(**options)
        await modem.start(tmp_path / "port")
        try:
            yield modem
        finally:
            await modem.stop()

    return plugged


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, without an event to wait for."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_message_is_read_written_down_and_then_deleted(
    open_link: Any, modem_on: Any, make_ear: Any
) -> None:
    """The card keeps it until the journal has it."""
    ear = make_ear(DEVICE)
    async with modem_on() as modem, open_link(Machine(), ear, line="115200 8N1") as running:
        await running.until("up")
        await until(lambda: "AT+CMGL=4" in modem.commands)
        ear.gate.clear()
        modem.arrive(NUMBER, "SOS")
        await ear.until(lambda: bool(ear.frames))
        assert ear.frames[0].address == f"port#{NUMBER}"
        assert modem.card
        ear.gate.set()
        await until(lambda: not modem.card)
        assert [fact.kind for fact in ear.facts] == ["pendant.pressed"]


async def test_messages_that_came_while_nobody_listened_are_fetched(
    open_link: Any, modem_on: Any, make_ear: Any
) -> None:
    """The card is a mailbox: everything on it is read at the start, also after unplugging."""
    ear = make_ear(DEVICE)
    async with modem_on() as modem:
        modem.arrive(NUMBER, "FALL")
        async with open_link(Machine(), ear, line="115200 8N1") as running:
            await ear.until(lambda: bool(ear.of("pendant.fall")))
            await modem.unplug()
            await running.until("down")
            modem.arrive(NUMBER, "SOS")
            await modem.replug()
            await ear.until(lambda: bool(ear.of("pendant.pressed")))
            await until(lambda: not modem.card)


async def test_a_modem_that_rings_and_echoes_sends_and_receives(
    open_link: Any, modem_on: Any, make_ear: Any
) -> None:
    """Whatever it says between, messages go out, long ones in parts."""
    ear = make_ear(DEVICE)
    async with (
        modem_on(pin="1234") as modem,
        open_link(gsm_machine({"pin": "1234"}), ear, line="115200 8N1") as running,
    ):
        modem.faults.ring = True
        await running.until("up")
        text = "Astrid har falt paa badet. " * 8
        sending = running.link.send(f"port#{NUMBER}", Outgoing("sms", json.dumps({"text": text}).encode()))
        modem.arrive(NUMBER, "TEST")
        await sending
        assert "".join(said for _, said in modem.sent) == text
        assert {number for number, _ in modem.sent} == {NUMBER}
        await ear.until(lambda: bool(ear.of("pendant.heartbeat")))


async def test_a_refused_message_fails_with_the_modems_words(
    open_link: Any, modem_on: Any, make_ear: Any
) -> None:
    """No network for it: the sender learns why."""
    async with modem_on() as modem, open_link(Machine(), make_ear(DEVICE), line="115200 8N1") as running:
        await running.until("up")
        modem.faults.refuse = 1
        with pytest.raises(LinkDown, match="CMS ERROR: 38"):
            await running.link.send(f"port#{NUMBER}", Outgoing("sms", b'{"text": "x"}'))
        await running.link.send("port", Outgoing("sms", b'{"text": "x", "to": "+4790000002"}'))
        assert modem.sent == [("+4790000002", "x")]


async def test_a_message_nobody_can_read_is_recorded_and_leaves_the_card(
    open_link: Any, modem_on: Any, make_ear: Any
) -> None:
    """It must not block the mailbox for ever."""
    ear = make_ear(DEVICE)
    async with modem_on() as modem, open_link(Machine(), ear, line="115200 8N1") as running:
        await running.until("up")
        await until(lambda: "AT+CMGL=4" in modem.commands)
        modem.keep(b"\x00\xff\xff")
        await until(lambda: not modem.card)
        assert len(ear.errors) == 1


@pytest.mark.parametrize("answer", ["+CREG: 0,1", "+CREG: 2,5", "+CREG: 0, 1"])
def test_a_modem_on_its_network_has_no_trouble(answer: str) -> None:
    """The answer names the reporting mode, then the state; what it says of itself in between is no answer."""
    machine = Machine()
    machine.start(0.0)
    for line in ("OK", "OK", "+CPIN: READY", "OK", "+CREG: 0", answer, "OK"):
        machine.feed(f"\r\n{line}\r\n".encode(), 1.0)
    assert machine.trouble(1.0) == ""


async def test_a_modem_without_network_is_said(open_link: Any, modem_on: Any, make_ear: Any) -> None:
    """An open port with no network takes no messages."""
    async with modem_on() as modem, open_link(Machine(), make_ear(DEVICE), line="115200 8N1") as running:
        modem.faults.network = False
        async with asyncio.timeout(30):
            while "no network" not in running.link.health().reason:
                await asyncio.sleep(0.01)


async def test_a_message_counts_when_the_network_has_delivered_all_of_it(
    open_link: Any, modem_on: Any, make_ear: Any
) -> None:
    """Three parts, three reports, one outcome, for the command that asked."""
    ear = make_ear(DEVICE)
    machine = gsm_machine({"confirms": True})
    command = Command("c-7", "message", {"text": "Hjelpen er på vei til deg, Astrid. ☎ " * 4}, 0)
    out = DEVICE.encode(command, Unit(f"port#{NUMBER}", settings={"confirms": True}))
    async with modem_on() as modem, open_link(machine, ear, line="115200 8N1") as running:
        await running.until("up")
        await running.link.send(f"port#{NUMBER}", out)
        await ear.until(lambda: any(frame.channel == "report" for frame in ear.frames))
        assert len(modem.sent) == 3
        assert machine.counters["reports"] == 3
    [frame] = [frame for frame in ear.frames if frame.channel == "report"]
    assert frame.address == f"port#{NUMBER}"
    assert list(DEVICE.decode(frame, Unit("-"))) == [Result("c-7", "done")]


@pytest.mark.parametrize(("state", "outcomes"), [(0x46, ["failed"]), (0x30, [])], ids=["given up", "trying"])
async def test_a_message_the_network_gave_up_has_failed(
    open_link: Any, modem_on: Any, make_ear: Any, state: int, outcomes: list[str]
) -> None:
    """A telephone that is off for days; as long as the network tries, nothing is said."""
    ear = make_ear(DEVICE)
    machine = gsm_machine({"confirms": True})
    async with modem_on() as modem, open_link(machine, ear, line="115200 8N1") as running:
        await running.until("up")
        modem.faults.report = state
        await running.link.send(f"port#{NUMBER}", Outgoing("sms", b'{"text": "x", "id": "c-8"}'))
        await until(lambda: machine.counters.get("reports") == 1)
        await until(lambda: running.link.health().counters.get("frames", 0) >= len(outcomes))
        frames = [frame for frame in ear.frames if frame.channel == "report"]
        results = [one for frame in frames for one in DEVICE.decode(frame, Unit("-"))]
        assert [one.outcome for one in results if isinstance(one, Result)] == outcomes


async def test_a_modem_that_restarts_by_itself_is_set_up_again(
    open_link: Any, modem_on: Any, make_ear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has forgotten that it should tell of messages; its own words give it away, PIN and all."""
    monkeypatch.setattr("drivers.protocols.gsm_modem.SETTLED_AFTER", 0.0)
    ear = make_ear(DEVICE)
    machine = gsm_machine({"pin": "1234"})
    async with modem_on(pin="1234") as modem, open_link(machine, ear, line="115200 8N1") as running:
        await running.until("up")
        await until(lambda: "AT+CMGL=4" in modem.commands)
        modem.commands.clear()
        modem.restart()
        await until(lambda: "AT+CMGL=4" in modem.commands)
        assert machine.counters["resets"] >= 1
        modem.arrive(NUMBER, "SOS")
        await ear.until(lambda: bool(ear.of("pendant.pressed")))


def test_a_silent_restart_is_found_within_a_minute() -> None:
    """Once a minute the mailbox is looked into and the modem told again, whatever it says."""
    machine = Machine()
    said: list[str] = []
    outs = machine.start(0.0)
    for tenth in range(1300):
        asked = [out.data.decode().strip() for out in outs if isinstance(out, Write)]
        said += asked
        answer = b"+CPIN: READY\r\nOK\r\n" if asked == ["AT+CPIN?"] else b"+CREG: 0,1\r\nOK\r\n"
        outs = [more for _ in asked for more in machine.feed(answer, tenth / 10)]
        outs += machine.tick(tenth / 10 + 0.05)
    assert said.count("AT+CMGL=4") == said.count("AT+CNMI=2,1,0,2,0") == 3


async def test_a_modem_without_its_card_is_said_and_one_with_it_again_works(
    open_link: Any, modem_on: Any, make_ear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulled and put back: the words name the card, and within a look round messages come again."""
    monkeypatch.setattr("drivers.protocols.gsm_modem.LOOK_EVERY", 0.1)
    ear = make_ear(DEVICE)
    async with modem_on() as modem:
        modem.faults.card = False
        async with open_link(Machine(), ear, line="115200 8N1") as running:
            await until(lambda: "there is no card" in running.link.health().reason)
            assert running.link.health().state == "down"
            modem.faults.card = True
            await running.until("up")
            modem.arrive(NUMBER, "SOS")
            await ear.until(lambda: bool(ear.of("pendant.pressed")))


async def test_a_network_that_comes_back_ends_the_trouble(
    open_link: Any, modem_on: Any, make_ear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost, said, found again."""
    monkeypatch.setattr("drivers.protocols.gsm_modem.LOOK_EVERY", 0.1)
    async with modem_on() as modem, open_link(Machine(), make_ear(DEVICE), line="115200 8N1") as running:
        await running.until("up")
        modem.faults.network = False
        await until(lambda: "no network" in running.link.health().reason)
        modem.faults.network = True
        await running.until("up")


def test_a_refused_pin_is_not_tried_again_after_unplugging() -> None:
    """Three plugs with a wrong PIN would lock the card."""
    machine = gsm_machine({"pin": "1234"})
    said: list[bytes] = []
    answers = {b"AT+CPIN?\r": b"+CPIN: SIM PIN\r\nOK\r\n", b"AT+CPIN=1234\r": b"+CME ERROR: 16\r\n"}
    for opening in range(4):
        outs: list[Any] = list(machine.start(opening * 1000.0))
        for second in range(200):
            asked = [out.data for out in outs if isinstance(out, Write)]
            said += asked
            now = opening * 1000.0 + second
            outs = [more for one in asked for more in machine.feed(answers.get(one, b"OK\r\n"), now + 0.5)]
            outs += machine.tick(now + 0.9)
        machine.stop("unplugged")
    assert said.count(b"AT+CPIN=1234\r") == 1
    assert "PIN was refused" in machine.trouble(4000.0)


async def test_a_long_message_from_outside_is_read_part_by_part(
    open_link: Any, modem_on: Any, make_ear: Any
) -> None:
    """UCS-2 in three parts: the word that matters stands in the second, and nobody waits for the third."""
    ear = make_ear(DEVICE)
    async with modem_on() as modem, open_link(Machine(), ear, line="115200 8N1") as running:
        await running.until("up")
        await until(lambda: "AT+CMGL=4" in modem.commands)
        text = "Ålesund – " * 7 + "FALL på badet " + "… " * 30
        for part in deliver_parts(NUMBER, text):
            modem.keep(part)
        await ear.until(lambda: bool(ear.of("pendant.fall")))
        await until(lambda: not modem.card)
    assert [fact.kind for fact in ear.facts].count("call.raised") == 1


@given(st.binary(max_size=60))
def test_any_bytes_as_a_report_raise_nothing_but_the_one_error(raw: bytes) -> None:
    """A report is read or refused in a sentence."""
    try:
        assert read_report(raw).outcome in ("delivered", "trying", "failed")
    except DecodeError as refused:
        assert str(refused)  # noqa: PT017  both outcomes are right, and each is looked at
