"""Profiling: py-spy is there, and the kernel lets it attach."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from voltscope.doctor.checks.capabilities import CAP_SYS_PTRACE, effective
from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import World

_SCOPE = "kernel/yama/ptrace_scope"
_REMEDY = (
    "As root: sysctl -w kernel.yama.ptrace_scope=0 (and in /etc/sysctl.d/ to keep it), "
    "or: setcap cap_sys_ptrace+ep PY_SPY"
)


def ptrace(world: World) -> Iterator[Finding]:
    """The profiler agent attaches to its siblings, which are not its children."""
    spy = shutil.which("py-spy", path=str(world.bin_dir)) or shutil.which("py-spy")
    if spy is None:
        yield Finding("ptrace", FAIL, "py-spy is not installed: no flamegraphs.", "pip install py-spy")
    yield _scope(world, spy or "py-spy")
    owner = world.status(world.platform_pid).get("Uid", "").split() if world.platform_pid is not None else []
    if owner and world.uid not in (0, int(owner[1])):
        yield Finding(
            "ptrace",
            OK,
            f"the platform runs as uid {owner[1]}, we as {world.uid}: the profiler agent may attach, py-spy "
            "started from this shell may not.",
        )


def _scope(world: World, spy: str) -> Finding:
    scope = world.kernel_setting(_SCOPE)
    remedy = _REMEDY.replace("PY_SPY", spy)
    if scope is None:
        return Finding("ptrace", OK, "this kernel has no Yama: processes of one user may attach to each other.")
    if scope == 0:
        return Finding("ptrace", OK, "ptrace_scope is 0: processes of one user may attach to each other.")
    if scope == 3:
        return Finding(
            "ptrace", FAIL, "ptrace_scope is 3: nobody may attach, until the next boot.",
            "Remove the setting in /etc/sysctl.d/ and boot again.",
        )  # fmt: skip
    allowed = "only root and CAP_SYS_PTRACE" if scope == 2 else "only a parent"
    platform = world.platform_pid
    if platform is not None and effective(world, platform) & CAP_SYS_PTRACE:
        return Finding("ptrace", OK, f"ptrace_scope is {scope}, and the platform has CAP_SYS_PTRACE.")
    return Finding("ptrace", WARN, f"ptrace_scope is {scope}: {allowed} may attach; flamegraphs are refused.", remedy)
