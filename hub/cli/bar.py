"""How far long work has come, for whoever waits at the keyboard."""

from __future__ import annotations

import sys


class Bar:
    """A line on standard error that fills up; nothing where that is not a screen."""

    def __init__(self, whole: int) -> None:
        self.whole, self.done = max(1, whole), 0
        self.shown = sys.stderr.isatty()
        self._percent = -1

    def add(self, done: int) -> None:
        """So much more is done."""
        self.done = min(self.whole, self.done + done)
        percent = 100 * self.done // self.whole
        if self.shown and percent != self._percent:
            self._percent = percent
            end = "\n" if self.done == self.whole else ""
            sys.stderr.write(f"\r[{'#' * (40 * percent // 100):<40}] {percent:3} %{end}")
            sys.stderr.flush()
