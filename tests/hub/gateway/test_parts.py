"""Small parts of the gateway: lanes, moments, budgets, clock, the roll, the registry copy, the reserve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from drivers.catalogue import CATALOGUE
from drivers.events import Fact, Frame
from drivers.registry import DEVICE_TYPES
from hub.clock import ManualClock
from hub.gateway import lanes, registry_copy, reserve
from hub.gateway.home_specs import home_specs
from hub.gateway.ids import Ids
from hub.gateway.moments import OLDEST, moment
from hub.gateway.registry_copy import Copy, PartError
from hub.gateway.reserve import Reserve
from hub.gateway.roll import Roll, call_the_roll
from hub.gateway.steady_clock import SteadyClock
from hub.gateway.storage import open_storage
from hub.gateway.strangers import Strangers
from hub.registry.models import GatewayPart
from hub.store.errors import StoreError
from hub.uplink.messages import LANES, Part

NOW = 1_768_460_400_000


def test_every_call_for_help_travels_in_the_alarm_lane() -> None:
    """No call for help waits behind anything."""
    calls = [kind for kind, spec in CATALOGUE.facts.items() if spec.call_for_help]
    assert calls
    assert {lanes.of_event(kind) for kind in calls} == {"alarm"}


@pytest.mark.parametrize("queue", ["care", "technical"])
@pytest.mark.parametrize("urgency", ["critical", "high", "moderate", "low"])
def test_every_decision_has_a_lane(queue: str, urgency: str) -> None:
    """Critical ones go first in either queue; nothing falls through."""
    lane = lanes.of_decision(queue, urgency)
    assert lane in LANES
    assert (lane == "alarm") == (urgency == "critical" or (queue, urgency) == ("care", "high"))


@pytest.mark.parametrize(
    ("offset", "believed"), [(0, True), (1, False), (-OLDEST, True), (-OLDEST - 1, False)]
)
def test_a_time_is_believed_up_to_its_bounds(offset: int, believed: bool) -> None:
    """Exactly now and exactly a week ago are believed; a millisecond beyond is not, and why is said."""
    found = moment(Fact("lock.locked", at=NOW + offset), NOW, own_clock=True)
    assert found.given == believed
    assert found.at == (NOW + offset if believed else NOW)
    assert bool(found.doubt) == (not believed)


def test_ids_of_two_runs_differ_and_sort_by_time() -> None:
    """A clock that was set back makes no id come twice, and later is greater within a run."""
    one, other = Ids(), Ids()
    made = [one.new("p", NOW), one.new("p", NOW), one.new("p", NOW - 5000), one.new("p", NOW + 1)]
    assert made == sorted(set(made))
    assert other.new("p", NOW) not in made


def test_a_senders_budget_refills_with_time() -> None:
    """After its thirty lines a sender gets one every twenty seconds; another sender is not touched by it."""
    strangers = Strangers()

    def verdicts(address: str, at: int, count: int) -> list[str]:
        return [strangers.judge(Frame("ble", address, f"{at} {n}".encode(), at)) for n in range(count)]

    assert verdicts("aa", NOW, 40).count("write") == 30
    assert verdicts("bb", NOW, 1) == ["write"]
    assert verdicts("aa", NOW + 20_000, 2) == ["write", "leave out"]


def test_the_street_cannot_fill_the_disk() -> None:
    """A thousand senders of one frame each are bounded together, and remembered in bounded memory."""
    strangers = Strangers()
    for number in range(5000):
        strangers.judge(Frame("ble", f"{number}", b"x", NOW))
    assert strangers.left_out == 5000 - 600
    assert len(strangers._sources) <= 1024


async def test_time_stands_still_until_the_clock_is_set() -> None:
    """A box that wakes in 1970 lives at its journal's newest moment until its clock has passed it."""
    base = ManualClock(at=0)
    clock = SteadyClock(base, NOW)
    assert (clock.now(), clock.is_set) == (NOW, False)
    base.at = NOW + 5
    assert (clock.now(), clock.is_set) == (NOW + 5, True)


# ---------------------------------------------------------------- the roll


@pytest.fixture
def part(roll: Roll) -> GatewayPart:
    """Astrid's gateway's part of the registry."""
    return roll.part


def altered(part: GatewayPart, device: str, **other: Any) -> GatewayPart:
    """The part with one device changed."""
    body = part.model_dump(by_alias=True)
    body["devices"][device] |= other
    return GatewayPart.model_validate(body)


def test_an_unknown_type_costs_one_device(part: GatewayPart, roll: Roll, tmp_path: Path) -> None:
    """A device of a type this program does not know is named as a problem; the others work on."""
    types = {one.type.id: one.type for one in roll.devices.values()}
    changed = call_the_roll(altered(part, "lock-1", type="lock_of_tomorrow"), types, tmp_path)
    assert set(changed.devices) == {"pendant-1", "room-1", "old-pendant"}
    [problem] = changed.problems
    assert problem.nb == "lock-1 er av typen lock_of_tomorrow, som denne hjemmesentralen ikke kjenner"
    assert problem.en == "lock-1 is of the type lock_of_tomorrow, which this gateway does not know"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        ("zzz1234", "holds no hexadecimal key"),
        ("zzz1234\N{SNOWMAN}", "holds no hexadecimal key"),
    ],
)
def test_a_bad_key_file_is_said_without_the_key(
    part: GatewayPart, roll: Roll, tmp_path: Path, content: str | None, why: str
) -> None:
    """A missing or wrong key file is a problem of that device, and its content is not repeated."""
    if content is not None:
        (tmp_path / "pendant.key").write_text(content, encoding="utf-8")
    types = {one.type.id: one.type for one in roll.devices.values()}
    changed = call_the_roll(altered(part, "pendant-1", secret="pendant.key"), types, tmp_path)
    [problem] = changed.problems
    assert problem.nb == "Nøkkelen til pendant-1 kan ikke leses"
    assert why in problem.detail
    assert "zzz1234" not in str(problem)
    assert str(tmp_path) not in str(problem)


@pytest.mark.parametrize(
    ("settings", "content", "why"),
    [
        (
            {"pin_secret": "sim.pin"},
            None,
            "the secret file sim.pin cannot be read: No such file or directory",
        ),
        ({"pin_secret": "sim.pin"}, "4711\n4712", "the secret file sim.pin holds one line of text"),
        ({"pin_secret": "sim.pin"}, "", "the secret file sim.pin holds one line of text"),
        ({"pin_secret": "sim.pin"}, "4711" * 300, "the secret file sim.pin is too long for a secret"),
        ({"pin_secret": "../sim.pin"}, "4711", "is the name of a file in the secrets folder"),
        ({"pin_secret": 4711}, "4711", "is the name of a file in the secrets folder"),
        ({"pin": "4711"}, None, "the setting pin stands openly in the registry"),
    ],
)
def test_a_bad_secret_is_said_without_it(
    part: GatewayPart, roll: Roll, tmp_path: Path, settings: dict[str, Any], content: str | None, why: str
) -> None:
    """A PIN whose file is missing or wrong, or which stands in the registry, is a problem of that device."""
    if content is not None:
        (tmp_path / "sim.pin").write_text(content)
    types = {one.type.id: one.type for one in roll.devices.values()}
    changed = call_the_roll(altered(part, "pendant-1", settings=settings), types, tmp_path)
    [problem] = changed.problems
    assert problem.nb == "En hemmelighet til pendant-1 er satt opp feil"
    assert why in problem.detail
    assert "4711" not in str(problem)
    assert "pin" not in changed.devices["pendant-1"].unit.secrets


def test_a_setting_of_the_wrong_kind_costs_the_setting(part: GatewayPart, roll: Roll, tmp_path: Path) -> None:
    """What an older release let in is named, the usual holds, and the device is heard as before."""
    odd = {"silent_after": "3 h", "counter_restarts": "no", "unheard of": 1}
    changed = call_the_roll(
        altered(part, "pendant-1", type="bthome_pendant", settings=odd), DEVICE_TYPES, tmp_path
    )
    told = [one for one in changed.problems if "pendant-1" in one.en]
    assert [one.nb for one in told] == ["En innstilling av pendant-1 kan ikke brukes"] * 2
    assert told[1].detail == 'counter_restarts is true or false, not "no"'
    pendant = changed.devices["pendant-1"]
    assert pendant.silent_after == DEVICE_TYPES["bthome_pendant"].silent_after
    assert "counter_restarts" not in pendant.unit.settings


def test_a_secret_reaches_the_driver_and_no_text(part: GatewayPart, roll: Roll, tmp_path: Path) -> None:
    """A setting called pin_secret names the file; the driver has the PIN, and nothing that is printed does."""
    (tmp_path / "sim.pin").write_text("4711\n")
    types = {one.type.id: one.type for one in roll.devices.values()}
    changed = call_the_roll(altered(part, "pendant-1", settings={"pin_secret": "sim.pin"}), types, tmp_path)
    unit = changed.devices["pendant-1"].unit
    assert dict(unit.secrets) == {"pin": "4711"}
    assert "4711" not in repr(changed)
    assert changed.problems == []


def test_a_device_that_stays_keeps_its_memory(part: GatewayPart, roll: Roll, tmp_path: Path) -> None:
    """A new registry part does not make a decoder forget its counters (ST-1)."""
    roll.devices["pendant-1"].memory.latest = b'{"count":7}'
    roll.devices["pendant-1"].memory.ahead = 7
    types = {one.type.id: one.type for one in roll.devices.values()}
    changed = call_the_roll(altered(part, "pendant-1", name="Armbånd"), types, tmp_path, roll)
    assert changed.devices["pendant-1"].unit.memory == {"count": 7}
    assert changed.devices["pendant-1"].memory is roll.devices["pendant-1"].memory


def test_rules_are_told_of_homes_and_silence(roll: Roll) -> None:
    """The rules know each home's resident and zone, its devices, and how long each may be silent."""
    [home] = home_specs(roll, NOW)
    assert (home.id, home.tz, home.resident["name"]) == ("h1", "Europe/Oslo", "Astrid")
    assert set(home.devices) == {"pendant-1", "lock-1", "room-1"}
    assert home.devices["pendant-1"].silent_after == 7200
    assert home.devices["pendant-1"].late_ms == 0
    assert home.devices["lock-1"].late_ms == 120_000
    assert not home.devices["pendant-1"].knows_taken


# ---------------------------------------------------------------- registry copy


def message(part: GatewayPart, **other: Any) -> Part:
    """A part as the centre sends it."""
    return Part(hash="abc", registry=part.model_dump(by_alias=True, mode="json") | other)


def test_a_copy_is_read_back_as_it_was_saved(part: GatewayPart, tmp_path: Path) -> None:
    """What is kept is what came, for this gateway's eyes only."""
    path = tmp_path / "gateway" / "registry.json"
    registry_copy.save(path, message(part))
    found = registry_copy.load(path, "gw1")
    assert found == Copy("abc", part)
    assert path.stat().st_mode & 0o077 == 0


def test_no_copy_yet_is_no_error(tmp_path: Path) -> None:
    """A new gateway has no copy."""
    assert registry_copy.load(tmp_path / "registry.json", "gw1") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"hash": 1}', b"\xff\xfe"])
def test_a_damaged_copy_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    """Rubbish in the copy is said with the file's name."""
    path = tmp_path / "registry.json"
    path.write_bytes(content)
    with pytest.raises(PartError, match=r"registry\.json cannot be read as a registry part"):
        registry_copy.load(path, "gw1")


def test_a_part_for_another_gateway_is_refused(part: GatewayPart) -> None:
    """A part that names another gateway is not taken over."""
    with pytest.raises(PartError, match="for the gateway 'gw2', this is 'gw1'"):
        registry_copy.read(message(part, gateway="gw2"), "gw1")


def test_an_empty_part_never_replaces_a_full_one(part: GatewayPart) -> None:
    """A part without homes is refused where we have some, and welcome where we have none."""
    empty = registry_copy.nothing_yet("gw1")
    assert "no home" in registry_copy.may_replace(Copy("a", part), empty)
    assert registry_copy.may_replace(empty, Copy("a", part)) == ""


def test_a_device_in_no_home_is_refused(part: GatewayPart) -> None:
    """A part whose device stands in a home it does not hold makes no sense as a whole."""
    with pytest.raises(PartError, match="'pendant-1'"):
        registry_copy.read(message(altered(part, "pendant-1", home="h2")), "gw1")


def test_a_part_with_a_slip_names_the_place(part: GatewayPart) -> None:
    """A misspelt word in a part is said with its place."""
    body = orjson.loads(orjson.dumps(part.model_dump(by_alias=True, mode="json")))
    body["homes"]["h1"]["adress"] = "Storgata 1"
    with pytest.raises(PartError, match=r"homes\.h1\.adress"):
        registry_copy.read(Part(hash="x", registry=body), "gw1")


# ---------------------------------------------------------------- storage


async def test_a_damaged_database_is_set_aside(tmp_path: Path) -> None:
    """A gateway whose database is rubbish starts a new one, keeps the old for people, and begins a new epoch."""
    path = tmp_path / "gateway.db"
    path.write_bytes(b"not a database at all" * 500)
    storage = await open_storage(path, NOW)
    assert storage.set_aside == tmp_path / f"gateway.db.damaged-{NOW}"
    assert storage.set_aside.read_bytes().startswith(b"not a database")
    assert storage.last_heard == 0
    await storage.writer.close()


async def test_two_gateways_never_share_a_folder(tmp_path: Path, template: bytes) -> None:
    """A second process on the same data folder is told so, and may have it when the first has ended."""
    path = tmp_path / "gateway.db"
    path.write_bytes(template)
    first = await open_storage(path, NOW)
    with pytest.raises(StoreError, match="another gateway is running"):
        await open_storage(path, NOW)
    await first.writer.close()
    first.lock.release()
    second = await open_storage(path, NOW)
    await second.writer.close()
    second.lock.release()


def test_the_reserve_is_made_and_given_back(tmp_path: Path) -> None:
    """The space kept back is really allocated, and really returned."""
    kept = Reserve(tmp_path / "reserve")
    assert kept.make()
    assert kept.path.stat().st_blocks * 512 >= reserve.SIZE
    assert kept.release()
    assert not kept.release()


def test_no_reserve_is_made_on_a_crowded_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is nearly full is not filled by the reserve."""
    monkeypatch.setattr(reserve, "NEEDED", 1 << 62)
    assert not Reserve(tmp_path / "reserve").make()
