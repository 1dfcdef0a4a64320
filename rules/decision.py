"""What the engine answers: raise, clear, and the lesser words, each with its reason and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from drivers.events import Millis, iso, parse_time
from rules.book import Queue, Urgency

Action: TypeAlias = Literal["raise", "clear", "repeat", "held", "late"]
"""raise: an alert begins, or one of the same rule and key gets another cause. clear: what it told of is over.
repeat: it happened again within `at most once per`; adds to the open alert, and opens one where a person has closed it.
held: it would have been raised but for `reason`. late: an event came in too late to be judged; a mark, no alert.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One judgement. Its identity is (rule, key, at, action): told twice, it is the same one.

    key: what the rule watches: a home, a device, or `home/dose`. device: the one that caused it, if one did.
    kind: the event kind that opened the rule. at: the instant of the decision, which may lie in the past.
    lag: ms from the causing event to when it was heard; 0 for a deadline. because: ids of the evidence.
    says: for people, nb and en; plain: the book gives one text for both. params: the numbers the rule used.
    version: of the rule's meaning. reason: why cleared, held, repeated or late, in English.
    do: what the gateway is to ask of devices in the home, a harmless command of the catalogue; do_args: its texts.
    """

    action: Action
    rule: str
    key: str
    home: str
    device: str = ""
    kind: str = ""
    at: Millis
    lag: Millis = 0
    because: tuple[str, ...] = ()
    says: Mapping[str, str] = field(default_factory=dict)
    plain: bool = False
    staff_action: Mapping[str, str] = field(default_factory=dict)
    urgency: Urgency = "moderate"
    queue: Queue = "care"
    chain: str = ""
    life_safety: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    reason: str = ""
    do: str = ""
    do_args: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str, Millis, Action]:
        """The same decision is the same alert, whoever sends it and however often."""
        return (self.rule, self.key, self.at, self.action)

    def as_json(self) -> dict[str, Any]:
        """Every field, ready for `json.dumps`; times as ISO 8601."""
        return {
            "action": self.action,
            "rule": self.rule,
            "key": self.key,
            "home": self.home,
            "device": self.device,
            "kind": self.kind,
            "at": iso(self.at),
            "lag": self.lag,
            "because": list(self.because),
            "says": dict(self.says),
            "plain": self.plain,
            "staff_action": dict(self.staff_action),
            "urgency": self.urgency,
            "queue": self.queue,
            "chain": self.chain,
            "life_safety": self.life_safety,
            "params": dict(self.params),
            "version": self.version,
            "reason": self.reason,
            "do": self.do,
            "do_args": dict(self.do_args),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Decision:
        """Read `as_json`. Raises ValueError, TypeError or KeyError where the body is another thing."""
        fields = {name: body[name] for name in cls.__dataclass_fields__ if name in body}
        return cls(**{**fields, "at": parse_time(body["at"]), "because": tuple(body.get("because", ()))})
