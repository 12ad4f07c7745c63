"""Probes that a tracer which was killed left defined in the kernel: found and removed.

Where perf_event_open(2) gives a tracer its probes, the kernel takes them away when the tracer ends, however it ends.
Where it refuses (a process that ends just then, a kernel without perf's uprobes) libbcc falls back to writing them into
tracefs, and those stay until somebody removes them. Their names end with the number of the process that made them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

TRACEFS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
# `p:uprobes/p__usr_bin_python3_11_2873b_1_bcc_9249 /usr/bin/python3.11:0x2873b` (Documentation/trace/uprobetracer.rst)
_DEFINED = re.compile(r"^[pr]\d*:(?P<event>\S+_bcc_(?P<pid>\d+))\s", re.MULTILINE)


def sweep(places: tuple[Path, ...] = TRACEFS) -> list[str]:
    """Remove the definitions of tracers that are gone; those in use, the kernel keeps. Names of those removed."""
    removed: list[str] = []
    for file in (place / name for place in places for name in ("uprobe_events", "kprobe_events")):
        try:
            text = file.read_text()
        except OSError:
            continue  # a kernel without such probes
        for found in _DEFINED.finditer(text):
            if not os.path.exists(f"/proc/{found['pid']}"):  # noqa: PTH110 - a number, not a path of somebody's
                removed += _remove(file, found["event"])
    return removed


def _remove(file: Path, event: str) -> list[str]:
    try:
        # as it is: opened for writing otherwise, the file loses every definition there is, and Python's "a" seeks in it
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(descriptor, f"-:{event}\n".encode())
        finally:
            os.close(descriptor)
    except OSError:
        return []  # in use after all, or the folder is read-only, as in our systemd unit
    return [event]
