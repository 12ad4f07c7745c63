"""The root helper for tests: a real one, users to ask it as, processes to watch, and what the kernel has of it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voltscope.errors import VoltscopeError
from voltscope.live.bpftrace import Message
from voltscope.live.helper import HelperFeed
from voltscope.probed.interpreter import UserProbe, user_probes

# Two users that are on every Debian, and one group for both.
NOBODY, OTHER, GROUP = 65534, 1, 65534
PATIENCE_S = 60.0

# Calls, reads, collects, and does each again and again.
BUSY = """
import gc, sys, time
def work(): return open("/etc/hostname").read()
print("ready", flush=True)
while True:
    work()
    gc.collect()
    time.sleep(0.01)
"""


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` gives, as soon as that is something."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {PATIENCE_S:.0f} s")


@dataclass
class RunningHelper:
    """A helper process. `lines`: what it wrote, as it comes."""

    process: subprocess.Popen[str]
    path: Path
    lines: list[str]

    def tracers(self) -> list[int]:
        """Numbers of the tracers it runs just now."""
        found: list[int] = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
        return [pid for pid in found if _comm(pid) == "bpftrace"]


@contextlib.contextmanager
def helper_process(folder: Path) -> Iterator[RunningHelper]:
    """A helper that serves below `folder`."""
    path = folder / "probed.sock"
    command = [sys.executable, "-m", "voltscope.cli", "probed", "--socket", str(path), "--group", "nogroup"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    running = RunningHelper(process, path, [])
    reader = threading.Thread(target=lambda: running.lines.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        wait_for(lambda: any("serving" in line for line in running.lines) or process.poll() is not None, "the helper")
        assert process.poll() is None, running.lines
        yield running
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        reader.join(PATIENCE_S)


@contextlib.contextmanager
def target(source: str = BUSY, uid: int = 0, gid: int = 0, program: str = "/usr/bin/python3") -> Iterator[int]:
    """The number of a Python process of that user, which has said that it is ready."""
    process = subprocess.Popen(
        [program, "-c", source], stdout=subprocess.PIPE, user=uid, group=gid, extra_groups=[], cwd="/"
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def as_user(uid: int, gid: int, action: Callable[[], object]) -> Any:
    """What `action` gives, or raises, in a child process of that user."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        told: tuple[str, Any]
        try:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            told = ("given", action())
        except VoltscopeError as error:
            told = ("raised", (type(error), error.message, error.remedy))
        except BaseException as error:
            told = ("broken", repr(error))
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(told, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        how, what = pickle.load(pipe)  # noqa: S301 - from our own child
    os.waitpid(child, 0)
    if how == "raised":
        kind, message, remedy = what
        raise kind(message, remedy)
    assert how == "given", what
    return what


def first(feed: HelperFeed, kind: str) -> Message:
    """The first message of that kind; the program is stopped at it."""
    found: list[Message] = []
    for batch in feed.batches():
        found += [message for message in batch if message.kind == kind]
        if found:
            feed.stop()
    assert found, feed.ended
    return found[0]


class Traces:
    """What the kernel has of one tracer while it runs, to be looked for when it is gone."""

    def __init__(self, tracer: int, watched: int) -> None:
        self._tracer, self._watched = tracer, watched
        exe = Path(f"/proc/{watched}/exe")
        with exe.open("rb") as file:
            self._probes = [probe for probe in user_probes(file) if probe.provider == "python"]
            file.seek(16)
            moved = file.read(2) == b"\x03\x00"  # ET_DYN
        mapped = Path(f"/proc/{watched}/maps").read_text().split("-", 1)[0]
        self._base = int(mapped, 16) if moved else 0
        self.programs = _programs_of(tracer)

    def left(self) -> list[str]:
        """What is there of it, in words; nothing when all is as it was."""
        found = [f"program {number}" for number in self.programs & _all_programs()]
        for name in ("uprobe_events", "kprobe_events"):
            with contextlib.suppress(FileNotFoundError):
                lines = Path("/sys/kernel/tracing", name).read_text().splitlines()
                found += [line for line in lines if f"_bcc_{self._tracer}" in line]
        return found + self.in_target()

    def in_target(self) -> list[str]:
        """Breakpoints and raised semaphores in the watched process."""
        return [
            f"{what} of {probe.name}"
            for probe in self._probes
            for what, there in (("breakpoint", self._broken(probe)), ("semaphore", self._raised(probe)))
            if there
        ]

    def _broken(self, probe: UserProbe) -> bool:
        # what <sys/sdt.h> puts there is a nop of one byte, what the kernel puts over it an int3
        if platform.machine() != "x86_64":
            return False
        return self._memory(probe.location, 1) == b"\xcc"

    def _raised(self, probe: UserProbe) -> bool:
        return bool(probe.semaphore) and self._memory(probe.semaphore, 2) != b"\0\0"

    def _memory(self, address: int, size: int) -> bytes:
        with Path(f"/proc/{self._watched}/mem").open("rb", buffering=0) as memory:
            memory.seek(self._base + address)
            return memory.read(size)


_BPF = {"x86_64": 321, "aarch64": 280}
_BPF_PROG_GET_NEXT_ID = 11


def _all_programs() -> set[int]:
    """The numbers of all BPF programs in the kernel (bpf(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    found: set[int] = set()
    attributes = (ctypes.c_uint32 * 32)()
    while libc.syscall(_BPF[platform.machine()], _BPF_PROG_GET_NEXT_ID, ctypes.byref(attributes), 12) == 0:
        found.add(attributes[1])
        attributes[0] = attributes[1]
    return found


def _programs_of(pid: int) -> set[int]:
    """The numbers of the programs a process holds."""
    found: set[int] = set()
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            for line in entry.read_text().splitlines():
                if line.startswith("prog_id:"):
                    found.add(int(line.split()[1]))
    return found


def ended(pid: int) -> bool:
    """Whether a process is gone, or waits for nothing but its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
