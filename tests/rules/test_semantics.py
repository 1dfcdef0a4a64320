"""What the reference says in so many words (rules, section 5) and no other test of this folder looks at by itself."""

from __future__ import annotations

from rules import DeviceSpec, Engine, HomeSpec, load_book
from rules.why_not import why_not

DOSE = "rules: {r: {when: dispenser.due, missing: dispenser.dispensed, same: dose, within: 10 min}}"


def told(decisions) -> list[tuple[str, str, int]]:
    """Action, rule and instant of each."""
    return [(each.action, each.rule, each.at) for each in decisions]


def test_homes_do_not_see_each_other(heard, clock) -> None:
    """(5.2) What happens at Astrid's answers, counts for and holds back nothing at Bjarne's."""
    book = load_book(
        """
rules:
  dose: {when: dispenser.due, missing: dispenser.dispensed, same: dose, within: 10 min, not while: door}
  door: {while: door.leaf is open}
  often: {when: pendant.pressed, times: 2, within: 10 min}
"""
    )
    engine = Engine(book, catch_all=False)
    for name in ("h1", "h2"):
        engine.set_home(HomeSpec(name, late_ms=0))
    mine = heard("08:00 d dispenser.due dose=1\n08:02 p pendant.pressed")
    lines = "08:01 d dispenser.dispensed dose=1\n08:03 p pendant.pressed\n08:04 f door.opened"
    theirs = [event.__class__(f"2-{event.id}", event.at, event.heard, "h2", event.device, event.kind, event.data)
              for event in heard(lines)]  # fmt: skip
    found = engine.feed(sorted([*mine, *theirs], key=lambda event: event.at)) + engine.advance(clock("09:00"))
    assert [(each.home, each.action, each.rule) for each in found] == [
        ("h2", "raise", "door"), ("h1", "raise", "dose")
    ]  # fmt: skip


def test_a_dose_closed_by_hand_is_over(story, heard, clock) -> None:
    """(5.4) It is not told again, not by a change in the registry either; the next of the key begins a new round."""
    astrid = story(DOSE, late=0)
    engine = astrid.live()
    engine.feed(heard("08:00 d dispenser.due dose=1"))
    (raised,) = engine.advance(clock("08:30"))
    assert engine.close("h1", "r", raised.key, clock("08:31")) == []
    engine.set_home(astrid.home)
    assert engine.advance(clock("08:59")) == []
    assert engine.feed(heard("09:00 d dispenser.due dose=1 id=c")) == []
    assert told(engine.advance(clock("10:00"))) == [("raise", "r", clock("09:10"))]


def test_a_lasting_alert_closed_by_hand_is_quiet_until_it_is_over(story, heard, clock) -> None:
    """(5.6) The door stands open as before; only after it was closed does a new episode begin."""
    engine = story("rules: {r: {while: door.leaf is open, for: 10 min}}", late=0).live()
    engine.feed(heard("08:00 f door.opened"))
    assert told(engine.advance(clock("08:30"))) == [("raise", "r", clock("08:10"))]
    engine.close("h1", "r", "h1", clock("08:31"))
    assert engine.feed(heard("08:40 f door.opened id=b\n08:50 f door.closed id=c")) == []
    engine.feed(heard("09:00 f door.opened id=d"))
    assert told(engine.advance(clock("10:00"))) == [("raise", "r", clock("09:10"))]


def test_silence_is_counted_from_the_first_sign_where_no_assignment_is_known(story, heard, clock) -> None:
    """(5.7) A device nobody registered is watched from when it first speaks, and not before."""
    engine = story("rules: {r: {missing: any.heartbeat, for: 15 min, per: device}}", late=0).live()
    assert engine.advance(clock("08:00")) == []
    engine.feed(heard("08:00 f door.heartbeat"))
    assert told(engine.advance(clock("09:00"))) == [("raise", "r", clock("08:15"))]


def test_being_held_starts_each_kind_of_wait_anew(story, heard, clock) -> None:
    """(5.8) When the holder clears, a dose and an open door have a new T from then, as a silent device has."""
    rules = """
rules:
  dose: {when: dispenser.due, missing: dispenser.dispensed, same: dose, within: 10 min, not while: jam}
  door: {while: door.leaf is open, for: 10 min, not while: jam}
  jam: {while: lock.bolt is jammed}
"""
    lines = "08:00 l lock.jammed\n08:01 d dispenser.due dose=1\n08:01 f door.opened\n08:30 l lock.locked"
    raised = [each for each in story(rules).decisions(lines, "09:30") if each.action == "raise"]
    assert sorted(told(raised)) == [
        ("raise", "door", clock("08:40")), ("raise", "dose", clock("08:40")), ("raise", "jam", clock("08:00"))
    ]  # fmt: skip


def test_a_resident_without_a_parameter_has_the_books(story) -> None:
    """(5.11) The default stands in; a resident's own comes before it."""
    rules = "rules: {r: {while: vitals.pulse > resident.limit}}\ndefaults: {limit: 100}"
    lines = "08:00 o vitals.pulse value=110"
    assert story(rules).told(lines) == ["08:00:00 raise r h1"]
    assert story(rules, resident={"limit": 120}).told(lines) == []


def test_what_cannot_be_used_is_marked_and_shown(story, heard, clock) -> None:
    """(5.11) A reading that is no number and a division by zero make a condition false, are counted and shown."""
    rules = "rules: {r: {while: vitals.pulse / resident.rest > 2, for: 10 min}}"
    engine = story(rules, resident={"rest": 0}, late=0).live()
    engine.feed(heard("08:00 o vitals.pulse value=130\n08:01 o vitals.pulse value=?"))
    assert engine.advance(clock("09:00")) == []
    assert engine.faults == 0
    assert "h1: 2 readings could not be used and count as unknown." in why_not(engine, "r", "h1")
    assert "h1: 2 målinger kunne ikke brukes og regnes som ukjent." in why_not(engine, "r", "h1", "nb")


def test_an_unknown_value_neither_ends_nor_goes_on(story) -> None:
    """(5.11, DECISIONS 21) It clears no open alert, and nothing goes on waiting over it."""
    rules = "rules: {r: {while: vitals.pulse > 100, for: 10 min}}"
    lines = "08:00 o vitals.pulse value=120\n08:15 o vitals.pulse value=?\n08:20 o vitals.pulse value=80"
    assert story(rules).told(lines) == ["08:10:00 raise r h1", "08:20:00 clear r h1"]
    lines = "08:00 o vitals.pulse value=120\n08:05 o vitals.pulse value=?\n08:06 o vitals.pulse value=120"
    assert story(rules).told(lines) == ["08:16:00 raise r h1"]


def test_what_passed_while_down_comes_in_order_and_before_what_is_new(story, heard, clock) -> None:
    """(5.12) Two deadlines of the night, then the event of the morning that would have ended one of them."""
    rules = "rules: {door: {while: door.leaf is open, for: 10 min}, bed: {while: bed.occupied is no, for: 20 min}}"
    astrid = story(rules, late=0)
    engine = astrid.live()
    engine.feed(heard("02:00 f door.opened\n02:01 b bed.left"))
    again = Engine(load_book(rules), catch_all=False)
    again.restore(engine.snapshot(), [astrid.home])
    assert told(again.feed(heard("07:00 f door.closed id=x"))) == [
        ("raise", "door", clock("02:10")), ("raise", "bed", clock("02:21")), ("clear", "door", clock("07:00"))
    ]  # fmt: skip


def test_a_window_in_which_we_were_deaf_is_not_judged(story, heard, clock) -> None:
    """(5.12) Who could not hear before half past nine cannot say that nobody moved since six."""
    rules = 'rules: {r: {missing: room.motion, between: ["06:00", "10:00"]}}'
    devices = {"m": DeviceSpec("room", clock("00:00"))}
    engine = story(rules, devices=devices, late=0).live()
    engine.heard_nothing(clock("09:30"))
    assert engine.advance(clock("12:00")) == []
    assert told(engine.advance(clock("+12:00"))) == [("raise", "r", clock("+10:00"))]


def test_the_numbers_of_an_alert_are_those_it_was_judged_by(story) -> None:
    """(5.16) A decision carries its rule's version and the values of its parameters."""
    rules = "rules: {r: {while: vitals.pulse > resident.limit, for: 10 min}}"
    (raised,) = story(rules, resident={"limit": 100}).decisions("08:00 o vitals.pulse value=110", "09:00")
    assert (raised.params, raised.version) == (
        {"for": "10 min", "resident.limit": "100"}, load_book(rules).rules["r"].meaning
    )  # fmt: skip
