"""The bpftrace programs of the live views: this closed list is all the root helper ever runs."""

from __future__ import annotations

from pathlib import Path

SYSCALLS = "syscalls"
LATENCY = "latency"
FLOW = "flow"
GC = "gc"
FILES = "files"
# What bpftrace is told besides. Two strings and a key of them take their room on the 512 bytes of stack that a kernel
# program has: 100 each is too much already.
ENVIRONMENT = {"BPFTRACE_STRLEN": "80"}
# Paths of files are longer, and one string at a time has room. 4 MB for each processor: half a second of calls.
FLOW_ENVIRONMENT = {"BPFTRACE_STRLEN": "200", "BPFTRACE_PERF_RB_PAGES": "1024"}
NAMES = (SYSCALLS, LATENCY, FLOW, GC, FILES)


def text_of(name: str) -> str:
    """The program of that name. Raises KeyError when there is none."""
    if name not in NAMES:
        raise KeyError(name)
    return (Path(__file__).parent / f"{name}.bt").read_text(encoding="utf-8")
