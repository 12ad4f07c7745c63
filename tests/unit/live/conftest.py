"""What the tests of the live views share: whether this kernel lets itself be probed, and an interpreter with probes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from root_helper import RunningHelper, helper_process
from servers.missing import without

from voltscope.live.syscalls import other_pids

_TRACEFS = Path("/sys/kernel/tracing")
_DEBIANS = Path("/usr/bin/python3")


@pytest.fixture(scope="session")
def kernel_probes() -> Path:
    """A bpftrace that works here. Skips, with the kernel's words, where we may not probe it; a missing program fails
    in CI, as everywhere.
    """
    found = shutil.which("bpftrace", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        without("bpftrace is missing")
    if os.geteuid() != 0:
        pytest.skip("only root may probe the kernel")
    if not (_TRACEFS / "events").is_dir():
        mounted = subprocess.run(["mount", "-t", "tracefs", "nodev", _TRACEFS], capture_output=True, text=True)
        if mounted.returncode:
            pytest.skip(f"tracefs cannot be mounted: {mounted.stderr.strip()}")
    foreign = other_pids()
    if foreign is not None:
        pytest.skip(foreign)
    script = "BEGIN { exit(); } tracepoint:raw_syscalls:sys_exit /0/ { }"
    tried = subprocess.run([found, "-e", script], capture_output=True, text=True, timeout=60)
    if tried.returncode:
        pytest.skip(f"the kernel lets nobody probe it: {tried.stderr.strip()[-300:]}")
    return Path(found)


@pytest.fixture(scope="session")
def usdt_python(kernel_probes: Path) -> Path:
    """The system's Python, when it has USDT probes; Debian's has."""
    if not _DEBIANS.exists() or b".note.stapsdt" not in _DEBIANS.read_bytes():
        pytest.skip(f"{_DEBIANS} has no USDT probes")
    return _DEBIANS.resolve()


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder of root's that every user may enter; pytest's own are for root alone."""
    with tempfile.TemporaryDirectory(prefix="voltscope-probed-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def probed(kernel_probes: Path, open_folder: Path) -> Iterator[RunningHelper]:
    """The root helper, for all tests that let it live."""
    with helper_process(open_folder) as running:
        yield running
