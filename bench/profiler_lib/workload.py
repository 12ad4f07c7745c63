"""Starting what is profiled, and how much it gets done in a stretch of time."""

from __future__ import annotations

import contextlib
import mmap
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent


class Historian:
    """The busy agent. `rows()`: so far."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir(parents=True)
        counter = folder / "counter"
        counter.write_bytes(b"\0" * 8)
        command = [sys.executable, str(HERE / "historian.py"), str(counter), str(folder / "data.sqlite"), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("the busy agent did not start")
        with counter.open("r+b") as file:
            self._counter = mmap.mmap(file.fileno(), 8)

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def rows(self) -> int:
        """So far."""
        return int(struct.unpack("<Q", self._counter[:8])[0])

    def rate(self, seconds: float) -> float:
        """Rows a second over the next `seconds`."""
        first, began = self.rows(), time.perf_counter()
        time.sleep(seconds)
        return (self.rows() - first) / (time.perf_counter() - began)

    def pause(self) -> None:
        """It stands still until `resume`."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextlib.contextmanager
def historian(folder: Path, *arguments: str) -> Iterator[Historian]:
    """One that runs meanwhile."""
    made = Historian(folder, *arguments)
    try:
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[None]:
    """A program that runs meanwhile, and is ended by SIGINT."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def pairs(count: int, plain: Callable[[], float], profiled: Callable[[], float]) -> list[float]:
    """Profiled to plain, so many times; which goes first changes every time."""
    ratios = []
    for number in range(count):
        if number % 2:
            with_it, without = profiled(), plain()
        else:
            without, with_it = plain(), profiled()
        ratios.append(with_it / without)
    return ratios
