"""The drivers' page is true: what it tells a newcomer to write is a whole device type."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import drivers
from drivers.catalogue import CATALOGUE
from drivers.device_type import DeviceType, Unit
from drivers.events import Fact, Frame
from drivers.registry import device_type

PAGE = (Path(drivers.__file__).parent / "README.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    """The code blocks of that language, without their indentation in the list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", PAGE, flags=re.DOTALL | re.MULTILINE)
    return [dedent(block) for _, block in found]


def run(source: str) -> dict[str, Any]:
    """A file of the example, as Python reads it."""
    names: dict[str, Any] = {}
    exec(compile(ast.parse(source), "acme_pendant.py", "exec"), names)
    return names


def test_the_example_of_a_device_type_can_be_copied_as_it_stands() -> None:
    """Its three files need nothing added: captures mean their events, and the simulator is understood."""
    [captures], [declaration, simulator] = examples("json"), examples("python")
    type_: DeviceType = run(declaration)["DEVICE"]
    book = json.loads(captures)
    for each in book["captures"]:
        frame = Frame("ble", "-", bytes.fromhex(each["hex"]), 0, each["channel"])
        facts = list(type_.decode(frame, Unit("-")))
        assert [[one.kind, dict(one.data)] for one in facts] == each["events"]  # type: ignore[union-attr]
    assert type_.emits <= set(CATALOGUE.facts)
    for kind, (channel, payload) in run(simulator)["SAYS"].items():
        said = type_.decode(Frame("ble", "-", payload, 0, channel), Unit("-"))
        assert kind in [one.kind for one in said if isinstance(one, Fact)]


def test_every_command_line_on_the_page_names_a_device_type_there_is() -> None:
    """What a reader pastes works; the example's own type is the one exception."""
    named = set(re.findall(r"trygghub decode ([a-z0-9_]+)", PAGE)) - {"acme_pendant"}
    assert {device_type(one).id for one in named} == named
    assert named
