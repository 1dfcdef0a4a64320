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
from drivers.events import Frame
from drivers.registry import device_type

PAGE = (Path(drivers.__file__).parent / "README.md").read_text(encoding="utf-8")


def example(language: str) -> str:
    """The one code block of that language, without its indentation in the list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return dedent(found[0][1])


def test_the_example_of_a_device_type_can_be_copied_as_it_stands() -> None:
    """Its file needs nothing added, and its captures mean their events."""
    names: dict[str, Any] = {}
    exec(compile(ast.parse(example("python")), "acme_pendant.py", "exec"), names)
    type_: DeviceType = names["DEVICE"]
    book = json.loads(example("json"))
    for each in book["captures"]:
        frame = Frame("ble", "-", bytes.fromhex(each["hex"]), 0, each["channel"])
        facts = list(type_.decode(frame, Unit("-")))
        assert [[one.kind, dict(one.data)] for one in facts] == each["events"]  # type: ignore[union-attr]
    assert type_.emits <= set(CATALOGUE.facts)


def test_every_command_line_on_the_page_names_a_device_type_there_is() -> None:
    """What a reader pastes works; the example's own type is the one exception."""
    named = set(re.findall(r"trygghub decode ([a-z0-9_]+)", PAGE)) - {"acme_pendant"}
    assert {device_type(one).id for one in named} == named
    assert named
