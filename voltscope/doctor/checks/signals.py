"""Signals: agents that ignore SIGINT cannot be stopped."""

from __future__ import annotations

from collections.abc import Iterator

from voltscope.doctor.finding import FAIL, OK, Finding
from voltscope.doctor.world import World

_SIGINT = 0x2


def signals(world: World) -> Iterator[Finding]:
    """A platform started in the background of a shell hands an ignored SIGINT on to its agents (modular generation).

    Each stop then takes 60 s, ends by SIGTERM, is taken for a crash, and the agent is started again.
    """
    platform = world.platform_pid
    if platform is None:
        return
    pids = [platform, *world.processes.children(platform)]
    deaf = [pid for pid in pids if _ignored(world, pid) & _SIGINT]
    if deaf:
        yield Finding(
            "signals",
            FAIL,
            f"SIGINT is ignored by {len(deaf)} of {len(pids)} processes of the platform "
            f"({', '.join(map(str, deaf[:5]))}{', …' if len(deaf) > 5 else ''}): vctl stop and shutdown cannot work.",
            "Start the platform under systemd, or through: "
            "python3 -c 'import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); "
            'os.execvp("volttron", ["volttron", "-l", "volttron.log"])\'',
        )
    else:
        yield Finding("signals", OK, f"the platform and its {len(pids) - 1} children can be stopped (SIGINT).")


def _ignored(world: World, pid: int) -> int:
    try:
        return int(world.status(pid).get("SigIgn", "0"), 16)
    except ValueError:
        return 0
