"""The log of a Nuki lock: who moved the bolt and how, each entry once, also what happened while nobody listened."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from drivers.device_type import Command, Unit, Visit
from drivers.devices import nuki_ble
from drivers.events import DecodeError, Fact
from drivers.links.ble.session import Patience
from drivers.links.link import LinkDown, Receipt
from drivers.protocols import nuki, nuki_log
from drivers.protocols.conversation import Write
from drivers.protocols.nuki_talk import Talk
from simulators.ble import NukiLock
from simulators.ble.nuki_lock import LOCKED, UNLOCKED
from simulators.ble.nuki_log import ACTION, KEYPAD

ADDRESS = "c4:7c:8d:6a:40:01"
NOW = 1_768_460_400_000  # 2026-01-15T07:00:00Z, the lock's clock at its beginning
MINUTE = 60_000
KEY = bytes(range(32))
SECRET = KEY + (2).to_bytes(4, "little")
DEVICE = nuki_ble.DEVICE
BRISK = Patience(
    connect=30, answer=2, let_go=10, silence=5, retry=0.01, longest_retry=0.05, revisit=0.0, idle=0.02
)
QUIET = {"lock.heartbeat", "lock.battery"}


class Home:
    """The gateway's side: decodes at once, remembers, and goes on remembering over every connection."""

    def __init__(self, pin: str = "1234") -> None:
        self.unit = Unit(ADDRESS, SECRET, secrets={"pin": pin} if pin else {})
        self.facts: list[Fact] = []
        self.results: list[object] = []
        self.passed = 0

    @property
    def use(self):
        """How the link treats the lock."""
        return replace(
            DEVICE.ble, secret=SECRET, secrets=self.unit.secrets, memory=lambda: dict(self.unit.memory)
        )

    async def hear(self, frame) -> Receipt:
        """Decode as the gateway does."""
        try:
            found = list(DEVICE.decode(replace(frame, heard=NOW + self.passed), self.unit))
        except DecodeError:
            return Receipt(accepted=True, error="unreadable")
        for one in found:
            if not isinstance(one, Fact):
                self.results.append(one)
            elif one.kind not in QUIET:
                self.facts.append(one)
        return Receipt(accepted=True)

    def wait(self, lock: NukiLock, **span: float) -> None:
        """Time passes, for the lock's clock and for ours."""
        lock.pass_time(**span)
        self.passed += round(timedelta(**span).total_seconds() * 1000)

    def knows(self, who: str) -> bool:
        """Whether something was told of this person, and how the lock was left."""
        return any(one.data.get("by") == who for one in self.facts) and self.facts[-1].kind == "lock.locked"

    def told(self) -> list[tuple[object, ...]]:
        """Kinds with who and how, and forget them."""
        facts, self.facts = self.facts, []
        return [(one.kind, *(one.data.get(name, "") for name in ("by", "how"))) for one in facts]

    def ask(self, name="unlock"):
        """Encode a command as the gateway does."""
        return DEVICE.encode(Command("c-1", name, {}, NOW + 60_000), self.unit)


@pytest.fixture
async def lock(ether):
    """The lock of Astrid's front door, paired long ago; its log begins with somebody else's story."""
    one = NukiLock(ADDRESS)
    one.knows(2, KEY)
    one.names[2] = "trygghub"
    one.log.action(1, 1)
    one.log.action(2, 1)
    await one.start(ether)
    yield one
    await one.stop()


@pytest.fixture
def home() -> Home:
    """A gateway that knows the PIN."""
    return Home()


@pytest.fixture
def visits(make_link, running, eventually, lock):
    """Run the link until the lock has been visited so often; each time from the beginning, as after a restart."""

    def has_ended(link, times):
        return link.health().counters.get("links_ended", 0) >= times

    async def visit(home, *, again=None, count=1):
        link = make_link({ADDRESS: home.use}, patience=BRISK)
        async with running(link, home):
            await eventually(lambda: link.health().state == "up")
            for _ in range(count):
                await (again() if again else lock.call())
                ended = link.health().counters.get("links_ended", 0) + 1
                await eventually(partial(has_ended, link, ended), within=30)

    return visit


class Street:
    """Many locks behind one link, so that what goes wrong in many ways is tried in all of them at once."""

    def __init__(self, ether, make_link, running, eventually) -> None:
        self._ether, self._make, self._running, self._eventually = ether, make_link, running, eventually
        self.homes: dict[str, Home] = {}
        self.locks: list[NukiLock] = []

    @asynccontextmanager
    async def of(self, count: int):
        """So many locks of one kind, and the link that hears them."""
        self.locks = [NukiLock(f"c4:7c:8d:6a:{n // 256:02x}:{n % 256:02x}") for n in range(1, count + 1)]
        self.homes = {lock.address: Home() for lock in self.locks}
        for lock in self.locks:
            lock.knows(2, KEY)
            lock.names[2] = "trygghub"
            await lock.start(self._ether)
        self.link = self._make({a: home.use for a, home in self.homes.items()}, patience=BRISK, slots=12)
        async with self._running(self.link, self):
            await self._eventually(lambda: self.link.health().state == "up")
            yield self.locks
        await asyncio.gather(*(lock.stop() for lock in self.locks))

    async def hear(self, frame) -> Receipt:
        """Each lock's frames go to its own home."""
        return await self.homes[frame.address].hear(frame)

    async def each(self, act) -> list:
        """The same for every lock, all at once."""
        return await asyncio.gather(*(act(lock, self.homes[lock.address]) for lock in self.locks))

    def place(self, lock) -> int:
        """Which lock of the street it is."""
        return self.locks.index(lock)

    async def visit(self, lock) -> None:
        """Call, and wait until somebody has come, asked and gone."""
        await lock.call()
        await self._eventually(lambda: lock.is_known, within=60)


def in_dozens(count: int) -> list[range]:
    """1 to `count`, as many at a time as an adapter keeps links."""
    return [range(first, min(first + 12, count + 1)) for first in range(1, count + 1, 12)]


@pytest.fixture
def street(ether, make_link, running, eventually) -> Street:
    """A street without locks yet."""
    return Street(ether, make_link, running, eventually)


# ---------------------------------------------------------------- entries


def entry(kind: int, data: str, *, index: int = 7, name: str = "", authorisation: int = 0) -> bytes:
    """A log entry composed from the maker's table."""
    head = index.to_bytes(4, "little") + bytes.fromhex("EA07010F070000") + authorisation.to_bytes(4, "little")
    return head + name.encode().ljust(32, b"\0") + bytes([kind]) + bytes.fromhex(data)


@pytest.mark.parametrize(
    ("payload", "kind", "data"),
    [
        (entry(2, "02 01 00 00"), "lock.locked", {"how": "manual"}),
        (entry(2, "01 00 00 00", name="Eva", authorisation=5), "lock.unlocked", {"by": "Eva", "how": "command"}),
        (entry(2, "03 02 00 00"), "lock.unlocked", {"how": "button"}),
        (entry(2, "06 06 00 00"), "lock.locked", {"how": "automatic"}),
        (entry(2, "02 03 00 00"), "lock.locked", {"how": "automatic"}),
        (entry(2, "01 03 00 00", name="Fob Nils", authorisation=9), "lock.unlocked", {"by": "Fob Nils", "how": "fob"}),
        (entry(2, "02 07 00 00"), "lock.locked", {"how": "trigger 7"}),
        (entry(2, "02 06 00 01"), "lock.jammed", {"reason": "motor blocked"}),
        (entry(2, "02 06 00 08"), "lock.jammed", {"reason": "incomplete"}),
        (entry(2, "01 00 00 02", name="Eva"), "lock.refused", {"reason": "cancelled", "by": "Eva", "how": "command"}),
        (entry(2, "01 00 00 06"), "lock.fault", {"code": "clutch failure"}),
        (entry(2, "01 00 00 FE"), "lock.fault", {"code": "completion 0xfe"}),
        (entry(5, "01 01 00 39 30", name="Hjemmetjenesten"), "lock.unlocked", {"by": "Hjemmetjenesten", "how": "code"}),
        (entry(5, "01 01 00 39 30"), "lock.unlocked", {"by": "code 12345", "how": "code"}),
        (entry(5, "02 00 00 00 00"), "lock.locked", {"how": "key"}),
        (entry(5, "01 02 00 01 00", name="Nils"), "lock.unlocked", {"by": "Nils", "how": "fingerprint"}),
        (entry(5, "01 01 E0 00 00"), "lock.refused", {"reason": "invalid code", "how": "code"}),
        (entry(5, "01 01 09 01 00", name="Nils"), "lock.refused",
         {"reason": "not authorised", "by": "Nils", "how": "code"}),
        (entry(6, "00"), "door.opened", {}),
        (entry(6, "01"), "door.closed", {}),
        (entry(6, "02"), "lock.fault", {"code": "door sensor jammed"}),
    ],
)  # fmt: skip
def test_an_entry_means_its_fact(payload, kind, data):
    """Every kind of entry in the maker's table."""
    fact = nuki_log.meaning(nuki_log.entry(payload))
    assert (fact.kind, dict(fact.data)) == (kind, data)


@pytest.mark.parametrize(
    "payload",
    [entry(1, "00"), entry(3, "00"), entry(4, "00"), entry(7, "01"), entry(99, "01 02"), entry(2, "81 02 00 00"),
     entry(2, "01"), entry(5, "01 01"), entry(6, ""), entry(6, "07")],
)  # fmt: skip
def test_an_entry_that_says_nothing_of_bolt_or_door_is_none(payload):
    """Switching the log, calibrations, entries of tomorrow and entries cut short tell nothing, and break nothing."""
    assert nuki_log.meaning(nuki_log.entry(payload)) is None


def test_an_entry_that_is_cut_short_is_refused():
    """Without its type nobody can read it."""
    with pytest.raises(DecodeError, match="at least 48 bytes, not 47"):
        nuki_log.entry(entry(2, "")[:47])


def test_a_name_is_shown_as_text_only():
    """A name of the app with control characters or broken UTF-8 cannot disturb a screen or a log line."""
    raw = bytearray(entry(2, "01 00 00 00"))
    raw[15:21] = b"E\x1bv\xffa\n"
    assert nuki_log.entry(bytes(raw)).name == "Ev�a"


# ---------------------------------------------------------------- over the air


async def test_what_was_before_us_is_not_told(visits, lock, home):
    """At the first contact the lock's state is told, and of its log only the number is remembered."""
    await visits(home)
    assert home.told() == [("lock.locked", "", "manual"), ("door.closed", "", "")]
    assert home.unit.memory["log"]["index"] == 2


async def test_who_and_how_come_with_the_movement(visits, lock, home):
    """Keypad, fob, app, knob and auto lock: told once each, with names, and not again by the state."""
    await visits(home)
    home.told()
    for act in (
        lambda: lock.enter_code("Hjemmetjenesten", 77),
        lambda: lock.turn_by_hand(LOCKED),
        lambda: lock.use_fob("Fob Eva", 5),
        lock.lock_itself,
        lambda: lock.use_app("Nils", 6),
        lambda: lock.enter_code("", 0, right=False),
        lock.open_door,
    ):
        home.wait(lock, minutes=3)
        await visits(home, again=act)
    assert home.told() == [
        ("lock.unlocked", "Hjemmetjenesten", "code"),
        ("lock.locked", "", "manual"),
        ("lock.unlocked", "Fob Eva", "fob"),
        ("lock.locked", "", "automatic"),
        ("lock.unlocked", "Nils", "command"),
        ("lock.refused", "", "code"),
        ("door.opened", "", ""),
    ]


async def test_what_happened_while_nobody_listened_is_told_in_its_order(visits, lock, home):
    """Forty movements of a night without the gateway: all of them, oldest first, at their own times."""
    await visits(home)
    home.told()
    for number in range(20):
        home.wait(lock, minutes=10)
        await lock.enter_code(f"Vakt {number}", number + 1)
        home.wait(lock, minutes=5)
        await lock.lock_itself()
    await visits(home)
    told = [one for one in home.facts if one.kind.startswith("lock.")]
    assert [one.data.get("by") for one in told] == [
        f"Vakt {n // 2}" if n % 2 == 0 else None for n in range(40)
    ]
    assert [one.kind for one in told] == ["lock.unlocked", "lock.locked"] * 20
    assert [one.at - NOW for one in told] == [MINUTE * (n // 2 * 15 + (10, 15)[n % 2]) for n in range(40)]
    assert len({one.id for one in told}) == 40


async def test_times_are_right_though_the_locks_clock_is_wrong(visits, lock, home):
    """The clock is hours off; an entry lies where it happened by ours."""
    lock.log.now = datetime(2019, 5, 1, 3, 0, 0, tzinfo=UTC)
    await visits(home)
    home.told()
    await lock.enter_code("Eva", 4)
    home.wait(lock, minutes=30)
    await visits(home)
    (fact,) = [one for one in home.facts if one.kind == "lock.unlocked"]
    assert (fact.at, fact.data["by"]) == (NOW, "Eva")


@pytest.mark.timeout(300)
async def test_a_log_cut_in_the_middle_is_read_again_and_leaves_no_gap(street):
    """The link breaks at every boundary of a log in turn; in the end each entry was told once, in order."""

    async def night(lock, home, cut=None):
        await street.visit(lock)
        home.told()
        await lock.use_app("Eva", 5)
        home.wait(lock, minutes=5)
        await lock.turn_by_hand(LOCKED)
        before = lock.boundaries
        lock.cut_at = None if cut is None else lock.boundaries + cut
        await street.visit(lock)
        await street.visit(lock)
        while not home.knows("Eva"):
            await street.visit(lock)  # a busy machine has cut one more visit short
        told = home.told()
        assert [one for one in told if one[1]] == [("lock.unlocked", "Eva", "command")], cut
        assert told[-1][0] == "lock.locked", cut
        assert len(told) <= 3, (cut, told)  # the state may have been told before the log could be
        return lock.boundaries - before

    async with street.of(1):
        (whole,) = await street.each(night)
    for cuts in in_dozens(whole):
        async with street.of(len(cuts)):
            await street.each(lambda lock, home, cuts=cuts: night(lock, home, cuts[street.place(lock)]))


async def test_a_wrong_pin_is_one_fault_and_is_never_tried_again(visits, lock, home):
    """Three visits, one attempt: the lock must not shut everybody out; the sentence does not show the PIN."""
    wrong = Home(pin="9999")
    await visits(wrong, count=2)
    await visits(wrong)
    assert lock.log.wrong_pins == 1
    assert [one.data for one in wrong.facts if one.kind == "lock.fault"] == [
        {"code": "log not read: wrong security PIN"}
    ]
    assert "9999" not in repr((wrong.facts, wrong.unit, wrong.unit.memory))


async def test_another_pin_is_tried_and_the_fault_is_over(visits, lock):
    """Somebody writes the right PIN into the file: the log is read, and the technician hears that it is."""
    home = Home(pin="9999")
    await visits(home)
    home.told()
    home.unit.secrets = {"pin": "1234"}
    await visits(home)
    assert [(one.kind, one.data) for one in home.facts] == [
        ("lock.recovered", {"code": "log not read: wrong security PIN"})
    ]
    home.told()
    await visits(home, again=lambda: lock.use_app("Nils", 6))
    assert home.told() == [("lock.unlocked", "Nils", "command")]


async def test_a_pin_that_no_lock_has_is_said_without_asking_the_lock(visits, lock):
    """Six digits or letters are a fault of the set-up."""
    home = Home(pin="123456")
    await visits(home, count=2)
    assert [one.data for one in home.facts if one.kind == "lock.fault"] == [{"code": nuki_ble.NO_PIN}]
    assert nuki_log.REQUEST_LOG not in lock.asked
    home.told()
    home.unit.secrets = {"pin": "1234"}
    await visits(home)
    assert ("lock.recovered", "", "") in home.told()


async def test_a_lock_that_keeps_no_log_is_one_fault(visits, lock, home):
    """Switched off in the maker's app: said once, and once that it is on again."""
    lock.log.enabled = False
    await visits(home)
    await visits(home)
    assert [one.data for one in home.facts if one.kind == "lock.fault"] == [{"code": nuki_ble.NO_LOG}]
    lock.log.enabled = True
    await visits(home)
    assert [one.data for one in home.facts if one.kind == "lock.recovered"] == [{"code": nuki_ble.NO_LOG}]


async def test_what_follows_an_empty_log_is_told(visits, lock, home):
    """The first contact found nothing in it; the first entry ever is news."""
    lock.log.reset()
    await visits(home)
    home.told()
    await visits(home, again=lambda: lock.use_app("Nils", 6))
    assert home.told() == [("lock.unlocked", "Nils", "command")]


async def test_without_a_pin_the_log_is_left_alone(visits, lock):
    """Nobody asks for it, and the state says what it knows."""
    home = Home(pin="")
    await visits(home)
    await visits(home, again=lambda: lock.enter_code("Eva", 3))
    assert nuki_log.REQUEST_LOG not in lock.asked
    assert home.told()[-1] == ("lock.unlocked", "", "command")


async def test_a_reset_lock_begins_its_log_anew(visits, lock, home):
    """Its numbers are lower than those we know; what it says now is told all the same."""
    for _ in range(5):
        lock.log.action(2, 6)
    await visits(home)
    home.told()
    lock.log.reset()
    home.wait(lock, minutes=30)
    await visits(home, again=lambda: lock.use_app("Nils", 6))
    assert home.told() == [("lock.unlocked", "Nils", "command")]


async def test_old_news_is_not_told_as_if_it_were_new(visits, lock, home):
    """What happened a week ago is counted as read; a door that opened then is not open now."""
    await visits(home)
    home.told()
    await lock.enter_code("Eva", 4)
    home.wait(lock, days=7)
    await lock.use_app("Nils", 6)
    await visits(home)
    assert home.told() == [("lock.unlocked", "Nils", "command")]


async def test_our_own_command_is_told_once(make_link, running, eventually, visits, lock, home):
    """The state tells it live; the entry that says it was us adds nothing, and another's entry is still told."""
    await visits(home)
    home.told()
    link = make_link({ADDRESS: home.use}, patience=BRISK)
    async with running(link, home):
        await eventually(lambda: link.health().state == "up")
        await link.send(ADDRESS, home.ask())
        await eventually(lambda: link.health().counters.get("links_ended", 0), within=30)
    assert [one for one in home.told() if one[0] != "lock.unknown"] == [("lock.unlocked", "", "command")]
    assert [one.outcome for one in home.results] == ["done"]
    assert home.unit.memory["log"]["index"] == 3


async def test_a_command_waits_for_one_page_and_not_for_the_log(
    make_link, running, eventually, visits, lock, home
):
    """Somebody stands at the door while eighty entries are read: the bolt moves first, the log is read after."""
    await visits(home)
    home.told()
    for number in range(40):
        await lock.enter_code(f"Vakt {number}", number + 1)
        await lock.lock_itself()
    lock.asked.clear()
    link = make_link({ADDRESS: home.use}, patience=BRISK)
    async with running(link, home):
        await eventually(lambda: link.health().state == "up")
        await lock.call()
        await eventually(lambda: nuki_log.REQUEST_LOG in lock.asked)
        await link.send(ADDRESS, home.ask())
        await eventually(lambda: link.health().counters.get("links_ended", 0), within=30)
    action = lock.asked.index(nuki.LOCK_ACTION)
    assert lock.asked[:action].count(nuki_log.REQUEST_LOG) == 1
    assert lock.asked.count(nuki.LOCK_ACTION) == 1
    names = [one.data["by"] for one in home.facts if "by" in one.data]
    assert [one for one in names if one != "trygghub"] == [f"Vakt {number}" for number in range(40)]


# ---------------------------------------------------------------- never a second unlock


@pytest.mark.timeout(300)
async def test_the_link_lost_at_every_boundary_never_leads_to_a_second_unlock(street):
    """Before and after every write and every piece of an answer: at most one movement, and the truth about it."""

    async def unlock(lock, home, cut=None):
        lock.cut_at, said = cut, "done"
        try:
            await street.link.send(lock.address, replace(home.ask(), wait=30_000))
        except LinkDown as down:
            said = "nothing was done" if "nothing was done" in down.reason else "not known"
        await street.visit(lock)
        await street.visit(lock)  # and a later visit must not bring it back either
        assert lock.asked.count(nuki.LOCK_ACTION) <= 1, cut
        assert len(lock.moves) <= 1, cut
        assert not lock.moves or said != "nothing was done", cut
        assert lock.moves or said != "done", cut
        if lock.moves:
            assert lock.bolt == UNLOCKED
            assert home.unit.memory["state"] == UNLOCKED, cut
            assert [one.outcome for one in home.results] == ["done"], cut
        return said

    async with street.of(1) as (lock,):
        assert await street.each(unlock) == ["done"]
        boundaries = lock.boundaries
    assert boundaries > 30
    said = set()
    for cuts in in_dozens(boundaries):
        async with street.of(len(cuts)):
            said |= set(
                await street.each(lambda lock, home, cuts=cuts: unlock(lock, home, cuts[street.place(lock)]))
            )
    assert said == {"nothing was done", "not known", "done"}


def test_no_sequence_of_answers_makes_a_second_action():
    """The machine alone, fed with any three answers after the action was written, writes it once."""
    secret = nuki.Secret.read(SECRET)
    answers = [
        nuki.seal(secret, command, payload, bytes([n]) * 24)
        for n, (command, payload) in enumerate(
            [(nuki.CHALLENGE, bytes(32)), (nuki.STATES, bytes([2, LOCKED, 0]) + bytes(18)),
             (nuki.STATUS, bytes([0])), (nuki.STATUS, bytes([1])), (nuki.ERROR, bytes([0x22, 0x0D, 0])),
             (nuki.ERROR, bytes([0x21, 0x31, 0])), (nuki_log.COUNT, bytes([1, 0, 0, 0, 0])),
             (nuki_log.ENTRY, entry(ACTION, "01 00 00 00")), (nuki_log.ENTRY, entry(KEYPAD, "01 01 00 00 00"))]
        )
    ]  # fmt: skip
    for first in answers:
        for second in answers:
            for third in answers:
                talk = Talk(Visit(secret=SECRET, secrets={"pin": "1234"}), nonce=bytes)
                acts = talk.begin() + talk.send(
                    1, DEVICE.encode(Command("c", "unlock", {}, NOW), Unit(ADDRESS))
                )
                for answer in (answers[1], answers[0], first, second, third, answers[0]):
                    acts += talk.heard(nuki.USER_DATA, answer)
                written = [nuki.unseal(secret, one.payload).command for one in acts if isinstance(one, Write)]
                assert written.count(nuki.LOCK_ACTION) == 1
