"""The table of device types in simulators/README.md, written from `words`: `python -m simulators.scenario.table`."""

from __future__ import annotations

from pathlib import Path

from simulators.scenario.words import ANY, KINDS, Kind

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- types:", "<!-- end -->"


def table() -> str:
    """One row a device type."""
    head = "| type | wire | settings | words behind `do:` besides `silent` |\n|---|---|---|---|\n"
    return head + "".join(f"{_row(name, kind)}\n" for name, kind in sorted(KINDS.items()))


def rewritten(text: str) -> str:
    """The page with its table written anew."""
    before, _, rest = text.partition(BEGIN)
    mark, _, rest = rest.partition("\n")
    after = rest[rest.index(END) :]
    return f"{before}{BEGIN}{mark}\n{table()}{after}"


def _row(name: str, kind: Kind) -> str:
    settings = ", ".join(f"`{one}`" for one in sorted(kind.settings)) or "–"
    own = [one for one in kind.incidents if one not in {*ANY, "silent"}]
    special = [f"**{one}** ({says})" for one, says in kind.does.items()]
    words = ", ".join([*(one for one in own if one not in kind.does), *special])
    return f"| `{name}` | {kind.wire} | {settings} | {words} |"


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text(encoding="utf-8")), encoding="utf-8")
