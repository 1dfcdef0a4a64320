"""What a run says once everything answers: where to look, how to get in, where the data lies, how to stop."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hub.supervisor.folder import DataFolder
from hub.supervisor.plan import Stage
from hub.supervisor.setting_up import environment
from hub.supervisor.tools import ToolFailed, call

THROUGH_BLUEZ = "simulated devices, heard through BlueZ's stand-in on a D-Bus of its own"
WITHOUT_BUS = (
    "simulated devices, heard by our own host stack; BlueZ's stand-in needs dbus-daemon, not installed"
)


def welcome(stage: Stage, folder: DataFolder) -> str:
    """The banner."""
    rows = [
        ("Dashboard", base_url(stage)),
        ("Sign in", sign_in(stage, folder)),
        ("Data", str(folder.root)),
        *_gateways(stage, folder),
        *_world(stage),
        ("Stop", "Ctrl-C (starting again goes on where it was)"),
    ]
    lines = [f"    {name:<11}{text}" for name, text in rows]
    return "\n".join(["", "  Trygghub is running.", "", *lines, "", ""])


def base_url(stage: Stage) -> str:
    """Where a browser on this machine finds the dashboard."""
    host = stage.settings.host
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  only to be shown
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{stage.memory.ports['web']}"


def sign_in(stage: Stage, folder: DataFolder) -> str:
    """A one-time link, or how to make one where that failed."""
    again = f"trygghub sign-in-link --data {folder.root}"
    try:
        words = ["hub.cli", "sign-in-link", "--base-url", base_url(stage)]
        link = call(words, environment(folder, stage.settings, stage.clock)).strip().splitlines()[0]
    except (ToolFailed, IndexError) as wrong:
        return f"no link could be made ({wrong}); try: {again}"
    return f"{link}  (works once; another: {again})"


def _gateways(stage: Stage, folder: DataFolder) -> list[tuple[str, str]]:
    """Which is which, where there are several: how each is, where it keeps its things, what it says."""
    if len(stage.boxes) < 2:
        return []
    return [
        (
            f"{box.id:<10} " if len(box.id) > 10 else box.id,
            f"127.0.0.1:{stage.memory.ports[box.process]}/readyz, {box.folder}, {folder.logs}/{box.process}.log",
        )
        for box in stage.boxes
    ]


def _world(stage: Stage) -> list[tuple[str, str]]:
    if stage.clock is None:
        return []
    now = datetime.fromtimestamp(stage.clock.now() / 1000, ZoneInfo("Europe/Oslo"))
    return [
        (
            "Demo",
            f"simulated homes, {stage.clock.speed:g} times as fast; there it is {now:%Y-%m-%d %H:%M}",
        ),
        ("Bluetooth", THROUGH_BLUEZ if stage.with_bluez else WITHOUT_BUS),
    ]
