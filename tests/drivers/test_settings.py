"""One walk over every setting of every device type: strict by kind and size; what checks agrees with what reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest

from drivers.device_settings import settings_of
from drivers.links.ip_lines import listening
from drivers.links.osdp import reader_of
from drivers.links.serial_settings import LineSettings
from drivers.links.sip_settings import SETTINGS as SIP
from drivers.links.sip_settings import SipSettings
from drivers.protocols.esp3_line import STICK, enocean_machine
from drivers.protocols.espa444_line import espa_machine
from drivers.protocols.espa444_settings import SETTINGS as ESPA
from drivers.protocols.gsm_modem import gsm_machine
from drivers.protocols.lock_board_line import SETTINGS as BOARDS
from drivers.protocols.lock_board_line import lock_board_machine
from drivers.registry import DEVICE_TYPES
from drivers.settings import problems, shown

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.0, 10**30, -(10**30), 1e308, math.nan, math.inf, -math.inf,
    "", " ", "1", "true", "no", "0.5", "x" * 10_000, "\0", "../x", "æ", b"1", [], [[]], [None], [True], [1, "1"],
    {}, {"": None}, {"1": True}, {1: "cleared"}, {"x": {"y": []}}, {"x": "y" * 10_000}, (), object(),
)  # fmt: skip
"""What may stand in a file, by a slip or by malice."""


def _osdp(settings: Mapping[str, Any]) -> object:
    return reader_of("door#1", settings, bytes(16))


READERS: Mapping[str, tuple[Callable[[Mapping[str, Any]], object], frozenset[str]]] = {
    "espa_nurse_call": (espa_machine, frozenset(ESPA)),
    "lock_board_cabinet": (lock_board_machine, frozenset(BOARDS)),
    "osdp_door": (_osdp, frozenset({"install", "status_every"})),
    "sms_pendant": (gsm_machine, frozenset({"confirms"})),
    "scaip_unit": (SipSettings.from_mapping, frozenset(SIP) - {"password_secret"}),
    "enocean_contact": (enocean_machine, frozenset(STICK)),
    "dc09_panel": (lambda settings: listening("tcp", settings), frozenset({"listen"})),
}
"""Who reads a line's settings when it is opened, and which: a wrong one is a ValueError there."""

EVERY = [
    pytest.param(name, setting, id=f"{name}-{setting}")
    for name, one in DEVICE_TYPES.items()
    for setting in settings_of(one)
]


@pytest.mark.parametrize(("type_", "name"), EVERY)
def test_every_setting_is_strict(type_: str, name: str) -> None:
    """True is no number, a number no text, NaN nothing at all; what is refused is a sentence, what is taken is JSON."""
    known = settings_of(DEVICE_TYPES[type_])
    is_flag = known[name].form == "true or false"
    refused = 0
    for odd in ODD:
        said = list(problems(known, {name: odd}, type_))
        refused += len(said)
        if said:
            assert said == [(name, f"{name} is {known[name].form}, not {shown(odd)}")]
            assert len(said[0][1]) < 500
        else:
            assert isinstance(odd, bool) is is_flag
            orjson.dumps(odd)
    assert refused >= len(ODD) - 12


@pytest.mark.parametrize("type_", READERS)
def test_what_the_check_refuses_no_line_is_opened_with(type_: str) -> None:
    """The registry's check and the line agree on every value: nothing is read as something else than it says."""
    read, names = READERS[type_]
    known = settings_of(DEVICE_TYPES[type_])
    for name in sorted(names):
        for odd in ODD:
            if list(problems(known, {name: odd}, type_)):
                with pytest.raises(ValueError, match=rf"the setting {name} is "):
                    read({name: odd})


@pytest.mark.parametrize("type_", DEVICE_TYPES)
def test_an_unknown_setting_is_met_with_the_nearest_word(type_: str) -> None:
    """A slip in a name is refused, since it would be passed over for ever."""
    known = settings_of(DEVICE_TYPES[type_])
    for name in known:
        [(_, said)] = problems(known, {f"{name}x": 1}, type_)
        assert said.startswith(f"a {type_} has no setting '{name}x'; did you mean ")
    [(_, said)] = problems(known, {"zzzzzz": 1}, type_)
    assert said.startswith(f"a {type_} has no setting 'zzzzzz'")


@pytest.mark.parametrize("line", [True, 9600, None, "9600", "9600 8X1", ["9600 8N1"], "9600 8N1\n9600 8N1"])
def test_a_serial_line_is_a_text(line: object) -> None:
    """What the check refuses the port is not opened with."""
    assert list(problems(settings_of(DEVICE_TYPES["osdp_door"]), {"line": line}, "osdp_door"))
    with pytest.raises(ValueError, match="a serial line is written like"):
        LineSettings.parse(line)


@pytest.mark.parametrize(
    ("type_", "settings"),
    [
        ("osdp_door", {"line": "9600 8N1", "seconds": 3, "contact_open": 0, "install": True}),
        ("espa_nurse_call", {"line": "1200 7E2", "role": "station", "stations": ["1"], "places": {"201": "Bad"}}),
        ("enocean_pendant", {"line": "57600 8N1", "buttons": {"B0": "cancelled"}}),
        ("sms_pendant", {"line": "115200 8N1", "words": {"HELP ME": "pendant.pressed"}, "silent_after": 90_000}),
        ("lock_board_cabinet", {"line": "9600 8N1", "boards": [1, 2], "names": {"3": "Morgen"}}),
        ("scaip_unit", {"listen": "0.0.0.0:5060", "places": {"011": "Bad"}, "hbi": 4, "wrapped": True}),
        ("dc09_panel", {"codes": {"661": "call.raised"}, "places": {"004": "Kjøkken"}}),
        ("sig_weight_scale", {"tz": "Europe/Oslo", "user": 2, "passkey": "012345"}),
        ("lorawan_pendant", {"fields": {"emergencyCall": "pendant.pressed"}}),
    ],
)  # fmt: skip
def test_what_is_meant_is_taken(type_: str, settings: dict[str, Any]) -> None:
    """Settings as installers write them."""
    assert list(problems(settings_of(DEVICE_TYPES[type_]), settings, type_)) == []
