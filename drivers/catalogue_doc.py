"""Write CATALOGUE.md from the catalogue: `python -m drivers.catalogue_doc`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from drivers.catalogue import CATALOGUE, DataField, FactSpec, StateSpec

PAGE = Path(__file__).with_name("CATALOGUE.md")

_OPENING = """\
# The catalogue of events

Generated from `drivers/catalogue` by `python -m drivers.catalogue_doc`; a test fails when it is stale.

A kind is `class.fact`. **!** marks a call for help: with no rule for it, the hub raises an alert in these
words. A field in **bold** is always there. Times in data are whole milliseconds since 1970 UTC. *Sets* is
the state that a fact changes. Codes: *VKP* the Norwegian code systems `vkp-…-v090`, *SCAIP* device type /
status code of SS 91100, *11073* the IEEE 11073 part and its code (`sensor.bit` for part 10471).
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([_OPENING, *_classes(), *_states(), *_commands()])


def _classes() -> Iterator[str]:
    for name, words in CATALOGUE.classes.items():
        yield f"## {name}: {words['en']} · {words['nb']}\n"
        yield "| kind | English · bokmål | meaning | data | sets | lane | VKP | SCAIP | 11073 |"
        yield "|---|---|---|---|---|---|---|---|---|"
        yield from (_row(spec) for spec in CATALOGUE.facts.values() if spec.device_class == name)
        yield ""


def _row(spec: FactSpec) -> str:
    cells = (
        f"`{spec.kind}`{' **!**' if spec.call_for_help else ''}",
        f"{spec.words['en']} · {spec.words['nb']}",
        spec.meaning,
        "; ".join(map(_field, spec.fields)) or "–",
        ", ".join(f"`{name}` {value}" for name, value in spec.sets.items()) or "–",
        spec.lane,
        spec.vkp or "–",
        spec.scaip or "–",
        spec.mdc or "–",
    )
    return f"| {' | '.join(cells)} |"


def _field(each: DataField) -> str:
    name = f"**{each.name}**" if each.required else each.name
    kind = " or ".join(each.values) or (f"{each.type}, {each.unit}" if each.unit else each.type)
    bounds = f", {each.low:g} to {each.high:g}" if each.low is not None and each.high is not None else ""
    return f"{name} ({kind}{bounds}): {each.meaning}"


def _states() -> Iterator[str]:
    yield "## States\n"
    yield "| state | English · bokmål | values |"
    yield "|---|---|---|"
    yield from map(_state_row, CATALOGUE.states.values())
    yield ""


def _state_row(spec: StateSpec) -> str:
    number = f"number, {spec.unit}" if spec.unit else "number"
    values = number if spec.is_number else ", ".join(spec.values)
    return f"| `{spec.name}` | {spec.words['en']} · {spec.words['nb']} | {values} |"


def _commands() -> Iterator[str]:
    yield "## Commands\n"
    yield "What devices can be asked. A rule may ask only for what can do no harm (`do:`, rules/README.md).\n"
    yield "| command | English · bokmål | with | by a rule |"
    yield "|---|---|---|---|"
    for spec in CATALOGUE.commands.values():
        told = f"{spec.words['en']} · {spec.words['nb']}"
        yield f"| `{spec.name}` | {told} | {', '.join(spec.args) or '–'} | {spec.left_to_people or 'yes'} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
