"""Where the checks look: the site, and the machine behind roots that tests point at frozen trees."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from voltscope.cli.exposition import Snapshot, scrape
from voltscope.doctor.kernel_clock import KernelClock, kernel_clock
from voltscope.errors import VoltscopeError
from voltscope.platform.home import platform_pid
from voltscope.platform.processes import ProcessTable
from voltscope.site import Site

TIMEOUT_S = 3.0  # per request: a doctor who makes the patient wait is called less often


@dataclass
class World:
    """Everything the checks read.

    `proc` is procfs; `now` the clock (seconds since the epoch); `clock` asks the kernel whether time is kept;
    `uid` whom we run as; `site_packages` where to look for installed distributions, None for our own environment.
    """

    site: Site
    proc: Path = Path("/proc")
    now: Callable[[], float] = time.time
    clock: Callable[[], KernelClock | None] = kernel_clock
    uid: int = field(default_factory=os.getuid)
    site_packages: list[str] | None = None
    bin_dir: Path = field(default_factory=lambda: Path(sys.executable).parent)

    @property
    def home(self) -> Path:
        """VOLTTRON_HOME."""
        return Path(self.site.volttron_home)

    @property
    def log(self) -> Path:
        """The platform's log: as the site file says, else where platforms commonly have it."""
        return Path(self.site.log) if self.site.log else self.home / "volttron.log"

    @property
    def processes(self) -> ProcessTable:
        """The processes of `proc`."""
        return ProcessTable(self.proc)

    @cached_property
    def scraped(self) -> Snapshot | VoltscopeError:
        """One scrape of the exporter for all checks, or why there is none."""
        try:
            return scrape(self.site, timeout_s=TIMEOUT_S)
        except VoltscopeError as error:
            return error

    @cached_property
    def platform_pid(self) -> int | None:
        """The platform's process by VOLTTRON_HOME/VOLTTRON_PID, None when it does not run."""
        pid = platform_pid(self.home)
        return pid if pid is not None and (self.proc / str(pid) / "status").exists() else None

    def status(self, pid: int | str) -> dict[str, str]:
        """/proc/PID/status as key and value, empty when it is gone."""
        try:
            lines = (self.proc / str(pid) / "status").read_text(errors="replace").splitlines()
        except OSError:
            return {}
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def kernel_setting(self, name: str) -> int | None:
        """An integer below /proc/sys, such as `kernel/yama/ptrace_scope`; None when there is no such setting."""
        try:
            return int((self.proc / "sys" / name).read_text())
        except (OSError, ValueError):
            return None

    def log_tail(self, size: int) -> bytes:
        """The last `size` bytes of the platform's log, from the first whole line on. Raises OSError."""
        with self.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - size))
            tail = file.read(size)
        return tail if end <= size else tail.partition(b"\n")[2]
