"""The probe: whether agents load it at their start, and which run without it."""

from __future__ import annotations

from collections.abc import Iterator

from voltscope.cli.probe_environment import enabled_at, file_in, of_process
from voltscope.doctor.finding import OK, WARN, Finding
from voltscope.doctor.world import World
from voltscope.errors import ProbeError
from voltscope.live.probes import Probe
from voltscope.profiling.backends.naming import identity_of


def probe(world: World) -> Iterator[Finding]:
    """Opt-in: without it nothing is wrong, but greenlets that wait cannot be seen."""
    platform = world.platform_pid
    prefix = of_process(platform, world.proc) if platform is not None else None
    if platform is None or prefix is None:
        return
    file = file_in(prefix)
    if file is None:
        found = f"the probe is not enabled in {prefix}: greenlets that wait cannot be seen."
        yield Finding("probe", OK, found, "To see them: voltscope probe enable")
        return
    if not enabled_at(file):
        yield Finding("probe", WARN, f"{file} is of another version of voltscope.", "voltscope probe enable")
        return
    named = {pid: identity_of(pid, world.proc) for pid in world.processes.children(platform)}
    agents = {pid: identity for pid, identity in named.items() if identity}
    lacking = sorted(identity for pid, identity in agents.items() if not _answers(world, pid))
    if lacking:
        shown = f"{', '.join(lacking[:5])}{', …' if len(lacking) > 5 else ''}"
        found = f"the probe is enabled, and {len(lacking)} of {len(agents)} agents run without it ({shown})."
        yield Finding("probe", WARN, found, "Restart them; voltscope probe status says more of each.")
    else:
        yield Finding("probe", OK, f"the probe is enabled in {prefix}, and all of {len(agents)} agents have it.")


def _answers(world: World, pid: int) -> bool:
    try:
        Probe.of(world.home, pid, world.proc)
    except ProbeError:
        return False
    return True
