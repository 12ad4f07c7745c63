"""Whether the helper can work on this machine, found out before it says that it does."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from voltscope.errors import HelperUnfit
from voltscope.probed.leftovers import TRACEFS

# Folders only root may write to: what is found there is run as root.
SAFE_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_PID_NAMESPACE = Path("/proc/self/ns/pid")
# The number of the namespace that processes have from the kernel's start (PROC_PID_INIT_INO of its proc_ns.h): what a
# program in the kernel compares is the number there.
_FIRST = Path("pid:[4026531836]")
_TRIAL = "BEGIN { exit(); }"
# 0.4 s here; it compiles a program with LLVM, read from a cold disk at boot
_TRIAL_S = 60.0


def tracer() -> Path:
    """The bpftrace to run, which was seen to work. Raises HelperUnfit with what is missing and what to do."""
    if os.geteuid() != 0:
        raise HelperUnfit("voltscope probed runs as root only.", "Use its systemd unit, or sudo: docs/probed.md.")
    if _PID_NAMESPACE.readlink() != _FIRST:
        raise HelperUnfit(
            "the helper runs in a PID namespace, where the kernel's numbers of processes are not those asked for.",
            "Run it on the host, not in a container.",
        )
    found = shutil.which("bpftrace", path=SAFE_PATH)
    if found is None:
        raise HelperUnfit(f"there is no bpftrace in {SAFE_PATH}.", "Run: apt-get install bpftrace")
    if not any((place / "events").is_dir() for place in TRACEFS):
        raise HelperUnfit(
            "the kernel's tracing filesystem is not mounted, or this process may not see it.",
            "Run: mount -t tracefs nodev /sys/kernel/tracing (systemd does at boot: sys-kernel-tracing.mount).",
        )
    try:
        tried = subprocess.run(
            [found, "-e", _TRIAL],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TRIAL_S,
            cwd="/",
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HelperUnfit(f"{found} cannot be run: {error}.", "Install it anew.") from error
    if tried.returncode:
        words = " ".join((tried.stderr or tried.stdout).split())[-300:].rstrip(".")
        raise HelperUnfit(
            f"the kernel refuses {found}: {words}.",
            "It wants CAP_BPF, CAP_PERFMON and no lockdown; in a container it must be privileged.",
        )
    return Path(found)
