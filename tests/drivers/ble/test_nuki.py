"""A Nuki lock over Bluetooth: paired, asked, locked and unlocked, and never unlocked twice."""

from dataclasses import replace

import pytest
from nacl.public import PrivateKey

from drivers.device_type import Command, Unit, Visit
from drivers.devices import nuki_ble
from drivers.links.ble.commission import CommissionError, find, pair_nuki
from drivers.links.link import LinkDown
from drivers.protocols import nuki
from drivers.protocols.nuki_pairing import Pairing, PairingError
from drivers.protocols.nuki_talk import Talk
from simulators.ble import NukiLock
from simulators.ble.nuki_lock import LOCKED, UNLOCK, UNLOCKED

ADDRESS = "c4:7c:8d:6a:40:01"
NOW = 1_768_460_400_000
DEVICE = nuki_ble.DEVICE


@pytest.fixture
async def lock(ether):
    """The lock of Astrid's front door, not paired yet."""
    one = NukiLock(ADDRESS)
    await one.start(ether)
    yield one
    await one.stop()


@pytest.fixture
async def secret(radio, lock) -> bytes:
    """What pairing left."""
    await radio.open()
    await lock.hold_button()
    raw = await pair_nuki(radio, await find(radio, ADDRESS), "trygghub", app_id=7)
    await radio.close()
    return raw


@pytest.fixture
def unit(secret) -> Unit:
    """The lock as its decoder sees it."""
    return Unit(ADDRESS, secret)


@pytest.fixture
def link(make_link, secret):
    """A link that knows the lock's key."""
    return make_link({ADDRESS: replace(DEVICE.ble, secret=secret)})


def read(journal, unit) -> list:
    """Everything that the frames heard mean."""
    found = [one for frame in journal.frames for one in DEVICE.decode(frame, unit)]
    return [one for one in found if getattr(one, "kind", "") not in {"lock.heartbeat", "lock.battery"}]


def ask(unit, name="unlock"):
    """Encode a command as the gateway does."""
    return DEVICE.encode(Command("c-1", name, {}, NOW + 60_000), unit)


def test_the_published_pairing_example():
    """Keys, derived key and proof are those of the maker's document."""
    private = PrivateKey(bytes.fromhex("8CAA54672307BFFDF5EA183FC607158D2011D008ECA6A1088614FF0853A5AA07"))
    pairing = Pairing("Marc (Test)", 0, private)
    assert pairing.begin()[0].payload.hex().upper() == "0100030027A7"
    theirs = bytes.fromhex("03002FE57DA347CD62431528DAAC5FBB290730FFF684AFC4CFC2ED90995F58CB3B749DB9")
    (ours,) = pairing.heard(theirs)
    assert (
        ours.payload.hex()
        .upper()
        .startswith("0300F88127CCF48023B5CBE9101D24BAA8A368DA94E8C2E3CDE2DED29CE96AB50C15")
    )
    challenge = bytes.fromhex("04006CD4163D159050C798553EAA57E278A579AFFCBC56F09FC57FE879E51C42DF17C3DF")
    (proof,) = pairing.heard(challenge)
    assert proof.payload.hex().upper() == (
        "0500B09A0D3979A029E5FD027B519EAA200BC14AD3E163D3BE4563843E021073BCB1C357"
    )


def test_the_published_request_example():
    """The sealed request for the state is the document's, byte for byte."""
    key = bytes.fromhex("217FCB0F18CAF284E9BDEA0B94B83B8D10867ED706BFDEDBD2381F4CB3B8F73002000000")
    nonce = bytes.fromhex("37917F1AF31EC5940705F34D1E5550607D5B2F9FE7D496B6")
    sealed = nuki.seal(nuki.Secret.read(key), nuki.REQUEST_DATA, bytes([nuki.STATES, 0]), nonce)
    assert sealed.hex().upper() == (
        "37917F1AF31EC5940705F34D1E5550607D5B2F9FE7D496B6020000001A00"
        "670D124926004366532E8D927A33FE84E782A9594D39157D065E"
    )


async def test_pairing_agrees_on_a_key(secret, lock):
    """Both sides hold the same key, and the lock lists us by name."""
    assert secret[:32] == lock.authorised[1]
    assert secret[32:] == (1).to_bytes(4, "little")
    assert lock.names == {1: "trygghub"}


async def test_a_lock_whose_button_is_not_held_does_not_pair(radio, lock):
    """The refusal says what to do, and the adapter is left free."""
    await radio.open()
    with pytest.raises(CommissionError, match="hold its button"):
        await pair_nuki(radio, await find(radio, ADDRESS), "trygghub")
    assert not lock.connected
    await radio.close()


def test_a_lock_that_cannot_prove_its_key_is_not_paired_with():
    """Somebody between us and the lock does not get a key registered."""
    pairing = Pairing("x", 1)
    other = bytes(PrivateKey.generate().public_key)
    pairing.heard(nuki.plain(0x03, other))
    for _ in range(2):
        pairing.heard(nuki.plain(0x04, bytes(32)))
    with pytest.raises(PairingError, match="could not prove"):
        pairing.heard(nuki.plain(0x07, bytes(84)))
    with pytest.raises(PairingError, match="not finished"):
        _ = pairing.secret


async def test_an_unlock_is_done_when_the_bolt_says_so(running, link, journal, lock, unit, eventually):
    """Accepted, moving, unlocked: the command is done once the bolt is in."""
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        await link.send(ADDRESS, ask(unit))
        await journal.until(lambda frames: len(frames) >= 6)
    assert lock.moves == [UNLOCK]
    found = read(journal, unit)
    assert [getattr(one, "kind", one) for one in found[:4]] == [
        "lock.locked",
        "door.closed",
        "lock.unknown",
        "lock.unlocked",
    ]
    (result,) = [one for one in found if hasattr(one, "outcome")]
    assert (result.command, result.outcome) == ("c-1", "done")


async def test_a_lost_answer_never_leads_to_a_second_unlock(running, link, journal, lock, unit, eventually):
    """The bolt moved and the link broke: who asked is told it is unknown, and the state is asked, not the action."""
    lock.lose_answer = True
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        with pytest.raises(LinkDown, match="whether the bolt moved is not known"):
            await link.send(ADDRESS, ask(unit))
        await journal.until(lambda frames: link.health().counters["connections"] >= 2 and len(frames) >= 3)
        await eventually(lambda: not lock.connected)
    assert lock.moves == [UNLOCK]
    (result,) = [one for one in read(journal, unit) if hasattr(one, "outcome")]
    assert result.outcome == "done"


async def test_a_lock_that_answers_nothing_is_not_tried_again(running, link, journal, lock, unit, eventually):
    """The command times out; a challenge that comes later is not answered."""
    lock.deaf = True
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        with pytest.raises(LinkDown, match="did not take it within 300 ms"):
            await link.send(ADDRESS, replace(ask(unit), wait=300))
        lock.deaf = False
        await lock.turn_by_hand(LOCKED)
        await eventually(lambda: not lock.connected)
    assert lock.moves == []


async def test_a_jam_is_a_jam_and_a_failed_command(running, link, journal, lock, unit, eventually):
    """The bolt sticks half way: jammed, and the command failed."""
    lock.jam = True
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        await link.send(ADDRESS, ask(unit))
        await eventually(lambda: not lock.connected)
    found = read(journal, unit)
    assert [one.kind for one in found if getattr(one, "kind", "") == "lock.jammed"] == ["lock.jammed"]
    assert [one.outcome for one in found if hasattr(one, "outcome")] == ["failed"]


async def test_the_beacon_calls_and_a_quiet_lock_is_left_alone(
    running, link, journal, lock, unit, eventually
):
    """Turned by hand the lock is visited and asked; without a call it is not connected to at all."""
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        assert link.health().counters.get("connections", 0) == 0
        await lock.turn_by_hand(UNLOCKED)
        await journal.count(1)
        await eventually(lambda: not lock.connected)
        assert link.health().counters["connections"] == 1
        await lock.open_door()
        await journal.count(2)
        await eventually(lambda: not lock.connected)
    kinds = [one.kind for one in read(journal, unit)]
    assert kinds == ["lock.unlocked", "door.closed", "door.opened"]


async def test_two_commands_at_once_are_not_mixed(running, link, journal, lock, unit, eventually):
    """The second is refused while the first is under way."""
    import asyncio

    lock.motor = 0.2
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        first = asyncio.ensure_future(link.send(ADDRESS, ask(unit)))
        await eventually(lambda: lock.moves)
        with pytest.raises(LinkDown, match="still busy"):
            await link.send(ADDRESS, ask(unit, "lock"))
        await first
    assert lock.moves == [UNLOCK]


async def test_without_a_key_the_lock_is_not_connected_to(running, make_link, journal, lock, eventually):
    """The link says that the lock must be paired, and leaves it in peace."""
    link = make_link({ADDRESS: DEVICE.ble})
    async with running(link, journal):
        await eventually(lambda: link.health().state == "up")
        await lock.turn_by_hand(UNLOCKED)
        await eventually(lambda: link.health().counters.get("connect_failures", 0))
        assert link.health().counters.get("connections", 0) == 0


def test_no_error_sentence_shows_the_key():
    """A key of the wrong length is refused without repeating it."""
    with pytest.raises(ValueError, match="36 bytes") as wrong:
        Talk(Visit(secret=b"secret-secret"))
    assert "secret-secret" not in str(wrong.value)
