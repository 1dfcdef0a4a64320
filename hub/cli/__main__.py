"""`trygghub COMMAND …`: finds the command's module, parses its flags, turns errors into one sentence.

Each module `hub/cli/<name>.py` offers `HELP`, `add_arguments(parser)` and `run(args) -> exit code`. The screens
and the simulators are processes of their own, started and never imported (DESIGN.md section 1).
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from hub.cli.outcome import INTERRUPTED, OK, REFUSED, Refused
from hub.settings import SettingError

COMMANDS = {
    "run": ("run", "everything on this machine: broker, centre, gateway, dashboard, perhaps simulated homes"),
    "gateway": ("gateway", "the box in a home: hears devices, judges, sends up"),
    "centre": ("centre", "the municipality's side: alerts, escalation, supervision"),
    "web": ("dashboard", "the dashboard and the API"),
    "simulate": ("simulators", "play homes full of devices through a day"),
    "decode": ("decode", "show what a device's bytes mean"),
    "adopt": ("adopt", "registry entries for devices that announce themselves by Home Assistant's discovery"),
    "provision": ("provision", "install a device: pair with it, keep its keys, print its registry lines"),
    "registry": ("registry", "check, import or export homes, residents, devices and staff"),
    "rules": ("rules", "check rule books, replay events against them"),
    "audit": ("audit", "verify the audit trail"),
    "quarantine": ("quarantine", "what gateways sent and nobody could read: look, replay, drop"),
    "sign-in-link": ("sign_in", "make a one-time link into the dashboard"),
    "backup": ("backup", "copy all that is kept into one file, while everything runs"),
    "restore": ("restore", "put a backup back, or look whether it is whole"),
    "doctor": ("doctor", "look for what is missing or wrong on this machine"),
}
"""Command → its module (for `web` and `simulate` the package that runs) and a line of help."""

OWN_PROCESS = frozenset({"web", "simulate"})


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong, and where help is."""
        self.exit(REFUSED, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the answer is the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in {"-h", "--help", "help"}:
        sys.stdout.write(overview())
        return OK if words else REFUSED
    if words[0] == "--version":
        return _version()
    if words[0] not in COMMANDS:
        return _say(
            f"trygghub: there is no command {words[0]!r:.60}{_meant(words[0])} (see trygghub --help)", REFUSED
        )
    if words[0] in OWN_PROCESS:
        _become(COMMANDS[words[0]][0], words[1:])
    return _run(words[0], words[1:])


def overview() -> str:
    """The list of commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {says}" for name, (_, says) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: trygghub COMMAND …",
            "",
            "An open welfare-technology hub: devices in the home, alerts that reach a person.",
            "",
            "commands:",
            *lines,
            "",
            "Each command explains itself: trygghub COMMAND --help. To see it all at work: trygghub run --demo",
            "",
        ]
    )


def _run(name: str, words: list[str]) -> int:
    module = importlib.import_module(f"hub.cli.{COMMANDS[name][0]}")
    parser = Parser(prog=f"trygghub {name}", description=module.HELP, allow_abbrev=False)
    module.add_arguments(parser)
    args = parser.parse_args(words)
    try:
        return int(module.run(args))
    except Refused as stop:
        return _say(f"trygghub {name}: {stop}", stop.code)
    except SettingError as wrong:
        return _say(f"trygghub {name}: {wrong}", REFUSED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `trygghub decode … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _become(package: str, words: list[str]) -> NoReturn:
    # -P: the folder we happen to stand in must not shadow our packages.
    os.execv(sys.executable, [sys.executable, "-P", "-m", package, *words])  # noqa: S606


def _version() -> int:
    from importlib.metadata import version

    sys.stdout.write(f"trygghub {version('trygghub')}\n")
    return OK


def _meant(word: str) -> str:
    near = difflib.get_close_matches(word, COMMANDS, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _say(sentence: str, code: int) -> int:
    sys.stderr.write(sentence + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
