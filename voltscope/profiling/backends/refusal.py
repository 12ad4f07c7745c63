"""Why the kernel refused to let one process look into another (ptrace(2), "access mode checking"), and what helps."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from voltscope.errors import ProbeError, ProfilingRefused, TargetGone
from voltscope.live.probes import Probe
from voltscope.profiling.backends.base import Need

CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON = 19, 21, 38  # <linux/capability.h>
_CAPABILITY = (
    "give the profiler CAP_SYS_PTRACE: `AmbientCapabilities=CAP_SYS_PTRACE` in its systemd unit, or "
    "`sudo setcap cap_sys_ptrace=eip {program}`"
)


@contextmanager
def let_in(pid: int, proc: Path = Path("/proc")) -> Iterator[bool]:
    """Where yama allows parents alone to attach, have the agent's own probe name us as its tracer meanwhile: what we
    start may attach then (PR_SET_PTRACER takes in descendants). Yields whether it did: False where nothing bars us,
    and where there is no probe, or no yama in its kernel; the profiler's own words and `refused` then say what helps.
    """
    with ExitStack() as kept:
        allowed = False
        if _ptrace_scope(proc) == 1 and not capable(proc, CAP_SYS_PTRACE):
            with suppress(ProbeError, TargetGone):
                answer = kept.enter_context(Probe.inside(pid, proc).held("allow"))
                allowed = answer.get("tracer") == os.getpid()
        yield allowed


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
    barred = _ptrace_scope(proc) == 3  # even for those with the capability
    if not barred and (capable(proc, CAP_SYS_PTRACE) or gives(program, CAP_SYS_PTRACE, proc)):
        return Need(what, True)
    theirs = None if pid is None else owner(pid, proc)
    theirs = ours if theirs is None else theirs
    tracer = pid is not None and _tracer(proc, pid)
    stranger = pid is not None and other_group(pid, proc) is not None
    scope = _ptrace_scope(proc)
    if theirs == ours and not stranger and not tracer and (not scope or (scope == 1 and _has_probe(pid, proc))):
        return Need(what, True)
    return Need(what, False, _remedy(pid or os.getpid(), program or Path("py-spy"), proc, ours))


def capable(proc: Path, *capabilities: int) -> bool:
    """Whether we have one of these capabilities ourselves. Root in a container need not."""
    effective = int(_status(proc, "CapEff") or "0", 16)
    return any(effective >> capability & 1 for capability in capabilities)


def gives(program: Path | None, capability: int, proc: Path = Path("/proc")) -> bool:
    """Whether starting the file gives us the capability (capabilities(7): permitted set of `vfs_cap_data`,
    little-endian, low words first). Nobody gains any with no_new_privs, as systemd's `NoNewPrivileges=` sets it.
    """
    if program is None or _status(proc, "NoNewPrivs") == "1":
        return False
    try:
        attribute = os.getxattr(program.resolve(), "security.capability")
    except OSError:
        return False
    permitted = int.from_bytes(attribute[4:8], "little") | int.from_bytes(attribute[12:16], "little") << 32
    return bool(permitted >> capability & 1)


def owner(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Whose process it is, a user id; None when it is gone."""
    try:
        return (proc / str(pid)).stat().st_uid
    except OSError:
        return None


def other_group(pid: int, proc: Path = Path("/proc")) -> str | None:
    """The process's group where it is not ours, which bars us as another user does (ptrace(2)); None where it is."""
    try:
        theirs = (proc / str(pid)).stat().st_gid
    except OSError:
        return None
    if theirs == os.getegid():
        return None
    try:
        return grp.getgrgid(theirs).gr_name
    except KeyError:
        return str(theirs)


def user_name(uid: int) -> str:
    """A user's name, or the number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _has_probe(pid: int | None, proc: Path) -> bool:
    """Whether the agent's own probe can let us in."""
    try:
        return pid is not None and "allow" in Probe.inside(pid, proc).ask("hello").get("can", ())
    except (ProbeError, TargetGone):
        return False


def _status(proc: Path, key: str) -> str | None:
    """The first word behind a key of our own /proc/self/status."""
    try:
        lines = (proc / "self/status").read_text(errors="replace").splitlines()
    except OSError:
        return None
    return next((line.split()[1] for line in lines if line.startswith(f"{key}:")), None)


def _remedy(pid: int, program: Path, proc: Path, ours: int) -> str:
    capability = _CAPABILITY.format(program=program)
    if _status(proc, "NoNewPrivs") == "1":
        capability = (
            "give the profiler's systemd unit `AmbientCapabilities=CAP_SYS_PTRACE` (its NoNewPrivileges= makes "
            "capabilities of files void)"
        )
    theirs = owner(pid, proc)
    if theirs is not None and theirs != ours:
        return (
            f"It belongs to user {user_name(theirs)}, the profiler runs as {user_name(ours)}: run the profiler as "
            f"{user_name(theirs)} (its agent inside that platform does), or as root, or {capability}."
        )
    group = other_group(pid, proc)
    if group is not None:
        return f"It runs with group {group}, the profiler with another: give both the same group, or {capability}."
    tracer = _tracer(proc, pid)
    if tracer:
        return f"Process {tracer} already traces it (a debugger, strace or another profiler): end that first."
    scope = _ptrace_scope(proc)
    if scope == 1:
        return (
            "kernel.yama.ptrace_scope is 1, which allows only parents to attach. Run "
            "`sudo sysctl kernel.yama.ptrace_scope=0` (keep it in /etc/sysctl.d/), or " + capability + ", or run the "
            "profiler's engine as root; or let agents let us in themselves, with prctl(PR_SET_PTRACER): "
            "`voltscope probe enable`, then restart them."
        )
    if scope == 2:
        return f"kernel.yama.ptrace_scope is 2: {capability}, or `sudo sysctl kernel.yama.ptrace_scope=0`."
    if scope == 3:
        return "kernel.yama.ptrace_scope is 3, which forbids it to all until the next boot with another value."
    return f"In a container, start it with `--cap-add SYS_PTRACE`; elsewhere {capability}."


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
