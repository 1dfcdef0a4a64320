"""Commands that a run calls once and waits for: import the registry, make a sign-in link, ask a scenario."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from hub.supervisor.plan import PYTHON

WITHIN = 60
"""Seconds one of them may take."""


class ToolFailed(Exception):  # noqa: N818  it says what is so
    """A command that did not come out well; the text is what it said."""


def call(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command of ours and answer with its output. Raises ToolFailed."""
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and packages
            [*PYTHON, *words],
            capture_output=True,
            text=True,
            timeout=WITHIN,
            env=dict(environment),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ToolFailed(f"'{' '.join(words[:3])}' did not finish within {WITHIN} s") from None
    if done.returncode != 0:
        raise ToolFailed(done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}")
    return done.stdout


def describe_scenario(scenario: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What a scenario needs: start, tz, registry file, key names. Raises ToolFailed."""
    answer: dict[str, Any] = json.loads(call(["simulators", scenario, "--describe"], environment))
    return answer
