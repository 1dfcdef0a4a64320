"""The life cycle is a table, and nothing that people and the world do can get round it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.centre.alerts import evidence, lifecycle
from hub.centre.alerts.chains import ALWAYS_ANSWERS, DEFAULTS, chain_of
from hub.centre.alerts.lifecycle import ALLOWED, Action, Posture, act
from hub.centre.alerts.refusals import Refused, Scene, Stale
from hub.centre.alerts.standing import URGENCIES, Condition, Handling, Standing, columns_of, standing_of
from hub.centre.alerts.waiting import waits_for
from hub.registry.timers import TimerError, Timers, timers_from

NOW = 1_768_424_520_000
TIMERS = Timers()
PEOPLE = ("nils", "eva")
FITTING = {
    "step": {"step": "on_the_way"},
    "snooze": {"until": NOW + 600_000, "reason": "straks"},
    "resolve": {"cause": "pain", "measure": "visit"},
}


def scene(actor: str = "nils", now: int = NOW) -> Scene:
    """Who acts, and when."""
    return Scene(actor, now, str.capitalize)


def standing(posture: Posture, **changes) -> Standing:
    """An alert of high urgency that stands so for Nils."""
    owner = {Posture.MINE: "nils", Posture.THEIRS: "eva"}.get(posture)
    plain = Standing(
        urgency="high",
        handling=Handling.TAKEN if owner else Handling(posture.value),
        owner=owner,
        owner_since=NOW if owner else None,
        snoozed_until=NOW + 1000 if posture is Posture.SNOOZED else None,
        resolved_at=NOW if posture is Posture.RESOLVED else None,
        resolved_by="eva" if posture is Posture.RESOLVED else None,
    )
    return replace(plain, **changes)


@pytest.mark.parametrize("posture", Posture)
@pytest.mark.parametrize("name", ALLOWED)
def test_the_table_decides(name, posture):
    """What the table allows leads where it says; everything else is refused in both languages."""
    action = Action(name, 1, **FITTING.get(name, {}))
    wanted = ALLOWED[name].get(posture)
    if wanted is None:
        with pytest.raises(Refused) as refused:
            act(standing(posture), action, scene(), TIMERS)
        assert refused.value.says["nb"]
        assert refused.value.says["en"]
        return
    assert act(standing(posture), action, scene(), TIMERS).standing.handling is wanted


@pytest.mark.parametrize(
    ("posture", "sentence"),
    [
        (Posture.THEIRS, "Eva tok den kl. 22:02."),
        (Posture.MINE, "Du tok den kl. 22:02."),
        (Posture.RESOLVED, "Eva avsluttet den kl. 22:02."),
        (Posture.SNOOZED, "Den er utsatt til kl. 22:02."),
        (Posture.NEW, "Den er ledig. Se på den på nytt."),
    ],
)
def test_a_stale_action_reads_who_did_what(posture, sentence):
    """An action on a version that somebody handled since is refused with who did what, and when."""
    with pytest.raises(Stale) as stale:
        act(standing(posture, version=5, handled=5), Action("take", 4), scene(), TIMERS)
    assert stale.value.says["nb"] == sentence


def test_a_version_from_the_future():
    """A version that never was is stale too."""
    with pytest.raises(Stale):
        act(standing(Posture.NEW), Action("take", 2), scene(), TIMERS)


@pytest.mark.parametrize("changes", [{"urgency": "critical"}, {"life_safety": True}])
def test_life_safety_is_never_snoozed(changes):
    """What a life may depend on cannot be put off, by anybody."""
    with pytest.raises(Refused) as refused:
        act(standing(Posture.NEW, **changes), Action("snooze", 1, **FITTING["snooze"]), scene(), TIMERS)
    assert refused.value.says["en"].startswith("This alarm cannot be snoozed")


@pytest.mark.parametrize(
    ("until", "reason"),
    [(NOW, "x"), (NOW + 1_800_001, "x"), (NOW + 1000, "  "), (NOW + 1000, "x" * 201)],
)
def test_a_snooze_has_a_reason_and_an_end(until, reason):
    """A snooze ends within half an hour and says why."""
    with pytest.raises(Refused):
        act(standing(Posture.NEW), Action("snooze", 1, until=until, reason=reason), scene(), TIMERS)


@pytest.mark.parametrize("urgency", URGENCIES)
@pytest.mark.parametrize("queue", ["care", "technical"])
def test_every_chain_ends_where_somebody_answers(urgency, queue):
    """The last step of every chain is the place that always answers, whatever the registry says."""
    assert chain_of("", queue, urgency, {})[-1].tell == ALWAYS_ANSWERS
    assert all(chain[-1].tell == ALWAYS_ANSWERS for chain in DEFAULTS.values())
    cut = {urgency: chain_of("", queue, urgency, {})[:1]}
    assert chain_of(urgency, "care", urgency, cut)[-1].tell == ALWAYS_ANSWERS


@pytest.mark.parametrize(
    "settings_", [{"lapse": 3}, {"lapse_high": 0}, {"lapse_high": True}, {"snooze": "30"}, {"gap": 10**9}]
)
def test_timers_are_checked(settings_):
    """A timer nobody knows, or a senseless number, is a sentence."""
    with pytest.raises(TimerError):
        timers_from(settings_)


def test_three_repeats_within_ten_minutes():
    """The third repeat within ten minutes raises the urgency by one; slow ones never do."""
    alert = standing(Posture.NEW)
    for number in (1, 2):
        alert = evidence.repeat(alert, NOW + number * 60_000, (f"e{number}",), TIMERS).standing
    grown = evidence.repeat(alert, NOW + 600_000, ("e3",), TIMERS)
    assert (grown.standing.urgency, grown.hasten, grown.standing.count) == ("critical", True, 4)
    slow = standing(Posture.NEW)
    for number in range(1, 10):
        slow = evidence.repeat(slow, NOW + number * 400_000, (f"e{number}",), TIMERS).standing
    assert (slow.urgency, slow.count) == ("high", 10)


def test_evidence_is_bounded_and_keeps_its_beginning():
    """A thousand presses keep the first and the newest hundred event ids, and the count of all."""
    alert = standing(Posture.NEW)
    for number in range(1000):
        alert = evidence.repeat(alert, NOW + number * 700_000, (f"e{number}",), TIMERS).standing
    assert (alert.count, len(alert.evidence)) == (1001, 200)
    assert (alert.evidence[0], alert.evidence[-1]) == ("e0", "e999")


class Alarm(RuleBasedStateMachine):
    """Two people, the world and the hub at one alert, in any order, each with a version they once saw."""

    @initialize(urgency=st.sampled_from(URGENCIES), life=st.booleans())
    def raised(self, urgency, life):
        self.now = NOW
        self.alert = Standing(urgency=urgency, life_safety=life)
        self.past = [self.alert]
        self.waits = waits_for(self.alert, DEFAULTS[urgency], TIMERS, self.now)

    def _become(self, moved, rewait: bool) -> None:
        if rewait:
            chain = chain_of("", "care", moved.urgency, {})
            self.waits = waits_for(moved, chain, TIMERS, self.now)
        self.alert = moved
        self.past.append(moved)

    @rule(
        name=st.sampled_from(sorted(ALLOWED)),
        who=st.sampled_from(PEOPLE),
        back=st.integers(0, 3),
        minutes=st.integers(0, 20),
    )
    def somebody_acts(self, name, who, back, minutes):
        self.now += minutes * 60_000
        seen = self.past[max(0, len(self.past) - 1 - back)]
        extra = dict(FITTING.get(name, {}))
        if "until" in extra:
            extra["until"] = self.now + 60_000
        before = self.alert
        try:
            moved = act(before, Action(name, seen.version, **extra), scene(who, self.now), TIMERS)
        except Refused:
            return
        except Stale:
            assert seen.version < max(before.handled, before.grown)
            return
        assert seen.version >= before.handled
        assert (moved.standing.version == before.version + 1) == bool(moved.lines)
        if moved.lines:
            self._become(moved.standing, moved.rewait)

    @rule(who=st.sampled_from(PEOPLE), seconds=st.integers(0, 15))
    def somebody_undoes(self, who, seconds):
        self.now += seconds * 1000
        before = self.alert
        try:
            moved = lifecycle.undo(before, before.version, scene(who, self.now))
        except (Refused, Stale):
            return
        last = before.undo
        assert last["by"] == who
        assert moved.standing.handling == last["before"]["handling"]
        assert moved.standing.count == before.count
        self._become(moved.standing, rewait=True)

    @rule(ago=st.integers(0, 30))
    @precondition(lambda self: self.alert.open)
    def it_happens_again(self, ago):
        grown = evidence.repeat(self.alert, self.now - ago * 1000, (f"e{self.alert.count}",), TIMERS)
        assert grown.standing.owner == self.alert.owner
        self._become(grown.standing, grown.rewait)

    @rule()
    @precondition(lambda self: self.alert.open)
    def it_is_over(self):
        quiet = self.alert.held_quiet
        grown = evidence.clear(self.alert, self.now, self.now, "over")
        assert grown.standing.open or not quiet
        self._become(grown.standing, grown.rewait)

    @rule()
    @precondition(lambda self: self.alert.handling is Handling.TAKEN)
    def the_answer_goes_stale(self):
        self._become(lifecycle.lapse(self.alert, "lapse").standing, rewait=True)

    @rule()
    @precondition(lambda self: self.alert.handling is Handling.SNOOZED)
    def the_snooze_ends(self):
        self._become(lifecycle.wake(self.alert).standing, rewait=True)

    @invariant()
    def somebody_has_it_or_nobody(self):
        if self.alert.handling is Handling.TAKEN:
            assert self.alert.owner in PEOPLE
        if self.alert.handling in {Handling.NEW, Handling.SEEN, Handling.SNOOZED}:
            assert self.alert.owner is None
            assert self.alert.step == ""

    @invariant()
    def an_open_alert_waits_for_something(self):
        assert bool(self.waits) == self.alert.open

    @invariant()
    def life_safety_stays_loud(self):
        if self.alert.life_safety:
            assert self.alert.handling is not Handling.SNOOZED
            assert self.alert.resolved_by != "hub"

    @invariant()
    def versions_only_grow(self):
        versions = [one.version for one in self.past]
        assert versions == sorted(set(versions))
        assert max(self.alert.handled, self.alert.grown) <= self.alert.version

    @invariant()
    def a_resolved_alert_says_why(self):
        if self.alert.handling is Handling.RESOLVED:
            assert self.alert.cause
            assert self.alert.resolved_by
            assert self.alert.resolved_at is not None

    @invariant()
    def urgency_never_falls(self):
        ranks = [URGENCIES.index(one.urgency) for one in self.past]
        assert ranks == sorted(ranks)

    @invariant()
    def columns_hold_it(self):
        row = type("Row", (), columns_of(self.alert))
        assert standing_of(row) == self.alert
        assert self.alert.condition in Condition


class TestAlarm(Alarm.TestCase):
    """No transition is lost or made twice, whatever comes in whatever order."""

    settings = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)
