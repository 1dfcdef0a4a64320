"""`trygghub provision` as a technician runs it: virtual radio, virtual port, and everything that goes wrong."""

from __future__ import annotations

import asyncio
import io
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from hub.cli.__main__ import main
from hub.gateway.secrets import read_key
from hub.registry.models import DevicePart
from simulators.ble import BthomePendant, GlucoseMeter, NukiLock, PulseOximeter
from simulators.ble.nuki_lock import NO_MORE_USERS
from simulators.radio import Ether, RadioHub
from simulators.serial.enocean_stick import EnoceanRadio

LOCK = "c4:7c:8d:6a:40:01"
PENDANT = "c4:7c:8d:6a:10:01"
METER = "c4:7c:8d:6a:20:01"
KEY = bytes(range(16))


@dataclass
class Technician:
    """Tor, with a gateway's data folder and its radio."""

    data: Path
    radio: str
    typed: str = ""
    said: str = ""
    printed: str = ""

    async def runs(self, *words: str) -> int:
        """Run the command in a thread, as a process of its own would run."""
        return await asyncio.to_thread(self._run, [*words, "--data", str(self.data), "--ble", self.radio])

    def _run(self, words: list[str]) -> int:
        before = sys.stdin, sys.stdout, sys.stderr
        sys.stdin, sys.stdout, sys.stderr = io.StringIO(self.typed), io.StringIO(), io.StringIO()
        try:
            return main(["provision", *words])
        except SystemExit as stop:
            return int(stop.code or 0)
        finally:
            self.printed, self.said = sys.stdout.getvalue(), sys.stderr.getvalue()
            sys.stdin, sys.stdout, sys.stderr = before

    @property
    def entries(self) -> dict[str, DevicePart]:
        """What was printed, as the registry reads it."""
        told = yaml.safe_load(self.printed)["devices"]
        return {name: DevicePart.model_validate(one) for name, one in told.items()}

    def secret(self, name: str) -> Path:
        """A file of the secrets folder."""
        return self.data / "gateway" / "secrets" / name


@pytest.fixture
async def tor(tmp_path: Path) -> AsyncIterator[Technician]:
    """Tor, with a radio that anybody may join."""
    async with RadioHub(Ether(seed=1)) as hub:
        yield Technician(tmp_path / "data", hub.address)


def nuki(*more: str, address: str = LOCK) -> tuple[str, ...]:
    """The words that pair a lock."""
    return ("nuki", address, "--id", "front-lock", "--home", "h1", *more)


async def test_a_lock_is_paired_and_its_lines_are_printed(tor: Technician) -> None:
    """Key and PIN lie in the secrets folder, readable by the gateway alone; neither is shown."""
    lock = NukiLock(LOCK)
    await lock.start(tor.radio)
    await lock.hold_button()
    tor.typed = "1234\n"
    assert await tor.runs(*nuki("--pin-file", "-", "--name", "Ytterdør", "--room", "gang")) == 0
    entry = tor.entries["front-lock"]
    assert (entry.type, entry.link, entry.address, entry.home) == ("nuki_ble", "ble", LOCK, "h1")
    assert (entry.device_class, entry.name, entry.room) == ("lock", "Ytterdør", "gang")
    assert (entry.secret, entry.settings) == ("front-lock.key", {"pin_secret": "front-lock.pin"})
    key = read_key(tor.secret("front-lock.key"))
    assert key[:32] == lock.authorised[1]
    assert tor.secret("front-lock.pin").read_text() == "1234\n"
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in tor.secret("x").parent.iterdir())
    assert "1234" not in tor.said + tor.printed
    assert key.hex() not in tor.said + tor.printed
    assert "firmware 3.5.4, with keypad" in tor.said
    assert "its batteries give 5.6 V" in tor.said
    assert lock.names == {1: "trygghub"}
    await lock.stop()


async def test_a_lock_that_is_not_in_pairing_mode_says_what_to_do(tor: Technician) -> None:
    """One sentence, exit code 1, and nothing is left behind."""
    lock = NukiLock(LOCK)
    await lock.start(tor.radio)
    assert await tor.runs(*nuki()) == 1
    assert "not in pairing mode; hold its button for five seconds" in tor.said
    assert not tor.secret("front-lock.key").exists()
    assert tor.printed == ""
    await lock.stop()


async def test_a_lock_out_of_range_is_said(tor: Technician) -> None:
    """Nothing was heard at that address."""
    assert await tor.runs(*nuki("--wait", "0.2")) == 1
    assert f"no device at {LOCK} was heard within 0.2 s; go nearer" in tor.said


async def test_what_was_provisioned_before_is_not_written_over(tor: Technician) -> None:
    """A second pairing would lock out the first; it has to be meant."""
    lock = NukiLock(LOCK)
    await lock.start(tor.radio)
    await lock.hold_button()
    assert await tor.runs(*nuki()) == 0
    first = tor.secret("front-lock.key").read_text()
    await lock.hold_button()
    assert await tor.runs(*nuki()) == 1
    assert "front-lock.key is in" in tor.said
    assert "provisioned before" in tor.said
    assert await tor.runs(*nuki("--replace")) == 0
    assert tor.secret("front-lock.key").read_text() != first
    await lock.stop()


async def test_a_dry_run_looks_and_leaves_everything_as_it_was(tor: Technician) -> None:
    """The lock is heard, not paired with; no file is written."""
    lock = NukiLock(LOCK)
    await lock.start(tor.radio)
    await lock.hold_button()
    assert await tor.runs(*nuki("--dry-run")) == 0
    assert lock.authorised == {}
    assert not tor.data.exists()
    assert "nothing was paired" in tor.said
    assert tor.entries["front-lock"].secret == "front-lock.key"
    await lock.stop()


async def test_a_wrong_pin_is_said_and_not_kept(tor: Technician) -> None:
    """The lock is paired all the same; its PIN can be given later."""
    lock = NukiLock(LOCK)
    await lock.start(tor.radio)
    await lock.hold_button()
    tor.typed = "9999\n"
    assert await tor.runs(*nuki("--pin-file", "-")) == 0
    assert "the lock refused the security PIN; it was not kept" in tor.said
    assert "9999" not in tor.said + tor.printed
    assert (lock.log.wrong_pins, tor.secret("front-lock.pin").exists()) == (1, False)
    assert tor.entries["front-lock"].settings == {}
    await lock.stop()


async def test_a_pin_that_no_lock_has_is_refused_before_anything_is_paired(tor: Technician) -> None:
    """The person is still on the ladder; say it at once."""
    tor.typed = "12345\n"
    assert await tor.runs(*nuki("--pin-file", "-")) == 1
    assert "a lock's security PIN has four digits" in tor.said


async def test_a_full_lock_says_that_it_is_full(tor: Technician, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no room for another user."""
    lock = NukiLock(LOCK)

    async def full(_payload: bytes) -> None:
        await lock._tell_plain(0x12, bytes([NO_MORE_USERS, 0x06, 0x00]))

    monkeypatch.setattr(lock, "_authorise", full)
    await lock.start(tor.radio)
    await lock.hold_button()
    assert await tor.runs(*nuki()) == 1
    assert "knows as many users as it can; remove one in the maker's app" in tor.said
    await lock.stop()


async def test_something_else_at_that_address_is_no_lock(tor: Technician) -> None:
    """A slip in the address pairs with nobody's meter."""
    meter = PulseOximeter(METER)
    await meter.start(tor.radio)
    assert await tor.runs(*nuki(address=METER)) == 1
    assert f"{METER} is no Nuki lock" in tor.said
    await meter.stop()


async def test_a_link_that_breaks_while_pairing_keeps_nothing(tor: Technician) -> None:
    """Half a pairing is none: no key is kept, and it can be tried again."""
    lock = NukiLock(LOCK)
    lock.cut_at = 5
    await lock.start(tor.radio)
    await lock.hold_button()
    assert await tor.runs(*nuki()) == 1
    assert "pairing with" in tor.said
    assert "broke off" in tor.said
    assert not tor.secret("front-lock.key").exists()
    assert await tor.runs(*nuki()) == 0
    await lock.stop()


async def test_secrets_that_cannot_be_written_are_said_before_pairing(tor: Technician) -> None:
    """A lock that is paired and whose key is lost would have to be reset."""
    tor.data.mkdir()
    (tor.data / "gateway").write_text("a file")
    lock = NukiLock(LOCK)
    await lock.start(tor.radio)
    await lock.hold_button()
    assert await tor.runs(*nuki()) == 1
    assert "cannot be written to" in tor.said
    assert lock.authorised == {}
    await lock.stop()


@pytest.mark.parametrize(
    ("radio", "why"),
    [
        ("off", "Bluetooth is switched off (--ble off)"),
        ("tcp:127.0.0.1:1", "the Bluetooth adapter tcp:127.0.0.1:1 cannot be used"),
    ],
)
async def test_a_radio_that_is_not_there_is_said(tmp_path: Path, radio: str, why: str) -> None:
    """Switched off, or nothing to plug into."""
    tor = Technician(tmp_path, radio)
    assert await tor.runs(*nuki()) == 1
    assert why in tor.said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nuki", "door", "--id", "a", "--home", "h1"), "a Bluetooth address is written like"),
        (("nuki", LOCK, "--id", "Front Lock", "--home", "h1"), "an id is 1 to 64 of a-z"),
        (("nuki", LOCK, "--home", "h1"), "--id"),
        (("bthome", LOCK, "--id", "a", "--home", "h1", "--type", "bthome_cat"), "bthome_cat"),
        (("nuki", LOCK, "--id", "a", "--home", "h1", "--pin-file", "/nowhere/pin"), "the security PIN cannot be read"),
        (("meter", LOCK, "--id", "a", "--home", "h1", "--type", "sig_glucose_meter", "--passkey-file", "-"),
         "a passkey has six digits"),
        (("nearby", "--seconds", "-1"), "a time lies above 0"),
    ],
)  # fmt: skip
async def test_a_slip_on_the_command_line_is_one_sentence(
    tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    """Exit code 2, and the radio is not touched."""
    tor = Technician(tmp_path, "tcp:127.0.0.1:1", typed="12\n")
    assert await tor.runs(*words) == 2
    assert why in tor.said
    assert len(tor.said.splitlines()) == 1


# ---------------------------------------------------------------- other devices


async def heard_by(tor: Technician, pendant: BthomePendant, *words: str) -> int:
    """Run the command while somebody presses the button again and again."""
    running = asyncio.ensure_future(tor.runs(*words))
    while not running.done():
        await pendant.press()
        await asyncio.wait({running}, timeout=0.1)
    return await running


def bthome(*more: str) -> tuple[str, ...]:
    """The words that keep a pendant's key."""
    return ("bthome", PENDANT, "--id", "pendant-1", "--home", "h1", "--type", "bthome_pendant", *more)


async def test_a_bind_key_is_tried_before_it_is_kept(tor: Technician) -> None:
    """The button is pressed, the key opens what it says, and only then it is written."""
    pendant = BthomePendant(PENDANT, key=KEY, beacon=None)
    await pendant.start(tor.radio)
    tor.typed = KEY.hex() + "\n"
    assert await heard_by(tor, pendant, *bthome("--key-file", "-")) == 0
    assert "pendant.pressed" in tor.said
    assert read_key(tor.secret("pendant-1.key")) == KEY
    assert tor.entries["pendant-1"].secret == "pendant-1.key"
    await pendant.stop()


@pytest.mark.parametrize(
    ("typed", "own", "why"),
    [
        ("ff" * 16, KEY, "cannot be read with this key"),
        ("", KEY, "it sends encrypted, so its bind key is needed"),
        ("ff" * 16, None, "it sends in the clear"),
        ("ff" * 15, KEY, "a bind key has 32 hexadecimal digits"),
    ],
)
async def test_a_wrong_bind_key_is_not_kept(tor: Technician, typed: str, own: bytes | None, why: str) -> None:
    """A pendant with the wrong key would be silent for ever; it is said while somebody stands beside it."""
    pendant = BthomePendant(PENDANT, key=own)
    await pendant.start(tor.radio)
    tor.typed = typed + "\n"
    assert await heard_by(tor, pendant, *bthome("--key-file", "-")) == 1
    assert why in tor.said
    assert not tor.secret("pendant-1.key").exists()
    assert "ff" * 15 not in tor.said
    await pendant.stop()


@pytest.mark.parametrize("passkey", [None, 246_813])
async def test_a_meter_is_bonded_with(tor: Technician, passkey: int | None) -> None:
    """With the digits printed on it or without; the bond is kept, and the digits for the day it is lost."""
    meter = GlucoseMeter(METER, passkey=passkey)
    await meter.start(tor.radio)
    tor.typed = f"{passkey}\n"
    given = ["--passkey-file", "-"] if passkey else []
    code = await tor.runs(
        "meter", METER, "--id", "meter-1", "--home", "h1", "--type", "sig_glucose_meter", *given
    )
    assert (code, "bonded" in tor.said) == (0, True), tor.said
    assert (tor.data / "gateway" / "bonds.json").exists()
    settings = {"passkey_secret": "meter-1.passkey"} if passkey else {}
    assert tor.entries["meter-1"].settings == settings
    assert str(passkey) not in tor.said + tor.printed
    await meter.stop()


async def test_a_meter_with_a_passkey_that_nobody_gave_says_so(tor: Technician) -> None:
    """It refuses, and the sentence names what to look for."""
    meter = GlucoseMeter(METER, passkey=246_813)
    await meter.start(tor.radio)
    code = await tor.runs("meter", METER, "--id", "meter-1", "--home", "h1", "--type", "sig_glucose_meter")
    assert code == 1
    assert "six digits are printed on it" in tor.said
    await meter.stop()


async def test_what_is_near_is_listed_with_what_it_could_be(tor: Technician) -> None:
    """Address, strength and type; strangers only when asked for."""
    lock, meter = NukiLock(LOCK), GlucoseMeter(METER)
    await lock.start(tor.radio)
    await meter.start(tor.radio)
    assert await tor.runs("nearby", "--seconds", "0.5") == 0
    assert {(line.split()[0], line.split()[3]) for line in tor.printed.splitlines()} == {
        (LOCK, "nuki_ble"),
        (METER, "sig_glucose_meter"),
    }
    await lock.stop()
    await meter.stop()


async def test_nothing_near_is_said(tor: Technician) -> None:
    """Exit code 1: a script notices."""
    assert await tor.runs("nearby", "--seconds", "0.2") == 1
    assert "nothing that we know was heard" in tor.said


async def test_an_enocean_device_tells_its_sender_id(tor: Technician) -> None:
    """The button is pressed, and its lines are printed; a type that sends otherwise is refused."""
    stick = EnoceanRadio()
    await stick.start(tor.data / "stick")

    async def press(*words: str) -> int:
        running = asyncio.ensure_future(
            tor.runs("enocean", "stick", "--id", "door-1", "--home", "h1", *words)
        )
        while not running.done():
            stick.contact("01825dab", closed=False)
            await asyncio.wait({running}, timeout=0.05)
        return await running

    assert await press() == 0
    entry = tor.entries["door-1"]
    assert (entry.type, entry.address, entry.settings) == (
        "enocean_contact", "stick#01825dab", {"line": "57600 8N1"})  # fmt: skip
    assert await press("--type", "enocean_motion") == 1
    assert "comes from a enocean_contact, not from a enocean_motion" in tor.said
    await stick.stop()


async def test_an_enocean_stick_that_is_not_there_is_said(tor: Technician) -> None:
    """The port is named."""
    tor.data.mkdir()
    assert await tor.runs("enocean", "stick", "--id", "door-1", "--home", "h1") == 1
    assert tor.said == "trygghub provision: stick is not there\n"


async def test_an_osdp_reader_gets_a_key_of_its_own(tor: Technician) -> None:
    """Sixteen random bytes in the secrets folder, and the setting that hands them over once."""
    assert await tor.runs("osdp", "door#1", "--id", "gate-1", "--home", "h1") == 0
    entry = tor.entries["gate-1"]
    assert (entry.type, entry.address, entry.secret) == ("osdp_door", "door#1", "gate-1.key")
    assert entry.settings == {"line": "9600 8N1", "install": True}
    assert len(read_key(tor.secret("gate-1.key"))) == 16
    assert await tor.runs("osdp", "door", "--id", "gate-2", "--home", "h1") == 1
    assert "like door#1" in tor.said
