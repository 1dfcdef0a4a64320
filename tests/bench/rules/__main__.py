"""The rules engine against a handwritten implementation of the same rules, in the same run.

    python tests/bench/rules            ratios, latency, memory, start, what-if
    python tests/bench/rules --quick    a tenth of it

The stream is a seeded night and morning in 200 homes with six devices each. Both sides must tell exactly the same
alerts with the same evidence; if they do not, the benchmark fails. Everything else is printed and never judged.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import measures
from workload import events

ALLOWANCE = 120_000
OTHER = {
    "15 min": "16 min", "10 min": "11 min", "30 min": "31 min", "20 min": "21 min", " 5 min": " 6 min",
    " 2 min": " 3 min", '"10:00"': '"10:30"', "< 15": "< 16", "within: resident.dose_time": "within: 59 min",
}  # fmt: skip
"""A little more of everything: each of the twelve rules means something else."""


def main(argv: list[str] | None = None) -> int:
    """Print a table; fail only where the answers differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the homes")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.memory:
        return _memory(args.memory)
    homes = 20 if args.quick else 200
    stream = events(homes)
    beats = sum(event.kind.endswith("heartbeat") for event in stream) / len(stream)
    print(f"{homes} homes, {len(stream)} events, {beats:.0%} signs of life, 12 rules, one core")
    same = _speed(stream, homes)
    middle, worst = measures.latencies(stream, homes)
    print(
        f"one event, handed over singly          p50 {middle:6.1f} µs   p99 {worst:6.1f} µs   (to reach: p99 <= 25)"
    )
    subprocess.run([sys.executable, __file__, "--memory", "1000" if args.quick else "10000"], check=True)
    _what_if(3 if args.quick else 30)
    return 0 if same else 1


def _speed(stream: list, homes: int) -> bool:
    hand, expected = measures.best(lambda: measures.by_hand(stream), 5)
    plain, told = measures.best(lambda: measures.by_engine(stream, homes, 0), 5)
    waits, reordered = measures.best(lambda: measures.by_engine(stream, homes, ALLOWANCE), 3)
    for name, spent, goal in (("handwritten", hand, ""), ("engine, evidence on", plain, ">= 1.0"),
                              ("engine, two minutes' reorder window", waits, ">= 0.5")):  # fmt: skip
        rate, ratio = len(stream) / spent, hand / spent
        print(
            f"{name:38} {rate:9.0f} events/CPU s   {ratio:5.2f} x{f'   (to reach: {goal})' if goal else ''}"
        )
    same = expected == told == reordered
    print(f"alerts: {len(expected)}, {'the same on both sides, with evidence' if same else 'DIFFERENT'}")
    return same


def _what_if(days: int) -> None:
    """One rule that differs, and all of them."""
    spent, count, differ = measures.month(days, {"within: resident.dose_time": "within: 30 min"})
    print(f"what-if, {days} days of one home, {count} events, one rule differs: {spent:.3f} s, {differ} alerts "
          "(to reach: 30 days <= 0.2 s)")  # fmt: skip
    spent, _, differ = measures.month(days, OTHER)
    print(f"what-if, the same, every rule differs: {spent:.3f} s, {differ} alerts; "
          f"a thousand homes on two cores: {spent * 1000 / 2 / 60:.1f} min (to reach: minutes)")  # fmt: skip


def _memory(homes: int) -> int:
    found = measures.memory(homes)
    print(f"{homes} homes: {found['MB']:.0f} MB (to reach: 10000 homes <= 60), stored {found['stored MB']:.1f} MB "
          f"in {found['store s']:.2f} s, started again in {found['start s']:.2f} s (to reach: <= 1)")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
