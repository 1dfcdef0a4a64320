"""How long a device may be quiet is one number, wherever it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.registry import device_type
from hub.registry.silence import problem, silent_after


@pytest.mark.parametrize(
    ("type_", "settings", "seconds"),
    [
        ("zigbee2mqtt", {}, 26 * 3600),
        ("zigbee2mqtt", {"silent_after": 10_800}, 10_800),
        ("enocean_contact", {"silent_after": 10}, device_type("enocean_contact").silent_after),
        ("sms_pendant", {}, None),
    ],
)
def test_a_devices_own_setting_overrules_its_type(type_: str, settings: dict[str, Any], seconds: Any) -> None:
    """A sensor known to report hourly is missed after three hours; on a serial line the word is the line's own."""
    assert silent_after(device_type(type_), settings) == seconds
    assert problem(device_type(type_), settings) == ""


@pytest.mark.parametrize("wrong", ["3 h", True, 59, 30 * 86_400 + 1, 1.5, []])
def test_what_is_no_span_is_said_and_the_type_holds(wrong: object) -> None:
    """`registry check` names it, and nobody goes unwatched meanwhile."""
    type_ = device_type("zigbee2mqtt")
    assert "whole number of seconds from 60 to 2592000" in problem(type_, {"silent_after": wrong})
    assert silent_after(type_, {"silent_after": wrong}) == type_.silent_after
