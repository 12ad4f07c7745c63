"""Processes as /proc shows them (proc(5)); every root is a parameter, so that tests point it at a frozen tree."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process at one moment. Bytes, seconds and counts; None where the kernel did not tell us."""

    pid: int
    ppid: int
    comm: str
    state: str
    threads: int
    user_seconds: float
    system_seconds: float
    start_time: float
    resident_bytes: int
    proportional_bytes: int | None = None
    open_fds: int | None = None
    max_fds: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    children: int = 0


@dataclass
class ProcessTable:
    """Reads processes below `root`.

    `ticks` is the clock tick of /proc/PID/stat in hertz, `page_size` in bytes; both come from sysconf(3).
    """

    root: Path = Path("/proc")
    ticks: int = field(default_factory=lambda: os.sysconf("SC_CLK_TCK"))
    page_size: int = field(default_factory=lambda: os.sysconf("SC_PAGE_SIZE"))

    def boot_time(self) -> float:
        """When the machine started, in seconds since the epoch (`btime` of /proc/stat).

        Raises OSError when it cannot be read.
        """
        for line in (self.root / "stat").read_text().splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
        raise OSError(f"no btime in {self.root / 'stat'}")

    def started_at(self, pids: Iterable[int]) -> dict[int, float | None]:
        """Start times (seconds since the epoch) of those of `pids` that exist and are no kernel zombies."""
        boot = self.boot_time()
        found: dict[int, float | None] = {}
        for pid in pids:
            stat = self._stat(pid)
            if stat is not None and stat[2] not in ("Z", "X"):
                found[pid] = boot + int(stat[21]) / self.ticks
        return found

    def read(self, pid: int, *, memory: bool = True) -> Process | None:
        """The process, or None when it is gone.

        `memory=False` leaves out the proportional set size, the one dear reading (the kernel walks the page tables).
        """
        stat = self._stat(pid)
        if stat is None:
            return None
        status = self._pairs(pid, "status")
        io = self._pairs(pid, "io")
        return Process(
            pid=pid,
            ppid=int(stat[3]),
            comm=stat[1],
            state=stat[2],
            threads=int(stat[19]),
            user_seconds=int(stat[13]) / self.ticks,
            system_seconds=int(stat[14]) / self.ticks,
            start_time=self.boot_time() + int(stat[21]) / self.ticks,
            resident_bytes=int(stat[23]) * self.page_size,
            proportional_bytes=self._pss(pid) if memory else None,
            open_fds=self._open_fds(pid),
            max_fds=self._max_fds(pid),
            voluntary_switches=_first_int(status.get("voluntary_ctxt_switches")),
            involuntary_switches=_first_int(status.get("nonvoluntary_ctxt_switches")),
            read_bytes=_first_int(io.get("read_bytes")),
            write_bytes=_first_int(io.get("write_bytes")),
            children=len(self.children(pid)),
        )

    def children(self, pid: int) -> list[int]:
        """The direct children of every thread of `pid`; empty when it is gone."""
        found: list[int] = []
        try:
            for task in (self.root / str(pid) / "task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            return found
        return found

    def pids(self) -> list[int]:
        """Every process id there is."""
        return [int(entry.name) for entry in self.root.iterdir() if entry.name.isdigit()]

    def cmdline(self, pid: int) -> list[str]:
        """The command line, empty when the process is gone or a kernel thread."""
        try:
            raw = (self.root / str(pid) / "cmdline").read_bytes()
        except OSError:
            return []
        return [part.decode(errors="replace") for part in raw.split(b"\0")[:-1]]

    def open_files(self, pid: int) -> list[str]:
        """Paths of the regular files the process has open; empty when we may not look."""
        found = []
        try:
            for descriptor in (self.root / str(pid) / "fd").iterdir():
                try:
                    target = str(descriptor.readlink())
                except OSError:
                    continue
                if target.startswith("/") and not target.startswith(("/dev/", "/proc/")):
                    found.append(target)
        except OSError:
            return found
        return found

    def _stat(self, pid: int) -> list[str] | None:
        """The fields of /proc/PID/stat, counted from 0; the name may hold blanks and brackets."""
        try:
            text = (self.root / str(pid) / "stat").read_text(errors="replace")
        except OSError:
            return None
        head, _, tail = text.rpartition(")")
        number, _, name = head.partition("(")
        return [number.strip(), name, *tail.split()]

    def _pairs(self, pid: int, name: str) -> dict[str, str]:
        try:
            lines = (self.root / str(pid) / name).read_text(errors="replace").splitlines()
        except OSError:
            return {}
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def _pss(self, pid: int) -> int | None:
        value = self._pairs(pid, "smaps_rollup").get("Pss")
        return int(value.split()[0]) * 1024 if value else None

    def _open_fds(self, pid: int) -> int | None:
        try:
            return sum(1 for _ in (self.root / str(pid) / "fd").iterdir())
        except OSError:
            return None

    def _max_fds(self, pid: int) -> int | None:
        try:
            lines = (self.root / str(pid) / "limits").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            if line.startswith("Max open files"):
                soft = line.split()[3]
                return int(soft) if soft.isdigit() else None
        return None


def _first_int(value: str | None) -> int | None:
    return int(value.split()[0]) if value else None
