"""What a tracer needs of root's privileges (capabilities(7)), and taking the rest away from it."""

from __future__ import annotations

import functools
from pathlib import Path

from voltscope.errors import HelperUnfit

_NUMBERS = {"SETPCAP": 8, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "PERFMON": 38, "BPF": 39}  # <linux/capability.h>
_PROC_STATUS = Path("/proc/self/status")

# Loading programs, and attaching them to tracepoints.
COUNTING = ("BPF", "PERFMON")
# The types of the kernel (BTF), which bpftrace 0.17 asks for by their numbers.
TYPES = ("SYS_ADMIN",)
# Uprobes of perf_event_open(2), and finding out where another user's process has its interpreter.
USER_PROBES = ("SYS_ADMIN", "SYS_PTRACE")
# Buffers over RLIMIT_MEMLOCK, of which all tracers of a user have one together: a flow has 4 MB for each processor.
_BUFFERS = ("IPC_LOCK",)


def missing(needed: tuple[str, ...]) -> HelperUnfit | None:
    """The error when we do not have what a program needs. CAP_SYS_ADMIN stands for those split from it."""
    ours = _effective()
    lacking = [name for name in needed if not ours >> _NUMBERS[name] & 1]
    if not lacking or (needed == COUNTING and ours >> _NUMBERS["SYS_ADMIN"] & 1):
        return None
    names = " and ".join(f"CAP_{name}" for name in lacking)
    return HelperUnfit(f"the helper was started without {names}.", "See CapabilityBoundingSet= of its unit.")


def shed(needed: tuple[str, ...]) -> list[str]:
    """The command by which a tracer is run: killed when we are, and left with what it needs. setpriv(1) of util-linux.

    Without CAP_SETPCAP a process cannot take from the bounding set, and the tracer keeps what we have.
    """
    command = ["setpriv", "--pdeathsig", "KILL", "--no-new-privs", "--inh-caps", "-all"]
    if _effective() >> _NUMBERS["SETPCAP"] & 1:
        kept = ",".join(f"+{name.lower()}" for name in (*needed, *_BUFFERS))
        command += ["--bounding-set", f"-all,{kept}"]
    return command


@functools.lru_cache(maxsize=1)
def _effective() -> int:
    lines = _PROC_STATUS.read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
