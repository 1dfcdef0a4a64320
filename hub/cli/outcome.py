"""How a subcommand ends: exit codes, and the one exception that becomes a sentence."""

from __future__ import annotations

OK = 0
FAILED = 1
"""It was understood but did not come out well: a check found something."""
REFUSED = 2
"""It was not understood: a wrong flag, file or setting."""
INTERRUPTED = 130


class Refused(Exception):  # noqa: N818  # a verdict said to a person, not a fault
    """Stop this command with one sentence for the person at the keyboard."""

    def __init__(self, sentence: str, code: int = REFUSED) -> None:
        super().__init__(sentence)
        self.code = code
