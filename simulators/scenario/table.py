"""The tables of devices and faults in simulators/README.md, from `words`: `python -m simulators.scenario.table`."""

from __future__ import annotations

from pathlib import Path

from simulators.scenario.faults import FAULTS, Fault
from simulators.scenario.words import ANY, KINDS, MAKERS, Family, Kind, kind_of

README = Path(__file__).parent.parent / "README.md"
END = "<!-- end -->"


def types() -> str:
    """One row a device type."""
    head = "| type | wire | settings | words behind `do:` besides `silent` and faults |\n|---|---|---|---|\n"
    return head + "".join(f"{_row(name, kind)}\n" for name, kind in sorted(KINDS.items()))


def families() -> str:
    """One row a maker's family."""
    head = "| family | wire | types | further settings |\n|---|---|---|---|\n"
    return head + "".join(_family(name, one) for name, one in MAKERS.items())


def faults() -> str:
    """One row a fault: what it is, what it may be told, who has it."""
    head = "| fault | what is so | `for` | data | devices |\n|---|---|---|---|---|\n"
    return head + "".join(_fault(name, one) for name, one in FAULTS.items())


def rewritten(text: str) -> str:
    """The page with its tables written anew."""
    for name, table in (("types", types), ("families", families), ("faults", faults)):
        before, mark, rest = text.partition(f"<!-- {name}:")
        line, _, rest = rest.partition("\n")
        text = f"{before}{mark}{line}\n{table()}{rest[rest.index(END) :]}"
    return text


def _row(name: str, kind: Kind) -> str:
    own = [one for one in kind.incidents if one not in {*ANY, *FAULTS, "silent"}]
    special = [f"**{one}** ({says})" for one, says in kind.does.items()]
    words = ", ".join([*(one for one in own if one not in kind.does), *special])
    return f"| `{name}` | {kind.wire} | {_settings(kind)} | {words} |"


def _settings(kind: Kind) -> str:
    """Keys, those that must be there in bold."""
    return (
        ", ".join(f"**`{one}`**" if one in kind.needs else f"`{one}`" for one in sorted(kind.settings)) or "–"
    )


def _family(name: str, one: Family) -> str:
    types = ", ".join(f"`{type_}`" for type_ in one.types)
    kinds = [kind_of(type_, name) for type_ in one.types]
    settings = ", ".join(
        f"**`{key}`**" if key in kinds[0].needs else f"`{key}`" for key in sorted(one.settings)
    )
    return f"| `{name}`: {one.says} | {one.wire} | {types} | {settings or '–'} |\n"


def _fault(name: str, one: Fault) -> str:
    has = [f"`{type_}`" for type_, kind in sorted(KINDS.items()) if name in kind.faults]
    makers = [f"family `{maker}`" for maker, family in MAKERS.items() if name in family.faults]
    data = ", ".join(f"`{key}`" for key in one.data) or "–"
    return (
        f"| `{name}` | {one.says} | {'yes' if one.lasts else '–'} | {data} | {', '.join([*has, *makers])} |\n"
    )


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text(encoding="utf-8")), encoding="utf-8")
