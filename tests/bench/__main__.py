"""Run the benchmarks: `make bench`, or `python tests/bench NAME…` for some of them.

Each benchmark is a folder beside this file with a `__main__.py`. It prints ratios against a reference it
measures in the same run; nothing here passes or fails on an absolute time, since machines differ.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def benchmarks() -> list[str]:
    """The names of all benchmarks there are."""
    return sorted(folder.parent.name for folder in HERE.glob("*/__main__.py"))


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; the exit code is that of the first that broke."""
    unknown = set(names) - set(benchmarks())
    if unknown:
        print(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(benchmarks())}")
        return 2
    worst = 0
    for name in names or benchmarks():
        print(f"== {name}", flush=True)
        worst = subprocess.run([sys.executable, str(HERE / name)], check=False).returncode or worst
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
