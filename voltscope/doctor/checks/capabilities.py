"""Capabilities: what the kernel lets us do beyond the ordinary. None is needed for the main job."""

from __future__ import annotations

from collections.abc import Iterator

from voltscope.doctor.finding import OK, Finding
from voltscope.doctor.world import World

CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 1 << 19, 1 << 21, 1 << 38, 1 << 39
_NAMES = {
    CAP_SYS_PTRACE: "CAP_SYS_PTRACE", CAP_SYS_ADMIN: "CAP_SYS_ADMIN", CAP_PERFMON: "CAP_PERFMON", CAP_BPF: "CAP_BPF"
}  # fmt: skip


def effective(world: World, pid: int | str) -> int:
    """The effective capabilities of a process as a bit set (capabilities(7)), 0 when unknown."""
    try:
        return int(world.status(pid).get("CapEff", "0"), 16)
    except ValueError:
        return 0


def capabilities(world: World) -> Iterator[Finding]:
    """Ours and the platform's, of those that matter to observing."""
    for who, pid in (("this shell", "self"), ("the platform", world.platform_pid)):
        if pid is None:
            continue
        found = effective(world, pid)
        named = [name for bit, name in _NAMES.items() if found & bit]
        yield Finding(
            "capabilities", OK, f"{who} has {', '.join(named)}." if named else f"{who} has none beyond the ordinary."
        )
