"""A real process to watch that does what it is told, and what is left of those who watched it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

# Each line on its standard input is a number: so many calls of each kind, half of them in a thread that begins and
# ends with them, and an answer when they are made.
OBEDIENT = """
import os, sys, threading
def leaf(n): return n + 1
def recurse(n): return 0 if n == 0 else recurse(n - 1)
def pair():
    yield 1
    yield 2
def fails(): raise ValueError
def work(count):
    for n in range(count):
        leaf(n)
        os.getpid()
        try: os.stat("/nowhere/at/all")
        except OSError: pass
    recurse(2)
    list(pair())
    try: fails()
    except ValueError: pass
def child():
    if os.fork() == 0:
        for _ in range(100): os.getpgid(0)
        os._exit(0)
    os.wait()
print("ready", flush=True)
for line in sys.stdin:
    half = int(line) // 2
    thread = threading.Thread(target=work, args=(int(line) - half,))
    thread.start()
    thread.join()
    work(half)
    child()
    print("done", flush=True)
"""


class Obedient:
    """A running process of that program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.pid = process, process.pid

    def work(self, count: int) -> None:
        """Have it make its calls, and return when it has."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@contextlib.contextmanager
def obedient(program: str) -> Iterator[Obedient]:
    """One, run by that interpreter."""
    process = subprocess.Popen(
        [program, "-c", OBEDIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Obedient(process)
    finally:
        process.kill()
        process.communicate()


def status(pid: int, key: str) -> str:
    """What /proc/PID/status has for a key; nothing when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{key}:")), "")


def free(pid: int) -> bool:
    """Whether a process goes on by itself: neither stopped nor traced."""
    return status(pid, "State")[:1] in ("R", "S", "D") and status(pid, "TracerPid") == "0"


def named(pid: int, name: str) -> bool:
    """Whether a process runs the program of that name."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == name
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """Every process that a process has started, and those in turn."""
    found: list[int] = []
    for parent in (pid, *found):
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                for child in map(int, (task / "children").read_text().split()):
                    found += [child, *descendants(child)]
    return found
