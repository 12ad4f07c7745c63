"""Processes as /proc shows them (proc(5)); every root is a parameter, so that tests point it at a frozen tree."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_ESTABLISHED = "01"  # TCP_ESTABLISHED of the kernel's tcp_states.h, as /proc/net/tcp shows it


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

    def birth(self, pid: int) -> int | None:
        """When `pid` started, in clock ticks since boot; None when it is gone or a kernel zombie.

        With the pid it tells a process from a later one that was given the same number.
        """
        stat = self._stat(pid)
        return int(stat[21]) if stat is not None and stat[2] not in ("Z", "X") else None

    def read(self, pid: int, *, memory: bool = True, boot_time: float | None = None) -> Process | None:
        """The process, or None when it is gone.

        `memory=False` leaves out the proportional set size, the one dear reading (the kernel walks the page tables).
        `boot_time`, where the caller reads many processes, spares reading it for each.
        """
        stat = self._stat(pid)
        if stat is None:
            return None
        status = self._file(pid, "status")
        io = self._file(pid, "io")
        return Process(
            pid=pid,
            ppid=int(stat[3]),
            comm=stat[1],
            state=stat[2],
            threads=int(stat[19]),
            user_seconds=int(stat[13]) / self.ticks,
            system_seconds=int(stat[14]) / self.ticks,
            start_time=(self.boot_time() if boot_time is None else boot_time) + int(stat[21]) / self.ticks,
            resident_bytes=int(stat[23]) * self.page_size,
            proportional_bytes=self._pss(pid) if memory else None,
            open_fds=self._open_fds(pid),
            max_fds=self._max_fds(pid),
            voluntary_switches=_number(status, b"voluntary_ctxt_switches:"),
            involuntary_switches=_number(status, b"nonvoluntary_ctxt_switches:"),
            read_bytes=_number(io, b"read_bytes:"),
            write_bytes=_number(io, b"write_bytes:"),
            children=len(self.children(pid)),
        )

    def children(self, pid: int) -> list[int]:
        """The direct children of every thread of `pid`; empty when it is gone."""
        found: list[int] = []
        try:
            for task in os.listdir(f"{self.root}/{pid}/task"):  # noqa: PTH208 (see _file)
                found += map(int, (self._file(pid, f"task/{task}/children") or b"").split())
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

    def tcp_connections(self, pid: int) -> int | None:
        """Established TCP connections of the process; None when we may not look."""
        try:
            entries = os.listdir(f"{self.root}/{pid}/fd")  # noqa: PTH208 (see _file)
        except OSError:
            return None
        sockets = set()
        for entry in entries:
            try:
                target = os.readlink(f"{self.root}/{pid}/fd/{entry}")  # noqa: PTH115 (see _file)
            except OSError:
                continue
            if target.startswith("socket:["):
                sockets.add(target[8:-1])
        found = 0
        for table in ("tcp", "tcp6"):
            try:
                with (self.root / str(pid) / "net" / table).open() as rows:
                    next(rows, None)
                    found += sum(fields[3] == _ESTABLISHED and fields[9] in sockets for fields in map(str.split, rows))
            except OSError:
                continue  # a kernel without IPv6 has no tcp6
        return found

    def _file(self, pid: int, name: str) -> bytes | None:
        """A file of a process, None when it cannot be read. Without pathlib and buffers: at 100 agents half the cost
        of a scrape was theirs.
        """
        try:
            descriptor = os.open(f"{self.root}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            # the files read here are one record of the kernel's, which it gives whole
            return os.read(descriptor, 1 << 16)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def _stat(self, pid: int) -> list[str] | None:
        """The fields of /proc/PID/stat, counted from 0; the name may hold blanks and brackets."""
        raw = self._file(pid, "stat")
        if not raw:
            return None
        head, _, tail = raw.decode(errors="replace").rpartition(")")
        number, _, name = head.partition("(")
        return [number.strip(), name, *tail.split()]

    def _pss(self, pid: int) -> int | None:
        value = _number(self._file(pid, "smaps_rollup"), b"Pss:")
        return value * 1024 if value is not None else None

    def _open_fds(self, pid: int) -> int | None:
        try:
            return len(os.listdir(f"{self.root}/{pid}/fd"))  # noqa: PTH208 (see _file)
        except OSError:
            return None

    def _max_fds(self, pid: int) -> int | None:
        return _number(self._file(pid, "limits"), b"Max open files")


def _number(raw: bytes | None, name: bytes) -> int | None:
    """The number behind `name` at the start of a line; None where there is none."""
    if not raw:
        return None
    at = 0 if raw.startswith(name) else raw.find(b"\n" + name) + 1
    if not at and not raw.startswith(name):
        return None
    first = raw[at + len(name) : at + len(name) + 64].split(None, 1)[:1]
    return int(first[0]) if first and first[0].isdigit() else None
