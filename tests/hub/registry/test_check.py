"""A registry file with a fault is refused with a sentence and a line for each."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.registry.check import check


def problems(text: str | bytes) -> list[str]:
    """All faults, as sentences."""
    return [str(problem) for problem in check(text).problems]


def test_a_good_file(file):
    """A file without faults is read, and what is allowed but odd comes as advice."""
    checked = check(file)
    assert checked.problems == ()
    assert checked.registry is not None
    assert checked.registry.shifts[1].from_clock == "07:00"  # YAML reads an unquoted 7:00 as 420
    assert checked.advice == ()


FAULTS = {
    "zone: nord, gateway: gw1|zone: north, gateway: gw1": "line 19: there is no zone 'north'; the file has nord, sor",
    "gateway: gw1|gateway: gw7": "line 19: there is no gateway 'gw7'; the file has gw1",
    "home: h1\n    name|home: h9\n    name": "line 23: there is no home 'h9'; the file has h1, h2",
    "staff: eva, duty|staff: eve, duty": "line 13: there is no staff 'eve'; the file has eva, nils",
    "roles: [nurse]|roles: [boss]": (
        "line 9: staff.nils.roles.0: Input should be 'carer', 'nurse', 'coordinator', 'technician', 'auditor', "
        "'kiosk' or 'admin', not 'boss'"
    ),
    "name: Dal}|nmae: Dal}": "line 3: 'name' is missing (districts.dal.name)",
    "lapse_critical: 240|lapse_critcal: 240": "line 2: there is no timer 'lapse_critcal'",
    "lapse_critical: 240|lapse_critical: 0": (
        "line 2: timer lapse_critical is a whole number from 1 to 2678400 seconds, not 0"
    ),
    "timers: {lapse_critical: 240}|remote_unlock: {allowed: perhaps}": (
        "line 2: municipality.remote_unlock.allowed: Input should be a valid boolean, not 'perhaps'"
    ),
    "timers: {lapse_critical: 240}|remote_unlock: {roles: [technician]}": (
        "line 2: municipality.remote_unlock.roles.0: Input should be 'carer', 'nurse' or 'coordinator', not"
    ),
    "timers: {lapse_critical: 240}|remote_unlock: {roles: []}": (
        "line 2: with no roles nobody could open a door; write 'allowed: no' instead"
    ),
    "timers: {lapse_critical: 240}|remote_unlock: {teams: [team-vest]}": (
        "line 2: there is no team 'team-vest'; the file has team-nord"
    ),
    "timers: {lapse_critical: 240}|remote_unlock: {alowed: no}": (
        "line 2: there is no 'alowed' here (municipality.remote_unlock.alowed)"
    ),
    "+4755001122| ": "line 2: the phone that is always answered is missing",
    "7:00, to: 22:00|8:00, to: 22:00": "line 12: nobody is nurse on duty in the team team-nord from 07:00 to 08:00",
    "tell: alarm centre|tell: shift leader": (
        "line 17: the last step of a chain tells the 'alarm centre', which always answers"
    ),
    "1 h 30 min|soon": "line 17: 'soon' is not a time span; write it like '10 min', '90 s' or '1 h 30 min'",
    "native_lock|native_lokc": "line 31: no device type is called 'native_lokc'",
    "link: mqtt|link: ble": "line 31: a native_lock speaks over mqtt, not ble",
    "class: lock|class: bed": "line 31: a native_lock is a ",
    "tz: Europe/Stockholm|tz: Europe/Stokholm": (
        "line 20: homes.h2.tz: 'Europe/Stokholm' is no time zone; write one like Europe/Oslo"
    ),
    "since: 2026-01-02T08:00:00Z|since: 2026-01-02T08:00:00Z, until: 2025-01-01T00:00:00Z": (
        "line 35: a device is taken away after it came; 'until' lies before 'since'"
    ),
    "since: 2026-01-02T08:00:00Z|since: 2026-01-02T08:00:00Z, settings: {pin: 1234}": (
        "line 35: a PIN is a secret: write it to a file of the gateway's secrets folder"
    ),
    "h2: {address|h1: {address": "line 20: 'h1' stands here a second time; the first is in line 19",
    "  nils: {name|  Nils: {name": "line 9: an id is 1 to 64 of a-z, 0-9, _ and -, not 'Nils'",
    "format: trygghub-registry-1|format: trygghub-registry-2": "line 1: format: Input should be 'trygghub-registry-1'",
}


@pytest.mark.parametrize(("slip", "sentence"), FAULTS.items(), ids=FAULTS)
def test_each_fault_is_a_sentence_with_its_line(file, slip, sentence):
    """Every kind of slip is found, with the line it stands on."""
    right, wrong = slip.split("|")
    assert right in file
    found = problems(file.replace(right, wrong, 1))
    assert any(said.startswith(sentence) for said in found), found


def test_all_faults_at_once(file):
    """The file is checked to its end: two slips give two sentences."""
    text = file.replace("zone: nord, gateway", "zone: north, gateway").replace(
        "staff: eva, duty", "staff: eve, duty"
    )
    assert len(problems(text)) == 2


def test_two_devices_at_one_address(file):
    """Two devices of one gateway cannot share an address."""
    extra = file.rsplit("\n  pendant-1:", 1)[1].replace("10:00:00:11", "10:00:00:11")
    found = problems(f"{file}  pendant-2:{extra}")
    assert len(found) == 1
    assert "pendant-1 has the address 'c0:7a:10:00:00:11' already" in found[0]


HOSTILE = {
    "empty": b"",
    "a list": b"- 1\n",
    "no YAML": b"a: [b\n",
    "bytes": b"\xff\xfe\x00\xd8",
    "a bomb": b"a: &a [x, x]\nb: [*a, *a]\n",
    "a tag": b"!!python/object/apply:os.system ['true']\n",
    "deep": b"[" * 5000,
    "two documents": b"a: 1\n---\nb: 2\n",
    "large": b"x" * 20_000_001,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(content):
    """What is no registry file at all is one sentence."""
    (sentence,) = problems(content)
    assert len(sentence) < 400


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_slips_never_raise(data):
    """Any line left out, doubled or cut short gives sentences or a registry, never an exception."""
    from pathlib import Path

    lines = (
        (Path(__file__).parent / "conftest.py").read_text(encoding="utf-8").split('"""')[3].split("\n")[1:]
    )
    place = data.draw(st.integers(0, len(lines) - 1))
    how = data.draw(st.sampled_from(["out", "twice", "cut"]))
    changed = {"out": [], "twice": [lines[place]] * 2, "cut": [lines[place][: len(lines[place]) // 2]]}[how]
    checked = check("\n".join([*lines[:place], *changed, *lines[place + 1 :]]))
    assert (checked.registry is None) == bool(checked.problems)
