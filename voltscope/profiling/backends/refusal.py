"""Why the kernel refused to let one process look into another (ptrace(2), "access mode checking"), and what helps."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from voltscope.errors import ProfilingRefused
from voltscope.profiling.backends.base import Need

_CAP_SYS_PTRACE = 19
_CAPABILITY = (
    "give the profiler CAP_SYS_PTRACE: `AmbientCapabilities=CAP_SYS_PTRACE` in its systemd unit, or "
    "`sudo setcap cap_sys_ptrace=eip {program}`"
)


def refused(pid: int, program: Path, *, proc: Path = Path("/proc"), uid: int | None = None) -> ProfilingRefused:
    """The error to raise when `program` may not attach to `pid`. `uid`: who we are, the effective user by default."""
    ours = os.geteuid() if uid is None else uid
    message = f"the kernel refused to let {program.name} attach to process {pid}."
    return ProfilingRefused(message, _remedy(pid, program, proc, ours))


def may_attach(program: Path | None, pid: int | None, *, proc: Path = Path("/proc"), uid: int | None = None) -> Need:
    """Whether the kernel lets `program` look into `pid`, or into a process of our own user when that is None.

    What a security module or a container adds is not seen here: only trying tells.
    """
    ours = os.geteuid() if uid is None else uid
    what = "the kernel lets it attach"
    if ours == 0 or _capable(proc) or (program is not None and _has_capability(program)):
        return Need(what, True)
    try:
        theirs = ours if pid is None else (proc / str(pid)).stat().st_uid
    except OSError:
        theirs = ours
    tracer = pid is not None and _tracer(proc, pid)
    if theirs == ours and not tracer and not _ptrace_scope(proc):
        return Need(what, True)
    return Need(what, False, _remedy(pid or os.getpid(), program or Path("py-spy"), proc, ours))


def _capable(proc: Path) -> bool:
    """Whether we have CAP_SYS_PTRACE ourselves."""
    try:
        lines = (proc / "self/status").read_text(errors="replace").splitlines()
    except OSError:
        return False
    effective = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return bool(effective >> _CAP_SYS_PTRACE & 1)


def _has_capability(program: Path) -> bool:
    """Whether the file gives CAP_SYS_PTRACE (capabilities(7): permitted set of `vfs_cap_data`, little-endian)."""
    try:
        attribute = os.getxattr(program, "security.capability")
    except OSError:
        return False
    return bool(int.from_bytes(attribute[4:8], "little") >> _CAP_SYS_PTRACE & 1)


def _remedy(pid: int, program: Path, proc: Path, ours: int) -> str:
    capability = _CAPABILITY.format(program=program)
    try:
        theirs = (proc / str(pid)).stat().st_uid
    except OSError:
        theirs = ours
    if theirs != ours:
        return (
            f"It belongs to user {_name(theirs)}, the profiler runs as {_name(ours)}: run the profiler as "
            f"{_name(theirs)} (its agent inside that platform does), or {capability}."
        )
    tracer = _tracer(proc, pid)
    if tracer:
        return f"Process {tracer} already traces it (a debugger, strace or another profiler): end that first."
    scope = _ptrace_scope(proc)
    if scope == 1:
        return (
            "kernel.yama.ptrace_scope is 1, which allows only parents to attach. Run "
            "`sudo sysctl kernel.yama.ptrace_scope=0` (keep it in /etc/sysctl.d/), or " + capability + "."
        )
    if scope == 2:
        return f"kernel.yama.ptrace_scope is 2: {capability}, or `sudo sysctl kernel.yama.ptrace_scope=0`."
    if scope == 3:
        return "kernel.yama.ptrace_scope is 3, which forbids it to all until the next boot with another value."
    return f"In a container, start it with `--cap-add SYS_PTRACE`; elsewhere {capability}."


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _tracer(proc: Path, pid: int) -> int:
    try:
        lines = (proc / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("TracerPid:")), 0)


def _ptrace_scope(proc: Path) -> int | None:
    try:
        return int((proc / "sys/kernel/yama/ptrace_scope").read_text())
    except (OSError, ValueError):
        return None
