"""How long a device may be quiet is one number, wherever it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.device_settings import settings_of
from drivers.registry import DEVICE_TYPES, device_type
from drivers.settings import problems
from hub.registry.silence import problem, silent_after

NEVER_WATCHED = sorted(name for name, one in DEVICE_TYPES.items() if one.only_when_used)


@pytest.mark.parametrize(
    ("type_", "settings", "seconds"),
    [
        ("zigbee2mqtt", {}, 26 * 3600),
        ("zigbee2mqtt", {"silent_after": 10_800}, 10_800),
        ("enocean_contact", {"silent_after": 3600}, 3600),
        ("espa_nurse_call", {"silent_after": 300}, 300),
        ("sms_pendant", {}, None),
        ("sms_pendant", {"silent_after": 90_000}, 90_000),
    ],
)
def test_a_devices_own_setting_overrules_its_type(type_: str, settings: dict[str, Any], seconds: Any) -> None:
    """A sensor known to report hourly is missed after three hours, whatever its wire; an SMS alarm after its day."""
    assert silent_after(device_type(type_), settings) == seconds
    assert problem(device_type(type_), settings) == ""


@pytest.mark.parametrize("wrong", ["3 h", True, 59, 30 * 86_400 + 1, 1.5, [], None, float("nan")])
@pytest.mark.parametrize("type_", ["zigbee2mqtt", "enocean_contact", "espa_nurse_call"])
def test_what_is_no_span_is_said_and_the_type_holds(wrong: object, type_: str) -> None:
    """`registry check` names it, and nobody goes unwatched meanwhile."""
    known, given = device_type(type_), {"silent_after": wrong}
    [(_, said)] = problems(settings_of(known), given, type_)
    assert "whole number of seconds from 60 to 2592000" in said
    assert silent_after(known, given) == known.silent_after


@pytest.mark.parametrize("type_", NEVER_WATCHED)
def test_what_reports_only_when_used_cannot_be_watched(type_: str) -> None:
    """A switch without a battery is as quiet when it works as when it is broken: that is said, not passed over."""
    known, given = device_type(type_), {"silent_after": 3600}
    assert f"a {type_} sends nothing unless it is used" in problem(known, given)
    assert silent_after(known, given) is known.silent_after is None


def test_everything_else_can_be_watched() -> None:
    """A type without a span of its own takes one: only what never reports by itself has none."""
    for name, one in DEVICE_TYPES.items():
        assert ("silent_after" in settings_of(one)) is (name not in NEVER_WATCHED)
        assert one.silent_after is not None or one.only_when_used or name == "sms_pendant"
