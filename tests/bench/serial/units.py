"""The other side of the serial benchmark: many nurse-call units on ptys, told over standard input what to do.

`call N` lets N seeded units press their button, each with the moment in its text; `unplug` and `replug` pull all.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path

from simulators.serial.espa_unit import EspaUnit


async def main(folder: Path, count: int) -> None:
    """Plug in, then do as told until the input ends."""
    units = [EspaUnit() for _ in range(count)]
    for number, unit in enumerate(units):
        await unit.start(folder / f"u{number}")
    print("ready", flush=True)
    draw = random.Random(1)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := (await reader.readline()).split():
        if line[0] == b"call":
            for unit in draw.sample(units, int(line[1])):
                await unit.call("12", f"T{time.monotonic_ns()}")
        for unit in units:
            if line[0] == b"unplug":
                await unit.unplug()
            elif line[0] == b"replug":
                await unit.replug()
        print("done", time.monotonic_ns(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
