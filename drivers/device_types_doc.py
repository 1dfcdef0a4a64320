"""Write the table of device types into README.md: `python -m drivers.device_types_doc`."""

from __future__ import annotations

from pathlib import Path

from drivers.device_type import DeviceType
from drivers.registry import DEVICE_TYPES

PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- device types: begin -->", "<!-- device types: end -->"

_SPANS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def table() -> str:
    """One row a device type."""
    head = (
        "| type | product | link | classes | commands | settings | silent after | answered | source |\n"
        + "|---" * 9
        + "|"
    )
    return "\n".join([head, *map(_row, DEVICE_TYPES.values())])


def page(old: str) -> str:
    """README.md with the table between its marks replaced."""
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(type_: DeviceType) -> str:
    main = type_.device_class
    classes = [f"**{main}**", *sorted(type_.classes - {main})]
    cells = (
        f"`{type_.id}`",
        f"{type_.name['en']} · {type_.name['nb']}",
        type_.link,
        ", ".join(classes),
        ", ".join(map(_command, type_.commands.items())) or "–",
        ", ".join(f"`{name}`" for name in type_.settings) or "–",
        "only heard when used" if type_.only_when_used else _span(type_.silent_after),
        "yes" if type_.answers else "no",
        type_.source.replace("|", "/"),
    )
    return f"| {' | '.join(cells)} |"


def _command(named: tuple[str, tuple[str, ...]]) -> str:
    name, arguments = named
    return f"{name}({', '.join(arguments)})" if arguments else name


def _span(seconds: int | None) -> str:
    if seconds is None:
        return "by setting only"
    size, unit = next((each for each in _SPANS if seconds % each[0] == 0), (1, "s"))
    return f"{seconds // size} {unit}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
