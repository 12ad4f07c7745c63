"""VOLTTRON_HOME: there, ours, and closed to others."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import World

# where each generation keeps the keys of its agents
_KEYS = ("credentials_store", "keystores", "certificates")


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
    bad = False
    if mode & 0o002:
        bad = True
        yield Finding("home", FAIL, f"everybody may write in {path} (mode {mode:04o}).", f"chmod o-w {path}")
    for name in _KEYS:
        store = path / name
        try:
            open_to_others = store.is_dir() and mode & 0o001 and stat.S_IMODE(store.stat().st_mode) & 0o005
        except PermissionError:
            continue
        if open_to_others:
            bad = True
            yield Finding("home", WARN, f"everybody may look into {store}, where keys are.", f"chmod o-rwx {store}")
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
