"""A GSM modem as a line of short messages: AT commands (3GPP 27.005, 27.007) with whatever else it says between.

A message is read from the card, handed up, and deleted only when it is written down: a modem is a mailbox that
waits. At the start everything that came while nobody listened is fetched, and once a minute the mailbox is looked
into again: a modem that restarted by itself has forgotten that it should tell. A PIN that was refused is not tried
again. With `confirms` the network reports what became of our messages; a message of several parts has one outcome.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from drivers.events import DecodeError
from drivers.protocols.gsm_reports import Reports, SentText
from drivers.protocols.line import Answer, Failed, Heard, Out, Sent, Write, count
from drivers.protocols.sms_pdu import REPORT, read_deliver, read_report, write_submit
from drivers.settings import Settings, file_of_secret, flag, taken

COMMAND_WITHIN: Final = 5.0
SEND_WITHIN: Final = 60.0
LOOK_EVERY: Final = 60.0
LOOK_SOON: Final = 1.0
WRITTEN: Final = bytes([0, 10, 13, *range(32, 127)])
"""What modems write in PDU mode."""
READ_AGAIN: Final = 10.0
START_AGAIN: Final = 5.0
DEAD_AFTER: Final = 3
MAX_LINE: Final = 1_024
MAX_QUEUE: Final = 64
PROMPT: Final = b"> "
FINAL: Final = re.compile(r"OK|ERROR|\+CM[ES] ERROR: ?\S.*")
UNASKED: Final = re.compile(r"RING|NO CARRIER|(\+CDSI|\+CRING|\^).*|\+CREG: ?\d")
"""What a modem says of itself. Of +CREG that is the state alone; the answer to a question has two numbers."""
RESTARTED: Final = re.compile(
    r"RDY|\^?SYSSTART|\+CFUN: ?1|PB DONE|(SMS|Call) (Ready|DONE)|START|\+CPIN: ?\S.*"
)
"""What a modem says when it starts anew; of +CPIN only where nobody asked."""
SETTLED_AFTER: Final = 5.0
"""Seconds in which the several lines of one restart come."""
CARD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "10": "there is no card in the modem",
        "12": "the modem's card wants its PUK",
        "13": "the modem's card has failed",
        "14": "the modem's card is busy",
        "15": "the modem does not take this card",
        "SIM PUK": "the modem's card wants its PUK",
    }
)
"""What `AT+CPIN?` is answered → a sentence (27.007, 9.2)."""
NETWORK: Final = {1, 5}
"""Registration states of +CREG: at home, roaming."""


@dataclass(slots=True)
class _Step:
    """One AT command and what follows its end. body: what to send at the prompt, for messages."""

    text: str
    done: Callable[[bool, list[str], float], list[Out]]
    body: bytes = b""
    within: float = COMMAND_WITHIN


class GsmModem:
    """The conversation with one modem."""

    def __init__(self, pin: str = "", *, confirms: bool = False) -> None:
        self.counters: dict[str, int] = {}
        self._pin = pin
        self._confirms = confirms
        self._report_next = False
        self._reports = Reports()
        self._set_up_at = 0.0
        self._pin_tried = False
        self._held = bytearray()
        self._steps: deque[_Step] = deque()
        self._now: _Step | None = None
        self._answer: list[str] = []
        self._until = 0.0
        self._silent = 0
        self._look_at: float | None = None
        self._blocked = ""
        self._network = True
        self._tickets = 0
        self._reference = 0
        self._reading: dict[int, int] = {}
        self._again: dict[int, float] = {}
        self._outgoing: deque[SentText] = deque()

    # -- what every machine does

    def start(self, now: float) -> list[Out]:
        """Set the modem up, and fetch what waits."""
        self._held.clear()
        self._steps.clear()
        self._now = None
        self._silent = 0
        self._reading.clear()
        self._again.clear()
        self._report_next = False
        self._look_at = now + LOOK_EVERY
        self._set_up(now)
        return self._next(now)

    def stop(self, reason: str) -> list[Out]:
        """Whatever was not sent has failed."""
        failed: list[Out] = [Failed(one.ticket, reason) for one in self._outgoing]
        self._outgoing.clear()
        return failed

    def feed(self, data: bytes, now: float) -> list[Out]:
        """Bytes came: whole lines, or a prompt. What no modem writes is noise, and a reason to look soon."""
        self._held += data
        if strange := len(data.translate(None, WRITTEN)):
            count(self.counters, "noise_bytes", strange)
            self._look_at = min(self._look_at or now, now + LOOK_SOON)
        done: list[Out] = []
        while (line := self._line()) is not None:
            done += self._said(line, now)
        if self._now is not None and self._now.body and self._held.lstrip().startswith(PROMPT.strip()):
            self._held.clear()
            body, self._now.body = self._now.body, b""
            done.append(Write(body + b"\x1a"))
        return done

    def tick(self, now: float) -> list[Out]:
        """A command has no answer, a message is to be read again, or it is time to ask how the network is."""
        done: list[Out] = []
        if self._now is not None and now >= self._until:
            done += self._late(now)
        for index in [one for one, at in self._again.items() if now >= at]:
            del self._again[index]
            self._read(index)
        if self._look_at is not None and now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._look_round(now)
        return done + self._next(now)

    def answer(self, ticket: int, answer: Answer, now: float) -> list[Out]:
        """Written down: delete it from the card. Not written down: it stays, and is read again."""
        index = next((one for one, mine in self._reading.items() if mine == ticket), None)
        if index is None:
            return []
        del self._reading[index]
        if answer == "accepted":
            self._ask(f"AT+CMGD={index}", self._ignored)
        else:
            self._again[index] = now + READ_AGAIN
        return self._next(now)

    def send(self, ticket: int, unit: str, payload: bytes, _channel: str, now: float) -> list[Out]:
        """Send a text. payload: JSON with `text`, and `to` where the address does not say it."""
        self._reference += 1
        try:
            said = json.loads(payload)
            number = str(said.get("to") or unit)
            parts = write_submit(number, str(said["text"]), self._reference, report=self._confirms)
            outgoing = SentText(ticket, parts, number, str(said.get("id", ""))[:64])
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as wrong:
            return [Failed(ticket, f"this is no message to send: {wrong!s:.200}")]
        if len(self._outgoing) >= MAX_QUEUE:
            return [Failed(ticket, f"{MAX_QUEUE} messages already wait for this modem")]
        self._outgoing.append(outgoing)
        return self._next(now)

    def cancel(self, ticket: int) -> None:
        """Nobody waits for this message any more: it goes no further than what is on its way."""
        self._outgoing = deque(one for one in self._outgoing if one.ticket != ticket)

    def due(self) -> float | None:
        """The end of a command, or the next question."""
        times = [*([self._until] if self._now is not None else []), *self._again.values()]
        times += [self._look_at] if self._look_at is not None else []
        return min(times, default=None)

    def trouble(self, _now: float) -> str:
        """Why no message can come or go."""
        if self._silent >= DEAD_AFTER:
            return f"the modem has not answered {self._silent} commands"
        return self._blocked or ("" if self._network else "the modem has no network")

    # -- lines

    def _line(self) -> str | None:
        end = self._held.find(b"\n")
        if end < 0:
            if len(self._held) > MAX_LINE:
                count(self.counters, "noise_bytes", len(self._held))
                self._held.clear()
            return None
        raw = bytes(self._held[:end])
        del self._held[: end + 1]
        return raw[-MAX_LINE:].decode("latin-1").strip("\r\n \x00")

    def _said(self, line: str, now: float) -> list[Out]:
        if not line:
            return []
        if found := re.fullmatch(r'\+CMTI: ?"[A-Z]{2}", ?(\d{1,4})', line):
            self._read(int(found.group(1)))
            return self._next(now)
        if self._report_next or line.startswith("+CDS:"):
            return self._reported(line)
        if UNASKED.fullmatch(line):
            count(self.counters, "unsolicited")
            return []
        if RESTARTED.fullmatch(line) and not (self._now and self._now.text == "AT+CPIN?"):
            return self._restarted(now)
        if self._now is None or line == self._now.text:  # the modem's echo, before ATE0 takes hold
            return []
        if FINAL.fullmatch(line):
            return self._ended(line == "OK", now, line)
        if len(self._answer) < 1_000:
            self._answer.append(line)
        return []

    def _ended(self, fine: bool, now: float, line: str) -> list[Out]:
        step, self._now = self._now, None
        assert step is not None
        self._silent = 0
        if not fine:
            count(self.counters, "errors")
            self._answer.append(line)
        return step.done(fine, self._answer, now) + self._next(now)

    def _late(self, now: float) -> list[Out]:
        step, self._now = self._now, None
        assert step is not None
        self._silent += 1
        count(self.counters, "unanswered")
        escape: list[Out] = [Write(b"\x1b")] if step.within == SEND_WITHIN else []
        done = escape + step.done(False, ["no answer"], now)
        if self._silent >= DEAD_AFTER and not self._steps:
            self._look_at = now + START_AGAIN
            self._set_up(now)
        return done

    def _restarted(self, now: float) -> list[Out]:
        """The modem began anew: what it was told is forgotten, what it was doing is lost."""
        if now - self._set_up_at < SETTLED_AFTER:
            self._look_at = min(self._look_at or now + SETTLED_AFTER, now + SETTLED_AFTER)
            return []
        count(self.counters, "resets")
        step, self._now = self._now, None
        self._steps.clear()
        self._held.clear()
        self._reading.clear()
        done = step.done(False, ["it started anew"], now) if step is not None else []
        self._steps.clear()
        self._set_up(now)
        return done + self._next(now)

    def _look_round(self, now: float) -> None:
        """Is the card there, is there a network, and has something come that the modem did not tell?"""
        if self._blocked:
            self._set_up(now)
        else:
            self._ready()

    # -- what became of our messages

    def _reported(self, line: str) -> list[Out]:
        """`+CDS: length`, and a PDU on the next line (or, in a few modems, behind a comma)."""
        if not self._report_next:
            self._report_next = True
            return []
        self._report_next = False
        try:
            raw = bytes.fromhex(line)
            report = read_report(raw)
        except (ValueError, DecodeError):
            count(self.counters, "check_errors")
            return []
        count(self.counters, "reports")
        settled = self._reports.settled(report)
        if settled is None:
            return []
        said = json.dumps({"id": settled.id, "pdu": raw.hex()}).encode()
        return [Heard(said, unit=settled.number, channel=REPORT)]

    # -- commands

    def _ask(self, text: str, done: Callable[[bool, list[str], float], list[Out]]) -> None:
        self._steps.append(_Step(text, done))

    def _next(self, now: float) -> list[Out]:
        if self._now is not None:
            return []
        if self._steps:
            self._now = self._steps.popleft()
        elif self._outgoing and not self._blocked:
            self._now = self._message(self._outgoing[0])
        else:
            return []
        self._answer = []
        self._until = now + self._now.within
        return [Write(self._now.text.encode("ascii") + b"\r")]

    def _message(self, outgoing: SentText) -> _Step:
        part = outgoing.parts[0]
        body = b"00" + part.hex().upper().encode()
        return _Step(f"AT+CMGS={len(part)}", self._part_sent, body, SEND_WITHIN)

    def _part_sent(self, fine: bool, answer: list[str], _now: float) -> list[Out]:
        if not self._outgoing:
            return []
        outgoing = self._outgoing[0]
        if not fine:
            self._outgoing.popleft()
            return [Failed(outgoing.ticket, f"the modem answered {answer[-1] if answer else 'nothing'}")]
        outgoing.parts.pop(0)
        found = re.search(r"\+CMGS: ?(\d{1,3})", " ".join(answer))
        if self._confirms and found:
            self._reports.expect(outgoing, int(found.group(1)))
        count(self.counters, "sent")
        if outgoing.parts:
            return []
        self._outgoing.popleft()
        return [Sent(outgoing.ticket)]

    def _set_up(self, now: float) -> None:
        self._set_up_at = now
        self._ask("ATE0", self._ignored)
        self._ask("AT+CMEE=1", self._ignored)
        self._ask("AT+CPIN?", self._card)

    def _card(self, fine: bool, answer: list[str], _now: float) -> list[Out]:
        said = " ".join(answer)
        if fine and "READY" in said:
            self._blocked = ""
            self._ready()
        elif "SIM PIN" in said and self._pin and not self._pin_tried:
            self._pin_tried = True
            self._ask(f"AT+CPIN={self._pin}", self._unlocked)
        elif not (self._pin_tried and self._blocked):
            self._blocked = _why_no_card(said)
        return []

    def _unlocked(self, fine: bool, answer: list[str], _now: float) -> list[Out]:
        if fine:
            self._blocked, self._pin_tried = "", False
            self._ready()
        else:
            self._blocked = f"the card's PIN was refused: {' '.join(answer)[:80]}; it is not tried again"
        return []

    def _ready(self) -> None:
        self._ask("AT+CREG?", self._registered)
        self._ask("AT+CMGF=0", self._ignored)
        self._ask(f"AT+CNMI=2,1,0,{1 if self._confirms else 2},0", self._ignored)
        self._ask("AT+CMGL=4", self._listed)

    def _registered(self, fine: bool, answer: list[str], _now: float) -> list[Out]:
        found = re.search(r"\+CREG: ?\d, ?(\d)", " ".join(answer))
        self._network = fine and bool(found) and int(found.group(1)) in NETWORK if found else False
        return []

    def _read(self, index: int) -> None:
        if index not in self._reading:
            self._ask(f"AT+CMGR={index}", lambda fine, answer, now: self._fetched(index, fine, answer, now))

    def _fetched(self, index: int, fine: bool, answer: list[str], _now: float) -> list[Out]:
        if not fine or len(answer) < 2:
            return []
        return self._received(index, answer[1])

    def _listed(self, fine: bool, answer: list[str], _now: float) -> list[Out]:
        """`+CMGL: index,state,,length` and a PDU, again and again."""
        done: list[Out] = []
        for head, pdu in zip(answer[::2], answer[1::2], strict=False):
            found = re.match(r"\+CMGL: ?(\d{1,4}),", head)
            if fine and found:
                done += self._received(int(found.group(1)), pdu)
        return done

    def _received(self, index: int, pdu: str) -> list[Out]:
        try:
            raw = bytes.fromhex(pdu)
        except ValueError:
            raw = pdu.encode("latin-1", "replace")
        try:
            sender = read_deliver(raw).sender
        except DecodeError:
            count(self.counters, "check_errors")
            sender = ""
        if index in self._reading:
            return []
        self._tickets += 1
        self._reading[index] = self._tickets
        count(self.counters, "messages")
        return [Heard(raw, ticket=self._tickets, unit=sender, channel="sms")]

    def _ignored(self, _fine: bool, _answer: list[str], _now: float) -> list[Out]:
        return []


def _why_no_card(said: str) -> str:
    found = re.search(r"\+CME ERROR: ?(\d+)|(SIM PUK)", said)
    known = CARD.get(found.group(1) or found.group(2)) if found else None
    return known or f"the modem's card is not ready: {said[:80] or 'no answer'}"


SETTINGS: Final[Settings] = {"confirms": flag(), "pin_secret": file_of_secret()}


def gsm_machine(settings: Mapping[str, Any]) -> GsmModem:
    """The machine for a modem.

    pin: of its card, where it asks for one: the secret that `pin_secret` names. confirms: the network reports what
    became of our messages.
    """
    pin = str(settings.get("pin", ""))
    if not re.fullmatch(r"(\d{4,8})?", pin):
        raise ValueError("a card's PIN is 4 to 8 digits")
    return GsmModem(pin, confirms=taken(SETTINGS, settings, "confirms"))
