"""Which gateways of an area are out, and how many went out together. Pure.

The alerts of gateways are the events one level up: a raise takes a gateway out, a clear brings it back, and each
change becomes an `area.counted` of its zone, which the rules on areas judge like any other event. What an alert
says of a gateway follows from its rule's meaning, not from its name, so a municipality's own book counts too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from drivers.events import Event, Millis
from rules import Book, Form
from rules.book import Rule

KIND = "area.counted"

Sign: TypeAlias = Literal["silent", "off_mains"]
"""What an alert says of its gateway."""


def signs_of(book: Book) -> dict[str, Sign]:
    """The rules whose alerts take a gateway out: those on its silence, and those on its mains being off."""
    found = {name: sign_of(rule) for name, rule in book.rules.items()}
    return {name: sign for name, sign in found.items() if sign is not None}


def sign_of(rule: Rule) -> Sign | None:
    """What an alert of this rule says of a gateway; None for all that does not put it out."""
    if rule.form is Form.SILENCE and "gateway.heartbeat" in rule.events:
        return "silent"
    condition = rule.condition
    if condition is not None and condition.states == ("gateway.mains",) and condition.holds("off", {}):
        return "off_mains"
    return None


@dataclass(frozen=True, slots=True)
class Change:
    """An alert of a gateway was raised, or what it told of is over. because: event ids. alert: its number."""

    rule: str
    gateway: str
    at: Millis
    raised: bool
    because: tuple[str, ...] = ()
    alert: int | None = None


@dataclass(frozen=True, slots=True)
class Town:
    """Where gateways stand. zones: gateway → the zones of the homes it serves. names: of zones."""

    zones: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str] = field(default_factory=dict)

    def size(self, zone: str) -> int:
        """All gateways of a zone."""
        return sum(zone in zones for zones in self.zones.values())


@dataclass(frozen=True, slots=True)
class Out:
    """One reason why a gateway is out. since: when its alert was raised."""

    rule: str
    gateway: str
    sign: Sign
    since: Millis
    zones: tuple[str, ...]
    because: tuple[str, ...] = ()
    alert: int | None = None


@dataclass(slots=True)
class Ledger:
    """Who is out. span: ms within which gateways count as gone out together. at: of the newest change."""

    span: Millis
    outs: dict[tuple[str, str], Out] = field(default_factory=dict)
    at: Millis = 0

    def take(self, change: Change, sign: Sign, town: Town) -> tuple[str, ...]:
        """Write a change down; gives the zones it touches."""
        self.at = max(self.at, change.at)
        place = (change.rule, change.gateway)
        if not change.raised:
            gone = self.outs.pop(place, None)
            return gone.zones if gone else ()
        known = self.outs.get(place)
        out = Out(
            rule=change.rule,
            gateway=change.gateway,
            sign=sign,
            since=known.since if known else change.at,
            zones=town.zones.get(change.gateway, ()),
            because=change.because,
            alert=change.alert,
        )
        self.outs[place] = out
        return out.zones

    def forget(self, rules: Iterable[str], gateways: Iterable[str]) -> None:
        """Keep what these rules say of these gateways only: the others are no more."""
        rules, gateways = set(rules), set(gateways)
        self.outs = {
            place: out for place, out in self.outs.items() if place[0] in rules and place[1] in gateways
        }

    def of(self, zone: str) -> list[Out]:
        """Every reason that counts in a zone, oldest first."""
        return sorted(
            (out for out in self.outs.values() if zone in out.zones), key=lambda out: (out.since, out.gateway)
        )

    def together(self, zone: str) -> list[Out]:
        """The largest group that went out within the span of each other, each gateway by its first reason."""
        first: dict[str, Out] = {}
        for out in self.of(zone):
            first.setdefault(out.gateway, out)
        return largest(list(first.values()), self.span)

    def counted(self, zone: str, town: Town, change: Change | None, at: Millis) -> Event:
        """The zone as it is now, as an event for the rules."""
        outs = self.of(zone)
        cause = (
            f"{change.rule}/{change.gateway}/{'raise' if change.raised else 'clear'}" if change else "anew"
        )
        return Event(
            id=f"{zone}/{at}/{cause}",
            at=at,
            heard=at,
            home=zone,
            device=zone,
            kind=KIND,
            data={
                "out": len({out.gateway for out in outs}),
                "together": len(self.together(zone)),
                "silent": len({out.gateway for out in outs if out.sign == "silent"}),
                "off_mains": len({out.gateway for out in outs if out.sign == "off_mains"}),
                "gateways": town.size(zone),
                **({"gateway": change.gateway} if change else {}),
            },
        )

    def pack(self) -> dict[str, Any]:
        """Everything that must survive a restart, as JSON values."""
        outs = [
            [o.rule, o.gateway, o.sign, o.since, list(o.zones), list(o.because), o.alert]
            for o in self.outs.values()
        ]
        return {"at": self.at, "outs": outs}

    def unpack(self, packed: Mapping[str, Any]) -> None:
        """Take over what `pack` wrote."""
        self.at = int(packed["at"])
        read = (
            Out(rule, gateway, sign, since, tuple(zones), tuple(because), alert)
            for rule, gateway, sign, since, zones, because, alert in packed["outs"]
        )
        self.outs = {(out.rule, out.gateway): out for out in read}


def largest(outs: Sequence[Out], span: Millis) -> list[Out]:
    """The most of these, ordered by time, whose first and last are at most `span` apart; the newest such group."""
    best: list[Out] = []
    begin = 0
    for end, out in enumerate(outs):
        while out.since - outs[begin].since > span:
            begin += 1
        if end - begin + 1 >= len(best):
            best = list(outs[begin : end + 1])
    return best
