"""The conversation with a Nuki Smart Lock: ask for its state, read its log, carry out one action at a time.

An action is written at most once, and never after its answer was lost: who asked is told that it is not known
whether the bolt moved, and the next connection asks for the state. The log is read first of all where somebody
else moved the bolt, so that "unlocked" comes with who and how; an action that waits goes before it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from drivers.device_type import Outgoing, Visit
from drivers.events import DecodeError
from drivers.protocols import nuki_log
from drivers.protocols.conversation import Act, Failed, Sent, Tell, Write
from drivers.protocols.nuki import (
    CHALLENGE,
    CHALLENGE_BYTES,
    COMPLETE,
    ERROR,
    LOCK,
    LOCK_ACTION,
    NONCE,
    REQUEST_DATA,
    STATES,
    STATUS,
    UNLOCK,
    USER_DATA,
    Message,
    Secret,
    seal,
    unseal,
    whole_length,
)

CUT_AFTER = "the link was lost after the command was sent; whether the bolt moved is not known"
CUT_BEFORE = "the link was lost before the command was sent; nothing was done"


class Talk:
    """One connection's conversation. Raises ValueError with a sentence where no key is registered."""

    def __init__(self, visit: Visit, nonce: Callable[[int], bytes] = os.urandom) -> None:
        self._visit = visit
        self._secret = Secret.read(visit.secret)
        self._nonce = nonce
        self._pieces = b""
        self._ticket: int | None = None
        self._action = 0
        self._acting = False
        self._asking = False
        self._log_is_due = True
        self._log: nuki_log.Fetch | None = None
        self._log_index = nuki_log.known(visit.memory)
        self._log_refused = False
        self._held: bytes | None = None
        self._bolt: int | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self.unfinished or self._log is not None

    @property
    def unfinished(self) -> bool:
        """Whether the next connection has to ask what became of this one. The log waits for its own reason."""
        return self._ticket is not None or self._asking

    def begin(self) -> list[Act]:
        """Ask for the state first."""
        return [self._ask()]

    def send(self, ticket: int, outgoing: Outgoing) -> list[Act]:
        """Begin an action (one byte: unlock or lock) by asking for a challenge, once the lock is free for it."""
        if self._ticket is not None:
            return [Failed(ticket, "the lock is still busy with another command")]
        if outgoing.payload not in {bytes([UNLOCK]), bytes([LOCK])}:
            return [Failed(ticket, f"the lock knows no action {outgoing.payload.hex()!r:.20}")]
        self._ticket, self._action, self._acting = ticket, outgoing.payload[0], False
        return [] if self._asking or self._log is not None else [self._ask_challenge()]

    def cancel(self, ticket: int) -> None:
        """Nobody waits any more: a challenge that comes late is not answered."""
        if self._ticket == ticket:
            self._ticket = None

    def heard(self, channel: str, payload: bytes) -> list[Act]:
        """Collect pieces; act on every whole message."""
        if channel != USER_DATA:
            return [Tell(channel, payload)]
        self._pieces += payload
        acts: list[Act] = []
        try:
            while (length := whole_length(self._pieces)) is not None and len(self._pieces) >= length:
                whole, self._pieces = self._pieces[:length], self._pieces[length:]
                acts += self._message(whole)
        except DecodeError:
            # What cannot be read is for the journal; the next message begins with the next piece.
            acts.append(Tell(channel, self._pieces))
            self._pieces = b""
        return acts

    def lost(self) -> list[Act]:
        """End what is under way, and say honestly how far it had come. A log half read is read again."""
        told = self._tell_held()
        self._log = None
        ticket, self._ticket = self._ticket, None
        if ticket is None:
            return told
        return [*told, Failed(ticket, CUT_AFTER if self._acting else CUT_BEFORE)]

    # -- one message

    def _message(self, whole: bytes) -> list[Act]:
        try:
            message = unseal(self._secret, whole)
        except DecodeError:
            return [Tell(USER_DATA, whole)]
        if message.command == STATES:
            return self._states(message, whole)
        if message.command == CHALLENGE:
            return self._challenged(message.payload)
        if self._log is not None:
            return self._of_log(self._log, message, whole)
        if message.command == STATUS and message.payload[:1] == bytes([COMPLETE]):
            self._log_is_due = True  # our own action stands there now
            return [Tell(USER_DATA, whole), *self._answered(), self._ask()]
        if message.command == ERROR:
            return [Tell(USER_DATA, whole), *self._answered()]
        return [Tell(USER_DATA, whole)]

    def _states(self, message: Message, whole: bytes) -> list[Act]:
        """How the lock is: told at once, unless the log can first say who made it so."""
        bolt, self._bolt = self._bolt, message.payload[1] if len(message.payload) > 1 else None
        self._log_is_due = self._log_is_due or bolt != self._bolt
        self._asking = False
        if self._held is not None:
            self._held = whole
            return []
        if self._acting or self._log is not None:
            return [Tell(USER_DATA, whole)]
        if self._ticket is not None:
            return [Tell(USER_DATA, whole), self._ask_challenge()]
        log = self._log = self._new_fetch()
        if log is None:
            return [Tell(USER_DATA, whole)]
        if log.last is None:
            return [Tell(USER_DATA, whole), self._ask_challenge()]
        self._held = whole
        return [self._ask_challenge()]

    def _challenged(self, challenge: bytes) -> list[Act]:
        if len(challenge) != CHALLENGE_BYTES:
            return []
        if self._log is not None:
            return [self._write(nuki_log.REQUEST_LOG, self._log.request(challenge))]
        if self._ticket is None or self._acting:
            return []
        self._acting = True
        us = self._secret.authorisation.to_bytes(4, "little")
        return [self._write(LOCK_ACTION, bytes([self._action]) + us + bytes([0]) + challenge)]

    def _answered(self) -> list[Act]:
        ticket, self._ticket = self._ticket, None
        self._acting = False
        return [] if ticket is None else [Sent(ticket)]

    # -- the log

    def _new_fetch(self) -> nuki_log.Fetch | None:
        if not self._log_is_due or self._log_refused:
            return None
        self._log_is_due = False
        pin = nuki_log.pin_of(self._visit, self._secret.key)
        return None if pin is None else nuki_log.Fetch(pin, self._log_index)

    def _of_log(self, log: nuki_log.Fetch, message: Message, whole: bytes) -> list[Act]:
        if message.command in {nuki_log.ENTRY, nuki_log.COUNT}:
            try:
                log.heard(message.command, message.payload, whole)
            except DecodeError:
                return [Tell(USER_DATA, whole)]
            return []
        if message.command == ERROR:
            self._log_refused = True  # asked once: a wrong PIN that is repeated locks everybody out
            return [Tell(USER_DATA, whole), *self._end_log([])]
        if message.command != STATUS or message.payload[:1] != bytes([COMPLETE]):
            return [Tell(USER_DATA, whole)]
        if log.is_whole():
            self._log_index = log.newest
            return self._end_log([Tell(USER_DATA, one) for one in log.told()])
        if self._ticket is not None:
            self._log_is_due = True  # somebody waits at the door; what was read so far is read again
            return self._end_log([])
        return [self._ask_challenge()]

    def _end_log(self, told: list[Act]) -> list[Act]:
        self._log = None
        waiting = [self._ask_challenge()] if self._ticket is not None else []
        return [*told, *self._tell_held(), *waiting]

    def _tell_held(self) -> list[Act]:
        held, self._held = self._held, None
        return [] if held is None else [Tell(USER_DATA, held)]

    # -- writing

    def _ask_challenge(self) -> Write:
        return self._write(REQUEST_DATA, CHALLENGE.to_bytes(2, "little"))

    def _ask(self) -> Write:
        self._asking = True
        return self._write(REQUEST_DATA, STATES.to_bytes(2, "little"))

    def _write(self, command: int, payload: bytes) -> Write:
        return Write(USER_DATA, seal(self._secret, command, payload, self._nonce(NONCE)))
