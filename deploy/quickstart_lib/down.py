"""Stopping a home so that no process is left, and removing what lies below it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from . import packages, volttron_platform
from .account import SEARCH, Runner, current_account
from .failure import StepFailed
from .registry import Registry, registry
from .report import Report
from .state import Home
from .supervise import Supervisor, end_processes


def stop(home: Home, report: Report) -> None:
    """Stops platform, peers and supervisor. Raises StepFailed naming what would not end."""
    with report.step("Platform and its agents"):
        _quietly(lambda: _stop_platform(home))
    with report.step("Prometheus, console, all others and supervisor"):
        _quietly(lambda: Supervisor(home, Runner(home, current_account())).shut_down())
    with report.step("No process left"):
        left = end_processes(home)
        if left:
            raise StepFailed("some processes would not end.", "End them by hand.", output="\n".join(left))


def clean(home: Home, report: Report, purge: bool) -> None:
    """Stops, removes the home, and with `purge` the packages and the user that no other home uses.

    Raises StepFailed when there is neither a home nor anything to purge.
    """
    with registry() as known:
        leftovers = bool(known.packages or known.user)
    if not home.ours and not (purge and leftovers):
        raise StepFailed(f"there is no quickstart in {home.path}.", "Name its folder with --home.")
    if home.ours:
        stop(home, report)
        with report.step(f"Removing {home.path}"):
            shutil.rmtree(home.path)
    with registry() as known:
        known.homes = [path for path in known.homes if path != str(home.path) and Home(Path(path)).ours]
        left = [f"package {name}" for name in known.packages] + ([f"user {known.user}"] if known.user else [])
        if purge and not known.homes:
            with report.step("Removing packages and user"):
                _purge(known, report)
                report.note(", ".join(left) or "there were none of ours")
            return
        for thing in left:
            report.say(f"  left: {thing}")
        if left:
            report.say(f"  used by: {', '.join(known.homes)}" if known.homes else "  clean --purge removes them, too.")


def _purge(known: Registry, report: Report) -> None:
    if known.packages:
        needed = packages.remove(known.packages)
        known.packages = []
        if needed:
            report.warn(f"kept, as other packages need them by now: {', '.join(needed)}")
    if known.user:
        _remove_user(known.user)
        known.user = ""


def _stop_platform(home: Home) -> None:
    runner = Runner(home, current_account())
    if Supervisor(home, runner).alive("volttron"):
        volttron_platform.shut_down(home, runner)


def _quietly(action: Callable[[], None]) -> None:
    """What cannot be stopped in the orderly way is ended by `end_processes`; a half-made home has less to stop."""
    try:
        action()
    except (StepFailed, OSError, KeyError):
        return


def _remove_user(name: str) -> None:
    if os.geteuid() != 0:
        raise StepFailed(f"removing the user {name} needs root.", f"sudo userdel {name}")
    try:
        pwd.getpwnam(name)
    except KeyError:
        return
    done = subprocess.run(["userdel", name], capture_output=True, text=True, env={"PATH": SEARCH})
    if done.returncode:
        raise StepFailed(f"userdel could not remove {name}.", f"userdel {name}", output=done.stderr)
