"""VOLTTRON_HOME: there, ours, and closed to others."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import World

# where each generation keeps the keys of its agents
_KEYS = ("credentials_store", "keystores", "certificates/private")


def home(world: World) -> Iterator[Finding]:
    """Who may write there owns the platform; who may read the key stores can speak in any agent's name."""
    path = world.home
    if not path.is_dir():
        yield Finding(
            "home", FAIL, f"there is no VOLTTRON_HOME at {path}.",
            'Set VOLTTRON_HOME, or "volttron_home" in the site file.',
        )  # fmt: skip
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if not os.access(path, os.R_OK | os.X_OK):
        yield Finding(
            "home", WARN, f"{path} (mode {mode:04o}) is not ours to look into.", "Run this as the platform's user."
        )  # fmt: skip
        return
    bad = False
    if mode & 0o002:
        bad = True
        yield Finding("home", FAIL, f"everybody may write in {path} (mode {mode:04o}).", f"chmod o-w {path}")
    for name in _KEYS:
        store = path / name
        try:
            open_to_others = (
                mode & 0o001
                and store.is_dir()
                and store.stat().st_mode & 0o001
                and any(file.is_file() and file.stat().st_mode & 0o004 for file in store.iterdir())
            )
        except PermissionError:
            continue
        if open_to_others:
            bad = True
            yield Finding("home", WARN, f"everybody may read the keys in {store}.", f"chmod o-rwx {store}")
    if world.platform_pid is None:
        bad = True
        yield Finding(
            "home",
            WARN,
            f"no platform runs on {path}.",
            "Start it; without one only the log store and captures answer.",
        )
    if not bad:
        yield Finding("home", OK, f"{path}, mode {mode:04o}, the platform is process {world.platform_pid}.")
